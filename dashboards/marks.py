"""Marks on every panel of a machine: its events, the models that judged it, its maintenance."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from dashboards.board import marks
from dashboards.flux import BUCKETS, KEEPING, LIST_ROWS, SEVERITY_WORD, pipe, rows
from dashboards.schema import CHANNEL, EVENT, MACHINE, MAINTENANCE, MODEL, SITE

EVENTS, MODELS, MAINTAINED = "Events", "Models", "Maintenance"
_NEWEST = f'sort(columns: ["_time"], desc: true)\n  |> limit(n: {LIST_ROWS})'


def all_marks() -> list[dashboard.AnnotationQuery]:
    """Return the marks of a machine's dashboards."""
    return [
        marks(EVENTS, _events(), "orange"),
        model_marks(),
        marks(MAINTAINED, _maintenance(), "purple"),
    ]


def model_marks() -> dashboard.AnnotationQuery:
    """Mark where a model was published."""
    return marks(MODELS, _models(), "blue")


def _events() -> str:
    """From onset to clearance, with the way to waveform and spectrum on the page."""
    fields = ("thing", "severity", "causes", "open", "t_clear_ns")
    return (
        BUCKETS
        + SEVERITY_WORD
        + pipe(
            rows(EVENT, fields, tags=(SITE, MACHINE, CHANNEL), bucket=KEEPING),
            _NEWEST,
            "map(fn: (r) => ({time: r._time, "
            "timeEnd: if exists r.t_clear_ns then time(v: r.t_clear_ns) else v.timeRangeStop, "
            'title: word(s: float(v: r.severity)) + " on " + r.machine + " " + r.channel, '
            'text: r.causes + " <a href=\\"${page:raw}/events/" + r.thing + '
            '"\\" target=\\"_blank\\">waveform and spectrum</a>", '
            'tags: word(s: float(v: r.severity)) + "," + r.channel}))',
        )
    )


def _models() -> str:
    return BUCKETS + pipe(
        rows(MODEL, ("version", "machine_class"), tags=(SITE,), bucket=KEEPING),
        _NEWEST,
        'map(fn: (r) => ({time: r._time, title: "model " + r.version, '
        'text: "published for class " + r.machine_class + " at " + r.site, '
        'tags: "model," + r.machine_class}))',
    )


def _maintenance() -> str:
    return BUCKETS + pipe(
        rows(MAINTENANCE, ("note",), tags=(SITE, MACHINE), bucket=KEEPING),
        _NEWEST,
        'map(fn: (r) => ({time: r._time, title: "maintenance of " + r.machine, text: r.note, '
        'tags: "maintenance"}))',
    )
