"""*Edge nodes*: whether everything that was measured arrives."""

from __future__ import annotations

import math

from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.models import dashboard as model

from dashboards.board import board
from dashboards.fleet import LATE_S, SILENT_S, newest
from dashboards.flux import Flux, by, history, keep, listed, pipe, points
from dashboards.panels import (
    BYTES,
    GREEN,
    PLAIN,
    RED,
    SECONDS,
    SHARE,
    YELLOW,
    Steps,
    Text,
    coloured_column,
    figure,
    listing,
    trend,
    unit_column,
)
from dashboards.schema import MACHINE, NODE, SITE

UID = "vibro-nodes"
WHERE = (SITE, MACHINE)
NAMED = "${__field.labels.site}/${__field.labels.machine}"
LOW_ROOM, LEAST_ROOM = 0.3, 0.1
"""Share of the spool that is free from which on records will soon be thinned, and are soon lost."""
ROOM: Steps = {-math.inf: RED, LEAST_ROOM: YELLOW, LOW_ROOM: GREEN}
LOSSES: Steps = {1e-9: YELLOW, 1e-3: RED}
NOTHING = "No heartbeat in this range"


def nodes(page: str) -> model.Dashboard:
    """Build the dashboard."""
    return board(
        UID,
        "Edge nodes",
        "Whether everything that was measured arrives: who is heard, what waits in the spools, "
        "which samples were lost, and what runs where.",
        [
            ("Now", [_behind(), _lost_share(), _least_room(), _versions()]),
            ("Nodes", [_nodes()]),
            ("What waits", [_spool(), _room()]),
            ("What was lost", [_lost(), _lag()]),
        ],
        tags=WHERE,
        page=page,
    )


def last_beat(*fields: str) -> str:
    """One row a machine with the newest values of these facts; those never told are missing."""
    return pipe(
        points(NODE, fields, since="-7d", until="now()"),
        "last()",
        keep(["_field", "_value", *WHERE]),
        'pivot(rowKey: ["site", "machine"], columnKey: ["_field"], valueColumn: "_value")',
        "group()",
    )


def _share(of: str, whole: str) -> str:
    return f"if float(v: r.{whole}) > 0.0 then float(v: r.{of}) / float(v: r.{whole}) else 0.0"


def _behind() -> stat.Panel:
    return figure(
        Text(
            "Farthest behind",
            "Time since the newest status or heartbeat of the node that has been silent longest. "
            "Up to 20 minutes is usual in steady health.",
            "No node has been heard for a week",
        ),
        pipe(newest(), 'max(column: "silent_s")', keep(["silent_s"])),
        SECONDS,
        steps={LATE_S: YELLOW, SILENT_S: RED},
    )


def _lost_share() -> stat.Panel:
    return figure(
        Text(
            "Samples lost",
            "Share of samples that never came or were dropped, of all nodes since their streams "
            "began. Seen = processed + lost, always: any loss is counted here.",
            "No heartbeat for a week",
        ),
        pipe(
            last_beat("seen", "lost"),
            "reduce(identity: {seen: 0, lost: 0}, fn: (r, accumulator) => "
            "({seen: accumulator.seen + r.seen, lost: accumulator.lost + r.lost}))",
            f"map(fn: (r) => ({{lost: {_share('lost', 'seen')}}}))",
        ),
        SHARE,
        steps=LOSSES,
    )


def _least_room() -> stat.Panel:
    return figure(
        Text(
            "Least headroom",
            "Free share of the fullest spool. Below a tenth records are thinned, then given up: "
            "the link has been down, or is too slow.",
            "No node says how large its spool is",
        ),
        pipe(_rooms(), 'min(column: "free")', keep(["free"])),
        SHARE,
        steps=ROOM,
    )


def _rooms() -> str:
    return pipe(
        last_beat("spool_bytes", "spool_max_bytes"),
        "filter(fn: (r) => exists r.spool_max_bytes and exists r.spool_bytes)",
        f"map(fn: (r) => ({{{SITE}: r.{SITE}, {MACHINE}: r.{MACHINE}, "
        f"free: 1.0 - ({_share('spool_bytes', 'spool_max_bytes')})}}))",
    )


def _versions() -> stat.Panel:
    return figure(
        Text(
            "Software versions",
            "How many versions of the edge's software run. More than one is usual during a "
            "roll-out only.",
            "No node says its version",
        ),
        pipe(
            points(NODE, ["version"], since="-7d", until="now()"),
            "last()",
            "group()",
            "unique()",
            "count()",
            keep(["_value"]),
        ),
        PLAIN,
        steps={2.0: YELLOW},
    )


def _nodes() -> table.Panel:
    columns = {
        SITE: SITE,
        MACHINE: MACHINE,
        "node": "node",
        "version": "version",
        "bundle": "model",
        "spool_bytes": "waiting",
        "spool_max_bytes": "spool",
        "seen": "samples seen",
        "lost": "samples lost",
    }
    facts = [c for c in columns if c not in WHERE]
    query = pipe(last_beat(*facts), listed(["lost", "spool_bytes"], list(columns), 500))
    text = Text(
        "What each node said last",
        "Newest heartbeat of each node within a week: software, model, what waits in its spool, "
        "and its account of samples since its stream began.",
        "No heartbeat for a week",
    )
    return (
        listing(text, query, columns, size=(24, 9))
        .override_by_regexp("spool.*", unit_column(BYTES, 1))
        .override_by_name("lost", coloured_column({1.0: YELLOW}, "locale"))
        .override_by_name("seen", unit_column("locale"))
    )


def _spool() -> timeseries.Panel:
    text = Text(
        "Waiting in the spool",
        "Bytes that wait at each node for the log to acknowledge them. It rises while the link is "
        "down, and falls within minutes when it is back. From 100 MB some hours wait.",
        NOTHING,
    )
    query = Flux(history(NODE, ["spool_bytes"], "max", per=WHERE, tags=WHERE))
    return trend(text, [query], BYTES, name=NAMED, steps={1e8: YELLOW, 4e8: RED})


def _room() -> table.Panel:
    text = Text(
        "Headroom",
        "Free share of each spool, the fullest first. Yellow from 30 % down, red from 10 %: oldest "
        "first, records are thinned, then given up, and a gap record says so.",
        "No node says how large its spool is",
    )
    columns = {SITE: SITE, MACHINE: MACHINE, "free": "free"}
    query = pipe(_rooms(), 'sort(columns: ["free"])', "limit(n: 100)")
    return listing(text, query, columns, size=(12, 8)).override_by_name(
        "free", coloured_column(ROOM, SHARE)
    )


def _lost() -> timeseries.Panel:
    text = Text(
        "Samples lost by time",
        "Samples that never came or were dropped since the stream began: where a line rises, "
        "samples are being lost. A restart of the stream begins its account anew.",
        NOTHING,
    )
    query = Flux(history(NODE, ["lost"], "max", per=WHERE, tags=WHERE))
    return trend(text, [query], "locale", name=NAMED, steps={1.0: YELLOW})


def _lag() -> table.Panel:
    text = Text(
        "Lag",
        "Time since the newest status or heartbeat of each node, the longest first. Up to 20 "
        "minutes is usual in steady health; yellow from half an hour, red from an hour.",
        "No node has been heard for a week",
    )
    columns = {SITE: SITE, MACHINE: MACHINE, "heard": "last heard", "silent_s": "behind"}
    query = pipe(newest(), by(()), listed(["silent_s"], list(columns), 500))
    return listing(text, query, columns, size=(12, 8)).override_by_name(
        "silent_s", coloured_column({LATE_S: YELLOW, SILENT_S: RED}, SECONDS)
    )
