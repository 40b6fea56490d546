"""Values of options that the command line refuses with a sentence of its own."""

from __future__ import annotations

import datetime as dt
import math
import re
import time
from typing import Any

import click


class Positive(click.ParamType[float]):
    """A finite number above 0, or of at least ``least``, in a unit."""

    def __init__(self, unit: str, least: float = 0.0) -> None:
        self.name, self._least = unit, least

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Return the number."""
        number = _number(value)
        if not (math.isfinite(number) and number >= self._least and number > 0.0):
            bound = f"of at least {self._least:g}" if self._least else "above 0"
            self.fail(f"'{value}' is not a number {bound} ({self.name})", param, ctx)
        return number


class Speed(click.ParamType[float]):
    """A speed in rpm, or the word ``unknown``."""

    name = "RPM"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Return the speed, NaN for ``unknown``."""
        if value == "unknown":
            return math.nan
        speed = _number(value)
        if not 0.0 < speed < 1e6:
            self.fail(f"'{value}' is neither a speed in rpm nor 'unknown'", param, ctx)
        return speed


class Instant(click.ParamType[int]):
    """A span before now, or a time of UTC, as `vibro query` takes them; ns since 1970."""

    name = "TIME"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """Return the instant."""
        from vibro.query import instant  # noqa: PLC0415 (most verbs take none)

        if isinstance(value, int):
            return value
        try:
            return instant(value, time.time_ns())
        except ValueError as error:
            self.fail(str(error), param, ctx)


class TimeOfDay(click.ParamType[dt.time]):
    """A time of day, HH:MM."""

    name = "HH:MM"

    def convert(self, value: Any, param: Any, ctx: Any) -> dt.time:
        """Return the time."""
        found = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", value)
        if found is None:
            self.fail(f"'{value}' is no time of day such as 02:00", param, ctx)
        return dt.time(int(found[1]), int(found[2]))


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
