"""The lake: rows once whatever is repeated, and the same answers as a plain list would give."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_jobs.columns import block_rows, clip_rows
from cloud_jobs.lake import TABLES, Lake
from tests.cloud_jobs.builders import S, block, clip
from vibro.errors import BadInputError, VibroError
from vibro.features.table import FAST_NAMES, LONG_NAMES, SCHEMA_HASH
from vibro.records import ChannelPath
from vibro.wire import encode

FAST = "features_fast"


def rows(t0_s: float = 0.0, n: int = 2) -> pa.Table:
    return block_rows(FAST, [block("mean", "fast", round(t0_s * S), n)])


def append(lake: Lake, table: str, given: pa.Table, versions: dict[str, int]) -> bool:
    """Append rows that are the same whatever is held."""
    return lake.append(table, lambda held: given, versions)


def times(lake: Lake, table: str = FAST) -> list[int]:
    return sorted(t // S for t in lake.table(table)["t0_ns"].to_pylist())


def files(lake: Lake) -> set[str]:
    return {f.name for f in (lake.folder / FAST).glob("*.parquet")}


# -- exactly once ----------------------------------------------------------------------------------


def test_a_new_lake_is_empty_and_knows_no_one(tmp_path):
    lake = Lake(tmp_path)
    for table in TABLES:
        assert len(lake.table(table)) == 0
        assert lake.positions(table, ["x"]) == {"x": -1}
    assert lake.trend(ChannelPath("a", "m1", "de-h"), "rms")[0].size == 0
    assert lake.training_vectors("a", ["m1"], 2**62) == {}


def test_what_was_appended_is_not_appended_again(tmp_path):
    lake = Lake(tmp_path)
    assert append(lake, FAST, rows(0), {"x": 4})
    for version in (4, 3):
        assert not append(lake, FAST, rows(50), {"x": version})
    assert not append(Lake(tmp_path), FAST, rows(50), {"x": 4})
    assert times(lake) == [0, 1]
    assert append(lake, FAST, rows(10), {"x": 5})
    assert append(lake, FAST, rows(20), {"y": 0})
    assert times(lake) == [0, 1, 10, 11, 20, 21]
    assert lake.positions(FAST, ["x", "y", "z"]) == {"x": 5, "y": 0, "z": -1}
    assert lake.positions("features_long", ["x"]) == {"x": -1}


def test_another_process_that_was_quicker_is_seen(tmp_path):
    one, other = Lake(tmp_path), Lake(tmp_path)
    assert other.positions(FAST, ["x"]) == {"x": -1}
    assert append(one, FAST, rows(0), {"x": 4})
    assert not append(other, FAST, rows(0), {"x": 4})
    assert other.positions(FAST, ["x"]) == {"x": 4}
    assert times(one) == times(other) == [0, 1]


def test_a_commit_that_comes_in_between_is_noticed(tmp_path, monkeypatch):
    """The other one commits after this one has looked and before it writes."""
    one, other = Lake(tmp_path), Lake(tmp_path)
    write = Lake._write

    def late(self, table, given, versions):
        if self is one and (-1 in other.positions(FAST, ["x"]).values()):
            append(other, FAST, given, {"x": 4})
        write(self, table, given, versions)

    monkeypatch.setattr(Lake, "_write", late)
    assert not append(one, FAST, rows(0), {"x": 4})
    assert times(one) == [0, 1]
    assert append(one, FAST, rows(10), {"x": 5})


def test_rows_of_which_another_process_wrote_a_part_are_completed(tmp_path):
    one, other = Lake(tmp_path), Lake(tmp_path)
    append(one, FAST, rows(0), {"x": 4})
    mine = {"x": (4, rows(0)), "y": (2, rows(10))}
    asked = []

    def above(held):
        asked.append(dict(held))
        return pa.concat_tables(t for app, (version, t) in mine.items() if version > held[app])

    assert other.append(FAST, above, {"x": 4, "y": 2})
    assert asked == [{"x": 4, "y": -1}]
    assert times(other) == [0, 1, 10, 11]
    assert one.positions(FAST, ["x", "y"]) == {"x": 4, "y": 2}


def test_rows_are_asked_for_again_when_another_process_comes_in_between(tmp_path):
    one, other = Lake(tmp_path), Lake(tmp_path)
    asked = []

    def above(held):
        asked.append(held["x"])
        if len(asked) == 1:
            append(other, FAST, rows(0), {"x": 4})
        return rows(10 if held["x"] == 4 else 0)

    assert one.append(FAST, above, {"x": 6})
    assert asked == [-1, 4]
    assert times(one) == [0, 1, 10, 11]


def test_processes_that_append_at_once_do_not_disturb_each_other(tmp_path):
    Lake(tmp_path).positions(FAST, ["x"])

    def write(who: int) -> None:
        lake = Lake(tmp_path)
        for i in range(6):
            assert append(lake, FAST, rows(1000 * who + 10 * i), {f"x{who}": i})

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, range(3)))
    assert times(Lake(tmp_path)) == sorted(
        1000 * who + 10 * i + k for who in range(3) for i in range(6) for k in range(2)
    )


def test_a_place_that_was_made_anew_is_taken_from_its_first_version_again(tmp_path):
    lake, other = Lake(tmp_path), Lake(tmp_path)
    append(lake, FAST, rows(0), {"x": 40, "y": 3})
    other.forget("x")
    assert lake.positions(FAST, ["x", "y"]) == {"x": 0, "y": 3}
    assert append(lake, FAST, rows(10), {"x": 1})
    assert times(lake) == [0, 1, 10, 11]
    before = lake._table(FAST).version()
    other.forget("unheard")
    assert other.positions(FAST, ["unheard"]) == {"unheard": -1}
    assert other._table(FAST).version() == before


def test_a_writer_that_was_killed_before_its_commit_left_nothing(tmp_path):
    lake = Lake(tmp_path)
    append(lake, FAST, rows(0), {"x": 1})
    (whole,) = files(lake)
    content = (lake.folder / FAST / whole).read_bytes()
    (lake.folder / FAST / "part-00000-whole.snappy.parquet").write_bytes(content)
    (lake.folder / FAST / "part-00000-torn.snappy.parquet").write_bytes(content[:100])
    (lake.folder / FAST / "_delta_log" / "_commit_torn.json.tmp").write_bytes(b'{"add":{"pa')
    again = Lake(tmp_path)
    assert times(again) == [0, 1]
    assert append(again, FAST, rows(10), {"x": 2})
    again.compact()
    assert times(Lake(tmp_path)) == [0, 1, 10, 11]


def test_a_damaged_file_is_one_clear_line(tmp_path):
    lake = Lake(tmp_path)
    append(lake, FAST, rows(0), {"x": 1})
    (file,) = (lake.folder / FAST).glob("*.parquet")
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(VibroError, match=rf"^lake [^\n]*{FAST}: [^\n]+$"):
        Lake(tmp_path).table(FAST)
    file.unlink()
    with pytest.raises(VibroError, match=rf"^lake [^\n]*{FAST}: [^\n]+$"):
        lake.compact() or lake.table(FAST)


# -- compaction and change -------------------------------------------------------------------------


def test_compaction_changes_neither_rows_nor_positions_nor_open_readers(tmp_path):
    lake, reader = Lake(tmp_path), Lake(tmp_path)
    for i in range(6):
        append(lake, FAST, rows(10 * i), {"x": i, f"y{i}": 1})
    key = [("t0_ns", "ascending")]
    before = reader.table(FAST).sort_by(key)
    dataset = reader._table(FAST).to_pyarrow_dataset()
    lake.compact()
    assert len(lake._table(FAST).file_uris()) == 1
    assert dataset.to_table().sort_by(key).equals(before)
    for late in (lake, reader, Lake(tmp_path)):
        assert late.table(FAST).sort_by(key).equals(before)
        assert late.positions(FAST, ["x", "y3"]) == {"x": 5, "y3": 1}
        late.compact()
    assert not append(reader, FAST, rows(0), {"x": 5})


def test_a_feature_that_another_build_adds_or_lacks_is_null_in_the_others_rows(tmp_path):
    lake = Lake(tmp_path)
    append(lake, FAST, rows(0), {"x": 1})
    wider = rows(10).append_column("crackle", pa.array([1.5, 2.5], pa.float32()))
    assert append(lake, FAST, wider, {"x": 2})
    assert append(lake, FAST, rows(20), {"x": 3})
    assert append(lake, FAST, rows(30).drop_columns(["rms"]), {"x": 4})
    table = Lake(tmp_path).table(FAST).sort_by([("t0_ns", "ascending")])
    assert table["crackle"].to_pylist() == [None, None, 1.5, 2.5, *[None] * 4]
    assert table["rms"].to_pylist()[4:] == [*rows(20)["rms"].to_pylist(), None, None]


def test_a_clip_comes_back_bit_for_bit_and_an_unknown_one_is_named(tmp_path):
    lake, cut = Lake(tmp_path), clip(3.0, reason="daily")
    append(lake, "clips", clip_rows([(cut, encode(cut)), (c := clip(4.0), encode(c))]), {"x": 1})
    back = lake.clip(cut.id.thing)
    assert back.samples.tobytes() == cut.samples.tobytes()
    assert (back.reason, back.channels, back.id) == ("daily", cut.channels, cut.id)
    (row,) = lake.table("clips", pc.field("thing") == cut.id.thing).to_pylist()
    assert (row["samples"], row["rate_hz"]) == (25600, 25600.0)
    with pytest.raises(BadInputError, match="clip 'clip:none' is not in the lake"):
        lake.clip("clip:none")


# -- questions, against a plain list ---------------------------------------------------------------

MACHINES = [("a", "m1"), ("a", "m2"), ("b", "m1")]
STATES = ("run", "half-load")


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A lake of many blocks that arrived in no order, and all its rows as a list of dicts."""
    lake = Lake(tmp_path_factory.mktemp("lake"))
    rng, plain = np.random.default_rng(1), []
    for i in range(60):
        path = ("fast", "long")[i % 2]
        site, machine = MACHINES[rng.integers(3)]
        made = block(rng.choice(["sample", "mean", "max"], p=[0.6, 0.2, 0.2]), path,
                     int(rng.integers(100)) * S, 4, machine=machine, site=site)  # fmt: skip
        names = FAST_NAMES if path == "fast" else LONG_NAMES
        values = {n: rng.standard_normal(4).astype(np.float32) for n in names}
        state = rng.integers(0, 2, 4).astype(np.int16)
        schema = SCHEMA_HASH if rng.random() < 0.8 else "an older one"
        made = replace(
            made,
            schema_hash=schema,
            states=STATES,
            columns={**made.columns, **values, "state": state},
        )
        append(lake, f"features_{path}", block_rows(f"features_{path}", [made]), {f"t{i}": 1})
        for k in range(4):
            channel = ChannelPath(site, machine, made.channels[made.columns["channel"][k]])
            facts = {
                "path": path,
                "content": made.content,
                "schema": schema,
                "channel": channel,
                "t": int(made.columns["t0_ns"][k]),
                "state": STATES[state[k]],
                "vector": [float(values[n][k]) for n in names],
            }
            plain.append(facts)
    return lake, plain


instants = st.integers(-1, 105).map(lambda s: s * S)
spans = st.dictionaries(
    st.sampled_from(["a/m1", "a/m2", "b/m1", "a/m9"]),
    st.lists(st.tuples(instants, instants), max_size=3),
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["a", "b", "c"]),
    st.sets(st.sampled_from(["m1", "m2", "m3"])),
    instants,
    instants,
    spans,
)
def test_training_vectors_are_those_that_a_plain_list_gives(
    filled, site, machines, since, until, exclude
):
    lake, plain = filled
    wanted: dict = {}
    for r in sorted(plain, key=lambda r: r["t"]):
        where = r["channel"]
        spared = any(lo <= r["t"] < hi for lo, hi in exclude.get(where.machine_path, ()))
        if (
            r["content"] == "sample"
            and r["schema"] == SCHEMA_HASH
            and where.site == site
            and where.machine in machines
            and since <= r["t"] < until
            and not spared
        ):
            paths = wanted.setdefault((where, r["state"]), {"fast": [], "long": []})
            paths[r["path"]].append((r["t"], r["vector"]))
    found = lake.training_vectors(site, machines, until, since_ns=since, exclude=exclude)
    assert list(found) == sorted(wanted)
    for key, (fast, long) in found.items():
        assert (fast.dtype, fast.shape[1]) == (np.float32, len(FAST_NAMES))
        assert (long.dtype, long.shape[1]) == (np.float32, len(LONG_NAMES))
        for path, matrix in zip(("fast", "long"), (fast, long), strict=True):
            # Those of one instant have no order among themselves.
            assert sorted(matrix.tolist()) == sorted(v for _, v in wanted[key][path])


def test_training_vectors_are_in_the_order_of_time_and_see_what_others_append(tmp_path):
    lake, other = Lake(tmp_path), Lake(tmp_path)
    for i, t in enumerate([50, 10, 30]):
        append(other, FAST, block_rows(FAST, [block("sample", "fast", t * S, 2)]), {"x": i})
        key = (ChannelPath("a", "m1", "de-h"), "run")
        fast, long = lake.training_vectors("a", ["m1"], 2**62)[key]
        assert fast[:, 0].tolist() == sorted([50, 10, 30][: i + 1])
        assert long.shape == (0, len(LONG_NAMES))


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(MACHINES),
    st.sampled_from(["de-h", "de-v"]),
    st.sampled_from([("fast", "kurtosis"), ("long", LONG_NAMES[3]), ("fast", FAST_NAMES[0])]),
    st.sampled_from(["mean", "max", "sample"]),
    instants,
    instants,
)
def test_a_trend_is_what_a_plain_list_gives(filled, machine, name, feature, content, since, until):
    lake, plain = filled
    path, column = feature
    index = (FAST_NAMES if path == "fast" else LONG_NAMES).index(column)
    channel = ChannelPath(*machine, name)
    wanted = sorted(
        (r["t"], r["vector"][index])
        for r in plain
        if (r["channel"], r["path"], r["content"]) == (channel, path, content)
        and since <= r["t"] < until
    )
    found = lake.trend(channel, column, since, until, content)
    assert found[0].tolist() == [t for t, _ in wanted]
    assert sorted(zip(*map(np.ndarray.tolist, found), strict=True)) == wanted


def test_a_feature_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(BadInputError, match="feature 'wobble' is not in the feature table nor in"):
        Lake(tmp_path).trend(ChannelPath("a", "m1", "de-h"), "wobble")
