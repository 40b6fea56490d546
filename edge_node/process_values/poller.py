"""Polls process values on a thread of its own, connects again with backoff, and forgets old ones.

Whoever asks for the latest values gets them at once. If the server does not answer, is gone or
hangs, they grow old, and from a certain age on they are not known: no value stays stuck.
"""

from __future__ import annotations

import logging
import math
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from edge_node.process_values.options import ProcessValuesSection
from edge_node.process_values.port import Reader, Values
from vibro.errors import VibroError

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""Pause after the first failure, doubled with each further one, and its bound; without jitter."""
STOP_S = 1.0
RUNS = 0.5
LOG = logging.getLogger("vibro.process_values")


class Poller:
    """The latest values of one server.

    Parameters
    ----------
    reader : Reader
    section : ProcessValuesSection
    monotonic : callable
        Monotonic clock in seconds.
    jitter : random.Random
        So that a plant's nodes do not all come back at once.
    """

    def __init__(
        self,
        reader: Reader,
        section: ProcessValuesSection,
        monotonic: Callable[[], float],
        jitter: random.Random,
    ) -> None:
        self._reader, self._section = reader, section
        self._monotonic, self._jitter = monotonic, jitter
        # Replaced as a whole: who reads it sees the old or the new, without a lock.
        self._held = (Values(), -math.inf)
        self._open = False
        self._failures = 0
        self._stopping = threading.Event()
        # One thread at a time talks to the server, also when an earlier one still hangs.
        self._talking = threading.Lock()
        self._thread: threading.Thread | None = None
        self.last_error = ""

    def start(self) -> None:
        """Begin to poll."""
        if self._thread is None:
            self._stopping = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(self._stopping,), name="process-values", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End polling; a request that hangs is left behind."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopping.set()
            thread.join(STOP_S)

    def latest(self) -> Values:
        """Return the last values, or unknown ones when they are older than ``stale_s``."""
        values, asked_s = self._held
        age_s = self._monotonic() - asked_s
        if age_s > self._section.stale_s:
            return Values(age_s=age_s)
        return replace(values, age_s=age_s)

    def _run(self, stopping: threading.Event) -> None:
        with self._talking:
            pause_s = 0.0
            while not stopping.wait(pause_s):
                pause_s = self.poll()
            self._close()

    def poll(self) -> float:
        """Ask once, and connect first if need be; return the seconds until the next time."""
        # Their age counts from the question: an answer may be as old as that.
        asked_s = self._monotonic()
        try:
            if not self._open:
                self._reader.open()
                self._open = True
            raw = self._reader.read()
        except VibroError as error:
            return self._failed(str(error))
        except Exception as error:
            LOG.exception("process values: the reader failed")
            return self._failed(f"{type(error).__name__}: {error}")
        self._held = (self._converted(raw), asked_s)
        if self._failures:
            LOG.warning("process values: are read again after %d failures", self._failures)
        self._failures, self.last_error = 0, ""
        return max(0.0, self._section.poll_s - (self._monotonic() - asked_s))

    def _failed(self, why: str) -> float:
        """Close, tell it once, and wait longer each time."""
        self._close()
        if why != self.last_error:
            LOG.warning("process values: %s", why)
        self.last_error = why
        doubled = FIRST_PAUSE_S * 2.0 ** min(self._failures, 10)
        self._failures += 1
        return min(doubled, LONGEST_PAUSE_S) * self._jitter.uniform(0.5, 1.0)

    def _close(self) -> None:
        self._open = False
        try:
            self._reader.close()
        except Exception:
            LOG.exception("process values: disconnecting failed")

    def _converted(self, raw: Mapping[str, float]) -> Values:
        found = {}
        for quantity, value in raw.items():
            scale, offset = self._section.conversion(quantity)
            converted = value * scale + offset
            found[quantity] = converted if math.isfinite(converted) else math.nan
        values = Values(**found)
        running = values.running
        return replace(
            values,
            rpm=abs(values.rpm),
            running=running if math.isnan(running) else float(running >= RUNS),
        )
