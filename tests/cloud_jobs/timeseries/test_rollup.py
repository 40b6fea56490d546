"""Hours and days as the server's tasks sum them up, against the same sums by NumPy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest

from cloud_jobs.columns import STATUS_VALUES, table_name
from cloud_jobs.config import InfluxSection
from cloud_jobs.timeseries.rollup import WHICH, rollups, touched
from tests.cloud_jobs.builders import S, block, event, heartbeat
from tests.cloud_jobs.timeseries.conftest import Plant
from vibro.features.table import FAST_NAMES, LONG_NAMES
from vibro.records import FeatureBlock, Record

HOUR, DAY = 3600 * S, 86_400 * S
DAY_0 = (time.time_ns() // DAY - 3) * DAY
"""Three days ago, at midnight."""
MEANS = [n for n in STATUS_VALUES if n not in ("p_fast", "p_long", "severity")]
HOW: dict[str, Callable[..., object]] = {
    **dict.fromkeys((*FAST_NAMES, *LONG_NAMES, *MEANS), np.mean),
    **{f"{n}_max": np.max for n in (*FAST_NAMES, *LONG_NAMES)},
    "p_fast": np.min,
    "p_long": np.min,
    "severity": np.max,
    **{n: lambda values: values[-1] for n in ("seen", "processed", "lost")},
}


def random_block(rng: np.random.Generator, content: str, path: str, t0_ns: int) -> FeatureBlock:
    """Five minutes of a row every 25 s, in two states."""
    found = replace(block(content, path, t0_ns, rows=12), states=("run", "stopped"))
    found.columns["t0_ns"] = t0_ns + 25 * S * np.arange(12)
    found.columns["state"] = rng.integers(0, 2, 12).astype(np.int16)
    if not path:
        found.columns.update(dict.fromkeys(STATUS_VALUES, np.zeros(0)))
        found.columns["seen"] = np.cumsum(rng.integers(1, 9, 12))
    for name in found.columns:
        if name not in ("channel", "state", "t0_ns", "first_sample", "seen"):
            found.columns[name] = rng.lognormal(size=12).astype(np.float32)
            found.columns[name][rng.random(12) < 0.1] = np.nan
    return found


def some_data(rng: np.random.Generator, starts: Iterable[int]) -> list[FeatureBlock]:
    kinds = [("mean", "fast"), ("max", "fast"), ("mean", "long"), ("max", "long"), ("status", "")]
    return [random_block(rng, *kind, t) for t in starts for kind in kinds]


Key = tuple[str, str, str, str, int]
"""Measurement, channel, state, field and start of the period."""
Values = dict[Key, float]


def sums(blocks: Iterable[FeatureBlock], length: int) -> Values:
    """Each field over each period, by channel and state: independent of what the tasks do."""
    held: dict[Key, list[tuple[int, float]]] = {}
    for found in blocks:
        for i in range(found.rows):
            channel = found.channels[found.columns["channel"][i]]
            state = found.states[found.columns["state"][i]]
            t_ns = int(found.columns["t0_ns"][i])
            for name, column in found.columns.items():
                field = name + "_max" if found.content == "max" else name
                if field in HOW and not np.isnan(float(column[i])):
                    table = table_name(found)
                    key = (table, channel, state, field, t_ns // length * length)
                    held.setdefault(key, []).append((t_ns, float(column[i])))
    return {k: float(HOW[k[3]](np.array([v for _, v in sorted(p)]))) for k, p in held.items()}


def days_of(hours: Values) -> Values:
    """Days are sums of hours."""
    held: dict[Key, list[tuple[int, float]]] = {}
    for (*where, t_ns), value in hours.items():
        held.setdefault((*where, t_ns // DAY * DAY), []).append((t_ns, value))
    return {k: float(HOW[k[3]](np.array([v for _, v in sorted(p)]))) for k, p in held.items()}


def told(plant: Plant, bucket: str) -> Values:
    return {
        (table, row["channel"], row["state"], field, row["t_ns"]): float(value)
        for table in ("status", "features_fast", "features_long")
        for row in plant.rows(table, bucket)
        for field, value in row.items()
        if field in HOW
    }


def same(found: Values, wanted: Values) -> None:
    assert found.keys() == wanted.keys()
    keys = list(wanted)
    np.testing.assert_allclose([found[k] for k in keys], [wanted[k] for k in keys], rtol=1e-12)


def written(plant: Plant, records: Iterable[Record]) -> None:
    tap = plant.tap()
    plant.sender.send(*records)
    plant.consumer(tap).poll()
    plant.settled(tap)
    tap.close()


def due(plant: Plant, bucket: str) -> list[int]:
    rows = plant.rows("rollup", bucket)
    return sorted(r["t_ns"] for r in rows if r.get("rolled") != r["touched"])


@pytest.fixture
def hours(plant: Plant) -> str:
    return f"{plant.bucket}_1h"


@pytest.fixture
def days(plant: Plant) -> str:
    return f"{plant.bucket}_1d"


def test_hours_and_days_are_what_numpy_says(plant: Plant, hours: str, days: str):
    rng = np.random.default_rng(1)
    starts = [DAY_0 + h * HOUR + m * 60 * S for h in (0, 1, 5, 23, 24, 30) for m in (0, 55)]
    data = some_data(rng, starts)
    written(plant, data)
    assert len(due(plant, plant.bucket)) == 6
    plant.run(hours)
    by_hour = sums(data, HOUR)
    same(told(plant, hours), by_hour)
    assert due(plant, plant.bucket) == []
    assert due(plant, hours) == [DAY_0, DAY_0 + DAY]
    plant.run(days)
    same(told(plant, days), days_of(by_hour))
    assert due(plant, hours) == []


def test_what_comes_late_is_summed_up_again(plant: Plant, hours: str, days: str):
    """Points of an hour long summed up arrive: after days without a link, or replayed."""
    rng = np.random.default_rng(2)
    first = some_data(rng, [DAY_0, DAY_0 + 5 * HOUR])
    written(plant, first)
    plant.run(hours)
    plant.run(days)
    late = some_data(rng, [DAY_0 + 600 * S, DAY_0 + 8 * HOUR])
    written(plant, late)
    assert due(plant, plant.bucket) == [DAY_0, DAY_0 + 8 * HOUR], "and no other"
    plant.run(hours)
    by_hour = sums([*first, *late], HOUR)
    same(told(plant, hours), by_hour)
    assert due(plant, hours) == [DAY_0]
    plant.run(days)
    same(told(plant, days), days_of(by_hour))


def test_a_run_changes_nothing_when_nothing_is_due(plant: Plant, hours: str, days: str):
    plant.run(hours)
    plant.run(days)
    assert plant.rows(bucket=hours) == plant.rows(bucket=days) == []
    data = some_data(np.random.default_rng(3), [DAY_0])
    written(plant, data)
    plant.run(hours)
    before = plant.rows(bucket=hours), plant.rows("rollup", hours)
    plant.run(hours)
    assert (plant.rows(bucket=hours), plant.rows("rollup", hours)) == before


def test_the_hour_that_has_not_ended_waits(plant: Plant, hours: str):
    now = time.time_ns() // HOUR * HOUR
    written(plant, some_data(np.random.default_rng(4), [now, now - HOUR]))
    plant.run(hours)
    assert {key[-1] for key in told(plant, hours)} == {now - HOUR}
    assert due(plant, plant.bucket) == [now]


def test_an_hour_of_one_site_is_not_due_for_another(plant: Plant, hours: str):
    rng = np.random.default_rng(5)
    of_a = random_block(rng, "status", "", DAY_0)
    of_b = replace(of_a, origin=replace(of_a.origin, site="b"))
    written(plant, [of_a, of_b])
    plant.run(hours)
    ledger = plant.rows("rollup")
    assert {r["site"] for r in ledger} == {"a", "b"}
    with plant.client.write_api() as api:
        api.write(hours, record=f"status,site=b,machine=m1,channel=x,state=run rpm=5.0 {DAY_0}")
        api.write(
            plant.bucket, record=f"status,site=b,machine=m1,channel=x,state=run rpm=7.0 {DAY_0}"
        )
    written(plant, [random_block(rng, "status", "", DAY_0 + 600 * S)])
    plant.run(hours)
    rows = plant.rows("status", hours, '|> filter(fn: (r) => r.channel == "x")')
    assert [r["rpm"] for r in rows] == [5.0], "site b was left alone"


def test_single_facts_are_kept_as_they_are(plant: Plant, hours: str, days: str):
    """Two events in one hour stay two, with their words; heartbeats keep the last."""
    at = DAY_0 / S
    written(plant, [event(at), event(at + 7), heartbeat(at), heartbeat(at + 9, seen=5000)])
    plant.run(hours)
    plant.run(days)
    for bucket in (hours, days):
        rows = plant.rows("event", bucket)
        assert rows == plant.rows("event")
        assert [r["t_ns"] for r in rows] == [DAY_0, DAY_0 + 7 * S]
        (node,) = plant.rows("node", bucket)
        assert (node["t_ns"], node["seen"], node["node"]) == (DAY_0, 5000, "a-m1")


def test_a_server_killed_amid_a_run_loses_no_hour(plant: Plant, hours: str):
    data = some_data(np.random.default_rng(6), [DAY_0 + h * HOUR for h in range(24)])
    written(plant, data)
    tasks = plant.client.tasks_api()
    (found,) = tasks.find_tasks(name=hours)
    tasks.run_manually(found.id)
    plant.server.kill()
    plant.server.start()
    plant.run(hours)
    same(told(plant, hours), sums(data, HOUR))
    assert due(plant, plant.bucket) == []


def test_the_ledger_is_marked_by_site_and_hour():
    assert touched({("b", HOUR), ("a", 0)}, 7) == (
        b"rollup,site=a touched=7i 0\nrollup,site=b touched=7i 3600000000000\n"
    )


def test_scripts_hold_no_blank_of_a_form_and_no_word_that_is_slow():
    for task in rollups(InfluxSection(bucket="plant", keep_days=2.5)):
        assert "@" not in task.flux()
        assert f'to(bucket: "{task.target}")' in task.flux()
    assert "range(start: -4d" in rollups(InfluxSection(keep_days=2.5))[0].flux()
    assert not any("not " in which for which in WHICH.values()), "the storage does not know it"
