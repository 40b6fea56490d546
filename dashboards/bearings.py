"""*Bearings and gears*: the lines that geometry predicts, and where in the band energy grows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from grafana_foundation_sdk.builders import heatmap, timeseries
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode

from dashboards.board import board
from dashboards.flux import Flux, history
from dashboards.marks import all_marks
from dashboards.panels import (
    DB,
    M_S2,
    RED,
    TIMELINE_POINTS,
    YELLOW,
    Steps,
    Text,
    dressed,
    prop,
    trend,
)
from dashboards.schema import (
    BAND_FIELDS,
    BEARING_FIELDS,
    BLADE_FIELDS,
    CHANNEL,
    FAST,
    GEAR_FIELDS,
    LONG,
    MACHINE,
    ORDER_FIELDS,
    SITE,
)

UID = "vibro-bearings"
WHERE = "${__field.labels.machine} ${__field.labels.channel}"
CLEAR_DB, STRONG_DB = 6.0, 12.0
"""Height of a line above its decoys from which it stands out, and from which it is plain."""
LINE_STEPS: Steps = {CLEAR_DB: YELLOW, STRONG_DB: RED}
LEAST_DB = -1000.0
"""Below every level: a heatmap of levels hides nothing."""
NOTHING = "No features of the long path in this range"


def bearings(page: str) -> model.Dashboard:
    """Build the dashboard."""
    return board(
        UID,
        "Bearings and gears",
        "Lines that geometry predicts, in orders of the shaft: bearings in the squared envelope "
        "spectrum, shafts, gears and blades in the spectrum; and a heatmap of the whole band.",
        [
            ("Bearings", [_bearing_lines(), _envelope_lines(), _envelope_level()]),
            ("Shaft", [_orders("low", 0.5, 3.0), _orders("high", 4.0, 10.0)]),
            ("Gears and blades", [_gear(), _sidebands(), _blades()]),
            ("Where in the band", [_bands()]),
        ],
        tags=(SITE, MACHINE, CHANNEL),
        page=page,
        annotations=all_marks(),
    )


def _lines(
    text: Text,
    fields: Mapping[str, str],
    unit: str,
    *,
    measurement: str = LONG,
    steps: Steps | None = None,
    size: tuple[int, int] = (12, 8),
) -> timeseries.Panel:
    query = Flux(history(measurement, list(fields)))
    panel = trend(text, [query], unit, name=WHERE, steps=steps or {}, size=size)
    for field, name in fields.items():
        panel.override_by_name(field, [prop("displayName", f"{WHERE} {name}")])
    return panel


def _bearing_lines() -> timeseries.Panel:
    text = Text(
        "Bearing lines",
        "Height of each bearing line in the squared envelope spectrum over what the same search "
        "finds at decoy frequencies, mean of harmonics 1 to 3. From 6 dB a line stands out, from "
        "12 dB it is plain. 0 where the register names no bearing or the speed is unknown.",
        NOTHING,
    )
    return _lines(text, BEARING_FIELDS, DB, steps=LINE_STEPS, size=(24, 9))


def _envelope_lines() -> timeseries.Panel:
    text = Text(
        "Shaft and highest line of the envelope",
        "What modulates the high frequencies: the shaft (looseness, a rubbing or eccentric part), "
        "and the highest line of all, also where no geometry is known.",
        NOTHING,
    )
    fields = {"ses_shaft": "shaft", "ses_peak": "highest"}
    return _lines(text, fields, DB, steps={STRONG_DB: YELLOW, 2 * STRONG_DB: RED})


def _envelope_level() -> timeseries.Panel:
    text = Text(
        "Envelope level",
        "Power of the band whose envelope is taken, re 1 (m/s2)^2: lubrication and wear raise it "
        "before lines appear. Judge the change: 6 dB is a doubling of amplitude.",
        "No features of the fast path in this range",
    )
    return _lines(text, {"envelope_level": "envelope"}, DB, measurement=FAST)


def _between(low: float, high: float) -> Iterable[tuple[str, str]]:
    return ((f, n) for f, n in ORDER_FIELDS.items() if low <= float(n.removesuffix("x")) <= high)


def _orders(which: str, low: float, high: float) -> timeseries.Panel:
    text = Text(
        f"Orders {low:g}x to {high:g}x",
        {
            "low": "Amplitudes at multiples of the shaft's speed. 1x: imbalance; 2x: misalignment; "
            "halves and many multiples: looseness, rub. Judge growth against the machine's past.",
            "high": "Higher multiples of the shaft's speed: many of them together are looseness.",
        }[which],
        NOTHING,
    )
    return _lines(text, dict(_between(low, high)), M_S2)


def _gear() -> timeseries.Panel:
    text = Text(
        "Gear mesh",
        "Amplitude at teeth times speed, and at twice that. It follows the load: compare like with "
        "like. 0 where the register knows no teeth.",
        NOTHING,
    )
    return _lines(text, GEAR_FIELDS, M_S2, size=(8, 8))


def _sidebands() -> timeseries.Panel:
    text = Text(
        "Gear sidebands",
        "Power of the mesh's sidebands over the power of the mesh: rising sidebands are uneven "
        "wear or a damaged tooth. At 0 dB they are as strong as the mesh itself.",
        NOTHING,
    )
    steps = {-6.0: YELLOW, 0.0: RED}
    return _lines(text, {"gear_sidebands": "sidebands"}, DB, steps=steps, size=(8, 8))


def _blades() -> timeseries.Panel:
    text = Text(
        "Blade pass",
        "Amplitude at blades times speed, and at twice that: flow, clearance, blocked inlets. 0 "
        "where the register knows no blades.",
        NOTHING,
    )
    return _lines(text, BLADE_FIELDS, M_S2, size=(8, 8))


def _bands() -> heatmap.Panel:
    text = Text(
        "Band levels of ${channel}",
        "Level of 16 logarithmic bands from 10 Hz (bottom) to half the sampling rate (top), dB re "
        "1 (m/s2)^2, mean of the chosen machines: a stripe that brightens is a resonance or a band "
        "that a fault excites. One picture a channel.",
        "No features of the fast path in this range",
    )
    query = Flux(history(FAST, BAND_FIELDS, per=(), joined=True))
    panel = dressed(heatmap.Panel(), text, [query], (24, 10), DB, {})
    return (
        panel.calculate(False)
        .filter_values(heatmap.FilterValueRange().le(LEAST_DB))
        .color(
            heatmap.HeatmapColorOptions()
            .mode(HeatmapColorMode.SCHEME)
            .scheme("Spectral")
            .fill("dark-orange")
            .exponent(0.5)
            .steps(64)
            .reverse(True)
        )
        .cell_gap(0)
        .show_color_scale(True)
        .cell_values(heatmap.CellValues().unit(DB))
        .repeat(CHANNEL)
        .repeat_direction("h")
        .max_per_row(2)
        .max_data_points(TIMELINE_POINTS)
    )
