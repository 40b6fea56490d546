"""All cloud jobs in one process over one home folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloud_jobs.config import CloudConfig
from cloud_jobs.consume import Consumer, Counts
from cloud_jobs.correlate import correlate
from cloud_jobs.lake import Lake
from cloud_jobs.publish import announce_newest, lay_out_prior, publish
from cloud_jobs.services import Services, open_services
from cloud_jobs.store.ingest import LATE_S
from cloud_jobs.store.tables import ModelRow
from vibro.assets import parse_register, register_text
from vibro.bundle import Bundle

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from cloud_jobs.diagnose import Diagnoser
    from cloud_jobs.nightly import Round


class CloudJobs:
    """Consume, diagnose, correlate, retrain and publish over a home folder.

    The home holds ``assets.csv`` (read when the jobs start), ``lake/`` and ``bundles/``, and where
    nothing else is named also ``log/`` and ``store.db``.

    Parameters
    ----------
    home : Path
    services : Services, optional
        What they stand on, closed with them; the home's own log and store where it is not given.
    late_s : float
        Age from which events are history when they arrive.
    **consuming
        Further options of `cloud_jobs.consume.Consumer`.
    """

    def __init__(
        self,
        home: Path,
        services: Services | None = None,
        *,
        late_s: float = LATE_S,
        **consuming: Any,
    ) -> None:
        self.home, self._late_s = home, late_s
        self._services = services or open_services(CloudConfig(home))
        self.log, self.store = self._services.log, self._services.store
        self.lake = Lake(home)
        self.consumer = consumer_of(self._services, self.lake, late_s=late_s, **consuming)
        self._held_diagnoser: Diagnoser | None = None
        self._heard: dict[str, int] = {}
        self.read_register()
        announce_newest(self.store.models(), self.log, home)

    def read_register(self) -> None:
        """Take the machines of ``HOME/assets.csv`` into the store, where the file is there."""
        file = self.home / "assets.csv"
        if file.exists():
            register = parse_register(register_text(file), str(file))
            self.store.put_register(register)

    def step(self, wait_s: float = 0.0, most_clips: int | None = None) -> Counts:
        """Take in what has arrived, diagnose its clips, bring groups and cases up to date.

        What other processes took in is followed up as well.

        Parameters
        ----------
        wait_s : float
            Longest wait for something to arrive.
        most_clips : int, optional
            Clips that are diagnosed before what arrives next is looked at.
        """
        counts = self.consumer.poll(wait_s)
        if self.store.clips(undiagnosed=True):
            counts.machines |= self._diagnoser().run(most_clips)
        news = self.store.news()
        machines = news.keys() | self._still_standing()
        correlate(self.store, machines, late_s=self._late_s)
        self.store.seen(news)
        return counts

    def _still_standing(self) -> set[str]:
        """Return the machines with an open event whose nodes were heard since the last look."""
        unsettled = self.store.unsettled()
        heard = self.store.heard_until(unsettled) if unsettled else {}
        moved = {path for path, t_ns in heard.items() if t_ns > self._heard.get(path, -1)}
        self._heard = heard
        return moved

    def _diagnoser(self) -> Diagnoser:
        from cloud_jobs.diagnose import Diagnoser  # noqa: PLC0415 (scipy, with the first clip)

        if self._held_diagnoser is None:
            self._held_diagnoser = Diagnoser(self.lake, self.store)
        return self._held_diagnoser

    def retrain(
        self, now_ns: int, *, seed: int = 0, executor: Executor | None = None
    ) -> list[Round]:
        """Retrain every site and class from the lake; publish what passes its gate.

        The fleet's priors are laid beside the bundles, for nodes that have none yet.
        """
        # scikit-learn, at night
        from cloud_jobs.nightly import Round, train_all, train_priors  # noqa: PLC0415

        self.lake.compact()
        for prior in train_priors(self.lake, self.store, now_ns, seed=seed):
            lay_out_prior(prior, self.home)
        return [
            Round(
                trained.site,
                trained.machine_class,
                self.publish(trained.bundle) if trained.bundle else None,
                trained.reasons,
            )
            for trained in train_all(self.lake, self.store, now_ns, seed=seed, executor=executor)
        ]

    def publish(self, bundle: Bundle) -> ModelRow:
        """Publish one bundle to the site and class that it is for."""
        return publish(bundle, self.home, self.store, self.log)

    def close(self) -> None:
        """Merge the lake's small files and give back what is held."""
        self._services.feed.close()
        self.lake.compact()
        self._services.close()


def consumer_of(services: Services, lake: Lake, **consuming: Any) -> Consumer:
    """Return a consumer of what the services bring."""
    return Consumer(
        services.feed, services.log, lake, services.store, tap=services.tap, **consuming
    )
