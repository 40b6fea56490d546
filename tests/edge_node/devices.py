"""A small machine for tests of drivers, which need no node."""

from __future__ import annotations

from vibro.assets import Machine, Point

MACHINE = Machine(
    site="harbour",
    machine="motor-1",
    machine_class="motor",
    points=tuple(
        Point(channel=f"de-{a.lower()}", location="DE", axis=a, rate_hz=1280.0) for a in "HV"
    ),
)
