"""The proof as text for a terminal, and its figure as a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from vibro.cli.evaluate.false_cases.figure import detection_svg
from vibro.errors import BadInputError

TITLE = "Share of faults found and time to their event, over the size of the fault"


def write_figure(path: Path, result: dict[str, Any]) -> None:
    """Write detection against fault size as an SVG.

    Raises
    ------
    BadInputError
        If the file cannot be written.
    """
    try:
        path.write_text(detection_svg(result["detection"], TITLE) + "\n", encoding="utf-8")
    except OSError as error:
        raise BadInputError(f"{path}: cannot be written ({error.strerror})") from None


def show(result: dict[str, Any]) -> None:
    """Print what was found."""
    for line in lines(result):
        click.echo(line)


def lines(result: dict[str, Any]) -> Iterator[str]:
    """Everything that was found, a line each."""
    yield from _cases(result["false_cases"])
    clips, control = result["healthy_clips"], result["healthy_trials"]
    low, high = clips["share95"]
    yield (
        f"healthy clips that name a fault: {clips['named']} of {clips['clips']} "
        f"({low:.1%} to {high:.1%})"
    )
    yield f"healthy waveforms with an event: {control['events']} of {control['trials']}, 2 h each"
    for path in ("fast", "long"):
        yield from _validation(path, result["validation"][path])
    yield "fault             size  found (95 %)            median time   named  named otherwise"
    for row in result["detection"]:
        delay = row["median_delay_s"]
        yield (
            f"{row['fault']:<16} {row['size']:>5g}  {row['found']:>4.0%} "
            f"({row['low']:>4.0%} to {row['high']:>4.0%})  "
            f"{'-' if delay is None else f'{delay:.1f} s':>12}  "
            f"{row['named']:>6.0%}  "
            f"{', '.join(f'{k} {n}' for k, n in row['named_as'].items() if k != row['fault'])}"
        )
    for target in result["targets"]:
        met = "met" if target["met"] else "missed"
        yield f"{target['name']}: {target['value']:.3g} ({target['op']} {target['target']:g}) {met}"


def _cases(found: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{found['cases']} false cases in {found['running_months']:.1f} running machine-months "
        f"({found['machine_months']} on the calendar): {found['per_running_month']:.4f} a month, "
        f"{found['low95']:.4f} to {found['high95']:.4f} with 95 %"
    )
    for row in found["cases_by_cause"]:
        yield f"  case of {row['what']} by {row['why']}: {row['count']}"
    low, high = found["events95"]
    yield (
        f"{found['events']} events ({found['events_per_running_month']:.3f} a month, {low:.3f} to "
        f"{high:.3f}) on {found['machines_with_event']} machines"
    )
    for row in found["events_by_cause"]:
        yield f"  {row['what']} by {row['why']}: {row['count']}"


def _validation(path: str, found: dict[str, Any]) -> Iterator[str]:
    gaps = ", ".join(
        f"{q}: {typical:.2f}/{worst:.2f}" for q, (typical, worst) in found["quantile_gap"].items()
    )
    yield f"{path}: quantiles apart by (typical/worst feature, standard deviations) {gaps}"
    shares = ", ".join(f"{s}: {a:.2e}/{b:.2e}" for s, (a, b) in found["share_below"].items())
    yield f"{path}: share of p-values below (waveforms/feature level) {shares}"
    blocks = ", ".join(
        f"{name} {mean:.2f}, {spread:.2f}, {high:.2f}"
        for name, (mean, spread, high) in found["blocks"].items()
    )
    yield f"{path}: blocks' deviation (mean, deviation, 99 %): {blocks}"
