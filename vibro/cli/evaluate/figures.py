"""All figures of one group: detection by every method, and the diagnosis table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from datasets.catalogue import find_set
from vibro.cli.evaluate.methods import all_methods
from vibro.cli.evaluate.naming import diagnosis_table
from vibro.cli.evaluate.reading import Loaded, counted, left_out, load, read_group
from vibro.cli.evaluate.recordings import Recordings
from vibro.cli.evaluate.units import choose_cut, enough, unit_notes, unit_of, window_note
from vibro.errors import VibroError
from vibro.evaluation import (
    Group,
    Judgement,
    Method,
    Piece,
    Round,
    Split,
    Unit,
    best,
    broken_limits,
    judge,
    judge_run,
    labelled_limits,
    run_limits,
    seconds_of,
    split_rounds,
    split_run,
    ties,
)

Tell = Callable[[str], None]
Methods = Callable[[], dict[str, Method]]

TOO_FEW = "recordings too short or too few for windows to fit on"
STILL = "stands still in most windows"


@dataclass(slots=True)
class Detection:
    """What detection found in a group.

    Attributes
    ----------
    judgements : mapping of method to Judgement
    limits : list of str
        What the group is too small to tell.
    times : list of float
        Of a run's snapshots that calibrate and test, seconds, or their numbers where ``counted``.
    """

    n_normal: int
    n_fault: int
    judgements: Mapping[str, Judgement] = field(default_factory=dict)
    limits: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    counted: bool = False


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """One element of ``sets``, as `vibro evaluate --json` prints it, and what figures are of."""

    facts: dict[str, Any]
    detection: Detection
    cautions: list[str]


def group_figures(
    group: Group, tell: Tell = lambda _: None, methods: Methods | None = None
) -> GroupFigures:
    """Judge a group; what cannot be judged is said in its caution and stops nothing else.

    Parameters
    ----------
    tell : callable
        Is told how far it has come.
    methods : callable, optional
        Makes the detectors; default `all_methods`.
    """
    make = methods or all_methods
    group, recordings, notes = read_group(group, tell)
    try:
        found = _detection(group, recordings, notes, tell, make)
    except VibroError as error:
        notes.append(f"detection cannot be measured: {error}")
        found = Detection(len(group.normal), len(group.fault) + len(group.run))
    notes += _words(group)
    table, undiagnosed = diagnosis_table(group, recordings, tell)
    said = {n: j.figures for n, j in found.judgements.items()}
    alike = [ties(said)] if group.run else [broken_limits(said), ties(said)]
    cautions = [*notes, *undiagnosed, *found.limits, *(s for s in alike if s)]
    facts = {
        "set": group.set,
        "group": group.name,
        "n_normal": found.n_normal,
        "n_fault": found.n_fault,
        "methods": said,
        "best": best(said),
        "too_small": bool(found.limits),
        "diagnosis": table.facts(),
        "caution": "; ".join(cautions),
    }
    return GroupFigures(facts, found, cautions)


def _detection(
    group: Group, recordings: Recordings, notes: list[str], tell: Tell, make: Methods
) -> Detection:
    if group.run:
        return _run(group, recordings, notes, tell, make)
    if group.normal and group.fault:
        return _labelled(group, recordings, notes, tell, make)
    known = find_set(group.set)
    notes += _why_not(group, known.traps if known else ())
    return Detection(len(group.normal), len(group.fault))


def _why_not(group: Group, traps: tuple[str, ...]) -> list[str]:
    if not group.normal and not group.fault:
        return ["no recording is labelled normal or faulty as a whole", *traps]
    lacks = "fault" if group.normal else "normal"
    return [f"no {lacks} recording in this group: detection cannot be measured"]


def _words(group: Group) -> list[str]:
    """Notes on labels and on words for faults that nobody here knows."""
    notes = []
    if group.other and (group.normal or group.fault or group.run):
        labels = f" ({', '.join(group.other_labels)})" if group.other_labels else ""
        notes.append(f"{counted(group.other)} labelled otherwise left out{labels}")
    if group.unknown_words:
        words = ", ".join(f"'{w}'" for w in group.unknown_words)
        notes.append(f"faults of unknown kind, detected but not named: {words}")
    return notes


def _labelled(
    group: Group, recordings: Recordings, notes: list[str], tell: Tell, make: Methods
) -> Detection:
    material = load(group.normal, group.fault, recordings)
    notes += material.notes
    found = Detection(len(material.normal), len(material.fault))
    splits = split_rounds([x.samples for x in material.normal])
    notes += [splits[0].caution] if splits[0].caution else []
    pieces = {p: material.normal[p.recording] for s in splits for p in _all(s)}
    lengths = [p.samples for p in pieces] + [x.samples for x in material.fault]
    fit = min(([p.samples for p in s.fit] for s in splits), key=sum)
    cut = choose_cut(material, fit, min(lengths)) if fit and material.fault else None
    if cut is None:
        notes.append(TOO_FEW)
        return found
    notes += window_note(cut, material)
    tell("features")
    unit = {p: unit_of(material, cut, x, p) for p, x in pieces.items()}
    faults = {x.entry.file: unit_of(material, cut, x) for x in material.fault}
    normals = [(pieces[p].entry.file, u) for p, u in unit.items()]
    notes += unit_notes([*normals, *faults.items()])
    notes += left_out({file: STILL for file, u in faults.items() if not u.is_judgeable})
    rounds = [_round(s, unit) for s in splits]
    judged = [u for u in faults.values() if u.is_judgeable]
    found.n_fault = len(judged)
    if not judged or not all(enough(r.fit, r.calibrate) and r.test for r in rounds):
        notes.append(TOO_FEW)
        return found
    tested = len({p.recording for s in splits for p in s.test if unit[p].is_judgeable})
    found.judgements = _each(lambda m: judge(m, rounds, judged, tested), notes, tell, make)
    found.limits = labelled_limits(tested, len(judged))
    return found


def _all(split: Split) -> Sequence[Piece]:
    return (*split.fit, *split.calibrate, *split.test)


def _round(split: Split, unit: Mapping[Piece, Unit]) -> Round:
    """Units of a split, without those that stand still."""
    roles = (split.fit, split.calibrate, split.test)
    return Round(*([unit[p] for p in role if unit[p].is_judgeable] for role in roles))


def _each(
    judged_by: Callable[[Method], Judgement], notes: list[str], tell: Tell, make: Methods
) -> dict[str, Judgement]:
    """Judge by every method; one that fails on these recordings is told of and left out."""
    found = {}
    for name, method in make().items():
        tell(name)
        try:
            found[name] = judged_by(method)
        except (VibroError, ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            notes.append(f"{name} fails on these recordings ({' '.join(str(error).split())})")
    return found


def _run(
    group: Group, recordings: Recordings, notes: list[str], tell: Tell, make: Methods
) -> Detection:
    material = load(group.run, (), recordings)
    notes += material.notes
    snapshots = material.normal
    found = Detection(0, len(snapshots))
    roles = _run_roles(snapshots, notes)
    if roles is None:
        return found
    lengths = [x.samples for x in snapshots]
    cut = choose_cut(material, lengths[: roles[0]], min(lengths))
    if cut is None:
        notes.append(TOO_FEW)
        return found
    notes += window_note(cut, material)
    tell("features")
    judged = [(x, unit_of(material, cut, x)) for x in snapshots]
    notes += unit_notes([(x.entry.file, u) for x, u in judged])
    notes += left_out({x.entry.file: STILL for x, u in judged if not u.is_judgeable})
    judged = [(x, u) for x, u in judged if u.is_judgeable]
    return _judged_run(group, judged, notes, tell, make)


def _judged_run(
    group: Group,
    judged: Sequence[tuple[Loaded, Unit]],
    notes: list[str],
    tell: Tell,
    make: Methods,
) -> Detection:
    snapshots, units = [x for x, _ in judged], [u for _, u in judged]
    found = Detection(0, len(snapshots))
    roles = _run_roles(snapshots, notes)
    if roles is None or not enough(units[: roles[0]], units[roles[0] : roles[1]]):
        notes.append(TOO_FEW)
        return found
    numbers = [x.entry.index for x in snapshots]
    if not group.numbered:
        numbers = list(range(len(snapshots)))
        notes.append("snapshots are not numbered: taken in the order of times or names, from 0")
    times = seconds_of([x.entry for x in snapshots])
    found.counted = times is None
    if times is None:
        times = [float(n) for n in numbers]
        notes.append("when snapshots were taken is not told: lead_s counts snapshots")
    notes.append(
        f"the first {roles[1]} snapshots are taken as healthy, the rest is judged; "
        "when damage began is not known"
    )
    found.n_normal, found.n_fault = roles[1], len(snapshots) - roles[1]
    found.times = times[roles[0] :]
    found.judgements = _each(
        lambda m: judge_run(m, units, times, numbers, roles), notes, tell, make
    )
    quiet = [_quiet(j) for j in found.judgements.values()]
    found.limits = run_limits(max(quiet, default=0))
    return found


def _quiet(judgement: Judgement) -> int:
    """Snapshots before a method's alarm."""
    return len(judgement.test) if judgement.began is None else judgement.began


def _run_roles(snapshots: Sequence[Loaded], notes: list[str]) -> tuple[int, int] | None:
    try:
        return split_run(len(snapshots))
    except ValueError as error:
        if str(error) not in notes:
            notes.append(str(error))
        return None
