"""When the samples of a stream happened: by the times that its blocks bear."""

from __future__ import annotations


class Timeline:
    """Times of the samples of one stream epoch.

    A recorded stream is dated once, by its first block. A live one is dated anew by every block,
    because a converter's clock and the time of day drift apart by seconds a day.

    Parameters
    ----------
    rate_hz : float
    """

    def __init__(self, rate_hz: float) -> None:
        self.rate_hz = rate_hz
        self._sample = self._t_ns = 0
        self.begun = False
        """Whether the stream has been dated."""

    @property
    def t0_ns(self) -> int | None:
        """UTC time of sample 0, by what is known now; None until the stream has been dated."""
        return self.time_of(0) if self.begun else None

    def date(self, sample: int, t_ns: int) -> bool:
        """Take note of when a sample happened; return whether the stream had no date before.

        A nanosecond of rounding is no news: the times of a recorded stream follow from its first
        one, whatever the length of its blocks.
        """
        first = not self.begun
        if first:
            self._sample, self._t_ns = 0, t_ns - round(sample * 1e9 / self.rate_hz)
        elif abs(self.time_of(sample) - t_ns) > 1:
            self._sample, self._t_ns = sample, t_ns
        self.begun = True
        return first

    def time_of(self, sample: int) -> int:
        """UTC time of a sample in ns; 0 is sample 0 of a stream that has no date yet."""
        return self._t_ns + round((sample - self._sample) * 1e9 / self.rate_hz)

    def sample_at(self, t_ns: int) -> int:
        """Index of the sample at a UTC time in ns, rounded."""
        return self._sample + round((t_ns - self._t_ns) * self.rate_hz / 1e9)

    def samples(self, seconds: float) -> int:
        """Return how many samples a length of time has, rounded."""
        return round(seconds * self.rate_hz)
