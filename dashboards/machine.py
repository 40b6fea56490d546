"""*Machine*: how one machine has been, against its limits and its own past."""

from __future__ import annotations

import math

from grafana_foundation_sdk.builders import common, dashboard, statetimeline, table, timeseries
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import ScaleDistribution, VisibilityMode

from dashboards.board import board
from dashboards.flux import (
    BUCKETS,
    FITTING,
    KEEPING,
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
from dashboards.marks import all_marks
from dashboards.panels import (
    COLOURS,
    GREEN,
    M_S2,
    MM_S,
    PLAIN,
    RED,
    RPM,
    SEVERITY_STEPS,
    SHARE,
    TIMELINE_POINTS,
    UM,
    YELLOW,
    Text,
    dressed,
    linked_column,
    listing,
    prop,
    severity_column,
    severity_mappings,
    trend,
    unit_column,
)
from dashboards.schema import (
    CHANNEL,
    EVENT,
    FAST,
    LIMIT,
    LONG,
    MACHINE,
    SITE,
    STATE,
    STATUS,
    ZONE_FIELDS,
)

UID = "vibro-machine"
POINT = (SITE, MACHINE, CHANNEL)
NAMED = "${__field.labels.machine} ${__field.labels.channel}"
ODD_P, ODDEST_P = 1e-2, 1e-6
"""p-values from which a window is unusual, and outright strange."""
ZONES = dict(zip(ZONE_FIELDS, (COLOURS[0], COLOURS[2], COLOURS[4]), strict=True))


def machine(page: str) -> model.Dashboard:
    """Build the dashboard."""
    return board(
        UID,
        "Machine",
        "How a machine has been: severity and state, velocity against its ISO zones, scores, "
        "events with the way to their waveforms and spectra.",
        [
            ("Condition", [_severity(), _states()]),
            ("Vibration", [_velocity(), _displacement(), _acceleration(), _shape()]),
            ("How unusual", [_scores(), _p_values(), _speed(), _judged()]),
            ("What happened", [_events()]),
        ],
        tags=POINT,
        page=page,
        annotations=all_marks(),
    )


def _severity() -> statetimeline.Panel:
    text = Text(
        "Severity",
        "Worst severity of each channel: ok, watch, alert, alarm, danger. A score alone never "
        "exceeds alert; ISO zone C is an alert, D danger; a diagnosed, growing fault an alarm.",
        "No status in this range",
    )
    query = Flux(history(STATUS, ["severity"], "max", joined=True))
    panel = dressed(statetimeline.Panel(), text, [query], (24, 6), PLAIN, SEVERITY_STEPS)
    panel.mappings(severity_mappings()).display_name(NAMED).max_data_points(TIMELINE_POINTS)
    return panel.show_value(VisibilityMode.NEVER)


def _states() -> statetimeline.Panel:
    text = Text(
        "Operating state",
        "State of the machine as its node saw it: stopped, transient, or a regime of speed. Each "
        "is judged against its own baseline, so a change here explains a step in a trend.",
        "No status in this range",
    )
    query = BUCKETS + pipe(
        points(STATUS, ["severity"], tags=POINT, bucket=FITTING),
        windows("max"),
        by([SITE, MACHINE]),
        f"map(fn: (r) => ({{_time: r._time, {SITE}: r.{SITE}, {MACHINE}: r.{MACHINE}, "
        f'_value: if exists r.{STATE} then r.{STATE} else "unknown"}}))',
        by([SITE, MACHINE]),
        'unique(column: "_time")',
        'sort(columns: ["_time"])',
        keep(["_time", "_value", SITE, MACHINE]),
    )
    panel = dressed(statetimeline.Panel(), text, [Flux(query)], (24, 4), PLAIN, {})
    palette = dashboard.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME)
    panel.display_name("${__field.labels.machine}").max_data_points(TIMELINE_POINTS)
    return panel.color_scheme(palette)


def _zones() -> str:
    """Zone boundaries of the machine as level lines from one end of the range to the other."""
    return BUCKETS + (
        "newest = "
        + pipe(
            points(
                LIMIT,
                list(ZONE_FIELDS),
                tags=POINT,
                bucket=KEEPING,
                since="time(v: int(v: v.timeRangeStop) - 90 * day)",
            ),
            "last()",
            by([SITE, MACHINE, "_field"]),
            "max()",
            keep(["_value", "_field", SITE, MACHINE]),
        )
        + "\n"
        + pipe(
            "union(tables: [newest |> map(fn: (r) => ({r with _time: v.timeRangeStart})), "
            "newest |> map(fn: (r) => ({r with _time: v.timeRangeStop}))])",
            by([SITE, MACHINE, "_field"]),
            'sort(columns: ["_time"])',
        )
    )


def _velocity() -> timeseries.Panel:
    text = Text(
        "Velocity",
        "RMS velocity, 10 to 1000 Hz (2 to 1000 Hz below 600 rpm). Dashed: zone boundaries of ISO "
        "10816-3 where the standard applies to the machine: above A/B it is no longer like new, "
        "above B/C (alert) it is fit for a limited time only, above C/D (danger) damage is likely.",
        "No status in this range",
    )
    queries = [Flux(history(STATUS, ["velocity_rms_mm_s"])), Flux(_zones(), "limits")]
    panel = trend(text, queries, MM_S, name=NAMED, size=(24, 10))
    dashed = [
        prop("custom.lineStyle", {"fill": "dash", "dash": [10, 10]}),
        prop("custom.lineWidth", 2),
        prop("custom.showPoints", "never"),
    ]
    panel.override_by_query("limits", dashed)
    for field, title in ZONE_FIELDS.items():
        colour = {"mode": "fixed", "fixedColor": ZONES[field]}
        name = f"{title} ${{__field.labels.machine}}"
        panel.override_by_name(field, [prop("displayName", name), prop("color", colour)])
    return panel


def _displacement() -> timeseries.Panel:
    text = Text(
        "Displacement",
        "RMS displacement over the same band as velocity: it leads at low speeds.",
        "No features in this range",
    )
    return trend(text, [Flux(history(LONG, ["displacement_rms_um"]))], UM, name=NAMED)


def _acceleration() -> timeseries.Panel:
    text = Text(
        "Acceleration",
        "RMS and largest peak over the whole band: impacts of bearings and gears rise here first.",
        "No features in this range",
    )
    queries = [
        Flux(history(FAST, ["rms"]), "rms"),
        Flux(history(FAST, ["peak_max"], "max"), "peak"),
    ]
    return trend(text, queries, M_S2, name=f"{NAMED} ${{__field.name}}")


def _shape() -> timeseries.Panel:
    text = Text(
        "Kurtosis",
        "Impulsiveness of the signal: 3 for Gaussian noise, higher for impacts. Early bearing "
        "damage raises it; advanced damage lets it fall again. Yellow from 6, red from 12.",
        "No features in this range",
    )
    query = Flux(history(FAST, ["kurtosis"]))
    return trend(text, [query], PLAIN, name=NAMED, steps={6.0: YELLOW, 12.0: RED})


def _scores() -> timeseries.Panel:
    text = Text(
        "Scores",
        "Score of the fast and of the long forest, mean of the interval: 0 to 1, higher is more "
        "unusual. There is none without a baseline. What is remarkable depends on the model: the "
        "p-value beside it is calibrated.",
        "No model judges this machine yet",
    )
    query = Flux(history(STATUS, ["score_fast", "score_long"]))
    panel = trend(text, [query], PLAIN, name=f"{NAMED} ${{__field.name}}")
    return panel.min(0).max(1)


def _p_values() -> timeseries.Panel:
    text = Text(
        "p-values",
        "Smallest p-value of the interval's windows, how often health alone looks like this. A "
        "minute holds hundreds of windows, so 0.001 is usual; below one in a million is not.",
        "No model judges this machine yet",
    )
    query = Flux(history(STATUS, ["p_fast", "p_long"], "min"))
    steps = {-math.inf: RED, ODDEST_P: YELLOW, ODD_P: GREEN}
    panel = trend(text, [query], PLAIN, name=f"{NAMED} ${{__field.name}}", steps=steps)
    logarithmic = common.ScaleDistributionConfig().type(ScaleDistribution.LOG).log(10)
    return panel.scale_distribution(logarithmic)


def _speed() -> timeseries.Panel:
    text = Text(
        "Speed",
        "Speed of the reference shaft where it is measured; lines and orders follow it.",
        "No speed is measured",
    )
    query = Flux(history(STATUS, ["rpm"], per=(SITE, MACHINE), joined=True))
    return trend(text, [query], RPM, name="${__field.labels.machine}")


def _judged() -> timeseries.Panel:
    text = Text(
        "Share judged",
        "Share of running time in which something judged the channel. Elsewhere there was no "
        "baseline for the state, or the sensor failed: what is not judged is not watched.",
        "No status in this range",
    )
    query = Flux(history(STATUS, ["judged_share"]))
    steps = {-math.inf: RED, 0.5: YELLOW, 0.95: GREEN}
    return trend(text, [query], SHARE, name=NAMED, steps=steps).min(0).max(1)


def _events() -> table.Panel:
    fields = ("thing", "severity", "causes", "score", "open")
    columns = {
        "severity": "severity",
        "_time": "onset",
        MACHINE: MACHINE,
        CHANNEL: CHANNEL,
        "causes": "causes",
        "score": "score",
        "open": "open",
        "thing": "waveform and spectrum",
    }
    query = BUCKETS + pipe(
        rows(EVENT, fields, tags=POINT, bucket=KEEPING), listed(["_time"], list(columns))
    )
    text = Text(
        "Events",
        "Anomalies with onset in the range, the newest first: what raised each, and the way to its "
        "waveform and spectrum on the page.",
        "No event in this range",
    )
    link = linked_column(("Waveform and spectrum", "${page:raw}/events/${__data.fields.thing}"))
    return (
        listing(text, query, columns, size=(24, 9))
        .override_by_name("severity", severity_column())
        .override_by_name("score", unit_column(PLAIN, 2))
        .override_by_name("thing", link)
    )
