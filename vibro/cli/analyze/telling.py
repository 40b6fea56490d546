"""What `vibro analyze` prints for people."""

from __future__ import annotations

from typing import Any

import click


def tell(result: dict[str, Any]) -> None:
    """Print the short report."""
    rpm = result["rpm"]
    speed = f"{rpm:g} rpm" if rpm == rpm else "speed unknown"
    click.echo(f"{result['file']}: {result['rate_hz']:g} Hz, {speed}")
    click.echo(f"severity {result['severity']}")
    if not result["diagnosis"]:
        click.echo("nothing found")
    for d in result["diagnosis"]:
        fault = d["fault"].replace("_", " ")
        click.echo(f"\n{fault}  probability {d['probability']:.2f}  channel {d['channel']}")
        for e in d["evidence"]:
            click.echo(
                f"  {e['line']:<6} expected {e['expected_hz']:.2f} Hz, found {e['found_hz']:.2f} "
                f"Hz, {e['snr_db']:.1f} dB over the noise (decoys {e['decoy_snr_db']:.1f} dB), "
                f"{e['harmonics']} harmonics"
            )
        if d["note"]:
            click.echo(f"  {d['note']}")
    names = ("rms", "crest_factor", "kurtosis", "velocity_rms_mm_s")
    known = [f"{n} {result['features'][n]:.4g}" for n in names if n in result["features"]]
    click.echo(f"\nchannel {result['channel']}: {', '.join(known)}")
    for note in result["notes"]:
        click.echo(f"note: {note}")
    for figure in result["figures"]:
        click.echo(figure)
