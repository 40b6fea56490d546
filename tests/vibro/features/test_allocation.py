"""After warm-up nothing on a window's way allocates: numba's own statistics say so.

Numba counts every block of memory that compiled code takes, and one handle for each array that is
passed in from Python. So the loop over windows is compiled too, and run for few and for many.
"""

from __future__ import annotations

import numba
import numpy as np
import pytest
from numba.core.runtime import _nrt_python, rtsys

from tests.vibro.bundle.bundles import bundle
from vibro.bundle import Scorer, scorer
from vibro.dsp.fft import complex_plan, passes, real_plan, rfft_rows
from vibro.features import stream
from vibro.features.channel import (
    BLOCK,
    DEPTH,
    FAST,
    LONG,
    NEXT,
    SIGNAL,
    feed,
    longest_piece,
    take,
    take_long,
)
from vibro.features.setup import ChannelSetup, LineOrders
from vibro.features.spans import spans_of
from vibro.features.stream import MachineFeatures
from vibro.features.table import FAST_NAMES, LONG_NAMES
from vibro.records import ChannelPath

pytestmark = pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT), reason="numba counts what compiled code allocates"
)

SETUPS = [
    ChannelSetup(lines=LineOrders(1.0, 3.5848, 5.4152, 4.7135, 0.3983, 17.0, (1.0, 0.41), 7.0)),
    ChannelSetup(band_hz=(700.0, 1500.0)),
]
FEW, MANY = 3, 60


@pytest.fixture
def counted():
    """Allocations of a call: blocks and handles taken, and how many of each were not given back."""
    enabled = _nrt_python.memsys_stats_enabled()
    _nrt_python.memsys_enable_stats()

    def count(call, *args):
        before = rtsys.get_allocation_stats()
        call(*args)
        after = rtsys.get_allocation_stats()
        taken = after.alloc - before.alloc, after.mi_alloc - before.mi_alloc
        kept = taken[0] - after.free + before.free, taken[1] - after.mi_free + before.mi_free
        return taken, kept

    yield count
    if not enabled:
        _nrt_python.memsys_disable_stats()


def assert_nothing_grows(counted, call, *args):
    call(FEW, *args)  # warm-up: compiles
    few, many = counted(call, FEW, *args), counted(call, MANY, *args)
    assert few == many
    assert few[1] == (0, 0)
    # Handles of the arguments, and nothing but handles.
    assert few[0][0] == few[0][1] > 0


@numba.njit
def allocates_each_time(repeats, x):
    total = 0.0
    for i in range(repeats):
        room = np.empty(x.shape[0] + i % 2, np.float32)
        room[0] = x[0]
        total += room[0]
    return total


@numba.njit
def copies_each_time(repeats, x, out):
    for _ in range(repeats):
        out[:] = x * 2.0 + 1.0  # a temporary a piece


@numba.njit
def allocates_never(repeats, x):
    total = 0.0
    for i in range(repeats):
        total += x[i % x.shape[0]]
    return total


def test_the_count_sees_what_allocates_and_only_that(counted):
    x = np.ones(64, np.float32)
    assert_nothing_grows(counted, allocates_never, x)
    for guilty, args in ((allocates_each_time, (x,)), (copies_each_time, (x, x.copy()))):
        guilty(FEW, *args)
        few, _ = counted(guilty, FEW, *args)
        many, kept = counted(guilty, MANY, *args)
        assert many[0] - few[0] == many[1] - few[1] == MANY - FEW
        assert kept == (0, 0)
        with pytest.raises(AssertionError):
            assert_nothing_grows(counted, guilty, *args)


@numba.njit
def stream_blocks(repeats, pieces, scale, feeding, long_path, reflex, fast, long):
    """Push blocks through a machine as `MachineFeatures` does; return fast and long windows."""
    cursor, buffers, grid = feeding[0], feeding[2], feeding[3]
    half, windows, spans = long_path[0], 0, 0
    for r in range(repeats):
        before = cursor[FAST]
        piece = pieces[r % pieces.shape[0]]
        keep = min(cursor[FAST] * grid.hop, cursor[SIGNAL] * grid.decimation)
        keep = min(keep, cursor[BLOCK] * grid.block, cursor[NEXT])
        take(piece, 0, piece.shape[1], scale, cursor, buffers.raw, keep)
        feed(*feeding, reflex, fast)
        windows += cursor[FAST] - before
        while min(cursor[SIGNAL], cursor[DEPTH]) >= (cursor[LONG] + 2) * half:
            take_long(cursor, buffers, *long_path, long)
            spans += 1
    return windows, spans


def test_windows_of_both_paths_allocate_nothing(counted):
    spans = spans_of(5000.0, SETUPS, fast_window=128, long_window=128)
    machine = MachineFeatures(5000.0, SETUPS, spans=spans)
    block = longest_piece(spans)
    pieces = np.random.default_rng(0).standard_normal((5, 2, block)).astype(np.float32)
    m = machine
    feeding = m._cursor, m._local, m._buffers, m._grid, m._bands, m._fast_kit
    long_path = spans.long_hop, 1500.0, m._lines, m._long_kit
    reflex = np.empty((block, 2, 3), np.float32)
    fast = np.empty((block, 2, len(FAST_NAMES)), np.float32)
    long = np.zeros((2, len(LONG_NAMES)), np.float32)
    args = pieces, m._scale, feeding, long_path, reflex, fast, long
    assert_nothing_grows(counted, stream_blocks, *args)
    windows, longs = stream_blocks(MANY, *args)
    assert windows >= MANY
    assert longs >= MANY - 1
    assert long.any()
    assert np.isfinite(long).all()


def test_a_push_takes_handles_only_and_gives_them_back(counted, monkeypatch):
    """As many whatever its length: it is the kernels called that count, not what they do."""
    calls = []
    for name in ("take", "feed", "take_long"):
        kernel = getattr(stream, name)
        monkeypatch.setattr(
            stream, name, lambda *args, n=name, k=kernel: (calls.append(n), k(*args))
        )
    spans = spans_of(5000.0, SETUPS, fast_window=128, long_window=128)
    machine = MachineFeatures(5000.0, SETUPS, spans=spans)
    x = np.random.default_rng(3).standard_normal((2, longest_piece(spans))).astype(np.float32)
    made, handles, windows = [], {}, set()
    for count in (1, 700, 3, *range(1, x.shape[1] + 1, 5)):
        made.clear()
        calls.clear()
        samples = np.ascontiguousarray(x[:, :count])
        (blocks, taken), kept = counted(lambda s=samples: made.append(machine.push(s, 1500.0)))
        assert kept == (0, 0)
        assert blocks == taken
        called = tuple(calls.count(name) for name in ("take", "feed", "take_long"))
        handles.setdefault(called, set()).add(taken)
        windows.add(len(made[0].fast))
    assert len(windows) > 2
    assert set(handles) >= {(1, 0, 0), (1, 1, 0), (1, 1, 1)}
    assert all(len(counts) == 1 for counts in handles.values())


JUDGE = scorer._judge


@numba.njit
def judge_windows(repeats, values, rest):
    for r in range(repeats):
        JUDGE(values[r % values.shape[0]], *rest)


@pytest.mark.parametrize("path", ["fast", "long"])
def test_judging_windows_allocates_nothing(counted, monkeypatch, path):
    channels = [ChannelPath("harbour", "pump-1", c) for c in ("de-h", "de-v", "nde-h")]
    width = {"fast": len(FAST_NAMES), "long": len(LONG_NAMES)}
    rows = np.random.default_rng(1).standard_normal((5, 3, width[path])).astype(np.float32)
    seen = []
    with monkeypatch.context() as patch:
        patch.setattr(scorer, "_judge", lambda *args: (seen.append(args), JUDGE(*args)))
        scores, *_ = Scorer(bundle(width=width), channels).judge(path, rows[0], "running")
    rest, expected = seen[0][1:], scores.copy()  # the arguments but the window; its scores
    assert_nothing_grows(counted, judge_windows, rows, rest)
    judge_windows(1, rows, rest)
    assert np.isfinite(expected[:2]).all()
    np.testing.assert_array_equal(scores, expected)
    judge_windows(2, rows, rest)
    assert not np.array_equal(scores[:2], expected[:2])


@numba.njit
def transform(repeats, rows, real, complex_, out):
    for _ in range(repeats):
        rfft_rows(rows, real, out)
        passes(rows[0], complex_)


@pytest.mark.parametrize("n", [1024, 4096, 8192])
def test_transforms_allocate_nothing(counted, n):
    rows = np.random.default_rng(2).standard_normal((2, n)).astype(np.float32)
    out = np.zeros((2, 2, n // 2 + 1), np.float32)
    assert_nothing_grows(counted, transform, rows, real_plan(n), complex_plan(n // 2), out)
    assert out.any()
