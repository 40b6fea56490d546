"""All cloud jobs in one process over one home folder."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path

from cloud_jobs.consume import Consumer, Counts
from cloud_jobs.correlate import correlate
from cloud_jobs.lake import Lake
from cloud_jobs.publish import announce, publish
from cloud_jobs.store import Store
from cloud_jobs.store.tables import ModelRow
from vibro.assets import parse_register
from vibro.bundle import Bundle
from vibro.log import EmbeddedLog, Transport


class CloudJobs:
    """Consume, diagnose, correlate, retrain and publish over a home folder.

    The home holds ``assets.csv`` (read when the jobs start), ``log/``, ``lake/``, ``store.db`` and
    ``bundles/``.

    Parameters
    ----------
    home : Path
    log : Transport, optional
        Another transport than the home's embedded log.
    """

    def __init__(self, home: Path, log: Transport | None = None) -> None:
        self.home = home
        self.log: Transport = log or EmbeddedLog(home / "log")
        self.store, self.lake = Store(home), Lake(home)
        self.consumer = Consumer(self.log, self.lake, self.store)
        self.read_register()
        for model in self.store.models():
            announce(model, self.log)

    def read_register(self) -> None:
        """Take the machines of ``HOME/assets.csv`` into the store, where the file is there."""
        file = self.home / "assets.csv"
        if file.exists():
            register = parse_register(file.read_text(encoding="utf-8"), str(file))
            self.store.put_register(register)

    def step(self, now_ns: int) -> Counts:
        """Take in what has arrived, diagnose its clips, bring groups and cases up to date."""
        from cloud_jobs.diagnose import diagnose_new  # noqa: PLC0415 (scipy loads when needed)

        counts = self.consumer.poll()
        counts.machines |= diagnose_new(self.lake, self.store, now_ns)
        correlate(self.store, counts.machines | (counts.alive & self.store.unsettled()))
        return counts

    def retrain(self, now_ns: int, executor: Executor | None = None) -> list[ModelRow]:
        """Retrain every site and class from the lake; publish what passes its gate."""
        raise NotImplementedError

    def publish(self, bundle: Bundle) -> ModelRow:
        """Publish one bundle to the site and class that it is for."""
        return publish(bundle, self.home, self.store, self.log)

    def close(self) -> None:
        """Merge the lake's small files and give back what is held."""
        self.lake.compact()
        self.store.close()
