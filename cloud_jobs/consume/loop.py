"""Working until told to stop: services that are away are waited for, and that is said once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from cloud_jobs.consume.batch import Counts
from cloud_jobs.consume.consumer import Consumer
from vibro.errors import BadInputError, VibroError

LOG = logging.getLogger("vibro.cloud")
TELL_S = 2.0
"""People are told counts no more often."""
WAITS_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Between attempts."""
T = TypeVar("T")

if TYPE_CHECKING:
    from cloud_jobs.consume.meter import Meter


class Patience:
    """Tries again what fails because of others, until it works or a stop is asked for.

    Parameters
    ----------
    stop : Event
    waits_s : tuple of float
    """

    def __init__(self, stop: threading.Event, waits_s: tuple[float, ...] = WAITS_S) -> None:
        self._stop, self._waits_s = stop, waits_s
        self._failures, self._since_s = 0, 0.0
        self._said = ""

    def attempt(self, work: Callable[[], T]) -> T | None:
        """Do something once; None when it failed, after a wait, or when it is time to stop.

        Raises
        ------
        BadInputError
            What trying again does not mend.
        """
        try:
            done = work()
        except BadInputError:
            raise
        except VibroError as error:
            self._wait(str(error))
            return None
        if self._failures:
            LOG.info("all is well again after %.0f s", time.monotonic() - self._since_s)
            self._failures, self._said = 0, ""
        return done

    def insist(self, work: Callable[[], T]) -> T | None:
        """Do something until it works; None when it is time to stop before."""
        while not self._stop.is_set():
            done = self.attempt(work)
            if done is not None:
                return done
        return None

    def _wait(self, said: str) -> None:
        if not self._failures:
            self._since_s = time.monotonic()
        if said != self._said:
            LOG.warning("%s; nothing is lost, it is tried again", said)
            self._said = said
        wait_s = self._waits_s[min(self._failures, len(self._waits_s) - 1)]
        self._failures += 1
        self._stop.wait(wait_s)


@dataclass(slots=True)
class Work:
    """Steps until told to stop, or until nothing comes any more.

    Attributes
    ----------
    step : callable
        Takes in what has arrived.
    consumer : Consumer
        Whose lag is metered; what it holds back is kept at the end.
    stop : Event
    patience : Patience or None
        None to end when all is taken in, and at the first failure.
    quiet_s : float
        Without patience: silence after which all is taken in.
    tell : callable
        Given all counts so far, now and then.
    meter : Meter or None
    """

    step: Callable[[], Counts]
    consumer: Consumer
    stop: threading.Event
    patience: Patience | None
    quiet_s: float
    tell: Callable[[Counts], None]
    meter: Meter | None = None

    def run(self) -> Counts:
        """Work; return the counts of all steps."""
        total = Counts()
        told, told_s = 0, float("-inf")
        if self.meter is not None and self.consumer.tap is not None:
            self.meter.watch(self.consumer.tap)
        heard_s = time.monotonic()
        while not self.stop.is_set():
            counts = self._step()
            total.add(counts)
            now_s = time.monotonic()
            if counts.messages or counts.overtaken:
                heard_s = now_s
            elif self.patience is None and now_s - heard_s >= self.quiet_s:
                break
            if total.messages > told and now_s - told_s >= TELL_S:
                self.tell(total)
                told, told_s = total.messages, now_s
        total.add(self._end())
        if total.messages > told:
            self.tell(total)
        return total

    def _step(self) -> Counts:
        counts = self.patience.attempt(self.step) if self.patience else self.step()
        if self.meter is not None and counts is None:
            self.meter.failed()
        elif self.meter is not None and counts is not None:
            self.meter.kept(counts, self.consumer.lag())
        return counts or Counts()

    def _end(self) -> Counts:
        """Keep what is held back, if that can be."""
        try:
            return self.consumer.flush()
        except VibroError as error:
            LOG.warning("%s; what was held back is read again at the next start", error)
            return Counts()
