"""What the store knows as points: cases, models, maintenance and the limits of machines."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cloud_jobs.store import Store
from cloud_jobs.store.tables import CaseRow, MaintenanceRow, ModelRow
from cloud_jobs.timeseries.lines import Value, line, series
from vibro.assets import Machine
from vibro.iso10816 import IsoLimits

DAY_NS = 86_400 * 10**9
_NOTE_MOST = 1000
_SPREAD_NS = 10**6


class Key(NamedTuple):
    """What makes a point one and the same: its series, with the site that it is of, and time."""

    site: str
    series: str
    t_ns: int


Points = dict[Key, bytes]


def case_points(cases: Iterable[CaseRow]) -> Points:
    """One point a case, at the time when it was opened."""
    found: Points = {}
    for case in cases:
        fields: dict[str, Value] = {
            "id": case.id,
            "fault": case.fault,
            "severity": case.severity,
            "state": case.state,
            "probability": None if case.probability is None else float(case.probability),
            "note": case.note[:_NOTE_MOST] or None,
        }
        start = series("case", {"site": case.site, "machine": case.machine})
        _add(found, Key(case.site, start, case.t_opened_ns), fields)
    return found


def model_points(models: Iterable[ModelRow]) -> Points:
    """One point a published bundle, within a millisecond of its making.

    The class is no tag and a night makes the models of all classes at one instant: each class has
    its own nanosecond.
    """
    found: Points = {}
    for model in models:
        own_ns = zlib.crc32(model.machine_class.encode()) % _SPREAD_NS
        fields: dict[str, Value] = {
            "version": model.version,
            "machine_class": model.machine_class,
            "bytes": model.bytes,
        }
        fields |= {
            name: float(value)
            for name, value in model.metrics.items()
            if isinstance(value, (bool, int, float)) and name not in fields
        }
        start = series("model", {"site": model.site})
        _add(found, Key(model.site, start, model.created_ns + own_ns), fields)
    return found


def maintenance_points(done: Iterable[MaintenanceRow]) -> Points:
    """One point a note, at the time when the machine was maintained."""
    found: Points = {}
    for row in done:
        start = series("maintenance", {"site": row.site, "machine": row.machine})
        _add(found, Key(row.site, start, row.t_ns), {"note": row.note[:_NOTE_MOST]})
    return found


def limit_points(machines: Iterable[Machine], now_ns: int) -> Points:
    """One point a channel and UTC day, where ISO 10816-3 has limits for the machine."""
    found: Points = {}
    for machine in machines:
        iso = machine.iso_limits
        if not isinstance(iso, IsoLimits):
            continue
        ab, bc, cd = iso.velocity_mm_s
        fields: dict[str, Value] = {
            "zone_ab_mm_s": float(ab),
            "zone_bc_mm_s": float(bc),
            "zone_cd_mm_s": float(cd),
        }
        for path in machine.channels:
            where = {"site": path.site, "machine": path.machine, "channel": path.channel}
            start = series("limit", where)
            _add(found, Key(path.site, start, now_ns // DAY_NS * DAY_NS), fields)
    return found


def _add(found: Points, key: Key, fields: Mapping[str, Value]) -> None:
    found[key] = line(key.series, fields, key.t_ns)


class Fleet:
    """Knows which of these points are new or have changed since they were written.

    Limits are told once a day and whenever the register has changed. Nothing is remembered over a
    restart: to write all of them again changes nothing.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: Points = {}
        self._limits_of: tuple[int, Mapping[str, Machine]] = (-1, {})

    def news(self, now_ns: int) -> Points:
        """Return the points that are to be written at this time of day."""
        store = self._store
        found = case_points(store.cases()) | model_points(store.models())
        found |= maintenance_points(store.maintenance())
        fresh = {key: text for key, text in found.items() if self._told.get(key) != text}
        day, machines = self._limits_of
        registered = self._store.machines()
        if day != now_ns // DAY_NS or machines is not registered:
            fresh |= limit_points(registered.values(), now_ns)
        return fresh

    def told(self, points: Points, now_ns: int) -> None:
        """Take note that what `news` returned at this time is written."""
        self._told |= points
        self._limits_of = (now_ns // DAY_NS, self._store.machines())
