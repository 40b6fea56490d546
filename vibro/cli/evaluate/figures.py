"""All figures of one group: detection by every method, and the diagnosis table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasets.catalogue import find_set
from datasets.replay import points_of
from vibro.cli.evaluate.methods import all_methods
from vibro.cli.evaluate.reading import (
    Loaded,
    Material,
    Recordings,
    left_out,
    load,
    read_group,
)
from vibro.cli.evaluate.units import choose_spans, enough, unit_notes, unit_of
from vibro.evaluation import (
    Group,
    NamingTable,
    Piece,
    Round,
    Split,
    Unit,
    judge,
    judge_run,
    split_rounds,
    split_run,
)
from vibro.evaluation.naming import named
from vibro.features.spans import Spans, spans_of
from vibro.files import Entry

Counts = tuple[int, int]

SECONDS_A_SNAPSHOT = "seconds_since_start"
TOO_FEW = "recordings too short or too few for windows to fit on"
STILL = "stands still in most windows"


def group_figures(group: Group) -> dict[str, Any]:
    """Return one element of ``sets``, as `vibro evaluate --json` prints it."""
    group, recordings, notes = read_group(group)
    known = find_set(group.set)
    if group.run:
        counts, methods = _run(group, recordings, notes)
    elif group.normal and group.fault:
        counts, methods = _labelled(group, recordings, notes)
    else:
        counts, methods = (len(group.normal), len(group.fault)), {}
        notes += _why_not(group, known.traps if known else ())
    if group.other and (group.normal or group.fault or group.run):
        notes.append(f"{group.other} recordings labelled otherwise were left out")
    return {
        "set": group.set,
        "group": group.name,
        "n_normal": counts[0],
        "n_fault": counts[1],
        "methods": methods,
        "diagnosis": diagnosis_table(group, recordings).facts(),
        "caution": "; ".join(notes),
    }


def _why_not(group: Group, traps: tuple[str, ...]) -> list[str]:
    if not group.normal and not group.fault:
        return ["no recording is labelled normal or faulty as a whole", *traps]
    lacks = "fault" if group.normal else "normal"
    return [f"no {lacks} recording in this group: detection cannot be measured"]


def _labelled(
    group: Group, recordings: Recordings, notes: list[str]
) -> tuple[Counts, dict[str, Any]]:
    material = load(group.normal, group.fault, recordings)
    notes += material.notes
    counts = len(material.normal), len(material.fault)
    splits = split_rounds([x.x.shape[1] for x in material.normal])
    notes += [splits[0].caution] if splits[0].caution else []
    pieces = {p: material.normal[p.recording] for s in splits for p in _all(s)}
    lengths = [p.samples for p in pieces] + [x.x.shape[1] for x in material.fault]
    fit = min(([p.samples for p in s.fit] for s in splits), key=sum)
    spans = choose_spans(material, fit, min(lengths)) if fit and material.fault else None
    if spans is None:
        notes.append(TOO_FEW)
        return counts, {}
    notes += _window_note(spans, material)
    unit = {p: unit_of(material, spans, x, p) for p, x in pieces.items()}
    faults = {x.entry.file: unit_of(material, spans, x) for x in material.fault}
    normals = [(pieces[p].entry.file, u) for p, u in unit.items()]
    notes += unit_notes([*normals, *faults.items()])
    notes += left_out({file: STILL for file, u in faults.items() if not u.is_judgeable})
    rounds = [_round(s, unit) for s in splits]
    judged = [u for u in faults.values() if u.is_judgeable]
    counts = counts[0], len(judged)
    if not judged or not all(enough(r.fit, r.calibrate) for r in rounds):
        notes.append(TOO_FEW)
        return counts, {}
    return counts, {name: judge(m, rounds, judged) for name, m in all_methods().items()}


def _all(split: Split) -> Sequence[Piece]:
    return (*split.fit, *split.calibrate, *split.test)


def _round(split: Split, unit: Mapping[Piece, Unit]) -> Round:
    """Units of a split, without those that stand still."""
    roles = (split.fit, split.calibrate, split.test)
    return Round(*([unit[p] for p in role if unit[p].is_judgeable] for role in roles))


def _run(group: Group, recordings: Recordings, notes: list[str]) -> tuple[Counts, dict[str, Any]]:
    material = load(group.run, (), recordings)
    notes += material.notes
    snapshots = material.normal
    roles = _run_roles(snapshots, notes)
    if roles is None:
        return (0, len(snapshots)), {}
    lengths = [x.x.shape[1] for x in snapshots]
    spans = choose_spans(material, lengths[: roles[0]], min(lengths))
    if spans is None:
        notes.append(TOO_FEW)
        return (0, len(snapshots)), {}
    notes += _window_note(spans, material)
    judged = [(x, unit_of(material, spans, x)) for x in snapshots]
    notes += unit_notes([(x.entry.file, u) for x, u in judged])
    notes += left_out({x.entry.file: STILL for x, u in judged if not u.is_judgeable})
    judged = [(x, u) for x, u in judged if u.is_judgeable]
    snapshots, units = [x for x, _ in judged], [u for _, u in judged]
    roles = _run_roles(snapshots, notes)
    if roles is None or not enough(units[: roles[0]], units[roles[0] : roles[1]]):
        notes.append(TOO_FEW)
        return (0, len(snapshots)), {}
    times, missing = _times(snapshots)
    if missing:
        notes.append("when snapshots were taken is not told: lead_s counts snapshots")
    notes.append(
        f"the first {roles[1]} snapshots are taken as healthy, the rest is judged; "
        "when damage began is not known"
    )
    numbers = [x.entry.index for x in snapshots]
    counts = roles[1], len(snapshots) - roles[1]
    found = {n: judge_run(m, units, times, numbers, roles) for n, m in all_methods().items()}
    return counts, found


def _run_roles(snapshots: Sequence[Loaded], notes: list[str]) -> tuple[int, int] | None:
    try:
        return split_run(len(snapshots))
    except ValueError as error:
        notes.append(str(error))
        return None


def _times(snapshots: list[Loaded]) -> tuple[list[float], bool]:
    told = [x.entry.raw.get(SECONDS_A_SNAPSHOT) for x in snapshots]
    if any(t is None for t in told):
        return [float(x.entry.index) for x in snapshots], True
    return [float(t) for t in told if t is not None], False


def _window_note(spans: Spans, material: Material) -> list[str]:
    standard = spans_of(material.rate_hz, material.setups)
    if (spans.fast_window, spans.long_window) == (standard.fast_window, standard.long_window):
        return []
    fast, long = 1e3 * spans.fast_window / material.rate_hz, spans.long_window / spans.long_rate_hz
    return [f"windows shortened to {fast:.3g} ms and {long:.3g} s to have enough to fit on"]


def diagnosis_table(group: Group, recordings: Recordings) -> NamingTable:
    """Name the labelled bearing faults, and what is said of the healthy recordings beside them.

    The label is only compared with what was said.
    """
    table = NamingTable()
    bearings = [e for e in group.fault if e.fault is not None and e.fault.family == "bearing"]
    if not bearings:
        return table
    for entry in (*group.normal, *bearings):
        table.add(entry.fault, _said(entry, group.normal, recordings))
    return table


def _said(entry: Entry, normal: Sequence[Entry], recordings: Recordings) -> str:
    from vibro.diagnosis import assess, reference_of  # noqa: PLC0415

    recording = recordings[entry.file]
    points = points_of(entry, recording)
    reference = None
    for other in sorted(normal, key=lambda e: abs(e.rpm - entry.rpm)):
        healthy = recordings[other.file]
        if other.file != entry.file and healthy.names == recording.names:
            reference = reference_of(healthy.samples, healthy.rate_hz, healthy.rpm, points)
            break
    said = assess(recording.samples, recording.rate_hz, recording.rpm, points, reference=reference)
    return named(said.diagnoses)
