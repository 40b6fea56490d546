"""What may leave a site: decided before the spool, by the one function that makes clips.

Raw samples leave a node only as a `Clip`. A cut becomes a clip nowhere but here, and only where the
site's rules allow it; the outbox takes a `Plain` record, which is everything but a clip, and the
packer only a `ReleasedClip`: the type checker refuses any other way. An unknown region is a
forbidden one. Features are no way round: no window is shorter than 128 samples.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NewType

from edge_node.clips.cutter import Cut
from edge_node.config import PrivacySection
from vibro.records import (
    Clip,
    Event,
    FeatureBlock,
    Health,
    Label,
    Origin,
    RecordId,
    Spectrum,
    StreamInfo,
)

Plain = FeatureBlock | Event | Health | Label | Spectrum
"""A record that holds no raw sample."""

ReleasedClip = NewType("ReleasedClip", Clip)
"""A clip that may leave the site."""

_ASKED = frozenset({"capture"})
_ALLOWED = {
    "never": frozenset[str](),
    "on-request": _ASKED,
    "on-event": _ASKED | {"event", "commissioning", "daily"},
}


class Privacy:
    """The rules of one site.

    Parameters
    ----------
    section : PrivacySection
    ship_region : str
        Region of the log that records are shipped to; empty when it is not known.
    machine_region : str
        The machine's region in the asset register; empty when it is not known.
    """

    def __init__(self, section: PrivacySection, ship_region: str, machine_region: str) -> None:
        plain = section.content == "features-only"
        self._reasons = frozenset[str]() if plain else _ALLOWED[section.clips]
        self.spectra = not plain
        """Whether spectra may leave."""
        wanted = machine_region if section.clip_region == "site" else section.clip_region
        self.refusal = ""
        """Why the region forbids clips; empty when it does not."""
        if wanted != "any" and (not wanted or wanted != ship_region):
            self._reasons = frozenset()
            self.refusal = (
                f"clips stay here: privacy.clip_region is '{section.clip_region}'"
                f" ({wanted or 'the register names no region'}) and ship.region is"
                f" '{ship_region or 'not given'}'"
            )

    def may(self, reason: str) -> bool:
        """Whether clips of this reason may leave; what may not need not be cut."""
        return reason in self._reasons

    def lets(self, record: Plain) -> bool:
        """Whether a record without raw samples may leave: spectra do not as features only."""
        return self.spectra or not isinstance(record, Spectrum)

    def release(
        self, cut: Cut, info: StreamInfo, origin: Origin
    ) -> Callable[[], ReleasedClip] | None:
        """Return what makes a record of a cut, or nothing where the site does not allow it.

        The rules are those of now; the samples are copied when the record is made.
        """
        if not self.may(cut.request.reason):
            return None
        return partial(_released, cut.newest(cut.request.waveform, info.rate_hz), info, origin)


def _released(cut: Cut, info: StreamInfo, origin: Origin) -> ReleasedClip:
    request, source = cut.request, info.channels[0].machine_path
    clip = Clip(
        id=RecordId(request.kind, source, info.stream_epoch, request.first_sample),
        origin=origin,
        reason=request.reason,
        event=request.event,
        t0_ns=cut.t0_ns,
        rate_hz=info.rate_hz,
        rpm=cut.rpm,
        state=request.state,
        channels=tuple(c.channel for c in info.channels),
        scale=info.scale,
        samples=cut.counts(),
        request=request.request,
    )
    return ReleasedClip(clip)
