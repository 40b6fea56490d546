"""Between a library's own thread, which must never wait, and whoever reads a device."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace

from edge_node.sources.device import Frames
from vibro.errors import VibroError


class Inbox:
    """A bounded queue of frames; those that do not fit are counted and told as lost.

    Parameters
    ----------
    most_frames : int
        Frames that may wait to be read.
    """

    def __init__(self, most_frames: int) -> None:
        self._most = most_frames
        self._ready = threading.Condition()
        self.clear()

    def clear(self) -> None:
        """Forget what waits."""
        with self._ready:
            self._queue: deque[Frames] = deque()
            self._held = self._lost = 0
            self._failure, self._anew = "", False

    def put(self, frames: Frames) -> None:
        """Add frames, whose array must not change any more; never waits."""
        n = frames.counts.shape[1]
        with self._ready:
            if self._held + n > self._most:
                self._lost += n + frames.lost
                self._anew = self._anew or frames.anew
                return
            anew = self._anew or frames.anew
            self._queue.append(replace(frames, lost=frames.lost + self._lost, anew=anew))
            self._held, self._lost, self._anew = self._held + n, 0, False
            self._ready.notify()

    def fail(self, why: str) -> None:
        """Have the reader told, after what still waits, that nothing more will come."""
        with self._ready:
            self._failure = why
            self._ready.notify()

    def get(self, timeout_s: float) -> Frames | None:
        """Return the oldest frames; None when none came in time.

        Raises
        ------
        VibroError
            With the reason why no more will come.
        """
        with self._ready:
            self._ready.wait_for(lambda: self._queue or self._failure, timeout_s)
            if self._queue:
                frames = self._queue.popleft()
                self._held -= frames.counts.shape[1]
                return frames
            if self._failure:
                raise VibroError(self._failure)
            return None
