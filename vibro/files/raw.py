"""What a reader finds in a file before units, channel choice and checks."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Raw:
    """Contents of a file.

    Attributes
    ----------
    samples : ndarray, float64 or float32, shape (channels, n)
    names : tuple of str
    rate_hz, rpm : float
        NaN where the file does not say it.
    units : str
        ``""`` where the file does not say it.
    multipliers : dict
        Fault frequencies in Hz that the file itself carries.
    """

    samples: NDArray[np.floating]
    names: tuple[str, ...]
    rate_hz: float = float("nan")
    rpm: float = float("nan")
    units: str = ""
    lines_hz: dict[str, float] = field(default_factory=dict)
