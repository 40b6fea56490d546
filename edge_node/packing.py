"""Clips and spectra are made on a thread of their own: no decision waits for them.

Packing a clip takes a tenth of a second, a spectrum of eight channels as long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from edge_node.clips import Request
from vibro.records import Clip, Spectrum
from vibro.wire import encode


@dataclass(frozen=True, slots=True)
class Packed:
    """What one request led to: a clip's number and in time its bytes, and a spectrum.

    Attributes
    ----------
    sequence : int or None
        None where no clip may leave; then its bytes are empty.
    spectrum : Future of Spectrum, or None
        Its result is None for a stretch that is too short.
    """

    request: Request
    sequence: int | None
    value: Future[bytes]
    spectrum: Future[Spectrum | None] | None

    @property
    def futures(self) -> list[Future[bytes] | Future[Spectrum | None]]:
        """What has to be done before it can go into the spool."""
        return [self.value, *([self.spectrum] if self.spectrum is not None else [])]


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

    def add(
        self,
        request: Request,
        clip: Clip | None,
        spectrum: Callable[[], Spectrum | None] | None = None,
    ) -> None:
        """Begin to pack a clip, and to compute a spectrum, of one request."""
        if clip is None and spectrum is None:
            return
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, "clips")
        if clip is None:
            sequence, value = None, self._executor.submit(bytes)
        else:
            sequence = self._produced + sum(p.sequence is not None for p in self._waiting)
            numbered = replace(clip, origin=replace(clip.origin, sequence=sequence))
            value = self._executor.submit(encode, numbered)
        computed = None if spectrum is None else self._executor.submit(spectrum)
        self._waiting.append(Packed(request, sequence, value, computed))

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
        self._produced += sum(p.sequence is not None for p in packed)

    def requests(self, but: Sequence[Packed]) -> list[Request]:
        """Return what is to be asked for again if ``but`` is all that reaches the spool."""
        return [packed.request for packed in list(self._waiting)[len(but) :]]


def spectra(packed: Sequence[Packed]) -> list[Spectrum]:
    """Return the spectra among what is packed."""
    made = (p.spectrum.result() for p in packed if p.spectrum is not None)
    return [s for s in made if s is not None]
