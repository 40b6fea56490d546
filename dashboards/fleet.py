"""*Fleet*: which machines need somebody now."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, statushistory, table
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import VisibilityMode

from dashboards.board import MACHINE_LINK, PAGE_LINK, board
from dashboards.flux import Flux, by, history, keep, listed, pipe, points, rows
from dashboards.panels import (
    CELLS,
    MM_S,
    PLAIN,
    RED,
    SECONDS,
    SEVERITY_STEPS,
    SHARE,
    YELLOW,
    Text,
    coloured_column,
    dressed,
    figure,
    linked_column,
    listing,
    severity_column,
    severity_mappings,
    unit_column,
)
from dashboards.schema import CASE, MACHINE, NODE, OPEN, SITE, STATUS

UID = "vibro-fleet"
WHERE = (SITE, MACHINE)
LINKS = (("Trends of this machine", MACHINE_LINK), ("This machine on the page", PAGE_LINK))
LATE_S, SILENT_S = 1800.0, 3600.0
"""Steady health may say nothing for 20 minutes; from here on a machine is late, and silent."""
ALARM = 3.0


def fleet(page: str) -> model.Dashboard:
    """Build the dashboard."""
    return board(
        UID,
        "Fleet",
        "Which machines need somebody now: health, open cases, and who has gone silent.",
        [
            ("Now", [_watched(), _alarmed(), _open_cases(), _silence()]),
            ("Health", [_matrix()]),
            ("What to do first", [_cases(), _worst()]),
            ("Who is heard", [_freshness()]),
        ],
        tags=WHERE,
        page=page,
    )


def newest(since: str = "-7d") -> str:
    """One row a machine: when its newest status or heartbeat was, and how long ago that is."""
    alive = pipe(
        points(STATUS, ["severity"], since=since, until="now()"),
        "last()",
        keep(["_time", *WHERE]),
    )
    beats = pipe(
        points(NODE, ["seen"], since=since, until="now()"), "last()", keep(["_time", *WHERE])
    )
    return f"alive = {alive}\nbeats = {beats}\n" + pipe(
        "union(tables: [alive, beats])",
        by(WHERE),
        'max(column: "_time")',
        "map(fn: (r) => ({site: r.site, machine: r.machine, heard: r._time, "
        "silent_s: float(v: int(v: now()) - int(v: r._time)) / 1000000000.0}))",
        "group()",
    )


def _watched() -> stat.Panel:
    return figure(
        Text(
            "Machines watched",
            "Machines of which a status or heartbeat has arrived within seven days.",
            "No machine has been heard for a week",
        ),
        pipe(newest(), 'count(column: "silent_s")', keep(["silent_s"])),
        PLAIN,
        steps={},
    )


def _alarmed() -> stat.Panel:
    return figure(
        Text(
            "At alarm or worse",
            "Machines whose worst channel was at alarm or danger in the last half hour. "
            "Any one wants somebody today.",
            "No status in the last half hour",
        ),
        pipe(
            points(STATUS, ["severity"], since="-30m", until="now()"),
            "last()",
            by(WHERE),
            "max()",
            f"map(fn: (r) => ({{alarmed: if r._value >= {ALARM} then 1 else 0}}))",
            "group()",
            'sum(column: "alarmed")',
        ),
        PLAIN,
        steps={1.0: RED},
    )


def _case_rows() -> str:
    fields = ("state", "severity", "fault", "probability", "note")
    return pipe(
        rows(CASE, fields, since="-90d", until="now()"),
        f'filter(fn: (r) => r.state == "{OPEN}")',
    )


def _open_cases() -> stat.Panel:
    return figure(
        Text(
            "Machines with an open case",
            "Machines with an open matter: one case a machine, however many events it groups.",
            "No open case",
        ),
        pipe(_case_rows(), 'count(column: "severity")', keep(["severity"])),
        PLAIN,
        steps={1.0: YELLOW},
    )


def _silence() -> stat.Panel:
    return figure(
        Text(
            "Longest silence",
            "Time since the last status or heartbeat of the machine that has been silent longest. "
            "Up to 20 minutes is usual: rows of steady health wait to be sent together.",
            "No machine has been heard for a week",
        ),
        pipe(newest(), 'max(column: "silent_s")', keep(["silent_s"])),
        SECONDS,
        steps={LATE_S: YELLOW, SILENT_S: RED},
    )


def _matrix() -> statushistory.Panel:
    text = Text(
        "Worst severity of each machine",
        "Worst severity of any channel, by time. Green is in order; orange (alert) is the most "
        "that an unusual pattern alone can reach; red (alarm) is a diagnosed, growing fault; "
        "purple (danger) is ISO zone D. A gap is time in which nothing was reported.",
        "No status in this range",
    )
    query = Flux(history(STATUS, ["severity"], "max", per=WHERE, tags=WHERE, joined=True))
    panel = dressed(statushistory.Panel(), text, [query], (24, 10), PLAIN, SEVERITY_STEPS)
    return (
        panel.mappings(severity_mappings())
        .display_name("${__field.labels.site}/${__field.labels.machine}")
        .show_value(VisibilityMode.NEVER)
        .row_height(0.9)
        .max_data_points(CELLS)
    )


def _cases() -> table.Panel:
    columns = {
        "severity": "severity",
        SITE: SITE,
        MACHINE: MACHINE,
        "fault": "fault",
        "probability": "probability",
        "opened": "opened",
        "note": "note",
    }
    query = pipe(
        _case_rows(),
        'rename(columns: {_time: "opened"})',
        listed(["severity", "opened"], list(columns)),
    )
    text = Text(
        "Open cases",
        "The one open matter of each machine: most probable fault, with its probability, and "
        "since when. Click a machine for its trends, or for its evidence on the page.",
        "No open case",
    )
    return (
        listing(text, query, columns, size=(14, 9))
        .override_by_name("severity", severity_column())
        .override_by_name("probability", unit_column(SHARE, 0))
        .override_by_name(MACHINE, linked_column(*LINKS))
    )


def _worst() -> table.Panel:
    fields = {
        "severity": "severity",
        "score_fast": "score, fast",
        "score_long": "score, long",
        "velocity_rms_mm_s": "velocity",
    }
    query = pipe(
        points(STATUS, list(fields)),
        "max()",
        by([*WHERE, "_field"]),
        "max()",
        f'pivot(rowKey: ["{SITE}", "{MACHINE}"], columnKey: ["_field"], valueColumn: "_value")',
        "group()",
        listed(["severity", "score_long", "velocity_rms_mm_s"], [*WHERE, *fields], 20),
    )
    text = Text(
        "Worst machines",
        "Largest severity, scores (0 to 1, higher is more unusual) and velocity of any channel in "
        "the range: 20 machines, the worst first.",
        "No status in this range",
    )
    return (
        listing(text, query, {SITE: SITE, MACHINE: MACHINE, **fields}, size=(10, 9))
        .override_by_name("severity", severity_column())
        .override_by_name("velocity_rms_mm_s", unit_column(MM_S, 2))
        .override_by_regexp("score_.*", unit_column(PLAIN, 2))
        .override_by_name(MACHINE, linked_column(*LINKS))
    )


def _freshness() -> table.Panel:
    query = pipe(newest(), listed(["silent_s"], [*WHERE, "heard", "silent_s"], 500))
    text = Text(
        "Freshness",
        "When each machine was last heard (time of its newest status or heartbeat), the longest "
        "silence first. Up to 20 minutes is usual in steady health; yellow from half an hour, red "
        "from an hour: the node, its link or the feed into InfluxDB has stopped.",
        "No machine has been heard for a week",
    )
    return (
        listing(
            text,
            query,
            {SITE: SITE, MACHINE: MACHINE, "heard": "last heard", "silent_s": "silent for"},
            size=(24, 8),
        )
        .override_by_name("silent_s", coloured_column({LATE_S: YELLOW, SILENT_S: RED}, SECONDS))
        .override_by_name(MACHINE, linked_column(*LINKS))
    )
