"""How long every window is at a sampling rate, and how far back a window may reach."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vibro.dsp.design import SLOPE, tap_count
from vibro.errors import BadInputError
from vibro.features.setup import ChannelSetup

REFLEX_S, FAST_S, LONG_S, LONG_RATE_HZ = 0.02, 0.16, 3.2, 2560.0
SHORTEST_FAST, SHORTEST_LONG = 128, 128
ISO_TOP_HZ = 1000.0
_LEAST_LONG_RATE_HZ = 2340.0  # 1000 Hz then still has a transition band of 340 Hz above it


@dataclass(frozen=True, slots=True)
class Spans:
    """Windows and hops of one stream; all in samples of the input unless said otherwise.

    Attributes
    ----------
    rate_hz : float
        Sampling rate of the input.
    reflex_block, fast_window, fast_hop : int
        Reflex block (20 ms); fast window (power of two nearest 160 ms) and its hop, half of it.
    decimation : int
        Inputs per sample of the decimated signal and envelope.
    long_rate_hz : float
        Rate of the decimated signal.
    long_window, long_hop : int
        Long window and hop in *decimated* samples.
    long_window_samples, long_hop_samples : int
        Inputs that are enough for any long window from its first sample on (filters included;
        `long_reach` tells how many one window needs), and its hop.
    pass_hz : float
        Frequency up to which the decimated signal and envelope are flat.
    envelope_points, envelope_rate_hz : int, float
        Complex points of the band in a fast window, and the rate of the squared envelope.
    envelope_up, envelope_down : int
        Ratio from that rate to the long rate.
    envelope_taps : int
        Length of the filter that decimates the squared envelope.
    memory_samples : int
        How far back before the newest sample any future window may reach: a restart that replays
        this much repeats every window exactly.
    note : str
        Says so where a span had to be scaled; else empty.
    """

    rate_hz: float
    reflex_block: int
    fast_window: int
    fast_hop: int
    decimation: int
    long_rate_hz: float
    long_window: int
    long_hop: int
    long_window_samples: int
    long_hop_samples: int
    pass_hz: float
    signal_taps: int
    envelope_points: int
    envelope_rate_hz: float
    envelope_up: int
    envelope_down: int
    envelope_taps: int
    memory_samples: int
    note: str = ""

    def long_reach(self, window: int) -> tuple[int, int]:
        """First sample that long window ``window`` depends on, and one beyond the last.

        It is made of decimated samples and of the tiles of fast windows. Where its hop is no
        multiple of theirs (scaled spans) the first tile begins before it, and how far either end
        reaches differs from window to window.
        """
        begin = window * self.long_hop_samples // self.fast_hop * self.fast_hop
        last = window * self.long_hop + self.long_window - 1
        read = last * self.envelope_down // self.envelope_up + self.envelope_taps - 1
        tile = read // (self.envelope_points // 2)
        signal = last * self.decimation + self.signal_taps
        return begin, max(signal, tile * self.fast_hop + self.fast_window)


def nearest_power(samples: float, least: int) -> int:
    """Power of two nearest to ``samples`` in ratio, not below ``least``."""
    return int(max(least, 2 ** round(math.log2(max(samples, 1.0)))))


def envelope_support(fast_window: int) -> int:
    """Length of the band filter's impulse response, samples: an eighth of a fast window.

    Short windows take a quarter, so that the band's slopes are not wider than the band.
    """
    return fast_window // (8 if fast_window >= 1024 else 4)


def decimation_of(rate_hz: float, hop: int) -> int:
    """Whole factor that brings ``rate_hz`` near 2560 Hz, never below 2340 Hz.

    Where a fast hop is longer than 4096 samples the factor is a multiple of hop / 4096, so that
    long windows always start on a fast window's start.
    """
    step = max(1, hop // 4096)
    factor = step * max(1, round(rate_hz / LONG_RATE_HZ / step))
    while factor > step and rate_hz / factor < _LEAST_LONG_RATE_HZ:
        factor -= step
    return factor


def spans_of(
    rate_hz: float,
    setups: Sequence[ChannelSetup],
    *,
    fast_window: int | None = None,
    long_window: int | None = None,
    note: str = "",
) -> Spans:
    """Spans of a stream.

    Parameters
    ----------
    rate_hz : float
        Sampling rate, Hz.
    setups : sequence of ChannelSetup
        Channels; the widest envelope band decides the envelope's rate.
    fast_window, long_window : int, optional
        Powers of two to use instead of the standard lengths (short recordings, slow shafts);
        ``long_window`` counts decimated samples.

    Raises
    ------
    BadInputError
        If the rate is not between 50 Hz and 1 MHz.
    """
    if not 50.0 <= rate_hz <= 1e6:
        raise BadInputError(f"sampling rate {rate_hz:g} Hz is outside 50 Hz to 1 MHz: check --rate")
    fast = fast_window or nearest_power(FAST_S * rate_hz, SHORTEST_FAST)
    hop = fast // 2
    factor = decimation_of(rate_hz, hop)
    long_rate = rate_hz / factor
    window = long_window or nearest_power(LONG_S * long_rate, SHORTEST_LONG)
    pass_hz = ISO_TOP_HZ if factor > 1 else 0.49 * rate_hz
    points = _envelope_points(rate_hz, setups, fast, factor, pass_hz)
    env_rate = rate_hz * points / fast
    shared = math.gcd(factor * points, fast)
    up, down = fast // shared, factor * points // shared
    taps = _taps(pass_hz, long_rate, rate_hz) if factor > 1 else 1
    env_taps = _taps(pass_hz, long_rate, env_rate) if down > up else 1
    spans = Spans(
        rate_hz=rate_hz,
        reflex_block=max(2, round(REFLEX_S * rate_hz)),
        fast_window=fast,
        fast_hop=hop,
        decimation=factor,
        long_rate_hz=long_rate,
        long_window=window,
        long_hop=window // 2,
        long_window_samples=0,
        long_hop_samples=window // 2 * factor,
        pass_hz=pass_hz,
        signal_taps=taps,
        envelope_points=points,
        envelope_rate_hz=env_rate,
        envelope_up=up,
        envelope_down=down,
        envelope_taps=env_taps,
        memory_samples=0,
        note=note,
    )
    return _with_reaches(spans)


def _with_reaches(spans: Spans) -> Spans:
    """Fill in what the long window that reaches farthest needs."""
    step, after, whole = spans.long_hop_samples, 0, 0
    # From here on long windows stand as before within a fast hop, and the reaches come again.
    for window in range(math.lcm(step, spans.fast_hop) // step):
        begin, end = spans.long_reach(window)
        after, whole = max(after, end - window * step), max(whole, end - begin)
    memory = max(whole, spans.fast_window, 3 * spans.reflex_block)
    return replace(spans, long_window_samples=after, memory_samples=memory)


def _taps(pass_hz: float, long_rate: float, rate_hz: float) -> int:
    return -(-tap_count(pass_hz, long_rate - pass_hz, rate_hz) // 16) * 16


def _envelope_points(
    rate_hz: float, setups: Sequence[ChannelSetup], fast: int, factor: int, pass_hz: float
) -> int:
    """Fewest complex points at which the squared envelope does not fold into the pass band.

    A band of width B has a squared envelope up to B; sampled at R it folds to R - B, so
    R >= B + pass_hz is enough, B counting the slopes of the band's gains.
    """
    bands = [setup.band(rate_hz) for setup in setups]
    width = max((high - low for low, high in bands), default=0.0)
    slopes = 2.0 * SLOPE * fast / envelope_support(fast) * rate_hz / fast
    need = max(width + slopes + min(pass_hz, width), rate_hz / factor)
    points = 32
    while points < fast and points * rate_hz / fast < need:
        points *= 2
    return points
