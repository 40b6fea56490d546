"""The records that cross a boundary: frozen, slotted, with their units in their names.

Inside loops Vibro works on arrays; wherever something is stored, shipped or handed from one part
to another it is one of these. Times are int64 ns UTC. A record is identified by
``(kind, source, stream_epoch, first_sample, revision)``; of two with the same first four fields
the higher revision wins, and an exact repeat is a no-op everywhere.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.errors import BadInputError
from vibro.faults import Fault, Severity

SLUG = re.compile(r"[a-z0-9-]{1,63}\Z")
NAMESPACE = uuid.UUID("6f1d7b52-8d5e-5b0e-9a54-0d1c8b8f7a10")
"""UUIDv5 namespace of things that have no first sample (cases, labels, heartbeats)."""

LIVE = "live"
BACKFILL = "backfill"


def slug(value: str, what: str) -> str:
    """Return ``value`` if it is a slug ``[a-z0-9-]{1,63}``.

    Raises
    ------
    BadInputError
        Naming ``what`` the value was meant to be.
    """
    if not SLUG.match(value):
        raise BadInputError(
            f"{what} '{value}' is not a slug: use 1 to 63 of the characters a-z, 0-9 and '-'"
        )
    return value


@dataclass(frozen=True, slots=True, order=True)
class ChannelPath:
    """One sensor axis at one measuring point: ``site/machine/channel``."""

    site: str
    machine: str
    channel: str

    def __str__(self) -> str:
        return f"{self.site}/{self.machine}/{self.channel}"

    @property
    def machine_path(self) -> str:
        """``site/machine``, the name of a machine in JSON and the key of a Kafka message."""
        return f"{self.site}/{self.machine}"

    @classmethod
    def parse(cls, text: str) -> ChannelPath:
        """Parse ``site/machine/channel``.

        Raises
        ------
        BadInputError
            If there are not three slugs.
        """
        parts = text.split("/")
        if len(parts) != 3:
            raise BadInputError(f"channel path '{text}' is not site/machine/channel")
        return cls(
            *(slug(p, w) for p, w in zip(parts, ("site", "machine", "channel"), strict=True))
        )


@dataclass(frozen=True, slots=True, order=True)
class RecordId:
    """Identity of a record; ``source`` is a channel path, a machine path or a node."""

    kind: str
    source: str
    stream_epoch: int
    first_sample: int
    revision: int = 0

    def __str__(self) -> str:
        return f"{self.kind}:{self.source}:{self.stream_epoch}:{self.first_sample}:{self.revision}"

    @property
    def thing(self) -> str:
        """The id without its revision: what stays the same while an event grows and clears."""
        return f"{self.kind}:{self.source}:{self.stream_epoch}:{self.first_sample}"

    @classmethod
    def parse(cls, text: str) -> RecordId:
        """Inverse of ``str()``."""
        try:
            kind, source, epoch, first, revision = text.split(":")
            return cls(kind, source, int(epoch), int(first), int(revision))
        except ValueError:
            raise BadInputError(
                f"record id '{text}' is not kind:source:epoch:first_sample:revision"
            ) from None


def natural_id(*parts: str) -> str:
    """UUIDv5 of a natural key, for things that have no first sample."""
    return str(uuid.uuid5(NAMESPACE, "\x1f".join(parts)))


@dataclass(frozen=True, slots=True)
class Origin:
    """Who sent a record and where it stands in that sender's order.

    ``sequence`` is monotone per (node, kind, lane): the consumer drops what it has seen.
    """

    node: str
    site: str
    machine: str
    lane: str
    sequence: int
    stream_epoch: int

    @property
    def machine_path(self) -> str:
        """``site/machine``."""
        return f"{self.site}/{self.machine}"


@dataclass(frozen=True, slots=True)
class FeatureBlock:
    """Rows of features of one machine, as columns.

    ``content`` is ``status`` (score, state, severity of a channel), ``mean``, ``max`` (over a
    reporting interval) or ``sample`` (one uniformly drawn full-precision vector: the only rows
    that training uses). ``path`` is ``fast`` or ``long``, or ``""`` for status.

    Attributes
    ----------
    columns : dict of str to ndarray, each of shape (rows,)
        Always ``channel`` (int16 index into ``channels``), ``first_sample`` (int64), ``t0_ns``
        (int64, start of the window or interval) and ``state`` (int16 index into ``states``); then
        float32 columns named as in the feature table, or for status ``score_fast``, ``p_fast``,
        ``score_long``, ``p_long``, ``severity``, ``rpm``, ``judged_share``, ``velocity_rms_mm_s``
        and the int64 counts ``seen``, ``processed``, ``lost``. NaN = not measured.
    """

    origin: Origin
    content: str
    path: str
    schema_hash: str
    bundle: str
    channels: tuple[str, ...]
    states: tuple[str, ...]
    columns: dict[str, NDArray[Any]]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.columns["t0_ns"])


@dataclass(frozen=True, slots=True)
class Event:
    """An anomaly from onset to clearance on one channel, as known at this revision.

    Attributes
    ----------
    t_onset_ns, t_last_ns : int
        Start of the first and end of the last window that belongs to it.
    t_clear_ns : int or None
        When it was declared over; None while it is open.
    severity : Severity
        The worst seen so far.
    causes : tuple of str
        What raised it: ``forest_fast``, ``forest_long``, ``lasting_shift`` (blocks of
        windows), ``iso_velocity``, ``iso_displacement``, ``iso_change`` (against the reference),
        ``limit:NAME`` (set by hand), ``sensor:FAULT``, or ``monitoring_lost`` (clipped or flat for
        seconds while the machine runs: an alarm).
    score, p_value : float
        Worst score in (0, 1] and its calibrated p-value; NaN without a baseline.
    contributions : tuple of (str, float)
        Features that made the score, with their deviation from the baseline in robust standard
        deviations, largest first.
    sensor_fault : Fault or None
        Set when the measurement, not the machine, is at fault: the machine gave no cause.
    """

    id: RecordId
    origin: Origin
    channel: str
    t_onset_ns: int
    t_last_ns: int
    t_clear_ns: int | None
    t_decided_ns: int
    severity: Severity
    causes: tuple[str, ...]
    state: str
    score: float
    p_value: float
    velocity_rms_mm_s: float
    rpm: float
    bundle: str
    contributions: tuple[tuple[str, float], ...] = ()
    sensor_fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Clip:
    """A raw excerpt of all channels of one machine at once, lossless.

    Attributes
    ----------
    reason : str
        ``event``, ``commissioning``, ``daily`` or ``capture``.
    event : str
        ``RecordId.thing`` of the event it belongs to, or ``""``.
    samples : ndarray, shape (channels, n), int16, int32 or float32
        As they left the converter.
    scale : ndarray, shape (channels,), float32
        m/s2 per count.
    rpm : float
        Mean speed of the reference shaft over the clip; NaN when unknown.
    request : str
        Id of the person's request that a capture answers, or ``""``.
    """

    id: RecordId
    origin: Origin
    reason: str
    event: str
    t0_ns: int
    rate_hz: float
    rpm: float
    state: str
    channels: tuple[str, ...]
    scale: NDArray[np.float32]
    samples: NDArray[Any]
    request: str = ""

    def acceleration(self) -> NDArray[np.float32]:
        """Samples in m/s2, float32, shape (channels, n)."""
        return self.samples.astype(np.float32) * self.scale[:, None]


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Amplitude spectrum of the acceleration of all channels of one machine, as analysers show it.

    Hann window, 50 % overlap, averaged as power; a sine on a line reads its RMS value, noise reads
    that of a band of 1.5 lines. Velocity in mm/s is ``1000 values / (2 pi f)``.

    Attributes
    ----------
    reason : str
        ``daily``, ``commissioning`` (the first in its operating state) or ``capture``.
    t0_ns : int
        Of the first sample.
    averages : int
        Windows averaged.
    step_hz : float
        Distance of the lines: line k, from 1 on, is at ``k * step_hz``.
    values : ndarray, shape (channels, lines), float32
        m/s2 RMS; NaN = not measured. On the wire within 0.38 dB, and 0 at or below 1e-6 m/s2.
    """

    id: RecordId
    origin: Origin
    reason: str
    t0_ns: int
    rate_hz: float
    rpm: float
    state: str
    channels: tuple[str, ...]
    averages: int
    step_hz: float
    values: NDArray[np.float32]

    def frequencies_hz(self) -> NDArray[np.float64]:
        """Frequency of every line."""
        return self.step_hz * np.arange(1, self.values.shape[1] + 1)


@dataclass(frozen=True, slots=True)
class Health:
    """A node's heartbeat, or a record of something it could not do (``gap``).

    Attributes
    ----------
    content : str
        ``heartbeat`` or ``gap``.
    seen, processed, lost : int
        Samples, summed over channels since the stream epoch began; seen = processed + lost.
    detail : dict
        Small JSON-able facts: spool bytes, lag, versions; for a gap its reason and extent.
    """

    id: RecordId
    origin: Origin
    content: str
    t0_ns: int
    seen: int
    processed: int
    lost: int
    raw_bytes: int
    bundle: str
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Label:
    """A person's verdict on an event or case."""

    id: str
    origin: Origin
    subject: str
    fault: Fault | None
    author: str
    t0_ns: int
    note: str = ""


Record = FeatureBlock | Spectrum | Event | Clip | Health | Label

TOPIC_OF: dict[type, str] = {
    FeatureBlock: "features",
    Spectrum: "features",
    Event: "events",
    Clip: "clips",
    Health: "health",
    Label: "labels",
}


def topic(site: str, kind: str) -> str:
    """Topic of a site's records of a kind: ``vibro.v1.<site>.<kind>``."""
    return f"vibro.v1.{site}.{kind}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One spectral line (or other sign) that supports a diagnosis.

    ``snr_db`` is the line's height over the local noise floor; ``decoy_snr_db`` is what the same
    search finds at frequencies where no line is expected (95th percentile over decoys), so a line
    is worth something only by how far it exceeds its decoys.
    """

    line: str
    expected_hz: float
    found_hz: float
    snr_db: float
    decoy_snr_db: float
    harmonics: int


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One ranked fault with its probability and the evidence a person can check."""

    fault: Fault
    probability: float
    channel: str
    severity: Severity
    evidence: tuple[Evidence, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class SampleBlock:
    """Consecutive samples of all channels of one machine, as a source delivers them.

    Attributes
    ----------
    first_sample : int
        Index of the first sample since the stream epoch began.
    t0_ns : int
        UTC time of that sample.
    counts : ndarray, shape (channels, n), int16, int32 or float32
    rpm : float
        Mean speed of the reference shaft over the block; NaN when not measured.
    """

    first_sample: int
    t0_ns: int
    counts: NDArray[Any]
    rpm: float


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a source says of its stream before the first sample."""

    channels: tuple[ChannelPath, ...]
    rate_hz: float
    scale: NDArray[np.float32]
    """m/s2 per count, shape (channels,)."""
    stream_epoch: int
    sample_bytes: int
    """Bytes of one raw sample of one channel as the converter delivers it."""
