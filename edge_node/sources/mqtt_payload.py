"""What is in one MQTT message: samples as binary numbers or JSON, a sequence number, a speed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.errors import BadInputError

ENCODINGS = ("int16", "int32", "float32", "json")
HEADER_BYTES = 4
HEADER_MODULUS = 1 << 32
MOST_JSON_SEQUENCE = (1 << 53) - 1


@dataclass(frozen=True, slots=True)
class Payload:
    """A decoded message.

    Attributes
    ----------
    counts : ndarray, shape (channels, n), int16, int32 or float32
    sequence : int or None
        None when messages are not numbered.
    rpm : float
        NaN when the message says nothing of it.
    """

    counts: NDArray[Any]
    sequence: int | None
    rpm: float


@dataclass(frozen=True, slots=True)
class PayloadFormat:
    """How messages are to be read.

    Attributes
    ----------
    encoding : {'int16', 'int32', 'float32', 'json'}
    big_endian : bool
        Of binary numbers.
    planar : bool
        All samples of the first channel, then of the next; else frame by frame.
    numbered : bool
        Binary: an unsigned 32-bit number before the samples. JSON: the key ``sequence``.
    """

    channels: int
    encoding: str
    big_endian: bool
    planar: bool
    numbered: bool

    def decode(self, payload: bytes) -> Payload:
        """Read one message.

        Raises
        ------
        BadInputError
            If it is not what the format says; in one line.
        """
        read = self._json if self.encoding == "json" else self._binary
        decoded = read(payload)
        if not decoded.counts.shape[1]:
            raise BadInputError("a message without samples")
        if decoded.counts.dtype == np.float32 and not np.isfinite(decoded.counts).all():
            raise BadInputError("a sample is not a finite number of 32 bits")
        return decoded

    def _binary(self, payload: bytes) -> Payload:
        order = ">" if self.big_endian else "<"
        head = HEADER_BYTES if self.numbered else 0
        stored = np.dtype(f"{order}{'f4' if self.encoding == 'float32' else self._integer}")
        if len(payload) < head or (len(payload) - head) % (self.channels * stored.itemsize):
            raise BadInputError(
                f"{len(payload)} bytes are not {head} and whole frames of {self.channels} "
                f"channels of {stored.itemsize} bytes"
            )
        sequence = int(np.frombuffer(payload, f"{order}u4", 1)[0]) if self.numbered else None
        flat = np.frombuffer(payload, stored, offset=head)
        counts = self._shaped(flat).astype(stored.newbyteorder("="), order="C")
        return Payload(counts, sequence, math.nan)

    @property
    def _integer(self) -> str:
        return "i2" if self.encoding == "int16" else "i4"

    def _shaped(self, flat: NDArray[Any]) -> NDArray[Any]:
        if self.planar:
            return flat.reshape(self.channels, -1)
        return flat.reshape(-1, self.channels).T

    def _json(self, payload: bytes) -> Payload:
        try:
            told = json.loads(payload)
        except (ValueError, RecursionError):
            raise BadInputError("is not JSON") from None
        rpm, sequence = math.nan, None
        if isinstance(told, dict):
            rpm, sequence = _speed(told), self._number(told)
            told = told.get("samples")
        elif self.numbered:
            raise BadInputError('is not an object with "sequence" and "samples"')
        return Payload(self._samples(told), sequence, rpm)

    def _number(self, told: Mapping[str, Any]) -> int | None:
        if not self.numbered:
            return None
        sequence = told.get("sequence")
        if type(sequence) is not int or not 0 <= sequence <= MOST_JSON_SEQUENCE:
            raise BadInputError('"sequence" is not a whole number from 0 to 2^53 - 1')
        return sequence

    def _samples(self, told: Any) -> NDArray[np.float32]:
        shape = "channels of samples" if self.planar else "frames of channels"
        if not isinstance(told, list):
            raise BadInputError(f'has no list of {shape}: write {{"samples": [[...], ...]}}')
        if self.channels == 1 and told and not isinstance(told[0], list):
            told = [told] if self.planar else [[x] for x in told]
        lists = told if all(isinstance(x, list) for x in told) else [[None]]
        if any(type(x) not in {int, float} for inner in lists for x in inner):
            raise BadInputError(f"is not made of {shape}, all of them numbers")
        lengths = {len(inner) for inner in lists}
        if len(lengths) != 1 or (len(lists) if self.planar else lengths.pop()) != self.channels:
            raise BadInputError(f"is not made of {shape} of one length, {self.channels} channels")
        try:
            with np.errstate(over="ignore"):
                flat = np.array(lists, np.float64).astype(np.float32).ravel()
        except OverflowError:
            raise BadInputError("a sample is not a finite number of 32 bits") from None
        return np.array(self._shaped(flat), order="C")


def _speed(told: Mapping[str, Any]) -> float:
    rpm = told.get("rpm")
    if rpm is None:
        return math.nan
    if type(rpm) not in {int, float} or not math.isfinite(rpm):
        raise BadInputError('"rpm" is not a number')
    return float(rpm)
