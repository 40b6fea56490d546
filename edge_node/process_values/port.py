"""The ports of process values: what a node asks for them, and what reads them from a server."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Values:
    """Process values at one instant; NaN = not known (not mapped, not readable or too old).

    Attributes
    ----------
    rpm : float
        Speed of the reference shaft, never negative.
    load : float
        %.
    running : float
        1 or 0.
    temperature : float
        degC.
    age_s : float
        Time since they were asked for; infinite before the first answer.
    """

    rpm: float = math.nan
    load: float = math.nan
    running: float = math.nan
    temperature: float = math.nan
    age_s: float = math.inf

    @property
    def speed(self) -> float:
        """The speed; 0 where only "not running" is known; else NaN. No speed is made up."""
        return 0.0 if math.isnan(self.rpm) and self.running == 0.0 else self.rpm


class ProcessValues(Protocol):
    """Slow values of the machine, kept up to date in the background."""

    @property
    def last_error(self) -> str:
        """Why the last poll failed; empty when it did not."""

    def start(self) -> None:
        """Begin; safe to call twice."""

    def latest(self) -> Values:
        """Return the last values that are not too old; never waits for anything."""

    def stop(self) -> None:
        """End; safe to call twice."""


class Reader(Protocol):
    """A connection to a server; all methods are called on one thread and may block."""

    def open(self) -> None:
        """Connect.

        Raises
        ------
        VibroError
            In one line.
        """

    def read(self) -> Mapping[str, float]:
        """Return raw values by quantity, NaN for one that the server does not give.

        Raises
        ------
        VibroError
            If the connection has failed, in one line.
        """

    def close(self) -> None:
        """Disconnect; safe to call twice, and after a failure."""
