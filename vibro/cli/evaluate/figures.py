"""All figures of one group: detection by every method, and the diagnosis table."""

from __future__ import annotations

from typing import Any

from datasets.catalogue import find_set
from datasets.replay import points_of, read_entry
from vibro.cli.evaluate.methods import all_methods
from vibro.cli.evaluate.units import Loaded, Material, choose_spans, load, unit_of
from vibro.evaluation import Group, NamingTable, Round, judge, judge_run, split_rounds, split_run
from vibro.evaluation.naming import named
from vibro.features.spans import Spans, spans_of
from vibro.files import Entry

SECONDS_A_SNAPSHOT = "seconds_since_start"


def group_figures(group: Group) -> dict[str, Any]:
    """Return one element of ``sets``, as `vibro evaluate --json` prints it."""
    notes: list[str] = []
    known = find_set(group.set)
    if group.run:
        counts, methods = _run(group, notes)
    elif group.normal and group.fault:
        counts, methods = _labelled(group, notes)
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
        "diagnosis": diagnosis_table(group).facts(),
        "caution": "; ".join(notes),
    }


def _why_not(group: Group, traps: tuple[str, ...]) -> list[str]:
    if not group.normal and not group.fault:
        return ["no recording is labelled normal or faulty as a whole", *traps]
    lacks = "fault" if group.normal else "normal"
    return [f"no {lacks} recording in this group: detection cannot be measured"]


def _labelled(group: Group, notes: list[str]) -> tuple[tuple[int, int], dict[str, Any]]:
    material = load(group.normal, group.fault)
    notes += material.notes
    counts = len(material.normal), len(material.fault)
    rounds = split_rounds([x.x.shape[1] for x in material.normal])
    notes += [rounds[0].caution] if rounds[0].caution else []
    pieces = {p for s in rounds for p in (*s.fit, *s.calibrate, *s.test)}
    lengths = [p.samples for p in pieces] + [x.x.shape[1] for x in material.fault]
    fit = min(([p.samples for p in s.fit] for s in rounds), key=sum)
    spans = choose_spans(material, fit, min(lengths)) if fit and material.fault else None
    if spans is None:
        notes.append("recordings too short or too few for windows to fit on")
        return counts, {}
    notes += _window_note(spans, material)
    unit = {p: unit_of(material, spans, material.normal[p.recording], p) for p in pieces}
    units = [
        Round(*([unit[p] for p in role] for role in (s.fit, s.calibrate, s.test))) for s in rounds
    ]
    faults = [unit_of(material, spans, x) for x in material.fault]
    return counts, {name: judge(m, units, faults) for name, m in all_methods().items()}


def _run(group: Group, notes: list[str]) -> tuple[tuple[int, int], dict[str, Any]]:
    material = load(group.run, ())
    notes += material.notes
    snapshots = material.normal
    try:
        roles = split_run(len(snapshots))
    except ValueError as error:
        notes.append(str(error))
        return (0, len(snapshots)), {}
    lengths = [x.x.shape[1] for x in snapshots]
    spans = choose_spans(material, lengths[: roles[0]], min(lengths))
    if spans is None:
        notes.append("snapshots too short or too few for windows to fit on")
        return (0, len(snapshots)), {}
    notes += _window_note(spans, material)
    times, missing = _times(snapshots)
    if missing:
        notes.append("when snapshots were taken is not told: lead_s counts snapshots")
    notes.append(
        f"the first {roles[1]} snapshots are taken as healthy, the rest is judged; "
        "when damage began is not known"
    )
    units = [unit_of(material, spans, x) for x in snapshots]
    numbers = [x.entry.index for x in snapshots]
    counts = roles[1], len(snapshots) - roles[1]
    found = {n: judge_run(m, units, times, numbers, roles) for n, m in all_methods().items()}
    return counts, found


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


def diagnosis_table(group: Group) -> NamingTable:
    """Name the labelled bearing faults, and what is said of the healthy recordings beside them.

    The label is only compared with what was said.
    """
    table = NamingTable()
    bearings = [e for e in group.fault if e.fault is not None and e.fault.family == "bearing"]
    if not bearings:
        return table
    for entry in (*group.normal, *bearings):
        if entry.path.is_file():
            table.add(entry.fault, _said(entry, group.normal))
    return table


def _said(entry: Entry, normal: tuple[Entry, ...]) -> str:
    from vibro.diagnosis import assess, reference_of  # noqa: PLC0415

    recording = read_entry(entry)
    points = points_of(entry, recording)
    reference = None
    for other in sorted(normal, key=lambda e: abs(e.rpm - entry.rpm)):
        healthy = read_entry(other) if other.file != entry.file and other.path.is_file() else None
        if healthy is not None and healthy.names == recording.names:
            reference = reference_of(healthy.samples, healthy.rate_hz, healthy.rpm, points)
            break
    said = assess(recording.samples, recording.rate_hz, recording.rpm, points, reference=reference)
    return named(said.diagnoses)
