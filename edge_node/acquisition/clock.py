"""When counted samples happened: a converter's clock, disciplined against the time of day.

The method. A sample cannot arrive before it was taken, and its delay is never negative, so of all
arrivals the earliest, measured from their nominal times, tell the truth but for the least delay
(which cannot be seen, and is not subtracted). In every window of time the smallest such residual
is kept. The slope of these minima (median of the slopes of all pairs: Theil 1950, Sen 1968) is the
rate error of the converter; the line of that slope under all of them is the time of its samples.
Residuals are taken against the monotonic clock, which never jumps; the time of day is added at the
end. What is handed out follows that line at 500 ppm at most, so that times never go back.
"""

from __future__ import annotations

import numpy as np

SETTLE_NS = 500_000_000
"""No sample is dated earlier: what waited somewhere at the start comes in a burst."""
FIRST_WINDOW_NS, LAST_WINDOW_NS = 500_000_000, 8_000_000_000
WINDOWS = 64
"""When so many are full two become one, until they are as long as they may get."""
LEAST_WINDOWS = 8
SLEW = 5e-4
LARGEST_ERROR = 0.05
"""Rate errors are held within this; nothing else is a converter's clock."""
LATE_NS = 16_000_000_000
"""Samples that are late for so long are not late: some before them never came."""
SETTLED_NS = 60_000_000_000
"""Age from which an epoch is ended when its clocks part: no storm of epochs."""


class StreamClock:
    """Dates the samples of one epoch from their arrivals.

    Parameters
    ----------
    rate_hz : float
        Nominal rate.
    tolerance_s : float
        Difference from which clocks have parted.

    Attributes
    ----------
    rate_error : float
        True period over the nominal one, less 1; 0 until it is known.
    error_ns : float
        What the times handed out still have to catch up with.
    """

    def __init__(self, rate_hz: float, tolerance_s: float) -> None:
        self._period, self._tolerance_ns = 1e9 / rate_hz, tolerance_s * 1e9
        self._zero_ns = self._last_ns = 0
        self._began_ns: int | None = None
        # Of each window: nominal time of the sample (ns) and its residual (ns).
        self._minima: list[tuple[float, float]] = []
        self._least: tuple[float, float] | None = None
        self._window_ns, self._window_began_ns = FIRST_WINDOW_NS, 0
        self._intercept = 0.0
        self._late_since_ns: int | None = None
        self._late_ns = 0.0
        self.rate_error, self.known, self.error_ns = 0.0, False, 0.0
        # Sample, its time, ns a sample: replaced as one, for a thread that reads it.
        self._anchor: tuple[int, int, float] | None = None

    @property
    def ready(self) -> bool:
        """Whether samples can be dated."""
        return self._anchor is not None

    def arrived(self, samples: int, mono_ns: int, offset_ns: int) -> None:
        """Take note that so many samples of the epoch have come.

        Parameters
        ----------
        samples : int
            Counted from the epoch's first, lost ones too.
        mono_ns : int
            Monotonic clock.
        offset_ns : int
            Time of day less monotonic clock.
        """
        if self._began_ns is None:
            self._began_ns = self._zero_ns = self._window_began_ns = mono_ns
        nominal = samples * self._period
        here = (nominal, mono_ns - self._zero_ns - nominal)
        self._last_ns = mono_ns
        if self._least is None or self._under(here) < self._under(self._least):
            self._least = here
        self._intercept = min(self._intercept, self._under(here)) if self._minima else self._low()
        if mono_ns - self._window_began_ns >= self._window_ns:
            self._close_window(mono_ns)
        if self._anchor is not None:
            self._follow(samples, offset_ns)
        elif mono_ns - self._began_ns >= SETTLE_NS:
            self.settle(samples, offset_ns)

    def settle(self, samples: int, offset_ns: int) -> None:
        """Date samples from now on, by what is known now."""
        if self._began_ns is not None and self._anchor is None:
            self._anchor = (samples, self._true(samples) + offset_ns, self._slope())

    def time_of(self, sample: int) -> int:
        """UTC time of a sample in ns, once `ready`."""
        at, t_ns, slope = self._anchor or (0, 0, self._period)
        return t_ns + round((sample - at) * slope)

    def mono_of(self, sample: int) -> int:
        """Monotonic time of a sample in ns, by the newest estimate."""
        return self._true(sample)

    def parted(self) -> bool:
        """Whether times handed out are so wrong that a new epoch is due."""
        age_ns = self._last_ns - (self._began_ns or 0)
        return age_ns >= SETTLED_NS and abs(self.error_ns) > self._tolerance_ns

    def take_missing(self) -> int:
        """Return how many samples must be missing, and forget the windows that showed it.

        They are counted as lost by the caller, so that samples that come are in time again.
        """
        if self._late_since_ns is None or self._last_ns - self._late_since_ns < LATE_NS:
            return 0
        missing = round(self._late_ns / self._period)
        self._minima = [m for m in self._minima if not self._is_late(m)]
        self._least, self._window_began_ns = None, self._last_ns
        self._late_since_ns, self._late_ns = None, 0.0
        return missing

    # -- the line --------------------------------------------------------------------------------

    def _under(self, minimum: tuple[float, float]) -> float:
        return minimum[1] - self.rate_error * minimum[0]

    def _low(self) -> float:
        """Height of the line of the present slope under all minima."""
        seen = [*self._minima, *([self._least] if self._least else [])]
        return min(map(self._under, seen), default=self._intercept)

    def _is_late(self, minimum: tuple[float, float]) -> bool:
        return self.known and self._under(minimum) - self._intercept > self._tolerance_ns

    def _slope(self) -> float:
        return self._period * (1.0 + self.rate_error)

    def _true(self, samples: int) -> int:
        return self._zero_ns + round(samples * self._slope() + self._intercept)

    def _close_window(self, mono_ns: int) -> None:
        if self._least is not None:
            self._note_late(self._least)
            self._minima.append(self._least)
        self._least, self._window_began_ns = None, mono_ns
        if len(self._minima) >= WINDOWS:
            self._thin()
        self._fit()

    def _note_late(self, minimum: tuple[float, float]) -> None:
        if not self._is_late(minimum):
            self._late_since_ns = None
            return
        late = self._under(minimum) - self._intercept
        if self._late_since_ns is None:
            self._late_since_ns, self._late_ns = self._window_began_ns, late
        self._late_ns = min(self._late_ns, late)

    def _thin(self) -> None:
        if self._window_ns < LAST_WINDOW_NS:
            pairs = zip(self._minima[::2], self._minima[1::2], strict=True)
            self._minima = [min(pair, key=self._under) for pair in pairs]
            self._window_ns *= 2
        else:
            self._minima.pop(0)

    def _fit(self) -> None:
        """Slope of the minima, without those that are late, and the line under them."""
        fair = np.array([m for m in self._minima if not self._is_late(m)])
        if len(fair) >= LEAST_WINDOWS:
            i, j = np.triu_indices(len(fair), 1)
            rise, run = fair[j, 1] - fair[i, 1], fair[j, 0] - fair[i, 0]
            slopes = rise[run > 0.0] / run[run > 0.0]
            if len(slopes):
                median = float(np.median(slopes))
                self.rate_error = min(max(median, -LARGEST_ERROR), LARGEST_ERROR)
                self.known = True
        self._intercept = self._low()

    def _follow(self, samples: int, offset_ns: int) -> None:
        """Move the time handed out towards the line, no faster than the slew."""
        predicted = self.time_of(samples)
        passed = (samples - (self._anchor or (0,))[0]) * self._period
        error = self._true(samples) + offset_ns - predicted
        step = min(max(error, -SLEW * passed), SLEW * passed)
        self.error_ns = error - step
        self._anchor = (samples, predicted + round(step), self._slope())
