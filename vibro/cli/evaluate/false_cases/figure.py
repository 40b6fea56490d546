"""Detection against fault size as one SVG, readable on dark and on light pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT, LEFT, TOP, PANEL, GAP = 900, 490, 62, 34, 176, 56
COLOURS = ("#2f7fd6", "#d1782a", "#2c9c6a", "#b0569c", "#8a8f1c")
DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2")
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}.rule{stroke:#8886;stroke-width:1}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}}"
)
_DELAYS = ((1.0, "1 s"), (10.0, "10 s"), (60.0, "1 min"), (600.0, "10 min"), (3600.0, "1 h"))
_SPREAD = 0.012


def detection_svg(rows: Sequence[dict[str, Any]], title: str) -> str:
    """Draw the share found and the median delay of every fault over its size.

    Parameters
    ----------
    rows : sequence of dict
        With ``fault``, ``size``, ``found``, ``low``, ``high`` (shares) and ``median_delay_s``.
    """
    names = list(dict.fromkeys(r["fault"] for r in rows))
    sizes = sorted({r["size"] for r in rows})
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
    ]
    low, high = math.log10(sizes[0]) - 0.08, math.log10(sizes[-1]) + 0.08

    def across(size: float, k: int) -> float:
        place = (math.log10(size) - low) / (high - low) + _SPREAD * (k - len(names) / 2)
        return LEFT + place * (WIDTH - LEFT - 190)

    lower = TOP + PANEL + GAP
    parts += _shares(TOP) + _delays(lower)
    for size in sizes:
        x = across(size, len(names) // 2)
        parts.append(_text(x, lower + PANEL + 18, f"{size:g}", "middle"))
    middle = (LEFT + WIDTH - 190) / 2
    parts.append(
        _text(middle, lower + PANEL + 36, "size relative to the fully grown fault", "middle")
    )
    for k, name in enumerate(names):
        mine = sorted((r for r in rows if r["fault"] == name), key=lambda r: r["size"])
        parts += _fault(k, name, mine, across, lower)
    return "".join([*parts, "</svg>"])


def _fault(k: int, name: str, rows: Sequence[dict[str, Any]], across: Any, lower: int) -> list[str]:
    colour = COLOURS[k % len(COLOURS)]
    line = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{DASHES[k % 5]}"'
    xs = [across(r["size"], k) for r in rows]
    shares = [(x, _share(r["found"], TOP)) for x, r in zip(xs, rows, strict=True)]
    delays = [
        (x, _delay(r["median_delay_s"], lower))
        for x, r in zip(xs, rows, strict=True)
        if r["median_delay_s"] is not None
    ]
    bars = "".join(
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_share(r["low"], TOP):.1f}" '
        f'y2="{_share(r["high"], TOP):.1f}" stroke="{colour}" stroke-opacity=".55"/>'
        for x, r in zip(xs, rows, strict=True)
    )
    legend = TOP + 18 * k + 10
    return [
        bars,
        *(f'<polyline points="{_points(p)}" {line}/>' for p in (shares, delays) if p),
        *(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
            for x, y in (*shares, *delays)
        ),
        f'<path d="M{WIDTH - 180} {legend}h28" {line}/>',
        _text(WIDTH - 145, legend + 4, name.replace("_", " ")),
    ]


def _shares(top: int) -> list[str]:
    parts = [_text(LEFT, top - 12, "found within two hours (95 % interval)")]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts += _rule(_share(share, top), f"{share:.0%}")
    return parts


def _delays(top: int) -> list[str]:
    parts = [_text(LEFT, top - 12, "median time to the event, where most were found")]
    for seconds, label in _DELAYS:
        parts += _rule(_delay(seconds, top), label)
    return parts


def _rule(y: float, label: str) -> list[str]:
    return [
        f'<line class="rule" x1="{LEFT}" x2="{WIDTH - 190}" y1="{y:.1f}" y2="{y:.1f}"/>',
        _text(LEFT - 8, y + 4, label, "end"),
    ]


def _share(share: float, top: int) -> float:
    return top + PANEL * (1.0 - share)


def _delay(seconds: float, top: int) -> float:
    place = math.log10(max(seconds, 1.0)) / math.log10(7200.0)
    return top + PANEL * (1.0 - place)


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
