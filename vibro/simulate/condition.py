"""In what condition a healthy machine runs: what load, heat, wear and neighbours change slowly."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Condition:
    """Factors on parts of a simulated machine that stay the same throughout a stretch; 1 = as made.

    Attributes
    ----------
    load : float
        On the shaft's lines and on the broad-band force.
    friction : float
        On the broad-band force alone: lubrication, running-in.
    one_x : float
        On the line at shaft speed: residual imbalance, thermal bow, fouling.
    floor : float
        On the noise that reaches the sensor from outside the machine: neighbours.
    gain : float
        On all that the sensor gives: its sensitivity over temperature.
    stiffness : float
        On the frequencies of the structure's resonances.
    """

    load: float = 1.0
    friction: float = 1.0
    one_x: float = 1.0
    floor: float = 1.0
    gain: float = 1.0
    stiffness: float = 1.0

    @property
    def logs(self) -> Floats:
        """Logarithms of the factors, shape (factors,)."""
        return np.log(np.array(astuple(self), np.float64))

    @classmethod
    def of(cls, logs: Floats) -> Condition:
        """Return the condition with these logarithms."""
        return cls(*np.exp(np.asarray(logs, np.float64)).tolist())


FACTORS: tuple[str, ...] = tuple(f.name for f in fields(Condition))
AS_MADE = Condition()
