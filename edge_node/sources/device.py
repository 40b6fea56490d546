"""The port of what delivers samples as they happen: a converter, a network stream, a bus.

A device is blocking and knows nothing of rings, clocks or epochs: acquisition reads it on a thread
of its own and makes a source of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Frames:
    """Consecutive samples of all channels, and what the device says was lost before them.

    Attributes
    ----------
    counts : ndarray, shape (channels, n), int16, int32 or float32
        Valid until the next read.
    lost : int
        Frames that the device knows to have dropped just before these.
    rpm : float
        Speed of the reference shaft; NaN when it is not measured here.
    anew : bool
        The device began anew by itself and cannot tell what was lost: a new stream epoch begins.
    """

    counts: NDArray[Any]
    lost: int = 0
    rpm: float = float("nan")
    anew: bool = False


class Device(Protocol):
    """A converter that cannot be asked again for what it once delivered."""

    @property
    def rate_hz(self) -> float:
        """Nominal sampling rate."""

    @property
    def scale(self) -> NDArray[np.float32]:
        """m/s2 per count, with the sensors' signs; shape (channels,)."""

    @property
    def sample_bytes(self) -> int:
        """Bytes of one raw sample of one channel as the converter delivers it."""

    def start(self) -> None:
        """Begin, or begin again after a failure.

        Raises
        ------
        VibroError
            One line: what is not there, and the remedy.
        """

    def read(self, timeout_s: float) -> Frames | None:
        """Wait for the next frames; None when none came within the timeout.

        Raises
        ------
        EOFError
            When no sample will ever come again (the sender said goodbye).
        VibroError
            When the device has failed; acquisition starts it again.
        """

    def stop(self) -> None:
        """Release the device; safe to call twice."""
