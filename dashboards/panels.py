"""How a panel of ours looks: what every kind of panel is given, and the colours of severities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    heatmap,
    stat,
    statetimeline,
    statushistory,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    TableCellDisplayMode,
    TooltipDisplayMode,
    VisibilityMode,
)

from dashboards.flux import KIND, Flux
from dashboards.schema import SEVERITIES

SOURCE = model.DataSourceRef(type_val=KIND, uid="${datasource}")
"""The datasource that the dashboard's own variable chooses."""

MM_S, UM = "suffix: mm/s", "suffix: µm"
M_S2, DB = "accMS2", units.Decibel
PLAIN, SHARE, SECONDS, BYTES, RPM = (
    units.NoUnit,
    units.PercentUnit,
    units.Seconds,
    units.BytesSI,
    units.RevolutionsPerMinute,
)

COLOURS = {0: "green", 1: "yellow", 2: "orange", 3: "red", 4: "dark-purple"}
"""Colour of each severity, ok to danger."""
GREEN, YELLOW, RED = COLOURS[0], COLOURS[1], COLOURS[3]

TREND_POINTS, TIMELINE_POINTS, CELLS = 400, 200, 96
"""Values of a series that are asked for: what All of a site's channels can still be drawn from."""

Panel = TypeVar(
    "Panel",
    heatmap.Panel,
    stat.Panel,
    statetimeline.Panel,
    statushistory.Panel,
    table.Panel,
    timeseries.Panel,
)
Steps = Mapping[float, str]
"""Thresholds: from a value on, a colour."""
CALM: Steps = {}
"""A value that is neither good nor bad by itself: everything is green."""


@dataclass(frozen=True, slots=True)
class Text:
    """What a panel says of itself.

    Attributes
    ----------
    description : str
        What is shown, where it comes from, and what would be remarkable.
    nothing : str
        Shown instead of an empty picture.
    """

    title: str
    description: str
    nothing: str


def dressed(
    panel: Panel,
    text: Text,
    queries: Sequence[Flux],
    size: tuple[int, int],
    unit: str,
    steps: Steps,
) -> Panel:
    """Give a panel what every panel has.

    Parameters
    ----------
    size : tuple of int
        Width (of 24) and height, in Grafana's grid.
    """
    found = [model.Threshold(value=v, color=c) for v, c in _ladder(steps)]
    panel.title(text.title).description(text.description).no_value(text.nothing)
    panel.datasource(SOURCE).span(size[0]).height(size[1]).unit(unit)
    panel.thresholds(dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(found))
    for query in queries:
        panel.with_target(query)
    return panel


def _ladder(steps: Steps) -> list[tuple[float | None, str]]:
    """Thresholds in their order; the first has no value and is green unless -inf says otherwise."""
    first = steps.get(-math.inf, GREEN)
    return [(None, first), *sorted((v, c) for v, c in steps.items() if v > -math.inf)]


def trend(
    text: Text,
    queries: Sequence[Flux],
    unit: str,
    *,
    name: str,
    steps: Steps = CALM,
    size: tuple[int, int] = (12, 8),
) -> timeseries.Panel:
    """Lines over time; ``name`` is the legend's pattern, and thresholds are dashed lines."""
    panel = dressed(timeseries.Panel(), text, queries, size, unit, steps)
    panel.max_data_points(TREND_POINTS)
    if steps:
        dashed = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        panel.thresholds_style(dashed)
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).show_legend(True)
    return (
        panel.display_name(name)
        .legend(legend.placement(LegendPlacement.BOTTOM))
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
        .line_width(1)
        .fill_opacity(0)
        .show_points(VisibilityMode.AUTO)
    )


def figure(
    text: Text, query: str, unit: str, *, steps: Steps, size: tuple[int, int] = (6, 4)
) -> stat.Panel:
    """One number."""
    panel = dressed(stat.Panel(), text, [Flux(query)], size, unit, steps)
    newest = common.ReduceDataOptions().calcs(["lastNotNull"])
    panel.color_mode(BigValueColorMode.VALUE).graph_mode(BigValueGraphMode.NONE)
    return panel.reduce_options(newest)


def listing(
    text: Text, query: str, columns: Mapping[str, str], *, size: tuple[int, int]
) -> table.Panel:
    """Rows, whose columns stand in the order given and are called as given.

    A list is as long as it is, so the points asked for are no function of its width.
    """
    order = {
        "indexByName": {name: i for i, name in enumerate(columns)},
        "renameByName": {name: title for name, title in columns.items() if name != title},
    }
    return (
        dressed(table.Panel(), text, [Flux(query)], size, PLAIN, CALM)
        .max_data_points(1000)
        .with_transformation(model.DataTransformerConfig(id_val="organize", options=order))
    )


def severity_mappings() -> list[model.ValueMapping]:
    """Show a severity as its word, in its colour."""
    options = {
        str(value): model.ValueMappingResult(text=word, color=COLOURS[value], index=value)
        for value, word in SEVERITIES.items()
    }
    return [model.ValueMap(options=options)]


SEVERITY_STEPS: Steps = {float(v): c for v, c in COLOURS.items() if v}


# -- columns of lists ------------------------------------------------------------------------------


def prop(name: str, value: Any) -> model.DynamicConfigValue:
    """Return one property of an override."""
    return model.DynamicConfigValue(id_val=name, value=value)


def severity_column() -> list[model.DynamicConfigValue]:
    """Show the column of severities as coloured words."""
    cell = {"type": TableCellDisplayMode.COLOR_BACKGROUND.value, "mode": "basic"}
    return [prop("mappings", severity_mappings()), prop("custom.cellOptions", cell)]


def coloured_column(steps: Steps, unit: str) -> list[model.DynamicConfigValue]:
    """Show a column in the colours of its own thresholds."""
    found = [{"value": v, "color": c} for v, c in _ladder(steps)]
    return [
        prop("unit", unit),
        prop("thresholds", {"mode": "absolute", "steps": found}),
        prop("custom.cellOptions", {"type": TableCellDisplayMode.COLOR_TEXT.value}),
    ]


def unit_column(unit: str, decimals: int | None = None) -> list[model.DynamicConfigValue]:
    """Show a column in its own unit."""
    return [prop("unit", unit), *([] if decimals is None else [prop("decimals", decimals)])]


def linked_column(*links: tuple[str, str]) -> list[model.DynamicConfigValue]:
    """Make a column's cells lead somewhere: titles and addresses."""
    return [prop("links", [{"title": title, "url": url} for title, url in links])]
