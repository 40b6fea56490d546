"""The reflex: every 20 ms block of every channel against limits, at once, and an action.

Advisory, not a safety function (API 670 and SIL are out of its scope). It needs no network, no
model and no operating state. An action runs on a thread of its own behind a bounded queue, so that
one that hangs delays neither samples nor decisions; what did not fit in the queue is counted.
"""

from __future__ import annotations

import logging
import math
import queue
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_node.config import ReflexSection
from vibro.errors import BadInputError
from vibro.features.spans import REFLEX_S
from vibro.records import SampleBlock, StreamInfo

Action = Callable[["Trip"], None]
QUANTITIES = ("peak", "rms", "slope")
QUEUED = 64
LOG = logging.getLogger("vibro.reflex")


@dataclass(frozen=True, slots=True)
class Trip:
    """A limit that was exceeded.

    Attributes
    ----------
    quantity : {'peak', 'rms', 'slope'}
    value, limit : float
        m/s2; a slope in m/s2 a second.
    first_sample, t0_ns : int
        Of the 20 ms block.
    """

    channel: str
    quantity: str
    value: float
    limit: float
    first_sample: int
    t0_ns: int

    def __str__(self) -> str:
        """One line."""
        unit = "m/s2/s" if self.quantity == "slope" else "m/s2"
        return (
            f"{self.channel}: {self.quantity} {self.value:.4g} {unit} is above {self.limit:.4g}, "
            f"sample {self.first_sample}, {self.t0_ns} ns"
        )


class Reflex:
    """Judges blocks against limits; the same in any chunking.

    A channel that has tripped is held off, so that one bad machine is not a thousand actions.

    Parameters
    ----------
    section : ReflexSection
    info : StreamInfo
    start_sample : int
        Samples before this one were judged in an earlier life.

    Raises
    ------
    BadInputError
        If there is neither one limit for all channels nor one for each.
    """

    def __init__(self, section: ReflexSection, info: StreamInfo, start_sample: int = 0) -> None:
        n = len(info.channels)
        self._channels = [str(c) for c in info.channels]
        self._scale = info.scale.astype(np.float64).tolist()
        self._rate_hz = info.rate_hz
        self._block = max(2, round(REFLEX_S * info.rate_hz))
        self._limits = list(
            zip(
                _limits("reflex.peak_m_s2", section.peak_m_s2, n),
                _limits("reflex.rms_m_s2", section.rms_m_s2, n),
                _limits("reflex.slope_m_s2_s", section.slope_m_s2_s, n),
                strict=True,
            )
        )
        self._hold = max(1, round(section.hold_s * info.rate_hz))
        self._held_until = [0] * n
        self._zeros: NDArray[Any] = np.zeros(n)
        self._before = [math.nan] * n
        self._begin()
        self._next = start_sample
        self._from = -(-start_sample // self._block) * self._block

    @property
    def armed(self) -> bool:
        """Whether there is any limit."""
        return any(limit < math.inf for limits in self._limits for limit in limits)

    def push(self, block: SampleBlock) -> list[Trip]:
        """Take the next samples; return the limits exceeded in the blocks they complete.

        Samples that came before, as after a restart, are passed over; so is the rest of a block
        whose beginning was not seen.
        """
        end = block.first_sample + block.counts.shape[1]
        if block.first_sample != self._next:
            self._from = -(-max(block.first_sample, self._next) // self._block) * self._block
            self._begin()
            self._before = [math.nan] * len(self._before)
        at = max(block.first_sample, self._from)
        self._next = max(end, self._next)
        trips: list[Trip] = []
        while at < end:
            stop = min(end, (at // self._block + 1) * self._block)
            self._add(block.counts[:, at - block.first_sample : stop - block.first_sample])
            if stop % self._block == 0:
                trips += self._judge(stop - self._block, block)
            at = stop
        return trips

    def _begin(self) -> None:
        self._peak, self._square = self._zeros, self._zeros

    def _add(self, counts: NDArray[np.int16]) -> None:
        """Count samples in: what is whole at once, as most blocks are, is not added to zeros."""
        x = counts.astype(np.float32)
        square = np.einsum("ij,ij->i", x, x).astype(np.float64)
        peak = np.abs(x, out=x).max(axis=1)
        fresh = self._square is self._zeros
        self._square = square if fresh else self._square + square
        self._peak = peak if fresh else np.maximum(self._peak, peak)

    def _judge(self, first: int, block: SampleBlock) -> list[Trip]:
        """Compare one block of every channel; plain numbers are the fastest for so few."""
        trips: list[Trip] = []
        per_s = self._rate_hz / self._block
        values = zip(self._peak.tolist(), self._square.tolist(), self._scale, strict=True)
        for c, (peak, square, scale) in enumerate(values):
            rms = math.sqrt(square / self._block) * scale
            slope = (rms - self._before[c]) * per_s
            self._before[c] = rms
            limits = self._limits[c]
            if peak * scale > limits[0] or rms > limits[1] or slope > limits[2]:
                trips += self._trips(c, (peak * scale, rms, slope), first, block)
        self._begin()
        return trips

    def _trips(
        self, c: int, values: tuple[float, float, float], first: int, block: SampleBlock
    ) -> list[Trip]:
        """Return the first limit that is exceeded, unless the channel is held off."""
        if self._held_until[c] > first:
            return []
        self._held_until[c] = first + self._hold
        t0_ns = block.t0_ns + round((first - block.first_sample) * 1e9 / self._rate_hz)
        told = zip(QUANTITIES, values, self._limits[c], strict=True)
        name, value, limit = next(t for t in told if t[1] > t[2])
        return [Trip(self._channels[c], name, value, limit, first, t0_ns)]


def _limits(key: str, given: Sequence[float], channels: int) -> list[float]:
    """One limit a channel; infinite where there is none."""
    if len(given) not in {0, 1, channels}:
        raise BadInputError(
            f"{key} has {len(given)} limits, the machine {channels} channels: "
            "give none, one for all, or one for each"
        )
    values = [limit if limit > 0.0 else math.inf for limit in given] or [math.inf]
    return values * channels if len(values) == 1 else values


class Actuator:
    """Runs an action for each trip on a thread of its own.

    Parameters
    ----------
    action : callable
        Whatever it raises is logged; it must come to an end by itself.
    """

    def __init__(self, action: Action) -> None:
        self._action = action
        self._queue: queue.Queue[Trip | None] = queue.Queue(QUEUED)
        self.trips = self.dropped = 0
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
        """Let what is queued be done, for so long at most."""
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (trip := self._queue.get()) is not None:
            try:
                self._action(trip)
            except Exception:
                LOG.exception("reflex: the action failed: %s", trip)


def dry_run(trip: Trip) -> None:
    """Log what would be acted on."""
    LOG.warning("reflex (dry run): %s", trip)


class RunProgram:
    """Runs a program with the trip in its arguments; it is killed when it takes too long.

    Parameters
    ----------
    program : sequence of str
        Program and arguments; channel, quantity, value and limit are appended.
    timeout_s : float
    """

    def __init__(self, program: Sequence[str], timeout_s: float) -> None:
        self._program, self._timeout_s = tuple(program), timeout_s

    def __call__(self, trip: Trip) -> None:
        """Run it and say how it ended."""
        told = (trip.channel, trip.quantity, f"{trip.value:.6g}", f"{trip.limit:.6g}")
        LOG.warning("reflex: %s", trip)
        try:
            done = subprocess.run(  # noqa: S603 (the operator's own program)
                [*self._program, *told], timeout=self._timeout_s, check=False,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            LOG.warning("reflex: %s was killed after %g s", self._program[0], self._timeout_s)
        except OSError as error:
            LOG.warning("reflex: %s cannot be run (%s)", self._program[0], error.strerror)
        else:
            if done.returncode:
                LOG.warning("reflex: %s ended with %d", self._program[0], done.returncode)


def action_of(section: ReflexSection) -> Action:
    """Return the configured action.

    Raises
    ------
    BadInputError
        If a program is to be run and none is named.
    """
    if section.action == "dry-run":
        return dry_run
    if not section.program:
        raise BadInputError("reflex.program is empty: name the program that reflex.action runs")
    return RunProgram(section.program, section.timeout_s)
