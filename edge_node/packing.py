"""Clips are packed on a thread of their own: a tenth of a second that no decision waits for."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from edge_node.clips import Request
from vibro.records import Clip
from vibro.wire import encode


@dataclass(frozen=True, slots=True)
class Packed:
    """A clip on its way: what asked for it, its sequence number, and in time its bytes."""

    request: Request
    clip: Clip
    sequence: int
    value: Future[bytes]


class ClipPacker:
    """Encodes clips in order; what is not yet packed is asked for again after a restart.

    Parameters
    ----------
    produced : int
        Clips that the spool has numbered: the next one takes this number.
    """

    def __init__(self, produced: int) -> None:
        self._produced = produced
        self._waiting: deque[Packed] = deque()
        self._executor: ThreadPoolExecutor | None = None

    def add(self, request: Request, clip: Clip) -> None:
        """Begin to pack a clip."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, "clips")
        sequence = self._produced + len(self._waiting)
        numbered = replace(clip, origin=replace(clip.origin, sequence=sequence))
        value = self._executor.submit(encode, numbered)
        self._waiting.append(Packed(request, numbered, sequence, value))

    def ready(self, *, wait: bool) -> list[Packed]:
        """Return the oldest clips that are packed, or all when it may wait for them."""
        found: list[Packed] = []
        for packed in self._waiting:
            if not (wait or packed.value.done()):
                break
            packed.value.result()
            found.append(packed)
        return found

    def kept(self, packed: Sequence[Packed]) -> None:
        """Forget the oldest clips: they are in the spool."""
        for _ in packed:
            self._waiting.popleft()
        self._produced += len(packed)

    def requests(self, but: Sequence[Packed]) -> list[Request]:
        """Return what is to be asked for again if ``but`` is all that reaches the spool."""
        return [packed.request for packed in list(self._waiting)[len(but) :]]
