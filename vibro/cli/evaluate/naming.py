"""The diagnosis table of a group: what is said of each recording, beside its label."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from datasets.replay import points_of
from vibro.cli.evaluate.reading import left_out
from vibro.cli.evaluate.recordings import Recordings
from vibro.errors import VibroError
from vibro.evaluation import Group, NamingTable
from vibro.evaluation.naming import named
from vibro.files import Entry


def diagnosis_table(
    group: Group, recordings: Recordings, tell: Callable[[str], None]
) -> tuple[NamingTable, list[str]]:
    """Name the labelled bearing faults, and what is said of the healthy recordings beside them.

    The label is only compared with what was said.

    Returns
    -------
    table : NamingTable
    notes : list of str
        On recordings that could not be diagnosed.
    """
    table, unable = NamingTable(), {}
    bearings = [e for e in group.fault if e.fault is not None and e.fault.family == "bearing"]
    entries = (*group.normal, *bearings) if bearings else ()
    for i, entry in enumerate(entries):
        tell(f"diagnosis {i + 1}/{len(entries)}")
        try:
            table.add(entry.fault, _said(entry, group.normal, recordings))
        except VibroError as error:
            unable[entry.file] = f"not diagnosed, {error}"
    return table, left_out(unable)


def _said(entry: Entry, normal: Sequence[Entry], recordings: Recordings) -> str:
    from vibro.diagnosis import assess, reference_of  # noqa: PLC0415

    recording = recordings[entry.file]
    points = points_of(entry, recording)
    reference = None
    for other in sorted(normal, key=lambda e: _apart(e.rpm, entry.rpm)):
        if other.file == entry.file or recordings.shapes[other.file].names != recording.names:
            continue
        healthy = recordings[other.file]
        reference = reference_of(healthy.samples, healthy.rate_hz, healthy.rpm, points)
        break
    said = assess(recording.samples, recording.rate_hz, recording.rpm, points, reference=reference)
    return named(said.diagnoses)


def _apart(a: float, b: float) -> float:
    return abs(a - b) if math.isfinite(a) and math.isfinite(b) else math.inf
