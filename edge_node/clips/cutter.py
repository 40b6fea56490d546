"""Raw excerpts: a short memory of what the sensors said, and cutting clips out of it.

All channels of the machine are cut at once. A request may reach back into the memory and ahead
of the newest sample; it is served as soon as its last sample has arrived.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.records import SampleBlock


@dataclass(frozen=True, slots=True)
class Request:
    """A clip to cut: which samples, and why; and, once cut, the state that it was cut in.

    Attributes
    ----------
    spectrum : str
        Why a spectrum of these samples is wanted as well, see `vibro.records.Spectrum`; empty
        where none is.
    waveform : int
        Only so many of the newest samples leave as a clip; 0 = all.
    request : str
        Id of the person's request that is answered, or empty.
    """

    reason: str
    event: str
    first_sample: int
    samples: int
    revision: int = 0
    state: str = ""
    spectrum: str = ""
    waveform: int = 0
    request: str = ""

    @property
    def kind(self) -> str:
        """First word of the clip's id: those that may begin at one sample differ by it."""
        return "waveform" if self.waveform else "capture" if self.request else "clip"


@dataclass(frozen=True, slots=True)
class Cut:
    """A clip that was cut: the request and its samples.

    Attributes
    ----------
    parts : tuple of ndarray, shape (channels, n)
        Stretches of the memory one after the other; nothing was copied. Not empty.
    """

    request: Request
    t0_ns: int
    rpm: float
    parts: tuple[NDArray[Any], ...]

    @property
    def samples(self) -> int:
        """Samples of each channel."""
        return self.request.samples

    def counts(self) -> NDArray[Any]:
        """Join the samples, shape (channels, samples): some megabytes are copied."""
        return np.concatenate(self.parts, axis=1)

    def newest(self, samples: int, rate_hz: float) -> Cut:
        """Return the end of the cut, so many samples long; 0 = all of it."""
        skipped = self.samples - samples if samples else 0
        if skipped <= 0:
            return self
        first, left = self.request.first_sample + skipped, skipped
        parts = []
        for part in self.parts:
            if part.shape[1] > left:
                parts.append(part[:, left:])
            left = max(0, left - part.shape[1])
        return Cut(
            replace(self.request, first_sample=first, samples=samples),
            self.t0_ns + round(skipped * 1e9 / rate_hz),
            self.rpm,
            tuple(parts),
        )


class ClipCutter:
    """Ring of recent blocks with the open requests on it.

    Parameters
    ----------
    memory_samples : int
        How far back a request made now may reach.
    """

    def __init__(self, memory_samples: int, rate_hz: float) -> None:
        self._memory, self._rate_hz = memory_samples, rate_hz
        self._blocks: deque[SampleBlock] = deque()
        self._requests: list[Request] = []

    @property
    def requests(self) -> tuple[Request, ...]:
        """Requests that wait for their last sample."""
        return tuple(self._requests)

    def request(self, request: Request) -> None:
        """Ask for a clip; a start before the memory's is moved up to it."""
        self._requests.append(request)

    def push(self, block: SampleBlock) -> list[Cut]:
        """Remember a block and serve every request that it completes."""
        self._blocks.append(block)
        end = block.first_sample + block.counts.shape[1]
        ready = [r for r in self._requests if r.first_sample + r.samples <= end]
        self._requests = [r for r in self._requests if r not in ready]
        cuts = [self._cut(r) for r in ready]
        keep_from = min([end - self._memory, *(r.first_sample for r in self._requests)])
        while self._blocks and _end(self._blocks[0]) <= keep_from:
            self._blocks.popleft()
        return cuts

    def gap(self) -> list[Cut]:
        """Serve what had begun with as much as there is, for samples are missing now.

        No clip spans a gap: what was remembered is forgotten, and a request for samples after
        the gap stays.
        """
        end = _end(self._blocks[-1]) if self._blocks else 0
        begun = [r for r in self._requests if self._blocks and r.first_sample < end]
        cuts = [self._cut(r) for r in begun]
        self._requests = [r for r in self._requests if r not in begun]
        self._blocks.clear()
        return [c for c in cuts if c.samples]

    def finish(self) -> list[Cut]:
        """Serve what is still waiting with as much as there is, because the stream ends."""
        cuts = [self._cut(r) for r in self._requests if self._blocks]
        self._requests = []
        return [c for c in cuts if c.samples]

    def _cut(self, request: Request) -> Cut:
        first = max(request.first_sample, self._blocks[0].first_sample)
        last = request.first_sample + request.samples
        parts, speeds = [], []
        for block in self._blocks:
            lo, hi = max(first, block.first_sample), min(last, _end(block))
            if lo < hi:
                parts.append(block.counts[:, lo - block.first_sample : hi - block.first_sample])
                speeds.append((block.rpm, hi - lo))
        head = self._blocks[0]
        t0_ns = head.t0_ns + round((first - head.first_sample) * 1e9 / self._rate_hz)
        done = replace(request, first_sample=first, samples=sum(n for _, n in speeds))
        return Cut(done, t0_ns, _mean_speed(speeds), tuple(parts) or (head.counts[:, :0],))

    def snapshot(self) -> list[dict[str, Any]]:
        """JSON-able open requests (the samples themselves are read again after a restart)."""
        return [asdict(r) for r in self._requests]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Continue with the requests of a snapshot."""
        self._requests = [Request(**r) for r in state]


def _end(block: SampleBlock) -> int:
    return block.first_sample + int(block.counts.shape[1])


def _mean_speed(speeds: list[tuple[float, int]]) -> float:
    total = sum(n for _, n in speeds)
    return sum(rpm * n for rpm, n in speeds) / total if total else float("nan")
