"""Real recordings as machines of the demo's plant: replayed by nodes like any other.

A machine first replays a normal recording of the same rig, which its commissioning clip is cut
from, and then the recording in question, of which a clip is captured. The recordings are too short
to train a model on; what is found in them is found by diagnosis alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vibro.cli.demo.plant import NodePlan
from vibro.errors import BadInputError
from vibro.faults import Fault, Severity
from vibro.files import Recording, write_recording

if TYPE_CHECKING:
    from cloud_jobs.store import Store
    from datasets.replay import ReplayMachine

LONGEST_CLIP_S = 10.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """A replayed machine and what its publisher says of it."""

    machine: str
    label: str
    expected: Fault | None

    def verdict(self, store: Store) -> dict[str, Any]:
        """Return what the pipeline stored of this machine, beside the publisher's label.

        ``outcome`` is ``right`` (the named fault, or healthy), ``uncertain`` (abnormal of unknown
        type, or nothing found in a faulty machine), or ``wrong`` (another fault with confidence).
        """
        case = next(iter(store.cases([self.machine])), None)
        found = Fault(case.fault) if case is not None else None
        return {
            "machine": self.machine,
            "label": self.label,
            "verdict": "ok" if found is None else found.value,
            "severity": Severity(case.severity).word if case is not None else "ok",
            "probability": None if case is None else case.probability,
            "outcome": self._outcome(found),
        }

    def _outcome(self, found: Fault | None) -> str:
        if found is self.expected:
            return "right"
        return "uncertain" if found in {None, Fault.UNKNOWN} else "wrong"


def recorded(home: Path, data: Path, until_ns: int) -> tuple[list[Recorded], list[NodePlan]]:
    """Prepare the recordings of a folder's manifest as machines.

    Parameters
    ----------
    home : Path
        The demo's home; converted recordings go into the nodes' folders.
    data : Path
        Folder with ``manifest.json``.
    until_ns : int
        When the normal recordings end and those in question begin.

    Raises
    ------
    BadInputError
        If there is no manifest, or none of its recordings can be replayed.
    """
    from datasets.replay import replay_machines  # noqa: PLC0415 (checkout only)

    machines = replay_machines(data)
    if not machines:
        raise BadInputError(f"{data}: none of its recordings can be replayed as a machine")
    found = [
        Recorded(m.machine.path, m.expected_fault.value if m.expected_fault else "normal",
                 m.expected_fault)
        for m in machines
    ]  # fmt: skip
    return found, [_plan(home, m, until_ns) for m in machines]


def _plan(home: Path, replayed: ReplayMachine, until_ns: int) -> NodePlan:
    machine = replayed.machine
    parts = [replayed.read(e) for e in replayed.entries]
    before = _before(replayed, parts)
    stream = [*before, *parts]
    seconds = [p.samples.shape[1] / p.rate_hz for p in stream]
    clip_s = min([LONGEST_CLIP_S, *seconds])
    starts = [sum(seconds[:i]) for i in range(len(stream))]
    if not before:
        # Its own beginning is all there is to compare with.
        clip_s = min(clip_s, seconds[0] / 2.0)
        starts[0] = clip_s
    folder = home / "nodes" / machine.node_id / "recordings"
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for i, part in enumerate(stream):
        file = folder / f"{i}.npy"
        write_recording(file, part)
        files.append(f"recordings/{file.name}")
    t0_ns = until_ns - round(sum(seconds[: len(before)]) * 1e9)
    source = (
        'kind = "replay"',
        'pace = "clock"',
        'clock = "../../clock"',
        f"files = {files!r}",
        f"rate_hz = {parts[0].rate_hz}",
    )
    reporting = {
        "clip_s": clip_s,
        "commissioning_clip_s": 0.0,
        "capture_at_s": starts[len(before) :],
        "status_s": 1.0,
        "summary_s": 1.0,
        "sample_s": 1.0,
    }
    return NodePlan(machine, source, t0_ns, reporting)


def _before(replayed: ReplayMachine, parts: Sequence[Recording]) -> list[Recording]:
    """Return the normal recording to compare with, cut to the shape of those that follow."""
    if replayed.commissioning is None or replayed.commissioning in replayed.entries[:1]:
        return []
    normal = replayed.read(replayed.commissioning)
    return [replace(normal, rate_hz=parts[0].rate_hz)]
