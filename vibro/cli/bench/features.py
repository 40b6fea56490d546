"""Features of one window, what the long path adds, and growth with windows and channels.

A node sees one window at a time, and that is what `features_vs_numpy` compares with; what numpy
gains where it is given many at once (a recording, a night's backlog) stands beside it.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.cli.bench.fft import _pyfftw
from vibro.cli.bench.measure import Contender, agree, case, race, repeated, target
from vibro.cli.bench.numpy_features import NumpyFeatures
from vibro.dsp.design import band_gain
from vibro.features.channel import DEPTH, LONG, SIGNAL
from vibro.features.fast import fast_kit, window_features
from vibro.features.setup import ChannelSetup, default_band
from vibro.features.spans import Spans, envelope_support, spans_of
from vibro.features.stream import MachineFeatures
from vibro.features.table import FAST_NAMES
from vibro.jit import njit
from vibro.kinematics import find_bearing, line_orders

F32 = NDArray[np.float32]
RATES = {4096: 25600.0, 8192: 51200.0}
BATCH = 64
STREAM_S = 8.0
WINDOWS, CHANNELS = (1, 8, 64), (1, 4, 16)
NEVER = 1 << 30
"""A long window that no stream here gets to."""


@njit(cache=True)
def _windows(x, kit, first, gains, out, tile, times):  # type: ignore[no-untyped-def]
    for _ in range(times):
        for row in range(x.shape[0]):
            window_features(x[row], kit, first, gains, out[row], tile)


def run(rounds: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """Race both window lengths, then streams; return cases, targets and absent peers."""
    absent = [p for p in ("pyfftw", "tsfel", "tsfresh") if not _installed(p)]
    cases = [_window_case(n, rounds) for n in RATES]
    worst = {
        peer: max(c["peers"][peer]["ratio"] for c in cases)
        for peer in ("pyfftw", "numpy", "tsfel")
        if peer in cases[0]["peers"]
    }
    targets = [target("feature_count", float(len(FAST_NAMES)), ">=", 32)]
    for name, peer, limit in (
        ("features_vs_one_fft", "pyfftw", 5.0),
        ("features_vs_numpy", "numpy", 0.2),
        ("features_vs_tsfel", "tsfel", 1 / 200),
    ):
        if peer in worst:
            targets.append(target(name, worst[peer], "<=", limit))
    stream, share = _stream_case(rounds)
    targets.append(target("long_path_share", share, "<=", 0.3))
    cases.append(stream)
    for what, found in (("windows", _by_windows(rounds)), ("channels", _by_channels(rounds))):
        cases.append(found[0])
        targets.append(target(f"features_linearity_{what}", found[1], "<=", 1.1))
    return cases, targets, absent


def signal(n: int, rows: int, rate_hz: float) -> F32:
    """Shaft orders, a bearing's impacts and noise, another stretch in every row."""
    rng = np.random.default_rng(7)
    t = np.arange(rows * n) / rate_hz
    x = sum(0.3 / h * np.sin(2 * np.pi * 29.95 * h * t + h) for h in range(1, 8))
    strikes = np.zeros(t.size)
    strikes[(np.arange(0.0, t[-1], 1 / 107.4) * rate_hz).astype(int)] = 1.5
    ring = np.arange(256) / rate_hz
    x = x + np.convolve(strikes, np.exp(-800 * ring) * np.sin(2 * np.pi * 6000 * ring))[: t.size]
    return (x + 0.15 * rng.standard_normal(t.size)).astype(np.float32).reshape(rows, n)


def _window_case(n: int, rounds: int) -> dict[str, Any]:
    rate = RATES[n]
    spans = spans_of(rate, [ChannelSetup()])
    x = signal(n, BATCH, rate)
    ours, found = _ours(x, spans)
    tuned = NumpyFeatures(spans)
    scale = np.abs(found).max(axis=0) + 1e-6
    agree(f"tuned numpy, window of {n}", tuned(x) / scale, found / scale, 2e-3)
    contenders = [
        Contender("vibro", ours, BATCH),
        Contender("numpy", repeated(lambda: tuned(x[:1]))),
        Contender(f"numpy, {BATCH} at once", repeated(lambda: tuned(x)), BATCH),
    ]
    if _installed("pyfftw"):
        call, _ = _pyfftw(x[:1])
        contenders.append(Contender("pyfftw", repeated(call)))
    for name, make in {"tsfel": _tsfel, "tsfresh": _tsfresh}.items():
        if _installed(name):
            contenders.append(Contender(name, repeated(make(x[0], rate))))
    words = f"window of {n}: {len(FAST_NAMES)} features and the envelope (pyfftw: one rfft)"
    return case(words, race(contenders, rounds))


def _ours(x: F32, spans: Spans) -> tuple[Callable[[int], Any], F32]:
    n = spans.fast_window
    low, high = (f * n / spans.rate_hz for f in default_band(spans.rate_hz))
    first, gains = band_gain(low, high, n, envelope_support(n))
    gains = gains * np.float32(2.0 / n)
    kit, out = fast_kit(spans), np.zeros((len(x), len(FAST_NAMES)), np.float32)
    tile = np.zeros(spans.envelope_points // 2, np.float32)

    def run(times: int) -> None:
        _windows(x, kit, first, gains, out, tile, times)

    run(1)
    return run, out


def _stream_case(rounds: int) -> tuple[dict[str, Any], float]:
    """A stream with everything on, beside itself without the long path; and that path's share.

    The long path is both decimators and the long windows; its share is what the same stream takes
    longer with it than without, within the rounds. The ratio beside "its fast windows alone" holds
    everything else as well: reflex blocks, copies, and the way in from Python.
    """
    rate = RATES[4096]
    spans = spans_of(rate, [ChannelSetup()])
    windows = round(STREAM_S * rate) // spans.fast_hop - 1
    fast, _ = _ours(signal(spans.fast_window, windows, rate), spans)
    contenders = [
        Contender("vibro", *_stream(rate, 8)),
        Contender("without the long path", *_stream(rate, 8, long_path=False)),
        Contender("its fast windows alone", fast, round(STREAM_S)),
    ]
    seconds = race(contenders, rounds)
    share = float(np.median(seconds["vibro"] / seconds["without the long path"])) - 1.0
    return case("stream, 8 channels: a second of one", seconds), share


def _by_windows(rounds: int) -> tuple[dict[str, Any], float]:
    """A window's time where 1, 8 and 64 are computed at once; the last over the first."""
    spans = spans_of(RATES[4096], [ChannelSetup()])
    x = signal(spans.fast_window, WINDOWS[-1], spans.rate_hz)
    some = {f"{n} at once": (_ours(x[:n], spans)[0], n) for n in WINDOWS}
    return _growth("window of 4096, 1 at once", some, rounds)


def _by_channels(rounds: int) -> tuple[dict[str, Any], float]:
    """A channel second's time in streams of 1, 4 and 16 channels; the last over the first."""
    some = {f"{n} channels": _stream(RATES[4096], n) for n in CHANNELS}
    return _growth("stream, 1 channel: a second of it", some, max(5, rounds // 2))


def _growth(
    words: str, some: dict[str, tuple[Callable[[int], Any], int]], rounds: int
) -> tuple[dict[str, Any], float]:
    first, *_, last = some
    seconds = race([Contender(name, *work) for name, work in some.items()], rounds)
    growth = float(np.median(seconds[last] / seconds[first]))
    return case(words, {"vibro" if k == first else k: v for k, v in seconds.items()}), growth


def _stream(
    rate: float, channels: int, *, long_path: bool = True
) -> tuple[Callable[[int], Any], int]:
    """Return work that pushes `STREAM_S` of all channels, and how many channel seconds that is."""
    x = np.repeat(signal(round(STREAM_S * rate), 1, rate), channels, axis=0)
    machine = (stream_of if long_path else idle_long_path)(channels, rate)
    blocks = np.array_split(x, round(STREAM_S), axis=1)

    def run(times: int) -> None:
        for _ in range(times):
            for block in blocks:
                machine.push(block, 1797.0)

    return run, round(STREAM_S) * channels


def stream_of(channels: int, rate: float = RATES[4096]) -> MachineFeatures:
    """A machine whose bearing, gears and blades are all known."""
    lines = line_orders(1.0, find_bearing("6205"), gear_teeth=23, gear_mate_teeth=67, blades=7)
    return MachineFeatures(rate, [ChannelSetup(lines=lines)] * channels)


def idle_long_path(channels: int, rate: float = RATES[4096]) -> MachineFeatures:
    """The same, its first long window so far off that nothing is decimated for it."""
    machine = stream_of(channels, rate)
    cursor, machine._long_end = machine._cursor, NEVER * machine.spans.long_hop_samples  # noqa: SLF001
    cursor[LONG] = NEVER
    cursor[SIGNAL] = cursor[DEPTH] = NEVER * machine.spans.long_hop
    return machine


def _tsfel(x: F32, rate_hz: float) -> Callable[[], Any]:
    """Those of tsfel's features that correspond to ours, called directly."""
    from tsfel.feature_extraction import features as f  # noqa: PLC0415

    plain = [f.calc_mean, f.rms, f.calc_max, f.kurtosis, f.skewness, f.mean_abs_diff, f.calc_std]
    plain += [f.abs_energy, f.pk_pk_distance]
    spectral = [f.spectral_centroid, f.spectral_spread, f.spectral_kurtosis, f.spectral_skewness]
    spectral += [
        f.spectral_entropy,
        f.fundamental_frequency,
        f.max_power_spectrum,
        f.power_bandwidth,
    ]
    spectral += [f.spectral_roll_off, f.spectral_slope, f.spectral_variation, f.spectral_decrease]

    def call() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for function in plain:
                function(x)
            for function in spectral:
                function(x, rate_hz)
            f.mfcc(x, rate_hz, num_ceps=16)

    return call


def _tsfresh(x: F32, rate_hz: float) -> Callable[[], Any]:
    """Those of tsfresh's features that correspond to ours, called directly."""
    from tsfresh.feature_extraction import feature_calculators as f  # noqa: PLC0415

    del rate_hz
    plain = [f.mean, f.root_mean_square, f.absolute_maximum, f.kurtosis, f.skewness]
    plain += [f.standard_deviation, f.abs_energy, f.mean_abs_change, f.variation_coefficient]
    moments = [{"aggtype": a} for a in ("centroid", "variance", "skew", "kurtosis")]
    bins = [{"coeff": k, "attr": "abs"} for k in range(16)]

    def call() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for function in plain:
                function(x)
            list(f.fft_aggregated(x, moments))
            list(f.fft_coefficient(x, bins))
            f.fourier_entropy(x, 10)
            list(f.spkt_welch_density(x, [{"coeff": k} for k in range(16)]))

    return call


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
