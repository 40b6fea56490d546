"""Judging one recording: what the user says of the machine, the assessment and the features."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.assets import Point
from vibro.diagnosis import Assessment, assess, reference_of
from vibro.errors import BadInputError
from vibro.features.recording import analyse_recording
from vibro.features.setup import ChannelSetup
from vibro.features.table import FAST_NAMES, LONG_NAMES
from vibro.files import Recording
from vibro.iso10816 import IsoLimits, limits
from vibro.kinematics import Bearing, find_bearing, near_names
from vibro.records import Diagnosis

NAMES = (*FAST_NAMES, *LONG_NAMES)


@dataclass(frozen=True, slots=True)
class Options:
    """What the user says of the machine that the recording does not."""

    bearing: str | None
    gear: tuple[int, int] | None
    blades: int | None
    line_hz: float
    iso_group: int | None
    mounting: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A recording and what is to be said of it.

    Attributes
    ----------
    features : ndarray, shape (channels, features)
        Medians over windows, in the order of `NAMES`.
    notes : tuple of str
        What was assumed, scaled or not judged.
    """

    recording: Recording
    points: tuple[Point, ...]
    assessment: Assessment
    features: NDArray[np.float64]
    notes: tuple[str, ...]

    @property
    def main(self) -> int:
        """Channel of the first diagnosis, else the first."""
        first = next(iter(self.assessment.diagnoses), None)
        return self.recording.names.index(first.channel) if first else 0

    def facts(self) -> dict[str, Any]:
        """As `vibro analyze --json` prints them, without figures."""
        names, velocity = self.recording.names, NAMES.index("velocity_rms_mm_s")
        return {
            "file": self.recording.source,
            "rate_hz": self.recording.rate_hz,
            "rpm": self.recording.rpm,
            "channel": names[self.main],
            "features": dict(zip(NAMES, self.features[self.main].tolist(), strict=True)),
            "score": None,
            "severity": self.assessment.severity.word,
            "diagnosis": [_diagnosis(d) for d in self.assessment.diagnoses],
            "zone": self.assessment.zone or None,
            "velocity_rms_mm_s": dict(zip(names, self.features[:, velocity].tolist(), strict=True)),
            "notes": list(self.notes),
        }


def _diagnosis(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "fault": diagnosis.fault.value,
        "probability": diagnosis.probability,
        "channel": diagnosis.channel,
        "severity": diagnosis.severity.word,
        "evidence": [asdict(e) for e in diagnosis.evidence],
        "note": diagnosis.note,
    }


def judge(recording: Recording, before: Recording | None, options: Options) -> Judged:
    """Judge a recording, where there is one against a recording of the machine in good order.

    Raises
    ------
    BadInputError
        If the bearing is not known, the recording is too short or of a rate that cannot be used,
        or the two recordings cannot be compared.
    """
    points = _points(recording, options)
    features, scaled = _features(recording, points)
    if before is not None:
        _comparable(recording, before)
    assessment = assess(
        recording.samples,
        recording.rate_hz,
        recording.rpm,
        points,
        iso=_limits(recording, options),
        reference=reference_of(before.samples, before.rate_hz, before.rpm, points)
        if before
        else None,
    )
    notes = (*assessment.notes, *scaled, *_notes(recording, options))
    return Judged(recording, points, assessment, features, notes)


def _points(recording: Recording, options: Options) -> tuple[Point, ...]:
    """One measuring point a channel, all of the same machine."""
    known = _bearing(options.bearing) if options.bearing else None
    teeth, mate = options.gear or (None, None)
    return tuple(
        Point(
            name,
            "DE",
            "H",
            bearing=known,
            gear_teeth=teeth,
            gear_mate_teeth=mate,
            blades=options.blades,
            line_hz=options.line_hz,
            rate_hz=recording.rate_hz,
        )
        for name in recording.names
    )


def _bearing(name: str) -> Bearing:
    if "=" in name:
        return Bearing.parse(name)
    found = find_bearing(name)
    if found is None:
        near = near_names(name)
        hint = f" (near: {', '.join(near)})" if near else ""
        raise BadInputError(
            f"--bearing '{name}' is not in the catalogue{hint}; give its geometry as "
            "'Z=9 d=7.94 D=39.04 phi=0'"
        )
    return found


def _features(recording: Recording, points: tuple[Point, ...]) -> tuple[Any, list[str]]:
    """Medians over windows of every channel's fast and long features, and notes on the windows."""
    setups = [ChannelSetup(lines=p.lines) for p in points]
    try:
        found = analyse_recording(recording.samples, recording.rate_hz, recording.rpm, setups)
    except BadInputError as error:
        raise BadInputError(f"{recording.source}: {error}") from None
    medians = [np.median(v, axis=0) for v in (found.fast, found.long)]
    return np.concatenate(medians, axis=1), [found.note] if found.note else []


def _comparable(recording: Recording, before: Recording) -> None:
    if (before.names, before.rate_hz) == (recording.names, recording.rate_hz):
        return
    raise BadInputError(
        f"{before.source}: has channels {', '.join(before.names)} at {before.rate_hz:g} Hz, "
        f"the recording {', '.join(recording.names)} at {recording.rate_hz:g} Hz: they cannot "
        "be compared"
    )


def _limits(recording: Recording, options: Options) -> IsoLimits | None:
    """Zone limits where the user asks for them and the level can be trusted."""
    if options.iso_group is None or not recording.units_known:
        return None
    # A group is a statement that the machine is above 15 kW.
    found = limits(300.0, options.iso_group, options.mounting, "10816-3")
    return found if isinstance(found, IsoLimits) else None


def _notes(recording: Recording, options: Options) -> list[str]:
    notes = []
    if not recording.units_known:
        notes.append("the file does not say its units: g were taken (--units UNIT)")
        if options.iso_group is not None:
            notes.append("ISO zones are not judged where the units are not known")
    if options.bearing is None:
        notes.append("no bearing is given: bearing lines are not looked for (--bearing NAME)")
    return notes
