"""Spectra as levels: whole steps of 0.75 dB above 1e-6 m/s2, told from line to line.

The noise floor of an averaged spectrum scatters by about half a decibel, so that finer steps would
tell noise; a line of interest stands out by many steps. Most steps between neighbours take two
bits. The reference is that of ISO 1683 for acceleration.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.errors import BadInputError
from vibro.wire import rice

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

REFERENCE = 1e-6
"""m/s2; what is more than half a step below it is told as 0."""
STEP_DB = 0.75
MOST = 2**22
"""No sane spectrum holds more lines: a thousand channels of 3200."""
_NOT_MEASURED, _NOTHING, _FIRST = -1, 0, 1
_HIGHEST = 1186
"""The largest float32 is 1185 steps above the reference."""
_LEAST = 10.0 ** (-STEP_DB / 40.0)
"""Of the reference. Half a step below and not the reference itself: the float32 next to 1e-6 lies
under it, so that what was told would be told as 0 the next time."""


def write(values: Floats) -> dict[str, Any]:
    """Return the fields of a record that tell a spectrum.

    Parameters
    ----------
    values : ndarray, float32, shape (channels, lines)
        m/s2. What is not less than half a step below the reference is told within half a step;
        NaN stays NaN. What was read is written as the same bytes again.
    """
    steps = [np.diff(row, prepend=0) for row in _codes(values)]
    parameters = [rice.best_parameter(s)[0] for s in steps]
    return {
        "lines": values.shape[1],
        "step_db": STEP_DB,
        "parameters": bytes(parameters),
        "levels": rice.write(steps, parameters),
    }


def read(body: dict[str, Any], channels: int) -> Floats:
    """Return the values that a record tells, shape (channels, lines); the inverse of `write`.

    Raises
    ------
    BadInputError
        If they are not whole.
    """
    lines, step_db, parameters = body["lines"], body["step_db"], list(body["parameters"])
    if not (lines > 0 and 0 < channels * lines <= MOST and 0.0 < step_db <= 6.0):
        raise BadInputError(f"{lines} lines in steps of {step_db:g} dB are no spectrum")
    if len(parameters) != channels or max(parameters) > rice.MOST_K:
        raise BadInputError(f"{len(parameters)} parameters do not tell {channels} channels")
    rows = rice.read(body["levels"], [lines] * channels, parameters)
    codes = np.cumsum(np.stack(rows), axis=1)
    if codes.min() < _NOT_MEASURED or codes.max() > 2**15:
        raise BadInputError("a level is outside every scale")
    with np.errstate(over="ignore"):
        exact = REFERENCE * 10.0 ** ((codes - _FIRST) * (step_db / 20.0))
        exact[codes == _NOTHING] = 0.0
        exact[codes == _NOT_MEASURED] = np.nan
        return np.asarray(exact, np.float32)


def _codes(values: Floats) -> Ints:
    exact = values.astype(np.float64) / REFERENCE
    level = 20.0 / STEP_DB * np.log10(np.where(exact > _LEAST, exact, 1.0))
    codes = np.where(exact > _LEAST, _FIRST + np.rint(np.minimum(level, _HIGHEST)), _NOTHING)
    return np.where(np.isnan(exact), _NOT_MEASURED, codes).astype(np.int64)
