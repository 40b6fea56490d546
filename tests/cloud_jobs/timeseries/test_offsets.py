"""How far the server is: kept in the store, on SQLite and on PostgreSQL, and never taken back."""

from __future__ import annotations

from pathlib import Path

from cloud_jobs.store import Store
from cloud_jobs.timeseries.offsets import TapOffsets

A, B = ("vibro.v1.a.features", 0), ("vibro.v1.a.features", 1)


def test_offsets_are_kept_by_sink_and_place(backend: str, tmp_path: Path):
    store = Store(tmp_path)
    mine, other = TapOffsets(store, "influxdb"), TapOffsets(store, "other")
    assert mine.load([A, B]) == {A: 0, B: 0}
    mine.save({A: 5, B: 7})
    other.save({A: 1})
    assert mine.load([A, B]) == {A: 5, B: 7}
    assert mine.load([B]) == {B: 7}
    assert other.load([A, B]) == {A: 1, B: 0}
    store.close()
    again = Store(tmp_path)
    assert TapOffsets(again, "influxdb").load([A]) == {A: 5}
    again.close()


def test_whoever_is_behind_takes_nothing_back(backend: str, tmp_path: Path):
    """Another process may have been farther with a place that it has had in between."""
    store = Store(tmp_path)
    mine = TapOffsets(store, "influxdb")
    mine.save({A: 5, B: 5})
    mine.save({A: 3, B: 9})
    assert mine.load([A, B]) == {A: 5, B: 9}
    mine.forget([A])
    assert mine.load([A, B]) == {A: 0, B: 9}
    mine.save({A: 2})
    assert mine.load([A]) == {A: 2}
    store.close()
