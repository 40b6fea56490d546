"""Which rows wait, for how long, and that waiting loses none."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_node.reporting.blocks import BULK_ROWS, STATUS_ROWS, Waiting, feature_blocks
from edge_node.reporting.intervals import Row
from tests.edge_node.plants import (
    RATE,
    T0,
    ArraySource,
    S,
    blocks,
    bundle_of,
    column,
    eventful,
    healthy,
    node_of,
    of,
    run,
    trained,
)
from tests.vibro.wire.records import ORIGIN
from vibro.errors import VibroError
from vibro.features.table import LONG_NAMES
from vibro.records import Event, FeatureBlock
from vibro.wire import decode, encode

MINUTE = 60 * S


def status(at_ns: int, severity: float = 0.0, state: str = "running") -> Row:
    return Row("status", "", 0, at_ns // S, at_ns, state, {"severity": severity, "p_fast": 0.3})


def bulk(at_ns: int, content: str = "sample") -> Row:
    values = np.arange(len(LONG_NAMES), dtype=np.float32) + np.float32(at_ns % 977)
    return Row(content, "long", 0, at_ns // S, at_ns, "running", values)


def took(waiting: Waiting, now_ns: int, *, everything: bool = False) -> list[Row]:
    with waiting.taken(now_ns, everything=everything) as rows:
        return rows


def waits() -> Waiting:
    return Waiting(MINUTE, 5 * MINUTE)


def test_status_waits_20_minutes_and_bulk_six_hours():
    waiting, went = waits(), {"status": [], "sample": []}
    for minute in range(24 * 60):
        waiting.add([status(minute * MINUTE)])
        if minute % 5 == 0:
            waiting.add([bulk(minute * MINUTE)])
        rows = took(waiting, (minute + 1) * MINUTE)
        for content, counts in went.items():
            if found := [r for r in rows if r.content == content]:
                counts.append(len(found))
    assert went["status"] == [STATUS_ROWS] * (24 * 60 // STATUS_ROWS)
    assert went["sample"] == [BULK_ROWS] * (24 * 12 // BULK_ROWS)


@pytest.mark.parametrize(
    "news", [[status(MINUTE, severity=1.0)], [status(MINUTE, state="stopped")]]
)
def test_news_takes_everything_along_at_once(news):
    waiting = waits()
    waiting.add([status(0), bulk(0)])
    assert took(waiting, MINUTE) == []
    waiting.add(news)
    assert len(took(waiting, 2 * MINUTE)) == 3
    assert not waiting
    # Whoever was woken looks on for 20 minutes.
    for minute in range(3, 2 + STATUS_ROWS):
        waiting.add([status(minute * MINUTE, state=news[0].state)])
        assert len(took(waiting, minute * MINUTE)) == 1
    waiting.add([status((2 + STATUS_ROWS) * MINUTE, state=news[0].state)])
    assert took(waiting, (2 + STATUS_ROWS) * MINUTE) == []


def test_what_could_not_be_kept_waits_again_in_its_order():
    waiting = waits()
    waiting.add([status(0), bulk(0), status(MINUTE)])
    before = waiting.snapshot()

    def on_a_full_disk() -> None:
        with waiting.taken(MINUTE, everything=True) as rows:
            assert len(rows) == 3
            raise VibroError("disk full")

    with pytest.raises(VibroError):
        on_a_full_disk()
    assert waiting.snapshot() == before


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.booleans()), max_size=40))
def test_every_row_goes_once_whatever_happens_on_the_way(steps):
    """Among them restarts from the checkpoint, which is JSON."""
    waiting, sent, found, now = waits(), 0, 0, 0
    for minutes, remarkable, restarted in steps:
        now += minutes * MINUTE
        waiting.add([status(now, float(remarkable)), bulk(now), bulk(now, "mean")])
        sent += 3
        if restarted:
            held = json.loads(json.dumps(waiting.snapshot()))
            waiting = waits()
            waiting.restore(held)
            assert waiting.snapshot() == held
        rows = took(waiting, now)
        assert all(isinstance(r.values, dict) or r.values.dtype == np.float32 for r in rows)
        found += len(rows)
    assert found + len(took(waiting, now, everything=True)) == sent
    assert not waiting


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 80), st.integers(0, 9))
def test_blocks_keep_every_row_bit_for_bit(channels, intervals, seed):
    rng = np.random.default_rng(seed)
    rows = [
        Row("sample", "long", c, 1000 * k, T0 + k * S, "running", v.astype(np.float32))
        for k in range(intervals)
        for c, v in enumerate(rng.standard_normal((channels, len(LONG_NAMES))))
    ]
    names = tuple(f"p{c}" for c in range(channels))
    (block,) = [decode(encode(b)) for b in feature_blocks(rows, ORIGIN, names, "v1")]
    assert block.rows == channels * intervals
    for i, (c, first) in enumerate(
        zip(block.columns["channel"], block.columns["first_sample"], strict=True)
    ):
        row = rows[first // 1000 * channels + c]
        assert (row.channel, row.first_sample, row.t0_ns) == (c, first, block.columns["t0_ns"][i])
        told = np.array([block.columns[n][i] for n in LONG_NAMES])
        assert told.tobytes() == row.values.tobytes()


# -- in a node ---------------------------------------------------------------------------------


def test_in_good_health_rows_wait_and_the_end_of_the_stream_lets_them_go(tmp_path):
    node = node_of(tmp_path, ArraySource(healthy(24.0)), trained())
    while node.step():
        pass
    assert of(Event, node.spool) == []
    assert of(FeatureBlock, node.spool) == []
    node.finish()
    assert len(blocks(node.spool, "sample", "fast")) == 1
    assert len(column(node.spool, "sample", "fast", "t0_ns")) == 24
    assert node.finished


def test_while_learning_nothing_waits(tmp_path):
    node = node_of(tmp_path, ArraySource(healthy(12.0)))
    while node.step():
        pass
    assert len(blocks(node.spool, "sample", "fast")) > 5
    node.spool.close()


def test_another_bundle_lets_go_what_waits_under_the_name_of_the_old_one(tmp_path):
    node = node_of(tmp_path, ArraySource(healthy(24.0)), trained())
    for _ in range(16):
        node.step()
    assert of(FeatureBlock, node.spool) == []
    node.use(bundle_of(healthy(40.0, 6), "v2"))
    assert len(column(node.spool, "sample", "fast", "t0_ns")) >= 7
    assert {b.bundle for b in of(FeatureBlock, node.spool)} == {"v1"}
    run(node)
    assert {b.bundle for b in of(FeatureBlock, node.spool)} == {"v1", "v2"}
    assert len(column(node.spool, "sample", "fast", "t0_ns")) == 24


def test_a_drain_lets_go_what_waits(tmp_path):
    node = node_of(tmp_path, ArraySource(healthy(24.0)), trained())
    for _ in range(16):
        node.step()
    assert of(FeatureBlock, node.spool) == []
    node.commit()
    assert len(column(node.spool, "sample", "fast", "t0_ns")) >= 7


def test_an_event_takes_along_what_led_up_to_it(tmp_path):
    """Rough from 12 s on: when the event is in the spool, so are the rows of the minutes before."""
    node = node_of(tmp_path, ArraySource(*eventful()), trained())
    while not of(Event, node.spool):
        assert of(FeatureBlock, node.spool) == []
        node.step()
    times = column(node.spool, "sample", "fast", "t0_ns")
    assert times[0] < T0 + S
    assert times[-1] > T0 + 10 * S
    run(node)
    status_of = [b for b in blocks(node.spool, "status") if b.columns["severity"].any()]
    decided = of(Event, node.spool)[0].t_decided_ns
    assert min(b.columns["t0_ns"].max() for b in status_of) < decided + 4 * S


def test_rows_that_wait_survive_a_kill(tmp_path):
    plain = node_of(tmp_path / "plain", ArraySource(healthy(24.0)), trained())
    run(plain)
    node = node_of(tmp_path / "killed", ArraySource(healthy(24.0)), trained())
    for _ in range(30):
        node.step()
    assert of(FeatureBlock, node.spool) == []
    node.spool.close()
    again = node_of(tmp_path / "killed", ArraySource(healthy(24.0)), trained())
    run(again)
    for content in ("mean", "max", "sample"):
        for name in ("rms", "t0_ns", "band_03"):
            np.testing.assert_array_equal(
                column(again.spool, content, "fast", name),
                column(plain.spool, content, "fast", name),
            )
    assert len(column(again.spool, "status", "", "t0_ns")) == 12
    assert again.source.info.rate_hz == RATE
