"""Acting on trips, on a thread of its own."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from edge_node.reflex.blocks import Trip
from vibro.errors import VibroError

QUEUED = 64
LOG = logging.getLogger("vibro.reflex")


@dataclass(frozen=True, slots=True)
class Later:
    """What an action wants to be done after a while, as a coil to be reset.

    It may ask to be done again. A newer one of the same actuator takes its place.
    """

    seconds: float
    do: Callable[[], Later | None]


Action = Callable[[Trip], Later | None]


class Actuator:
    """Runs an action for each trip on a thread of its own.

    Parameters
    ----------
    action : callable
        Whatever it raises is logged and counted; it must come to an end by itself.

    Attributes
    ----------
    trips, dropped, failed : int
        Trips handed over, those that did not fit in the queue, and actions that failed.
    """

    def __init__(self, action: Action) -> None:
        self._action = action
        self._queue: queue.Queue[Trip | None] = queue.Queue(QUEUED)
        self._later: tuple[float, Callable[[], Later | None]] | None = None
        self.trips = self.dropped = self.failed = 0
        self._thread = threading.Thread(target=self._run, name="reflex", daemon=True)
        self._thread.start()

    def __call__(self, trip: Trip) -> None:
        """Hand over a trip; never waits."""
        self.trips += 1
        try:
            self._queue.put_nowait(trip)
        except queue.Full:
            self.dropped += 1

    def use(self, action: Action) -> None:
        """Act otherwise, from the next trip on that is taken out of the queue."""
        self._action = action

    def close(self, timeout_s: float) -> None:
        """Let what is queued be done, and at once what was to be done later.

        For so long at most.
        """
        until = time.monotonic() + timeout_s
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self._thread.join(max(0.0, until - time.monotonic()))

    def _run(self) -> None:
        while True:
            try:
                trip = self._queue.get(timeout=self._patience_s())
            except queue.Empty:
                self._done_later()
                continue
            if trip is None:
                break
            self._do(lambda trip=trip: self._action(trip), str(trip))  # type: ignore[misc]
        if self._later is not None:
            self._done_later()

    def _patience_s(self) -> float | None:
        return None if self._later is None else max(0.0, self._later[0] - time.monotonic())

    def _done_later(self) -> None:
        if self._later is not None:
            do, self._later = self._later[1], None
            self._do(do, "afterwards")

    def _do(self, do: Callable[[], Later | None], what: str) -> None:
        try:
            later = do()
        except VibroError as error:
            self.failed += 1
            LOG.warning("reflex: %s (%s)", error, what)
        except Exception:
            self.failed += 1
            LOG.exception("reflex: the action failed: %s", what)
        else:
            if later is not None:
                self._later = (time.monotonic() + later.seconds, later.do)
