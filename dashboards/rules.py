"""The alert rules: what calls somebody, after how long, and what silence means.

Texts hold no dollar sign, which the reader of provisioning files would take for an environment
variable: labels are ``.Labels``, values ``.Values``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dashboards import fleet, nodes
from dashboards.fleet import ALARM, SILENT_S
from dashboards.flux import by, pipe, points, rows
from dashboards.nodes import LEAST_ROOM
from dashboards.schema import CASE, EVENT, MACHINE, NODE, OPEN, SITE, STATUS

WHERE = (SITE, MACHINE)
STALE_S = 2700.0
LOST_SHARE = 1e-3
State = Literal["Alerting", "NoData", "OK"]
ErrorState = Literal["OK", "Alerting", "Error"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes
    ----------
    uid : str
    title : str
    query : str
        Flux; yields ``_time``, ``_value`` and labels.
    since_s : int
        Range of the query, back from now.
    above, below : float or None
        The threshold; one of both.
    wait : str
        How long the threshold must be passed before somebody is called.
    severity : str
        Label that notification policies can route by.
    summary, description : str
        Templates of what is told.
    link : str
        Template of an address below the page.
    panel : tuple of str
        Dashboard and title of the panel that shows more; Grafana adds links to both.
    nothing : str
        What no answer means.
    broken : str
        What an error means.
    """

    uid: str
    title: str
    query: str
    since_s: int
    wait: str
    severity: str
    summary: str
    description: str
    link: str
    panel: tuple[str, str]
    above: float | None = None
    below: float | None = None
    nothing: State = "OK"
    broken: ErrorState = "Error"


_NAME = "{{ .Labels.site }}/{{ .Labels.machine }}"
_MACHINE_PAGE = "/machines/{{ .Labels.site }}/{{ .Labels.machine }}"


def _last_of_machine(value: str) -> str:
    """End with one series a machine, whose only point is of now."""
    return pipe(
        f"map(fn: (r) => ({{_time: v.timeRangeStop, site: r.site, machine: r.machine, "
        f"_value: {value}}}))",
        by(WHERE),
    )


def _alarm() -> str:
    return pipe(
        points(STATUS, ["severity"], tags=()),
        "last()",
        by(WHERE),
        "max()",
        _last_of_machine("float(v: r._value)"),
    )


def _case() -> str:
    return pipe(
        rows(CASE, ["state", "severity"], tags=()),
        _last_of_machine(f'if r.state == "{OPEN}" then float(v: r.severity) else -1.0'),
        "max()",
        _last_of_machine("r._value"),
    )


def _heard() -> str:
    """Newest sign of life of each machine: status, heartbeat or event."""
    signs = {"alive": (STATUS, "severity"), "beats": (NODE, "seen"), "events": (EVENT, "severity")}
    named = [
        f"{name} = "
        + pipe(points(m, [f], tags=()), "last()", 'keep(columns: ["_time", "site", "machine"])')
        for name, (m, f) in signs.items()
    ]
    return "\n".join([*named, f"union(tables: [{', '.join(signs)}])"])


_AGE = "float(v: int(v: v.timeRangeStop) - int(v: r._time)) / 1000000000.0"


def _silent() -> str:
    return pipe(_heard(), by(WHERE), 'max(column: "_time")', _last_of_machine(_AGE))


def _stale() -> str:
    return pipe(
        _heard(),
        "group()",
        'max(column: "_time")',
        f"map(fn: (r) => ({{_time: v.timeRangeStop, _value: {_AGE}}}))",
    )


def _lost() -> str:
    """Return the share of an hour's samples that were lost; a new stream counts from 0 again."""
    return pipe(
        points(NODE, ["seen", "lost"], tags=()),
        "increase()",
        "last()",
        'keep(columns: ["_field", "_value", "site", "machine"])',
        'pivot(rowKey: ["site", "machine"], columnKey: ["_field"], valueColumn: "_value")',
        _last_of_machine(
            "if r.seen > 0 then float(v: r.lost) / float(v: r.seen) else 0.0",
        ),
    )


def _room() -> str:
    return pipe(
        points(NODE, ["spool_bytes", "spool_max_bytes"], tags=()),
        "last()",
        'keep(columns: ["_field", "_value", "site", "machine"])',
        'pivot(rowKey: ["site", "machine"], columnKey: ["_field"], valueColumn: "_value")',
        "filter(fn: (r) => exists r.spool_max_bytes and exists r.spool_bytes)",
        _last_of_machine("1.0 - r.spool_bytes / r.spool_max_bytes"),
    )


def rules() -> list[Rule]:
    """Return all rules."""
    return [
        Rule(
            uid="vibro-machine-alarm",
            title="Machine at alarm or worse",
            query=_alarm(),
            since_s=1800,
            above=ALARM - 0.5,
            wait="2m",
            severity="critical",
            summary=f"{_NAME} is at alarm or worse",
            description="The worst channel has severity {{ .Values.B }} (3 = alarm, 4 = danger).",
            link=_MACHINE_PAGE,
            panel=(fleet.UID, "Worst severity of each machine"),
        ),
        Rule(
            uid="vibro-case-open",
            title="Case opened",
            query=_case(),
            since_s=90 * 86_400,
            above=-0.5,
            wait="1m",
            severity="warning",
            summary=f"{_NAME} has an open case",
            description="Its events are one matter of severity {{ .Values.B }} (4 = danger).",
            link=_MACHINE_PAGE,
            panel=(fleet.UID, "Open cases"),
        ),
        Rule(
            uid="vibro-node-silent",
            title="Node silent",
            query=_silent(),
            since_s=2 * 86_400,
            above=SILENT_S,
            wait="5m",
            severity="warning",
            summary=f"Nothing has come from {_NAME} for an hour",
            description="Last heard {{ .Values.B }} s ago; 20 minutes are usual in steady health. "
            "Its node, or the link, is down: what it finds waits in its spool.",
            link=_MACHINE_PAGE,
            panel=(nodes.UID, "Lag"),
        ),
        Rule(
            uid="vibro-samples-lost",
            title="Samples lost",
            query=_lost(),
            since_s=3 * 3600,
            above=LOST_SHARE,
            wait="10m",
            severity="warning",
            summary=f"{_NAME} loses samples",
            description="Share lost in three hours: {{ .Values.B }}. Sensor, converter or cable "
            "fail, or the node has too much to do.",
            link=_MACHINE_PAGE,
            panel=(nodes.UID, "Samples lost by time"),
        ),
        Rule(
            uid="vibro-spool-full",
            title="Spool headroom low",
            query=_room(),
            since_s=2 * 86_400,
            below=LEAST_ROOM,
            wait="10m",
            severity="warning",
            summary=f"The spool of {_NAME} is nearly full",
            description="Free share: {{ .Values.B }}. Records will be thinned, then given up, the "
            "oldest first: mend the link, or give the spool more room (spool.max_mb).",
            link=_MACHINE_PAGE,
            panel=(nodes.UID, "Headroom"),
        ),
        Rule(
            uid="vibro-feed-stale",
            title="InfluxDB feed stale",
            query=_stale(),
            since_s=2 * 86_400,
            above=STALE_S,
            wait="5m",
            severity="critical",
            summary="InfluxDB gets nothing any more",
            description="The newest status or heartbeat of the whole fleet is old: the cloud jobs, "
            "the log before them or InfluxDB have stopped. No other rule can see anything now.",
            link="/",
            panel=(fleet.UID, "Freshness"),
            nothing="Alerting",
            broken="Alerting",
        ),
    ]
