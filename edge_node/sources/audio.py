"""Source ``audio``: accelerometers of the USB audio class, by PortAudio (`sounddevice`).

Only documented calls of python-sounddevice 0.5 are made: ``query_devices``, ``InputStream`` with a
callback, and its ``start``, ``stop`` and ``close``. Written from that documentation; it has not
been run on such a sensor.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_node.library import library
from edge_node.sources.calibration import (
    UNITS,
    as_scale,
    check_inputs,
    chosen,
    m_s2_per_unit,
    per_channel,
)
from edge_node.sources.device import Frames
from edge_node.sources.frame_clock import FrameClock
from edge_node.sources.inbox import Inbox
from edge_node.sources.kinds import LiveKind
from vibro.assets import Machine
from vibro.errors import BadInputError, VibroError
from vibro.options import option

TABLE = "source.audio"
QUEUE_S = 4.0
"""Samples that may wait between PortAudio's thread and acquisition."""
_FULL_COUNTS = {"int16": 2.0**15, "int32": 2.0**31, "float32": 1.0}


@dataclass(frozen=True, slots=True)
class AudioOptions:
    """Accelerometers of the USB audio class (never run on hardware)."""

    device: str = option("", "text", "Part of the device's name, or its number; empty = default.")
    inputs: tuple[int, ...] = option(
        (), "", "The device's input of each channel, from 1; empty = the first ones.", low=1
    )
    rate_hz: float = option(0.0, "Hz", "Sampling rate; 0 = the machine's in the register.", low=0)
    sample_format: str = option(
        "int32",
        "word",
        "Format of samples; 24-bit devices deliver int32.",
        words=tuple(_FULL_COUNTS),
    )
    unit: str = option("m/s2", "word", "Unit of full_scale.", words=UNITS)
    full_scale: tuple[float, ...] = option(
        (), "unit", "What full scale is: one for all channels or one for each.", low=0
    )
    sensitivity_mv_g: tuple[float, ...] = option(
        (), "mV/g", "Sensitivity where unit is mV or V, likewise.", low=0
    )
    sign: tuple[float, ...] = option((1.0,), "", "1, or -1 to turn an axis, likewise.", low=-1)
    block_ms: float = option(20.0, "ms", "Samples handed on at once.", low=1)


def open_device(
    options: AudioOptions,
    machine: Machine,
    folder: Path,  # noqa: ARG001 (the same form for all drivers; nothing here is a path)
    *,
    monotonic: Callable[[], float] = time.monotonic,
) -> AudioDevice:
    """Return the device of the options; nothing is started yet.

    Raises
    ------
    MissingExtraError
        Without sounddevice.
    BadInputError
        If the options do not fit the machine.
    """
    sounddevice = library("sounddevice", "source.kind = 'audio'", "audio")
    return AudioDevice(sounddevice, options, machine, monotonic)


class AudioDevice:
    """One PortAudio input stream.

    Attributes
    ----------
    rate_hz : float
        Sampling rate asked for.
    scale : ndarray, float32, shape (channels,)
        m/s2 per count.
    """

    def __init__(
        self,
        sounddevice: Any,
        options: AudioOptions,
        machine: Machine,
        monotonic: Callable[[], float],
    ) -> None:
        self._sounddevice, self._options, self._monotonic = sounddevice, options, monotonic
        n = len(machine.points)
        self.rate_hz = options.rate_hz or machine.points[0].rate_hz
        self.scale = as_scale(_m_s2_per_count(options, n))
        self._device = int(options.device) if options.device.isdecimal() else options.device or None
        self._inputs = chosen(f"{TABLE}.inputs", options.inputs, 1, n)
        self._columns = [i - 1 for i in self._inputs]
        self._clock = FrameClock(self.rate_hz)
        self._inbox = Inbox(round(QUEUE_S * self.rate_hz))
        self._stream: Any = None

    def _available(self) -> int:
        try:
            return int(self._sounddevice.query_devices(self._device, "input")["max_input_channels"])
        except (ValueError, self._sounddevice.PortAudioError) as error:
            raise VibroError(
                f"{TABLE}.device = '{self._options.device}' is no input ({_line(error)}): "
                "is it plugged in? See `python -m sounddevice`"
            ) from None

    @property
    def sample_bytes(self) -> int:
        """Bytes of a sample."""
        return np.dtype(self._options.sample_format).itemsize

    def start(self) -> None:
        """Open and start the stream."""
        self.stop()
        self._inbox.clear()
        self._clock.begin()
        check_inputs(f"{TABLE}.inputs", self._inputs, self._available())
        try:
            self._stream = self._sounddevice.InputStream(
                samplerate=self.rate_hz,
                blocksize=max(1, round(self._options.block_ms * 1e-3 * self.rate_hz)),
                device=self._device,
                channels=max(self._inputs),
                dtype=self._options.sample_format,
                latency="high",
                callback=self._take,
                finished_callback=self._ended,
            )
            self._stream.start()
        except (ValueError, self._sounddevice.PortAudioError) as error:
            raise VibroError(
                f"{TABLE}: the stream does not start ({_line(error)}): is the sensor plugged in "
                "and free, and are rate_hz and sample_format ones that it has?"
            ) from None

    def read(self, timeout_s: float) -> Frames | None:
        """Return what the callback put aside."""
        return self._inbox.get(timeout_s)

    def stop(self) -> None:
        """Stop and close the stream."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.stop()
            stream.close()

    def _take(self, indata: NDArray[Any], frames: int, time_info: Any, status: Any) -> None:  # noqa: ARG002
        """Put samples aside; on PortAudio's thread, with an array that is only lent."""
        now_s = self._monotonic()
        # An overflow means that samples before these were thrown away.
        lost = self._clock.missed(now_s - frames / self.rate_hz) if status.input_overflow else 0
        self._clock.got(frames, now_s)
        self._inbox.put(Frames(np.array(indata[:, self._columns].T, order="C"), lost))

    def _ended(self) -> None:
        self._inbox.fail(f"{TABLE}: the stream has ended: is the sensor still plugged in?")


def _m_s2_per_count(options: AudioOptions, channels: int) -> NDArray[np.float64]:
    if not options.full_scale:
        raise BadInputError(
            f"{TABLE}.full_scale is empty: give what full scale is in {options.unit}, "
            "from the sensor's calibration sheet"
        )
    unit = m_s2_per_unit(TABLE, options.unit, options.sensitivity_mv_g, options.sign, channels)
    full = np.array(per_channel(f"{TABLE}.full_scale", options.full_scale, channels))
    scale: NDArray[np.float64] = unit * full / _FULL_COUNTS[options.sample_format]
    return scale


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


KIND = LiveKind(AudioOptions, open_device)
