"""From what a converter delivers to m/s2: units, sensitivities and signs of the channels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vibro.errors import BadInputError
from vibro.files.recording import STANDARD_GRAVITY

UNITS = ("m/s2", "g", "mV", "V")
"""Units that a converter's numbers may have; volts need a sensitivity."""


def per_channel(key: str, given: Sequence[float], channels: int) -> list[float]:
    """Return one value a channel, of one for all or one for each.

    Raises
    ------
    BadInputError
        If it is neither.
    """
    if len(given) not in {1, channels}:
        raise BadInputError(
            f"{key} has {len(given)} values, the machine {channels} channels: "
            "give one for all, or one for each"
        )
    return [float(x) for x in given] * (channels if len(given) == 1 else 1)


def m_s2_per_unit(
    table: str,
    unit: str,
    sensitivity_mv_g: Sequence[float],
    sign: Sequence[float],
    channels: int,
) -> NDArray[np.float64]:
    """Return what one unit of each channel is in m/s2, with the sensors' signs.

    Parameters
    ----------
    table : str
        Table of the configuration, for errors.
    unit : {'m/s2', 'g', 'mV', 'V'}
    sensitivity_mv_g : sequence of float
        mV/g, for voltages only: one for all channels or one for each, as on the sensors'
        calibration sheets.
    sign : sequence of float
        1, or -1 where a sensor is mounted against its axis, likewise.

    Returns
    -------
    ndarray, shape (channels,), float64
        m/s2.

    Raises
    ------
    BadInputError
        Naming the key that is missing or wrong.
    """
    signs = per_channel(f"{table}.sign", sign, channels)
    if any(s not in {1.0, -1.0} for s in signs):
        raise BadInputError(f"{table}.sign = {list(sign)} is not made of 1 and -1")
    if unit in {"m/s2", "g"}:
        one = STANDARD_GRAVITY if unit == "g" else 1.0
        return one * np.array(signs)
    if not sensitivity_mv_g:
        raise BadInputError(
            f"{table}.sensitivity_mv_g is empty: samples in {unit} need the sensors' mV/g"
        )
    mv_g = np.array(per_channel(f"{table}.sensitivity_mv_g", sensitivity_mv_g, channels))
    if not (mv_g > 0.0).all():
        raise BadInputError(
            f"{table}.sensitivity_mv_g = {list(sensitivity_mv_g)} is not above 0: "
            "turn an axis by sign"
        )
    one_mv: NDArray[np.float64] = STANDARD_GRAVITY / mv_g * np.array(signs)
    return 1000.0 * one_mv if unit == "V" else one_mv


def as_scale(m_s2: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the scale of a `Device`: float32, shape (channels,)."""
    return m_s2.astype(np.float32)


def chosen(key: str, given: Sequence[float], first: int, channels: int) -> list[int]:
    """Return the converter's input of each channel of the machine.

    Parameters
    ----------
    given : sequence of int
        One for each channel; empty = the first ones in their order.
    first : int
        Number of the converter's first input.

    Raises
    ------
    BadInputError
        If one is named twice, is no number of an input, or the machine has another number of
        channels.
    """
    if any(i != int(i) or i < first for i in given):
        raise BadInputError(f"{key} = {list(given)} is not made of whole numbers from {first} on")
    inputs = [int(i) for i in given] or list(range(first, first + channels))
    if len(inputs) != channels:
        raise BadInputError(
            f"{key} names {len(inputs)} inputs, the machine has {channels} channels"
        )
    if len(set(inputs)) < len(inputs):
        raise BadInputError(f"{key} = {inputs} names an input twice")
    return inputs


def check_inputs(key: str, inputs: Sequence[int], last: int) -> None:
    """Check that a converter has the inputs that are asked of it.

    Raises
    ------
    BadInputError
        If one is above the last.
    """
    if max(inputs) > last:
        raise BadInputError(f"{key} = {list(inputs)}: the device's last input is {last}")
