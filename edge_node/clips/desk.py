"""The clips of one machine: asked for, cut out of a short memory, and packed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from edge_node.clips.captures import CaptureRules, Due
from edge_node.clips.cutter import ClipCutter, Cut, Request
from edge_node.clips.daily import WAVEFORM, DailyRules, phase_of, spectrum_of
from edge_node.clips.packing import ClipPacker, Packed
from edge_node.config import ReportingSection
from edge_node.privacy import Privacy
from edge_node.timeline import Timeline
from vibro.records import Event, Origin, SampleBlock, StreamInfo

_FORBIDDEN = "[privacy] of this node lets no such clip leave"


class ClipDesk:
    """Takes orders for clips and hands them on packed.

    Parameters
    ----------
    reporting : ReportingSection
        Lengths, spacing and number of clips.
    info : StreamInfo
    origin : Origin
        Of the node's records.
    timeline : Timeline
    privacy : Privacy
        Says which clips may leave; the others are not cut.
    """

    def __init__(
        self,
        reporting: ReportingSection,
        info: StreamInfo,
        origin: Origin,
        timeline: Timeline,
        privacy: Privacy,
    ) -> None:
        self._reporting, self._info, self._origin = reporting, info, origin
        self._timeline, self._privacy = timeline, privacy
        self._rules = CaptureRules(round(reporting.clip_spacing_s * 1e9), reporting.clips_per_day)
        every_ns, stretch_ns = round(reporting.daily_s * 1e9), round(reporting.spectrum_s * 1e9)
        self._daily = DailyRules(every_ns, stretch_ns, phase_of(origin.node, every_ns))
        longest_s = max(reporting.clip_s + reporting.clip_lead_s, reporting.spectrum_s)
        self.memory_samples = timeline.samples(longest_s)
        self._cutter = ClipCutter(self.memory_samples, info.rate_hz)
        self._packer = ClipPacker()

    def reconfigure(self, reporting: ReportingSection, privacy: Privacy) -> None:
        """Go on with another spacing and number of clips, and by other rules of what may leave."""
        self._reporting, self._privacy = reporting, privacy
        self._rules.reconfigure(round(reporting.clip_spacing_s * 1e9), reporting.clips_per_day)

    # -- orders --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Ask for the clips that are due at fixed times of the stream."""
        reporting, samples = self._reporting, self._timeline.samples
        due = {samples(reporting.commissioning_clip_s): "commissioning"}
        for at in reporting.capture_at_s:
            # A clip is known by its first sample: no instant is cut twice.
            due.setdefault(samples(at), "capture")
        for first, reason in due.items():
            self._request(Request(reason, "", first, samples(reporting.clip_s)))

    def event(self, event: Event) -> None:
        """Ask for the clip that an event's revision calls for, if any."""
        self._ask(self._rules.event(event), event.t_decided_ns)

    def later(self, now_ns: int) -> None:
        """Ask for the clip that an event calls for because it has stayed, if any."""
        self._ask(self._rules.later(now_ns), now_ns)

    def _ask(self, due: Due | None, now_ns: int) -> None:
        if due is None:
            return
        lead = self._timeline.samples(self._reporting.clip_lead_s)
        first = max(0, self._timeline.sample_at(now_ns) - lead)
        n = self._timeline.samples(self._reporting.clip_s)
        self._request(Request("event", due.event, first, n, due.revision))

    def window(self, now_ns: int, state: str) -> None:
        """Ask for the spectrum and waveform that are due at the end of a window, if any."""
        reason = self._daily.due(now_ns, state)
        if reason:
            n = self._timeline.samples(self._reporting.spectrum_s)
            first = max(0, self._timeline.sample_at(now_ns) - n)
            wanted = Request("daily", "", first, n, state=state, spectrum=reason)
            self._request(replace(wanted, waveform=WAVEFORM))

    def forbidden(self, reason: str) -> str:
        """Why no clip of this reason may leave; empty when one may."""
        return "" if self._privacy.may(reason) else self._privacy.refusal or _FORBIDDEN

    @property
    def capturing(self) -> bool:
        """Whether a capture that a person asked for is under way."""
        return any(r.request for r in self._cutter.requests)

    def capture(self, request: str, seconds: float, first_sample: int) -> None:
        """Ask for the capture of a person's request, from a sample on."""
        n = self._timeline.samples(seconds)
        self._request(Request("capture", "", first_sample, n, spectrum="capture", request=request))

    def _request(self, request: Request) -> None:
        if self._privacy.may(request.reason) or (request.spectrum and self._privacy.spectra):
            self._cutter.request(request)

    # -- cutting and packing -------------------------------------------------------------------

    def push(self, block: SampleBlock, state: str) -> None:
        """Remember a block, and pack every clip that it completes; ``state`` is the machine's."""
        for cut in self._cutter.push(block):
            self._pack(cut, state)

    def gap(self, state: str) -> None:
        """Pack what a gap cuts short."""
        self._daily.interrupt()
        for cut in self._cutter.gap():
            self._pack(cut, state)

    def finish(self, state: str) -> None:
        """Pack what is still waiting for samples with as much as there is: the stream ends."""
        for cut in self._cutter.finish():
            self._pack(cut, state)

    def _pack(self, cut: Cut, state: str) -> None:
        cut = replace(cut, request=replace(cut.request, state=cut.request.state or state))
        spectrum = None
        if cut.request.spectrum and self._privacy.spectra:
            spectrum = partial(spectrum_of, cut, self._info, self._origin)
        clip = self._privacy.release(cut, self._info, self._origin)
        self._packer.add(cut.request, clip, spectrum)

    def ready(self, *, wait: bool) -> list[Packed]:
        """Return the clips that can go into the spool now."""
        return self._packer.ready(wait=wait)

    def kept(self, clips: Sequence[Packed]) -> None:
        """Forget clips that are in the spool."""
        self._packer.kept(clips)

    # -- checkpoint ----------------------------------------------------------------------------

    @property
    def first_wanted(self) -> int | None:
        """Earliest sample that an open request wants, None without one."""
        return min((r.first_sample for r in self._cutter.requests), default=None)

    def snapshot(self, kept: Sequence[Packed]) -> dict[str, Any]:
        """JSON-able state; of the packed clips only ``kept`` reach the spool."""
        # The others are asked for again.
        unpacked = self._packer.requests(kept)
        return {
            "requests": [*map(asdict, unpacked), *self._cutter.snapshot()],
            "captures": self._rules.snapshot(),
            "daily": self._daily.snapshot(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot."""
        self._cutter.restore(state["requests"])
        self._rules.restore(state["captures"])
        self._daily.restore(state.get("daily"))

    def follow(self, state: Mapping[str, Any]) -> None:
        """Keep to the spacing and the day's number of the epoch before."""
        self._rules.restore(state["captures"])
        self._daily.restore(state.get("daily"))
        self._daily.interrupt()
