"""What the frames of a TCP stream mean: samples, and how many are missing before them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_node.sources.calibration import as_scale
from edge_node.sources.device import Frames
from edge_node.sources.tcp_frames import DTYPES, GOODBYE, HELLO, Frame, read_hello
from vibro.errors import BadInputError

LEAST_RATE_HZ, MOST_RATE_HZ = 50.0, 1e6
MOST_M_S2, MOST_RPM = 1e7, 1e6
"""No sensor delivers more: what claims to is no measurement."""
MOST_AHEAD_S = 31 * 86_400.0
"""An index that runs further ahead is false."""


class TcpStream:
    """The state of a stream over any number of connections.

    Parameters
    ----------
    channels : int
        Of the machine.
    m_s2 : callable
        Takes the unit that a sender tells of; returns m/s2 per unit of each channel.

    Attributes
    ----------
    rate_hz, scale, sample_bytes
        As the newest hello says; scale in m/s2 per count.
    goodbye : bool
        Whether the sender has said it; whoever acts on it clears it.
    said : str
        Why samples were passed over, likewise.
    """

    def __init__(self, channels: int, m_s2: Callable[[str], NDArray[np.float64]]) -> None:
        self._channels, self._m_s2 = channels, m_s2
        self.rate_hz, self.sample_bytes = math.nan, 0
        self.scale: NDArray[np.float32] = np.ones(channels, np.float32)
        self.goodbye, self.said = False, ""
        self._hello: Frame | None = None
        self._stream: int | None = None
        self._next = 0
        self._anew = False
        self._sequence = -1

    def connected(self) -> None:
        """Expect a hello: a sender has connected."""
        self._hello = None

    def frame(self, frame: Frame) -> Frames | None:
        """Take a frame; return its samples, if there is any that did not come before.

        Raises
        ------
        BadInputError
            If it cannot be what a sender means; the connection is of no use.
        """
        if frame.kind == HELLO:
            self._greet(frame)
            return None
        hello = self._hello
        if hello is None:
            raise BadInputError("its first frame is no hello")
        if frame.stream != hello.stream:
            raise BadInputError(f"a frame of stream {frame.stream} in stream {hello.stream}")
        if frame.sequence <= self._sequence:
            raise BadInputError(f"frame {frame.sequence} after frame {self._sequence}")
        self._sequence = frame.sequence
        if frame.kind == GOODBYE:
            self.goodbye = True
            return None
        if (frame.channels, frame.dtype, frame.rate_hz) != (
            hello.channels,
            hello.dtype,
            hello.rate_hz,
        ):
            raise BadInputError("a frame with other channels, type or rate than its hello's")
        return self._samples(frame) if frame.samples else None

    def _greet(self, frame: Frame) -> None:
        if self._hello is not None:
            raise BadInputError("a second hello in one connection")
        if frame.channels != self._channels:
            raise BadInputError(f"it has {frame.channels} channels, the machine {self._channels}")
        if not LEAST_RATE_HZ <= frame.rate_hz <= MOST_RATE_HZ:
            raise BadInputError(
                f"its rate is {frame.rate_hz:g} Hz: "
                f"{LEAST_RATE_HZ:g} to {MOST_RATE_HZ:g} Hz are possible"
            )
        unit, units = read_hello(frame)
        dtype = DTYPES[frame.dtype]
        scale = self._m_s2(unit) * units
        full = 1.0 if dtype.kind == "f" else 2.0 ** (8 * dtype.itemsize - 1)
        if not np.abs(scale).max() * full <= MOST_M_S2 or not as_scale(scale).all():
            raise BadInputError(f"its full scale is beyond {MOST_M_S2:g} m/s2, or nothing")
        self._hello, self._sequence = frame, frame.sequence
        self.rate_hz, self.scale, self.sample_bytes = (
            frame.rate_hz,
            as_scale(scale),
            dtype.itemsize,
        )
        if frame.stream != self._stream:
            self._anew = self._stream is not None
            self._stream, self._next = frame.stream, frame.index

    def _samples(self, frame: Frame) -> Frames | None:
        """Return what is new in a frame; a sender may repeat what it sent before it lost us."""
        ahead = frame.index - self._next
        if ahead > MOST_AHEAD_S * self.rate_hz:
            raise BadInputError(f"sample {frame.index} after sample {self._next}")
        if ahead <= -frame.samples:
            return None
        counts: NDArray[Any] = frame.counts()[:, max(0, -ahead) :]
        if why := self._implausible(frame, counts):
            # Lost, and counted with the next frame; the connection is as good as it was.
            self.said = why
            return None
        self._next = frame.index + frame.samples
        anew, self._anew = self._anew, False
        return Frames(counts, max(0, ahead), frame.rpm, anew)

    def _implausible(self, frame: Frame, counts: NDArray[Any]) -> str:
        """Say why samples are no measurement; empty when they may be one."""
        if not math.isnan(frame.rpm) and not 0.0 <= frame.rpm <= MOST_RPM:
            return f"frame {frame.sequence} claims {frame.rpm:g} rpm"
        if counts.dtype.kind == "f":
            # NaN fails the comparison.
            peaks = np.abs(counts).max(axis=1)
            if not (peaks <= MOST_M_S2 / np.abs(self.scale)).all():
                return f"frame {frame.sequence} is not finite, or beyond {MOST_M_S2:g} m/s2"
        return ""
