"""How many frames a device has lost when all it says is that some were."""

from __future__ import annotations

import math

LEAK = 2e-4
"""A converter's clock may be so much slower than the node's; crystals are within 1e-4."""


class FrameClock:
    """Counts frames against a monotonic clock.

    Frame n cannot arrive before it was sampled, so the earliest that frames ever came, measured
    from their nominal time, says when the count began. That bound is let go slowly, for the
    converter's clock is not the node's. Frames that should be there by then and are not were lost.

    Parameters
    ----------
    rate_hz : float
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self.begin()

    def begin(self) -> None:
        """Forget everything: the device starts anew."""
        self._frames, self._offset_s, self._at_s = 0, math.inf, 0.0

    def got(self, frames: int, now_s: float) -> None:
        """Count frames in that have just come."""
        self._frames += frames
        leak = LEAK * max(0.0, now_s - self._at_s)
        self._at_s = now_s
        self._offset_s = min(self._offset_s + leak, now_s - self._frames / self._rate_hz)

    def missing(self, now_s: float) -> int:
        """Return how many frames should have come by now and have not; 0 before the first."""
        if math.isinf(self._offset_s):
            return 0
        return max(0, round((now_s - self._offset_s) * self._rate_hz) - self._frames)

    def skip(self, lost: int) -> None:
        """Count frames as gone for ever."""
        self._frames += lost

    def missed(self, now_s: float) -> int:
        """Return the frames lost until now, at least one, and count them as gone.

        To be called when nothing that was sampled before now is still to come.
        """
        lost = max(1, self.missing(now_s))
        self.skip(lost)
        return lost
