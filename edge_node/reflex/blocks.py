"""Every 20 ms block of every channel against limits, at once.

It needs no network, no model and no operating state.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge_node.config import ReflexSection
from vibro.errors import BadInputError
from vibro.features.levels import begin, exceed, levels_of
from vibro.features.spans import REFLEX_S
from vibro.records import SampleBlock, StreamInfo

QUANTITIES = ("peak", "rms", "slope")
LIMITS = ("peak_m_s2", "rms_m_s2", "slope_m_s2_s")
"""Options of their limits."""


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

    def facts(self) -> dict[str, Any]:
        """JSON-able: what an output tells of it."""
        unit = "m/s2/s" if self.quantity == "slope" else "m/s2"
        return {**asdict(self), "unit": unit}


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
        self._rate_hz = info.rate_hz
        self._block = max(2, round(REFLEX_S * info.rate_hz))
        self._levels = levels_of(
            info.scale, np.array([_limits(key, getattr(section, key), n) for key in LIMITS])
        )
        self._hold = max(1, round(section.hold_s * info.rate_hz))
        self._held_until = [0] * n
        self._next = start_sample
        self._from = -(-start_sample // self._block) * self._block

    @property
    def armed(self) -> bool:
        """Whether there is any limit."""
        return bool(np.isfinite(self._levels.limits).any())

    def push(self, block: SampleBlock) -> list[Trip]:
        """Take the next samples; return the limits exceeded in the blocks they complete.

        Samples that came before, as after a restart, are passed over; so is the rest of a block
        whose beginning was not seen.
        """
        end = block.first_sample + block.counts.shape[1]
        if block.first_sample != self._next:
            self._from = -(-max(block.first_sample, self._next) // self._block) * self._block
            begin(self._levels)
        at = max(block.first_sample, self._from)
        self._next = max(end, self._next)
        trips: list[Trip] = []
        first, per_s = block.first_sample, self._rate_hz / self._block
        while at < end:
            stop = min(end, (at // self._block + 1) * self._block)
            if exceed(
                block.counts,
                at - first,
                stop - first,
                stop % self._block == 0,
                self._block,
                per_s,
                self._levels,
            ):
                trips += self._trips(stop - self._block, block)
            at = stop
        return trips

    def _trips(self, first: int, block: SampleBlock) -> list[Trip]:
        """Return the first limit that each channel exceeds which is not held off."""
        t0_ns = block.t0_ns + round((first - block.first_sample) * 1e9 / self._rate_hz)
        trips: list[Trip] = []
        told = zip(self._levels.found.T.tolist(), self._levels.limits.T.tolist(), strict=True)
        for c, (values, limits) in enumerate(told):
            over = [t for t in zip(QUANTITIES, values, limits, strict=True) if t[1] > t[2]]
            if over and self._held_until[c] <= first:
                self._held_until[c] = first + self._hold
                trips.append(Trip(self._channels[c], *over[0], first, t0_ns))
        return trips


def limit_mistake(key: str, given: Sequence[float], channels: int) -> str:
    """Say what is wrong with a number of limits; empty if nothing is."""
    if len(given) in {0, 1, channels}:
        return ""
    return (
        f"reflex.{key} has {len(given)} limits, the machine {channels} channels: "
        "give none, one for all, or one for each"
    )


def _limits(key: str, given: Sequence[float], channels: int) -> list[float]:
    """One limit a channel; infinite where there is none."""
    if mistake := limit_mistake(key, given, channels):
        raise BadInputError(mistake)
    values = [limit if limit > 0.0 else math.inf for limit in given] or [math.inf]
    return values * channels if len(values) == 1 else values
