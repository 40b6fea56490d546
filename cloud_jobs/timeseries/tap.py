"""The sink of points: holds up nobody, loses nothing, and finds its way back after an outage.

One thread writes. What the consumer hands over waits in a bounded queue; when the server is away
for longer than that lasts, the queue is let go and the log is read again from where the server
stands, as after a restart. Where it stands is kept in the store, and moved only when the server has
acknowledged; repeats overwrite. The client's own batches are not used: they queue without bound,
and one that has failed its last attempt is dropped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import Metric

from cloud_jobs.config import CloudConfig
from cloud_jobs.store import Store
from cloud_jobs.timeseries.intake import Batch, Intake
from cloud_jobs.timeseries.lines import count
from cloud_jobs.timeseries.metrics import metrics
from cloud_jobs.timeseries.offsets import TapOffsets
from cloud_jobs.timeseries.progress import Progress
from cloud_jobs.timeseries.rollup import touched
from cloud_jobs.timeseries.server import Server
from vibro.errors import VibroError
from vibro.log import Place, Transport
from vibro.records import Record

LOG = logging.getLogger("vibro.timeseries")
QUEUE_BYTES = 64 * 2**20
"""Decoded records that wait; what is more waits in the log."""
SAVE_S = 1.0
NEWS_S = 10.0
"""How often it is looked whether cases, models or limits have changed."""
WAITS_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Between attempts at a server that is away."""
LATER_S = 2.0
"""Between attempts to read what the log does not give."""
CLOSE_S = 20.0
"""For what is queued at the end, as long as the server takes it."""
_REASONS = 100


@dataclass(slots=True)
class Totals:
    """What this process has done.

    Attributes
    ----------
    points, refused : int
        Taken by the server, and never to be taken by it (or gone from the log).
    failures : int
        Attempts that came to nothing.
    """

    points: int = 0
    refused: int = 0
    failures: int = 0


class InfluxTap:
    """Writes what the consumer has kept to InfluxDB; see `cloud_jobs.consume.Tap`.

    Parameters
    ----------
    config : CloudConfig
    log : Transport
        For this tap alone: it is read on its thread.
    store : Store
        Keeps how far the server is; tells cases, models and machines.
    queue_bytes : int
        Bound of the queue.

    Raises
    ------
    BadInputError
        If there is no token, no address or no certificate. A server that is away is waited for.
    """

    def __init__(
        self, config: CloudConfig, log: Transport, store: Store, queue_bytes: int = QUEUE_BYTES
    ) -> None:
        section = config.influxdb
        self._server, self._log = Server(config), log
        self._offsets = TapOffsets(store, "influxdb")
        self._intake = Intake(log, store, section.batch_points, self._refuse)
        self._batch_points, self._timeout_s = section.batch_points, section.timeout_s
        self._progress = Progress(queue_bytes)
        self.totals, self.trouble = Totals(), ""
        self._batch: Batch | None = None
        self._filling = False
        self._unsaved: dict[Place, int] = {}
        self._hours: set[tuple[str, int]] = set()
        self._said: set[str] = set()
        self._saved_s = self._looked_s = float("-inf")
        self._changed, self._closing = threading.Condition(), False
        self._thread = threading.Thread(target=self._run, name="timeseries", daemon=True)
        self._thread.start()

    # -- called by others ------------------------------------------------------------------------

    def take(
        self, reached: Mapping[Place, int], records: Sequence[tuple[Place, int, Record]]
    ) -> None:
        """Take what lake and store have kept of a batch."""
        with self._changed:
            self._progress.take(reached, records, time.monotonic())
            self._changed.notify()

    def assigned(self, after: Mapping[Place, int]) -> None:
        """Take note behind which offset the consumer goes on with places, before it does."""
        with self._changed:
            self._progress.assigned(after, time.monotonic())
            self._changed.notify()

    def close(self) -> None:
        """Write what is queued, if the server takes it within seconds; the log has the rest."""
        with self._changed:
            self._closing = True
            self._looked_s = float("-inf")
            self._changed.notify()
        self._thread.join(CLOSE_S + self._timeout_s)
        self._server.close()
        self._log.close()

    def facts(self) -> dict[str, float | str]:
        """How it stands, for metrics and status."""
        with self._changed:
            oldest_s = self._progress.oldest_s()
            return {
                "points": self.totals.points,
                "refused": self.totals.refused,
                "failures": self.totals.failures,
                "queue_bytes": self._progress.size,
                "overflows": self._progress.overflows,
                "behind_messages": self._progress.missing(),
                "behind_s": 0.0 if oldest_s is None else time.monotonic() - oldest_s,
                "trouble": self.trouble,
            }

    def collect(self) -> Iterable[Metric]:
        """Return its metrics for Prometheus."""
        return metrics(self.facts())

    # -- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        attempts = 0
        while True:
            try:
                busy = self._step()
            except Exception as error:
                self._fail(error)
                if self._rest(WAITS_S[min(attempts, len(WAITS_S) - 1)], wake=False):
                    return
                attempts += 1
            else:
                attempts = 0
                self._recover()
                if not busy and self._rest(LATER_S if self._behind() else NEWS_S, wake=True):
                    return

    def _rest(self, seconds: float, *, wake: bool) -> bool:
        """Wait until the end, or for work where that wakes; return whether it is the end."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._closing or (wake and self._progress.waiting(time.monotonic())),
                seconds,
            )
            return self._closing and not (wake and self._progress.queued)

    def _behind(self) -> bool:
        with self._changed:
            return self._progress.missing() > 0

    def _step(self) -> bool:
        """Write one batch; False when there was none."""
        self._batch = self._batch or self._news() or self._next()
        if self._batch is None:
            self._save()
            return False
        self._write(self._batch)
        self._intake.written(self._batch)
        self._hours |= self._batch.hours
        with self._changed:
            moved = self._progress.filled if self._batch.fills else self._progress.wrote
            self._unsaved |= moved(self._batch.reached)
        self._batch = None
        if time.monotonic() - self._saved_s >= SAVE_S:
            self._save()
        return True

    def _news(self) -> Batch | None:
        if time.monotonic() - self._looked_s < NEWS_S:
            return None
        self._looked_s = time.monotonic()
        return self._intake.of_store(time.time_ns())

    def _next(self) -> Batch | None:
        """Return what is queued and, in turn with it unless it is the end, what fills a gap."""
        with self._changed:
            unknown, closing = self._progress.unknown(), self._closing
        held = self._offsets.load(unknown) if unknown else {}
        with self._changed:
            anew = self._progress.know(held)
            self._filling = not (self._filling and self._progress.queued) and not closing
            gap = self._progress.gap(time.monotonic()) if self._filling else None
            taken = None if gap else self._progress.next(self._batch_points)
        if anew:
            self._offsets.forget(anew)
        if taken is not None:
            return self._intake.of_queue(taken)
        return self._fill(*gap) if gap else None

    def _fill(self, place: Place, after: int, upto: int) -> Batch | None:
        batch = self._intake.of_log(place, after, upto)
        if batch is None:
            with self._changed:
                self._progress.postpone(place, time.monotonic() + LATER_S)
        return batch

    def _write(self, batch: Batch) -> None:
        while batch.pieces:
            refused = self._server.write(batch.pieces[0])
            for refusal in refused:
                self._refuse(refusal.points, f"InfluxDB refuses points: {refusal.reason}")
            points = count(batch.pieces.popleft()) - sum(r.points for r in refused)
            with self._changed:
                self.totals.points += points

    def _save(self) -> None:
        """Have the hours summed up again, and only then keep how far the server is."""
        if self._hours:
            self._server.write(touched(self._hours, time.time_ns()))
            self._hours = set()
        if self._unsaved:
            self._offsets.save(self._unsaved)
            self._unsaved = {}
        self._saved_s = time.monotonic()

    def _refuse(self, points: int, reason: str) -> None:
        with self._changed:
            self.totals.refused += points
        if reason not in self._said and len(self._said) < _REASONS:
            self._said.add(reason)
            LOG.warning("time series: %s", reason)

    def _fail(self, error: Exception) -> None:
        known = isinstance(error, VibroError)
        said = str(error) if known else repr(error)
        with self._changed:
            self.totals.failures += 1
            fresh, self.trouble = said != self.trouble, said
        if fresh and (known or not self._closing):
            LOG.warning("time series: %s; points wait", said, exc_info=None if known else error)

    def _recover(self) -> None:
        if self.trouble:
            with self._changed:
                self.trouble = ""
            LOG.info("time series: points are written again")
