"""Frames of the TCP stream (docs/tcp-stream.md): a header of 64 bytes, then its payload.

Reading is a plain state machine over bytes: its memory is bounded whatever comes, its time linear.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.errors import BadInputError

MAGIC, VERSION = b"VIBR", 1
HELLO, SAMPLES, GOODBYE = 1, 2, 3
DTYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<i2"),
    2: np.dtype("<i4"),
    3: np.dtype("<f4"),
}
UNIT_CODES = {0: "m/s2", 1: "g", 2: "mV", 3: "V"}
_HEADER = struct.Struct("<4sBBHB3xIQQQdIfII")
HEADER_BYTES = _HEADER.size
MOST_PAYLOAD = 1 << 20
MOST_SKIPPED = 1 << 20
"""Bytes that make no frame after which a connection is given up."""
MOST_MALFORMED = 16
"""Frames with a sound header and a false payload, likewise; between two that are sound."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes
    ----------
    kind : {HELLO, SAMPLES, GOODBYE}
    channels, samples : int
        Samples of each channel; 0 in hello, goodbye and signs of life.
    dtype : int
        Key of `DTYPES`.
    stream : int
        Names the stream: a sender that has begun to count anew takes another one.
    sequence : int
        Number of the frame in its connection.
    index : int
        Index in the stream of the first sample.
    rate_hz : float
    rpm : float
        NaN when not measured.
    """

    kind: int
    channels: int
    dtype: int
    stream: int
    sequence: int
    index: int
    rate_hz: float
    samples: int = 0
    rpm: float = float("nan")
    payload: bytes = b""

    def counts(self) -> NDArray[Any]:
        """Samples, shape (channels, samples); a view of the payload."""
        x = np.frombuffer(self.payload, DTYPES[self.dtype])
        return x.reshape(self.samples, self.channels).T

    def packed(self) -> bytes:
        """Bytes on the wire."""
        head = _HEADER.pack(
            MAGIC, VERSION, self.kind, self.channels, self.dtype, len(self.payload), self.stream,
            self.sequence, self.index, self.rate_hz, self.samples, self.rpm,
            zlib.crc32(self.payload), 0,
        )  # fmt: skip
        return head[:-4] + struct.pack("<I", zlib.crc32(head[:-4])) + self.payload


def hello_payload(unit: int, scale: NDArray[np.float32]) -> bytes:
    """Payload of a hello: the code of the unit, and units per count of each channel."""
    return struct.pack("<B3x", unit) + np.asarray(scale, "<f4").tobytes()


def read_hello(frame: Frame) -> tuple[str, NDArray[np.float32]]:
    """Return unit and scale of a hello.

    Raises
    ------
    BadInputError
        If they are none.
    """
    if len(frame.payload) != 4 + 4 * frame.channels:
        raise BadInputError(
            f"hello of {len(frame.payload)} bytes for {frame.channels} channels: "
            f"{4 + 4 * frame.channels} are right"
        )
    unit = UNIT_CODES.get(frame.payload[0])
    scale = np.frombuffer(frame.payload, "<f4", offset=4).astype(np.float32)
    if unit is None:
        raise BadInputError(f"hello with the unit {frame.payload[0]}: 0 to 3 are known")
    if not (np.isfinite(scale).all() and (scale != 0.0).all()):
        raise BadInputError("hello with a scale that is 0 or not finite")
    return unit, scale


class FrameReader:
    """Finds frames in bytes as they come, and says what was none."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skipped = self._malformed = 0
        self.said = ""
        """What was wrong last; whoever tells of it empties it."""

    @property
    def held(self) -> int:
        """Bytes that wait for the rest of their frame."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes; return the frames that are complete.

        Raises
        ------
        BadInputError
            When it is of no use to go on reading.
        """
        self._buffer += data
        frames: list[Frame] = []
        at = 0
        while len(self._buffer) - at >= HEADER_BYTES:
            header, why = _header(self._buffer, at)
            if header is None:
                at = self._resume(at, why)
                continue
            frame, size, crc = header
            if len(self._buffer) - at < HEADER_BYTES + size:
                break
            payload = bytes(self._buffer[at + HEADER_BYTES : at + HEADER_BYTES + size])
            at += HEADER_BYTES + size
            if zlib.crc32(payload) != crc:
                self._reject(f"frame {frame.sequence}: the CRC32 of its payload is wrong")
                continue
            self._skipped = self._malformed = 0
            frames.append(replace(frame, payload=payload))
        del self._buffer[:at]
        return frames

    def _resume(self, at: int, why: str) -> int:
        """Go on at the next magic; a part of one may be the end of what has come."""
        found = self._buffer.find(MAGIC, at + 1)
        if found < 0:
            found = max(at + 1, len(self._buffer) - len(MAGIC) + 1)
        self._skipped += found - at
        self.said = self.said or why
        if self._skipped > MOST_SKIPPED:
            raise BadInputError(f"{self._skipped} bytes are no frames ({why})")
        return found

    def _reject(self, why: str) -> None:
        self._malformed += 1
        self.said = self.said or why
        if self._malformed > MOST_MALFORMED:
            raise BadInputError(f"{self._malformed} frames one after the other are false ({why})")


def _header(buffer: bytearray, at: int) -> tuple[tuple[Frame, int, int] | None, str]:
    """Parse a header; return frame, bytes and CRC of its payload, or None and the reason."""
    (magic, version, kind, channels, dtype, size, stream, sequence, index, rate_hz, samples, rpm,
     payload_crc, header_crc) = _HEADER.unpack_from(buffer, at)  # fmt: skip
    if magic != MAGIC:
        return None, "bytes that begin no frame"
    if zlib.crc32(memoryview(buffer)[at : at + HEADER_BYTES - 4]) != header_crc:
        return None, "the CRC32 of a header is wrong"
    why = ""
    if version != VERSION:
        why = f"version {version}: this node reads version {VERSION}"
    elif kind not in {HELLO, SAMPLES, GOODBYE}:
        why = f"a frame of the type {kind}: 1, 2 and 3 are known"
    elif dtype not in DTYPES:
        why = f"samples of the type {dtype}: 1, 2 and 3 are known"
    elif size > MOST_PAYLOAD:
        why = f"a payload of {size} bytes: {MOST_PAYLOAD} are allowed"
    elif kind == SAMPLES and size != samples * channels * DTYPES[dtype].itemsize:
        why = f"a payload of {size} bytes for {samples} samples of {channels} channels"
    if why:
        return None, why
    frame = Frame(kind, channels, dtype, stream, sequence, index, rate_hz, samples, rpm)
    return (frame, size, payload_crc), ""
