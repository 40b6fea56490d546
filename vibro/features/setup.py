"""What is known of a channel: the band its envelope is taken from and the lines to look at."""

from __future__ import annotations

from dataclasses import dataclass, field

from vibro.errors import BadInputError
from vibro.kinematics import LineOrders

__all__ = ["ChannelSetup", "LineOrders", "default_band"]


def default_band(rate_hz: float) -> tuple[float, float]:
    """Envelope band used where neither training nor the cloud has chosen one.

    The upper edge is 0.39 of the rate, at most 7.5 kHz (a stud- or glue-mounted accelerometer is
    flat to there); the lower a third of it. Structural resonances that bearing impacts ring fall
    into it on most machines (Randall & Antoni 2011, section 4).
    """
    high = min(0.39 * rate_hz, 7500.0)
    return high / 3.0, high


@dataclass(frozen=True, slots=True)
class ChannelSetup:
    """How to look at one channel.

    Attributes
    ----------
    band_hz : (float, float)
        Envelope band, low and high edge; ``(0, 0)`` takes `default_band` of the stream's rate.
    lines : LineOrders
        Orders relative to the reference shaft, NaN where unknown.
    """

    band_hz: tuple[float, float] = (0.0, 0.0)
    lines: LineOrders = field(default_factory=LineOrders)

    def band(self, rate_hz: float) -> tuple[float, float]:
        """Band in Hz at a sampling rate.

        Raises
        ------
        BadInputError
            If the band is empty or reaches beyond 0.48 of the rate.
        """
        low, high = self.band_hz
        if low == 0.0 and high == 0.0:
            return default_band(rate_hz)
        if not 0.0 < low < high <= 0.48 * rate_hz:
            raise BadInputError(
                f"envelope band {low:g}-{high:g} Hz does not fit a rate of {rate_hz:g} Hz: "
                f"give two rising frequencies up to {0.48 * rate_hz:g} Hz"
            )
        return low, high
