"""A live node's month in simulated time, in a process of its own that may be killed at any instant.

    python -m tests.edge_node.month FOLDER FROM_S

Two channels at 50 samples a second, in windows of 20 and 41 s, so that a month takes minutes:
acquisition, scores, decisions, spool, lanes and epochs are the real thing, and their laws know no
sampling rate. Time is the plan's: the time of day is the sum of what has passed and of the jumps so
far.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from edge_node.acquisition import Live
from edge_node.config import AcquisitionSection, load
from edge_node.hosted import HostedNode
from edge_node.outbox import Outbox
from edge_node.sources.device import Frames
from tests.edge_node.plants import MACHINE, SCALE, T0, S, announce, bundle_of
from vibro.assets import Register, export
from vibro.errors import VibroError
from vibro.features import spans
from vibro.records import Event

RATE = 50
RPM = 1206.0
CHUNK_S = 20
"""The device delivers so much at a time."""
HOUR, DAY = 3600, 86_400
ACQUISITION = AcquisitionSection(ring_s=60.0)
ROUGH_S = 300
"""Length of an episode in which de-h is rough."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens to the node; all times in seconds since the month began.

    ``jumps`` are pairs of instant and seconds, the other lists pairs of begin and end.
    """

    seconds: int
    outages: list[tuple[int, int]]
    full: list[tuple[int, int]]
    loose: list[tuple[int, int]]
    jumps: list[tuple[int, float]]
    swaps: list[int]
    rough: list[int]
    kills: list[int]

    def utc_ns(self, at_s: float) -> int:
        """Time of day at an instant."""
        return T0 + round((at_s + sum(d for t, d in self.jumps if t <= at_s)) * S)


def within(at_s: float, stretches: list[tuple[int, int]]) -> bool:
    return any(a <= at_s < b for a, b in stretches)


def plan_in(folder: Path) -> Plan:
    return Plan(**json.loads((folder / "plan.json").read_text()))


def lay_out(folder: Path, plan: Plan) -> None:
    """Write the plan, the register and the node's configuration."""
    (folder / "nodes" / "n1").mkdir(parents=True)
    (folder / "bundles").mkdir()
    points = tuple(replace(p, rate_hz=float(RATE)) for p in MACHINE.points)
    machine = replace(MACHINE, points=points)
    (folder / "assets.csv").write_text(export(Register({machine.path: machine})))
    (folder / "plan.json").write_text(json.dumps(asdict(plan)))
    (folder / "nodes" / "n1" / "node.toml").write_text(
        'register = "../../assets.csv"\n[node]\nid = "n1"\nsite = "harbour"\n'
        'machine = "motor-1"\n[source]\npace = "fast"\nblock_s = 20.0\n'
        "[reporting]\ncommit_s = 60.0\n"
        "[spool]\nmax_mb = 1.0\nreserve_mb = 0\n[ship]\nlive_s = 600.0\n"
    )


def counts_at(plan: Plan, at_s: int) -> np.ndarray:
    """Counts of one chunk: the shaft and noise; rough in an episode, still where it is loose."""
    n = CHUNK_S * RATE
    rng = np.random.default_rng(at_s)
    t = at_s + np.arange(n) / RATE
    x = 0.1 * np.cos(2 * np.pi * RPM / 60 * t) + 0.08 * rng.standard_normal((2, n))
    if any(a <= at_s < a + ROUGH_S for a in plan.rough):
        x[0] += 0.4 * rng.standard_normal(n)
    counts = np.round(x / SCALE).astype(np.int16)
    if within(at_s, plan.loose):
        counts[1] = 7
    return counts


class Sensor:
    """The device: it delivers what it is given."""

    rate_hz = float(RATE)
    scale = np.full(2, SCALE, np.float32)
    sample_bytes = 2

    def start(self) -> None: ...

    def read(self, timeout_s: float) -> Frames | None:
        return None

    def stop(self) -> None: ...


class Plant(Live):
    """A live stream that is fed by hand instead of by its thread."""

    def start(self, wake, after) -> None:
        if after is not None:
            self._acquisition.follow(*after)

    def feed(self, plan: Plan, at_s: int) -> None:
        """Deliver the chunk that begins at an instant, a little late as all things are."""
        late_s = at_s + CHUNK_S + 1e-3 * float(np.random.default_rng(at_s + 1).exponential())
        frames = Frames(counts_at(plan, at_s), rpm=RPM)
        self._acquisition.push(frames, round(late_s * S), plan.utc_ns(late_s))

    def stop(self) -> None:
        self._acquisition.finish()


class Link:
    """The way to the log, which is there or not."""

    def __init__(self, transport, plan: Plan) -> None:
        self._transport, self._plan, self.at_s = transport, plan, 0

    def send(self, name: str, messages) -> None:
        if within(self.at_s, self._plan.outages):
            raise VibroError("the link is down")
        self._transport.send(name, messages)


def keep_a_journal(folder: Path) -> None:
    """Write down every revision of an event that a commit has made durable."""
    write = Outbox.write

    def journalled(self, batch) -> None:
        write(self, batch)
        told = [str(r.id) for r in batch.records if isinstance(r, Event)]
        with (folder / "journal").open("a") as out:
            out.writelines(f"{line}\n" for line in told)

    Outbox.write = journalled


def publish(folder: Path, plan: Plan, n: int) -> None:
    """Announce the n-th bundle, of two hours of good health."""
    calm = replace(plan, rough=[], loose=[])
    begin = plan.seconds + DAY * (n + 1)
    healthy = [counts_at(calm, at_s) for at_s in range(begin, begin + 2 * HOUR, CHUNK_S)]
    announce(folder, bundle_of(np.concatenate(healthy, axis=1), f"v{n + 1}", RATE, RPM))


def run(folder: Path, from_s: int) -> None:
    """Live from an instant to the end of the plan."""
    plan = plan_in(folder)
    keep_a_journal(folder)
    live = []

    def opened(config, machine, now_ns) -> Plant:
        live.append(Plant(Sensor(), machine.channels, ACQUISITION, float(CHUNK_S), exact=True))
        return live[0]

    hosted = HostedNode(load(folder / "nodes" / "n1" / "node.toml"), plan.utc_ns(from_s), opened)
    link = hosted.shipper._transport = Link(hosted.shipper._transport, plan)
    progress = (folder / "progress").open("w")
    for at_s in range(from_s, plan.seconds, CHUNK_S):
        link.at_s = at_s
        due = sum(t <= at_s for t in plan.swaps)
        if at_s % 60 == from_s % 60:
            disk(hosted, full=within(at_s, plan.full))
            hosted.shipper.drain(float(at_s))
        if at_s % 600 == from_s % 600:
            for n in range(len(list((folder / "bundles").iterdir())), due):
                publish(folder, plan, n)
            hosted.poll_models()
        live[0].feed(plan, at_s)
        while hosted.step():
            pass
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        progress.seek(0)
        progress.write(f"{at_s + CHUNK_S:12d} {pages * 4096:14d}\n")
        progress.flush()
    live[0].stop()
    while hosted.step():
        pass
    hosted.shipper.drain(float(plan.seconds))


def disk(hosted: HostedNode, *, full: bool) -> None:
    """Let SQLite have no more pages than it has, or as many as it likes."""
    file = hosted._spool._file
    if file is not None:
        db = file._file.connection
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count={pages if full else 1_000_000}")


if __name__ == "__main__":
    spans.FAST_S, spans.LONG_S = 20.48, 40.96
    run(Path(sys.argv[1]), int(sys.argv[2]))
