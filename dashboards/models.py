"""*Models*: what judges the machines, how it came there, and whether it still fits."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard, statetimeline, table, timeseries
from grafana_foundation_sdk.models import dashboard as model

from dashboards.board import board
from dashboards.flux import (
    BUCKETS,
    FITTING,
    Flux,
    by,
    history,
    keep,
    listed,
    pipe,
    points,
    rows,
    windows,
)
from dashboards.marks import model_marks
from dashboards.panels import (
    BYTES,
    PLAIN,
    RED,
    SHARE,
    TIMELINE_POINTS,
    YELLOW,
    Text,
    coloured_column,
    dressed,
    listing,
    trend,
    unit_column,
)
from dashboards.schema import MACHINE, MODEL, NODE, SITE, STATUS

UID = "vibro-models"
WHERE = (SITE, MACHINE)
NAMED = "${__field.labels.site}/${__field.labels.machine} ${__field.name}"
SHIFT, LARGE_SHIFT = 0.05, 0.1
"""Changes of a mean score that are worth a look, and that no healthy machine shows."""
MUCH, TOO_MUCH = 0.03, 0.06
"""Shares of healthy vectors called odd that are more than chance, and that shut the gate."""


def models(page: str) -> model.Dashboard:
    """Build the dashboard."""
    return board(
        UID,
        "Models",
        "What judges the machines: published models, which node runs which, and whether scores "
        "drift away from what the models were trained on.",
        [
            ("Champions", [_published(), _running()]),
            ("Rollout", [_rollout()]),
            ("Drift", [_scores(), _shift(), _judged()]),
        ],
        tags=WHERE,
        page=page,
        annotations=[model_marks()],
    )


def _published() -> table.Panel:
    columns = {
        SITE: SITE,
        "machine_class": "class",
        "role": "role",
        "version": "version",
        "_time": "published",
        "fast_rows": "rows, fast",
        "long_rows": "rows, long",
        "fast_share_p01": "odd, fast",
        "long_share_p01": "odd, long",
        "bytes": "size",
    }
    facts = [c for c in columns if c not in (SITE, "role", "_time")]
    ranked = pipe(
        rows(MODEL, facts, tags=(SITE,), since="-90d", until="now()"),
        by([SITE, "machine_class"]),
        'sort(columns: ["_time"], desc: true)',
    )
    query = f"ranked = {ranked}\n" + pipe(
        "union(tables: ["
        'ranked |> limit(n: 1) |> set(key: "role", value: "champion"), '
        'ranked |> limit(n: 4, offset: 1) |> set(key: "role", value: "before")])',
        "group()",
        listed(["_time"], list(columns)),
    )
    text = Text(
        "Champions and their predecessors",
        "The newest model of each site and machine class is its champion; a night's challenger "
        "that fails its gate is not published and does not stand here. Rows: sampled vectors that "
        "it was trained on. Odd: share of healthy vectors kept back for the gate that its twin "
        "called odd (p < 0.01); 1 % is right, from 6 % on the gate is shut. Five versions a class.",
        "No model has been published within 90 days",
    )
    return (
        listing(text, query, columns, size=(16, 9))
        .override_by_name("bytes", unit_column(BYTES, 0))
        .override_by_regexp("odd, .*", coloured_column({MUCH: YELLOW, TOO_MUCH: RED}, SHARE))
    )


def _running() -> table.Panel:
    query = pipe(
        points(NODE, ["bundle"], since="-7d", until="now()"),
        "last()",
        by([SITE, "_value"]),
        'count(column: "_field")',
        "group()",
        'rename(columns: {_value: "bundle", _field: "nodes"})',
        listed(["bundle"], [SITE, "bundle", "nodes"]),
    )
    text = Text(
        "Nodes by model",
        "How many nodes run which model, the newest first. After a night all nodes of a site and "
        "class should run its champion; a node that has none yet runs the fleet's prior or none.",
        "No node has said what it runs for a week",
    )
    return listing(text, query, {SITE: SITE, "bundle": "model", "nodes": "nodes"}, size=(8, 9))


def _rollout() -> statetimeline.Panel:
    text = Text(
        "Model of each machine",
        "Which model judged each machine, by time: a new one is taken between two windows, so a "
        "change here explains a step in the scores.",
        "No node has said what it runs in this range",
    )
    query = BUCKETS + pipe(
        points(NODE, ["bundle"], bucket=FITTING),
        windows("last"),
        keep(["_time", "_value", *WHERE]),
    )
    panel = dressed(statetimeline.Panel(), text, [Flux(query)], (24, 8), PLAIN, {})
    palette = dashboard.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME)
    panel.display_name("${__field.labels.site}/${__field.labels.machine}").color_scheme(palette)
    return panel.max_data_points(TIMELINE_POINTS)


def _scores() -> timeseries.Panel:
    text = Text(
        "Mean score",
        "Mean score of each machine's channels, fast and long. Machines of one class that rise "
        "together have drifted away from their model (season, load, process); one that rises "
        "alone has a fault.",
        "No model judges these machines yet",
    )
    query = Flux(history(STATUS, ["score_fast", "score_long"], per=WHERE, tags=WHERE, joined=True))
    return trend(text, [query], PLAIN, name=NAMED, size=(24, 9)).min(0).max(1)


def _shift() -> table.Panel:
    scores = points(STATUS, ["score_long"])
    mean = pipe("mean()", by(WHERE), "mean()")
    query = f"whole = {pipe(scores, mean)}\nnewest = {pipe(scores, 'tail(n: 20)', mean)}\n" + pipe(
        'join(tables: {whole: whole, newest: newest}, on: ["site", "machine"])',
        "map(fn: (r) => ({site: r.site, machine: r.machine, mean: r._value_whole, "
        "newest: r._value_newest, shift: r._value_newest - r._value_whole}))",
        "group()",
        listed(["shift"], [*WHERE, "mean", "newest", "shift"]),
    )
    text = Text(
        "Shift of the score",
        "Mean long score of the newest 20 status rows of each channel against that of the whole "
        "range: yellow from +0.05, red from +0.1.",
        "No model judges these machines yet",
    )
    columns = {name: name for name in (*WHERE, "mean", "newest", "shift")}
    shifts = coloured_column({SHIFT: YELLOW, LARGE_SHIFT: RED}, PLAIN)
    return listing(text, query, columns, size=(12, 8)).override_by_name("shift", shifts)


def _judged() -> timeseries.Panel:
    text = Text(
        "Share judged",
        "Share of running time in which a model judged each machine. It falls where a machine "
        "runs in states that its model has not learned.",
        "No status in this range",
    )
    query = Flux(history(STATUS, ["judged_share"], per=WHERE, tags=WHERE, joined=True))
    return trend(text, [query], SHARE, name=NAMED).min(0).max(1)
