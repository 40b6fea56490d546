"""Less of a record, still true: what thinning and shortening keep, and what gap records say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_node.spool import Spool, SpoolWriter
from edge_node.spool.losses import MOST_GAPS, ROOM
from edge_node.spool.reduce import shorten, thin
from edge_node.spool.schema import ROW_BYTES
from edge_node.spool.writer import lane_of
from tests.edge_node.some_records import HOUR, S, beat, block, clip, event
from tests.edge_node.spools import NO_BOUND
from vibro.features.table import FAST_NAMES
from vibro.records import Event, FeatureBlock, Health
from vibro.wire import decode, encode


def groups(block: FeatureBlock):
    """Row numbers of each channel and state, in time."""
    keys = block.columns
    for channel in np.unique(keys["channel"]):
        for state in np.unique(keys["state"]):
            rows = np.flatnonzero((keys["channel"] == channel) & (keys["state"] == state))
            if rows.size:
                yield (channel, state), rows[np.argsort(keys["t0_ns"][rows], kind="stable")]


@settings(deadline=None, max_examples=12)
@given(
    st.sampled_from(["mean", "max", "sample", "status"]),
    st.integers(4, 30),
    st.integers(1, 4),
    st.integers(0, 99),
)
def test_thinning_against_pairs_taken_one_by_one(content, rows, channels, seed):
    whole = block(content, rows, channels, seed)
    reduced = thin(encode(whole))
    if reduced is None:
        return
    found = decode(reduced[0])
    assert reduced[1] == whole.rows - found.rows
    left = dict(groups(found))
    for key, members in groups(whole):
        pairs = [members[i : i + 2] for i in range(0, members.size, 2)]
        assert left[key].size == len(pairs)
        for row, pair in zip(left[key], pairs, strict=True):
            check_pair(content, found, row, whole, pair)


def check_pair(content: str, found: FeatureBlock, row: int, whole: FeatureBlock, pair) -> None:
    severity = whole.columns.get("severity")
    kept = pair[int(np.argmax(severity[pair]))] if content == "status" else pair[0]
    for name, column in whole.columns.items():
        if column.dtype.kind == "f" and content in ("mean", "max"):
            values = column[pair][~np.isnan(column[pair])]
            reduce = np.mean if content == "mean" else np.max
            wanted = reduce(values) if values.size else np.nan
            np.testing.assert_allclose(found.columns[name][row], wanted, rtol=1e-6, atol=1e-6)
        else:
            np.testing.assert_array_equal(found.columns[name][row], column[kept])


def test_thinning_halves_the_bytes_and_keeps_every_maximum_and_severity():
    for content in ("max", "status"):
        whole = block(content, 200)
        value = encode(whole)
        once, _ = thin(value)
        twice, _ = thin(once)
        assert len(once) < 0.65 * len(value)
        assert len(twice) < 0.65 * len(once)
        for name in ("severity",) if content == "status" else FAST_NAMES:
            assert np.nanmax(decode(twice).columns[name]) == np.nanmax(whole.columns[name])


def test_what_cannot_be_thinned_is_left_alone():
    assert thin(encode(block("status", 1, channels=3))) is None
    assert thin(encode(clip(1000.0, 3.0))) is None
    assert thin(b"no record") is None


@pytest.mark.parametrize(
    ("rpm", "lengths"),
    [(float("nan"), [5.0, 2.5]), (1480.0, [5.0, 2.5]), (600.0, [6.0]), (60.0, [])],
)
def test_a_clip_keeps_its_start_60_revolutions_and_its_lead(rpm, lengths):
    whole = clip(1000.0, 10.0, rpm)
    value = encode(whole)
    for seconds in lengths:
        value, gone = shorten(value, 2.0)
        found = decode(value)
        assert found.samples.shape[1] == pytest.approx(1000 * seconds, abs=1)
        assert (found.id, found.t0_ns, found.event) == (whole.id, whole.t0_ns, whole.event)
        np.testing.assert_array_equal(found.samples, whole.samples[:, : found.samples.shape[1]])
        assert gone > 0
    assert shorten(value, 2.0) is None


def gaps(spool: Spool) -> list[Health]:
    found = [decode(r.value) for r in spool.peek(NO_BOUND) if r.kind == "health"]
    return [r for r in found if r.content == "gap"]


def test_every_step_down_the_ladder_is_said(tmp_path):
    """Eight hours offline in a spool for one: what is there and what is said make up the day."""
    spool = Spool(tmp_path / "s.db", 60_000, NO_BOUND, clip_lead_s=0.5)
    writer = SpoolWriter(spool, "harbour/pump-1", 120 * S)
    made = {"rows": 0, "samples": 0}
    for minute in range(0, 8 * 60, 20):
        t = minute * 60 * S
        records = [beat(t, minute), block("mean", 12, seed=minute, t0_ns=t), event(t)]
        clips = [encode(clip(1000.0, 6.0, seed=minute))] if minute % 60 == 0 else []
        made["rows"] += 24
        made["samples"] += 12_000 * len(clips)
        writer.write(records, clips, b"", t)
        assert spool.size_bytes() <= 60_000
    held = [decode(r.value) for r in spool.peek(NO_BOUND)]
    lost = [loss for gap in gaps(spool) for loss in gap.detail["losses"]]
    lost += [dict(vars_of(x)) for x in spool.open_losses()]
    assert {x["step"] for x in lost} == {"given up", "thinned", "shortened"}
    assert {x["reason"] for x in lost} == {"spool full"}
    assert sum(isinstance(r, Event) for r in held) == 24
    rows = sum(r.rows for r in held if isinstance(r, FeatureBlock))
    assert rows + sum(x["items"] for x in lost if x["kind"] == "features") == made["rows"]
    beats = sum(isinstance(r, Health) and r.content == "heartbeat" for r in held)
    given = sum(x["records"] for x in lost if (x["kind"], x["step"]) == ("health", "given up"))
    assert beats + given == 24


def vars_of(loss):
    return ((name, getattr(loss, name)) for name in loss.__dataclass_fields__)


def test_gap_records_come_when_there_is_room_again_and_are_not_given_up(tmp_path):
    spool = Spool(tmp_path / "s.db", 20 * (ROW_BYTES + 100), NO_BOUND)
    writer = SpoolWriter(spool, "harbour/pump-1", 120 * S)
    for i in range(50):
        writer.write([beat(i * S, i)], [], b"", i * S)
    assert gaps(spool) == []
    assert spool.open_losses() != []
    spool.acknowledge([r.id for r in spool.peek(NO_BOUND)][:20])
    assert spool.size_bytes() < ROOM * 20 * (ROW_BYTES + 100)
    writer.write([beat(50 * S, 50)], [], b"", 50 * S)
    (gap,) = gaps(spool)
    (loss,) = gap.detail["losses"]
    assert (loss["first"], loss["kind"], loss["step"]) == (0, "health", "given up")
    assert gap.seen == gap.processed == 50
    assert spool.open_losses() == []
    for i in range(51, 200):
        writer.write([event(i * S)], [], b"", i * S)
    assert gaps(spool)[0] == gap


def test_gap_records_are_bounded_however_long_it_lasts(tmp_path):
    spool = Spool(tmp_path / "s.db", 3000, NO_BOUND)
    writer = SpoolWriter(spool, "harbour/pump-1", 120 * S)
    for hour in range(220):
        writer.write([beat(hour * HOUR, hour), event(hour * HOUR)], [], b"", hour * HOUR)
    found = gaps(spool)
    assert len(found) == MOST_GAPS
    told = [x["records"] for gap in found for x in gap.detail["losses"]]
    told += [x.records for x in spool.open_losses()]
    assert sum(told) + len(spool.peek(NO_BOUND)) - len(found) == 440


def test_a_lane_is_fixed_at_the_append_by_how_long_the_live_lane_has_waited(tmp_path):
    spool = Spool(tmp_path / "s.db", NO_BOUND, NO_BOUND)
    writer = SpoolWriter(spool, "harbour/pump-1", 120 * S)
    for second in range(0, 300, 60):
        writer.write([beat(second * S, second)], [], b"", second * S)
    writer.write([event(300 * S)], [], b"", 300 * S)
    lanes = [(r.kind, r.lane, r.sequence) for r in spool.peek(NO_BOUND)]
    assert lanes == [
        ("events", "live", 0),
        *(("health", "live", i) for i in range(3)),
        *(("health", "backfill", i) for i in range(2)),
    ]
    for r in spool.peek(NO_BOUND):
        origin = decode(r.value).origin
        assert (origin.lane, origin.sequence) == (r.lane, r.sequence)
    spool.acknowledge([r.id for r in spool.peek(NO_BOUND) if r.lane == "live"])
    writer.write([beat(310 * S, 310)], [], b"", 310 * S)
    assert [r.lane for r in spool.peek(NO_BOUND)] == ["live", "backfill", "backfill"]
    assert (lane_of(120, 120), lane_of(121, 120)) == ("live", "backfill")
