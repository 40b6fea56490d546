"""Clips and spectra are made on a thread of their own: no decision waits for them.

Packing a clip takes a tenth of a second, a spectrum of eight channels as long. All machines of a
process share the thread: when a shock of the site makes them all cut at once, the copies are made
one after the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

from edge_node.clips.cutter import Request
from edge_node.privacy import ReleasedClip
from vibro.records import Spectrum
from vibro.wire import encode


@dataclass(frozen=True, slots=True)
class Packed:
    """What one request led to: in time a clip's bytes, and a spectrum.

    Attributes
    ----------
    value : Future of bytes, or None
        None where no clip may leave. The clip has no number yet: the spool gives it.
    spectrum : Future of Spectrum, or None
        Its result is None for a stretch that is too short.
    """

    request: Request
    value: Future[bytes] | None
    spectrum: Future[Spectrum | None] | None

    @property
    def futures(self) -> list[Future[bytes] | Future[Spectrum | None]]:
        """What has to be done before it can go into the spool."""
        return [f for f in (self.value, self.spectrum) if f is not None]


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "clips")


def _encoded(clip: Callable[[], ReleasedClip]) -> bytes:
    return encode(clip())


class ClipPacker:
    """Encodes clips in order; what is not yet packed is asked for again after a restart."""

    def __init__(self) -> None:
        self._waiting: deque[Packed] = deque()

    def add(
        self,
        request: Request,
        clip: Callable[[], ReleasedClip] | None,
        spectrum: Callable[[], Spectrum | None] | None = None,
    ) -> None:
        """Begin to pack a clip, and to compute a spectrum, of one request."""
        if clip is None and spectrum is None:
            return
        value = None if clip is None else _thread().submit(_encoded, clip)
        computed = None if spectrum is None else _thread().submit(spectrum)
        self._waiting.append(Packed(request, value, computed))

    def ready(self, *, wait: bool) -> list[Packed]:
        """Return the oldest that are packed, or all when it may wait for them."""
        found: list[Packed] = []
        for packed in self._waiting:
            if not (wait or all(f.done() for f in packed.futures)):
                break
            for future in packed.futures:
                future.result()
            found.append(packed)
        return found

    def kept(self, packed: Sequence[Packed]) -> None:
        """Forget the oldest: they are in the spool."""
        for _ in packed:
            self._waiting.popleft()

    def requests(self, but: Sequence[Packed]) -> list[Request]:
        """Return what is to be asked for again if ``but`` is all that reaches the spool."""
        return [packed.request for packed in list(self._waiting)[len(but) :]]


def spectra(packed: Sequence[Packed]) -> list[Spectrum]:
    """Return the spectra among what is packed."""
    made = (p.spectrum.result() for p in packed if p.spectrum is not None)
    return [s for s in made if s is not None]


def values(packed: Sequence[Packed]) -> list[bytes]:
    """Return the encoded clips among what is packed."""
    return [p.value.result() for p in packed if p.value is not None]
