"""The demo's run: nodes in two processes, the cloud jobs in this one, and a plant clock.

The plant clock first lets the healthy start of the scenario happen. Then night falls: the clock
stands, every site and class is retrained, and the nodes take the bundles over. Then the rest
happens. The edge runs as fast as it can all the time.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_node.sources.port import PlantClock
from vibro.cli.demo.plant import NodePlan, simulated, write
from vibro.cli.demo.progress import Progress, shown, silent
from vibro.cli.demo.supervise import EdgeProcess
from vibro.errors import VibroError
from vibro.simulate import demo_scenario, plant

if TYPE_CHECKING:
    from cloud_jobs.nightly import Round
    from cloud_jobs.run import CloudJobs

HEALTHY_SHARE = 0.4
PROCESSES = 2
PAUSE_S = 0.3
"""Between two looks at the log: few large batches cost less than many small ones."""
STUCK_S = 180.0
"""Without any news from any node for so long the demo gives up."""


class Demo:
    """One run of the demo over an empty home folder.

    Parameters
    ----------
    home : Path
    seed : int
        Of the scenario and of training.
    duration_s : float
        Simulated time.
    data : Path, optional
        Folder of recordings that join as machines.
    """

    def __init__(self, home: Path, *, seed: int, duration_s: float, data: Path | None) -> None:
        self.home, self.seed = home, seed
        self.scenario = demo_scenario(seed, duration_s, HEALTHY_SHARE * duration_s)
        # The plant's time ends about now.
        self.t0_ns = time.time_ns() - round(duration_s * 1e9)
        plans = simulated(
            list(plant()),
            seed=seed,
            duration_s=duration_s,
            commissioning_s=self.scenario.commissioning_s,
            t0_ns=self.t0_ns,
        )
        self.recordings: list[Any] = []
        if data is not None:
            from vibro.cli.demo.recordings import recorded  # noqa: PLC0415 (needs the checkout)

            self.recordings, more = recorded(home, data, self.night_ns)
            plans += more
        self._plans: list[NodePlan] = plans
        self.configs = write(home, plans)
        self._clock = PlantClock(home / "clock")

    @property
    def night_ns(self) -> int:
        """End of the healthy start, when everything is retrained."""
        return self.t0_ns + round(self.scenario.commissioning_s * 1e9)

    @property
    def end_ns(self) -> int:
        """End of the scenario."""
        return self.t0_ns + round(self.scenario.duration_s * 1e9)

    def run(self, quiet: bool = False) -> dict[str, Any]:
        """Run to the end and return what `vibro demo --json` prints."""
        from cloud_jobs.run import CloudJobs  # noqa: PLC0415
        from vibro.cli.demo.result import Facts, result  # noqa: PLC0415

        started = time.monotonic()
        with (
            silent() if quiet else shown() as progress,
            self._edges() as edges,
            _trainers() as trainers,
        ):
            jobs = CloudJobs(self.home)
            try:
                total = _Totals()
                self._until(
                    jobs, edges, progress, total, lambda: self._reached(jobs, self.night_ns)
                )
                progress.stage("night: retraining every site and class")
                rounds = jobs.retrain(self.night_ns, seed=self.seed, executor=trainers)
                self._until(jobs, edges, progress, total, lambda: self._adopted(jobs, rounds))
                self._clock.set(self.end_ns)
                progress.stage("faults grow")
                self._until(jobs, edges, progress, total, lambda: all(e.finished() for e in edges))
                while (counts := jobs.step()).messages:
                    total.add(counts)
                wall_s = time.monotonic() - started
                facts = Facts(
                    jobs=jobs,
                    scenario=self.scenario,
                    plant=list(plant().machines),
                    recordings=self.recordings,
                    configs=self.configs,
                    t0_ns=self.t0_ns,
                    seed=self.seed,
                    wall_s=wall_s,
                    repeats=total.repeats,
                    dead=total.dead,
                    restarts=sum(e.restarts for e in edges),
                    rounds=rounds,
                )
                return result(facts)
            finally:
                jobs.close()

    @contextmanager
    def _edges(self) -> Iterator[list[EdgeProcess]]:
        self._clock.set(self.night_ns)
        shares = [self.configs[i::PROCESSES] for i in range(PROCESSES)]
        edges = [
            EdgeProcess(share, self.home / f"edge-{i}.log") for i, share in enumerate(shares, 1)
        ]
        try:
            yield edges
        finally:
            for edge in edges:
                edge.stop()

    def _until(
        self,
        jobs: CloudJobs,
        edges: list[EdgeProcess],
        progress: Progress,
        total: _Totals,
        reached: Callable[[], bool],
    ) -> None:
        """Run the cloud jobs until something holds; dead edges are started again meanwhile."""
        heard = time.monotonic()
        while True:
            counts = jobs.step()
            total.add(counts)
            for edge in edges:
                edge.finished()
            if reached():
                return
            if counts.messages:
                heard = time.monotonic()
                progress.at(self._share(jobs), len(jobs.store.cases()), [e.pid for e in edges])
            elif time.monotonic() - heard > STUCK_S:
                raise VibroError(f"no node has sent anything for {STUCK_S:g} s: see {self.home}")
            time.sleep(PAUSE_S)

    def _share(self, jobs: CloudJobs) -> float:
        """Share of the scenario that has been processed, over all nodes."""
        ends = [n.t0_ns for n in jobs.store.nodes()]
        done = sum(min(end, self.end_ns) - self.t0_ns for end in ends)
        return done / (len(self._plans) * (self.end_ns - self.t0_ns))

    def _reached(self, jobs: CloudJobs, until_ns: int) -> bool:
        """Whether every node has come to within two blocks of an instant, or to its end."""
        near_ns = until_ns - 2 * 10**9
        heard = {n.path: n for n in jobs.store.nodes()}
        started = [p.machine.path for p in self._plans if p.t0_ns < near_ns]
        return all(
            (node := heard.get(path)) is not None
            and (node.detail["finished"] or node.t0_ns >= near_ns)
            for path in started
        )

    def _adopted(self, jobs: CloudJobs, rounds: list[Round]) -> bool:
        """Whether every node runs the bundle that was published for it."""
        version = {(r.site, r.machine_class): r.model.version for r in rounds if r.model}
        machines = jobs.store.machines()
        return all(
            n.detail["finished"]
            or n.bundle == version.get((n.site, machines[n.path].machine_class), n.bundle)
            for n in jobs.store.nodes()
        )


@contextmanager
def _trainers() -> Iterator[Executor]:
    """Processes to train in, started before they are needed: scikit-learn takes its time."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context, initializer=_ready) as pool:
        for _ in range(PROCESSES):
            pool.submit(os.getpid)  # a process starts with the first job that finds none idle
        yield pool


def _ready() -> None:
    """Leave Ctrl-C to the demo itself, end when it is killed, and import what training takes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_as_orphan, daemon=True).start()
    importlib.import_module("cloud_jobs.retrain.train")


def _end_as_orphan() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class _Totals:
    """What the polls of the whole run came to."""

    def __init__(self) -> None:
        self.repeats = self.dead = 0

    def add(self, counts: Any) -> None:
        self.repeats += counts.repeats
        self.dead += counts.dead
