"""A dashboard: its variables, its rows of panels, and its place among the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog import builder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.flux import ANY, KIND, Flux
from dashboards.panels import SOURCE
from dashboards.schema import STATUS

TAG = "vibro"
FOLDER_UID, FOLDER = "vibro", "Vibro"
DATASOURCE_UID, DATASOURCE = "vibro-influxdb", "Vibro InfluxDB"

AnyPanel = builder.Builder[model.Panel]
Row = tuple[str, Sequence[AnyPanel]]
"""A row's title and its panels."""
MACHINE_LINK = (
    "/d/vibro-machine?var-site=${__data.fields.site}&var-machine=${__data.fields.machine}"
    "&${__url_time_range}"
)
"""From a row of a list to its machine's dashboard."""
PAGE_LINK = "${page}/machines/${__data.fields.site}/${__data.fields.machine}"
"""From a row of a list to its machine on the page."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a dashboard is opened with."""

    since: str = "now-24h"
    refresh: str = "1m"


def board(
    uid: str,
    title: str,
    description: str,
    rows: Sequence[Row],
    *,
    tags: Sequence[str],
    page: str,
    annotations: Sequence[dashboard.AnnotationQuery] = (),
    look: Look | None = None,
) -> model.Dashboard:
    """Lay out a dashboard; panels are numbered from 1 in their order.

    Parameters
    ----------
    tags : sequence of str
        Which of the variables site, machine and channel it has.
    page : str
        Address of the page that events and machines are linked to, without a slash at its end.
    """
    look = look or Look()
    made = dashboard.Dashboard(title).uid(uid).description(description).tags([TAG])
    made.time(look.since, "now").refresh(look.refresh).tooltip(model.DashboardCursorSync.CROSSHAIR)
    made.link(
        dashboard.DashboardLink("Vibro")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
    )
    for variable in _variables(tags, page):
        made.with_variable(variable)
    for annotation in annotations:
        made.annotation(annotation)
    number = 0
    for name, panels in rows:
        number += 1
        made.with_row(dashboard.Row(name).id(number))
        for panel in panels:
            number += 1
            made.with_panel(cast("Any", panel).id(number))
    return made.build()


def _variables(tags: Sequence[str], page: str) -> list[builder.Builder[model.VariableModel]]:
    return [
        dashboard.DatasourceVariable("datasource")
        .label("InfluxDB")
        .type(KIND)
        .current(model.VariableOption(text=DATASOURCE, value=DATASOURCE_UID)),
        *(_chosen(tag, tags[:i]) for i, tag in enumerate(tags)),
        _page(page),
    ]


def _page(page: str) -> dashboard.ConstantVariable:
    """A constant: nobody can turn the links of events elsewhere by an address."""
    variable = dashboard.ConstantVariable("page").value(page)
    variable.build().hide = model.VariableHide.HIDE_VARIABLE
    return variable


def _chosen(tag: str, above: Sequence[str]) -> dashboard.QueryVariable:
    everything = model.VariableOption(text="All", value="$__all")
    return (
        dashboard.QueryVariable(tag)
        .label(tag.capitalize())
        .query(values_query(tag, above))
        .datasource(SOURCE)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(ANY)
        .current(everything)
    )


def values_query(tag: str, above: Sequence[str]) -> str:
    """Return the query for the values of a tag, of what was chosen of the tags above it."""
    chosen = "".join(f" and r.{t} =~ /^${{{t}:regex}}$/" for t in above)
    return (
        'import "influxdata/influxdb/schema"\n'
        f'schema.tagValues(bucket: v.defaultBucket, tag: "{tag}", start: -90d, '
        f'predicate: (r) => r._measurement == "{STATUS}"{chosen})'
    )


def marks(name: str, query: str, colour: str) -> dashboard.AnnotationQuery:
    """Mark instants on every panel; the query yields time, timeEnd, title, text and tags."""
    target = cast("Any", Flux(query, "Anno"))
    return (
        dashboard.AnnotationQuery()
        .name(name)
        .datasource(SOURCE)
        .enable(True)
        .icon_color(colour)
        .target(target)
    )
