"""When the samples of a stream happened: counted from its first one, never read off a clock."""

from __future__ import annotations

from vibro.records import SampleBlock


class Timeline:
    """Times of the samples of one stream epoch.

    Parameters
    ----------
    rate_hz : float

    Attributes
    ----------
    t0_ns : int or None
        UTC time of sample 0; None until a first block has dated the stream.
    """

    def __init__(self, rate_hz: float) -> None:
        self.rate_hz = rate_hz
        self.t0_ns: int | None = None

    @property
    def begun(self) -> bool:
        """Whether the stream has been dated."""
        return self.t0_ns is not None

    def begin(self, block: SampleBlock) -> bool:
        """Date the stream by a block; return whether it had no date before."""
        if self.t0_ns is not None:
            return False
        self.t0_ns = block.t0_ns - round(block.first_sample * 1e9 / self.rate_hz)
        return True

    def time_of(self, sample: int) -> int:
        """UTC time of a sample in ns."""
        return int(self.t0_ns or 0) + round(sample * 1e9 / self.rate_hz)

    def sample_at(self, t_ns: int) -> int:
        """Index of the sample at a UTC time in ns, rounded."""
        return round((t_ns - int(self.t0_ns or 0)) * self.rate_hz / 1e9)

    def samples(self, seconds: float) -> int:
        """Return how many samples a length of time has, rounded."""
        return round(seconds * self.rate_hz)
