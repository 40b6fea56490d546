"""The newest spectrum of every channel of a machine, over the first in the same state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from cloud_jobs.lake import Lake
from cloud_jobs.serve.plot import Line, Plot
from vibro.records import Spectrum
from vibro.wire import decode

FLOOR = 1e-6
"""m/s2; what is not above it was told as nothing."""


def spectra_of(lake: Lake, path: str) -> list[Spectrum]:
    """Spectra of a machine (``site/machine``) in the order of time."""
    site, _, machine = path.partition("/")
    where = (pc.field("site") == site) & (pc.field("machine") == machine)
    rows = lake.table("spectra", where, columns=["t0_ns", "record"]).sort_by("t0_ns")
    return [cast("Spectrum", decode(value)) for value in rows["record"].to_pylist()]


def daily_plots(spectra: Sequence[Spectrum]) -> list[Plot]:
    """Return one plot a channel: RMS acceleration of the newest, and of the first in its state."""
    if not spectra:
        return []
    newest = spectra[-1]
    alike = [s for s in spectra if (s.state, s.channels) == (newest.state, newest.channels)]
    first = alike[0] if alike[0].values.shape == newest.values.shape else newest
    return [_plot(newest, first, c) for c in range(len(newest.channels))]


def _plot(newest: Spectrum, first: Spectrum, channel: int) -> Plot:
    hz = newest.frequencies_hz()
    lines = [Line(hz, _db(newest, channel), f"newest, {newest.averages} averages", 0)]
    if first is not newest:
        lines.insert(0, Line(first.frequencies_hz(), _db(first, channel), "first", 9))
    name = newest.channels[channel]
    return Plot(
        f"Spectrum of {name}, {newest.state}",
        "Hz",
        "dB re 1 m/s² RMS",
        lines,
        order_hz=newest.rpm / 60.0 if newest.rpm > 0 else 0.0,
        x_range=(0.0, float(hz[-1])),
        name=f"daily-{name}",
    )


def _db(spectrum: Spectrum, channel: int) -> NDArray[np.float64]:
    values = spectrum.values[channel].astype(np.float64)
    return np.asarray(20.0 * np.log10(np.maximum(values, FLOOR)), np.float64)
