"""Source ``nidaqmx``: IEPE accelerometers on National Instruments hardware, by NI-DAQmx.

This module shares its name with the package that it uses; imports are from the top, so that
``import nidaqmx`` is the package. Only documented calls of nidaqmx 1.0 are made. Written from that
documentation; it has not been run on hardware.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_node.library import library
from edge_node.sources.calibration import as_scale, m_s2_per_unit, per_channel
from edge_node.sources.device import Frames
from edge_node.sources.frame_clock import FrameClock
from edge_node.sources.kinds import LiveKind
from vibro.assets import Machine
from vibro.errors import BadInputError, VibroError
from vibro.options import option

TABLE = "source.nidaqmx"
BUFFER_S = 10.0
"""Samples that NI-DAQmx keeps until they are read."""
TIMED_OUT = -200284
OVERRUN = (-200279, -200361)
"""Unread samples were overwritten; the device's own memory overflowed."""


@dataclass(frozen=True, slots=True)
class NidaqmxOptions:
    """IEPE inputs of National Instruments hardware (never run on hardware)."""

    inputs: tuple[str, ...] = option(
        (), "texts", "Physical input of each channel, such as 'cDAQ1Mod1/ai0'."
    )
    rate_hz: float = option(
        0.0, "Hz", "Sampling rate, the device takes the nearest it has; 0 = the machine's.", low=0
    )
    supply_ma: float = option(4.0, "mA", "Current of the IEPE supply; 0 = none.", low=0)
    sensitivity_mv_g: tuple[float, ...] = option(
        (100.0,), "mV/g", "Sensitivity: one for all channels or one for each.", low=0
    )
    sign: tuple[float, ...] = option((1.0,), "", "1, or -1 to turn an axis, likewise.", low=-1)
    block_ms: float = option(20.0, "ms", "Samples read at once.", low=1)


def open_device(
    options: NidaqmxOptions,
    machine: Machine,
    folder: Path,  # noqa: ARG001 (the same form for all drivers; nothing here is a path)
    *,
    monotonic: Callable[[], float] = time.monotonic,
) -> NidaqmxDevice:
    """Return the device of the options; no hardware is touched.

    Raises
    ------
    MissingExtraError
        Without nidaqmx.
    BadInputError
        If the options do not fit the machine.
    """
    what = "source.kind = 'nidaqmx'"
    modules = [
        library(f"nidaqmx{part}", what, "nidaqmx")
        for part in ("", ".constants", ".stream_readers", ".errors")
    ]
    return NidaqmxDevice(modules, options, machine, monotonic)


class NidaqmxDevice:
    """A continuous task of accelerometer channels, which NI-DAQmx delivers in m/s2.

    After an overrun the task is started anew, and the time between says how many frames are lost.

    Attributes
    ----------
    rate_hz : float
        Rate asked for; once started, the one that the device has chosen.
    scale : ndarray, float32, shape (channels,)
        Signs: NI-DAQmx delivers m/s2.
    """

    def __init__(
        self,
        modules: list[Any],
        options: NidaqmxOptions,
        machine: Machine,
        monotonic: Callable[[], float],
    ) -> None:
        self._nidaqmx, self._constants, self._readers, errors = modules
        self._error = errors.DaqError
        self._options, self._machine, self._monotonic = options, machine, monotonic
        n = len(machine.points)
        if len(options.inputs) != n:
            raise BadInputError(
                f"{TABLE}.inputs names {len(options.inputs)} inputs, the machine has {n} channels"
            )
        self.scale = as_scale(m_s2_per_unit(TABLE, "m/s2", (), options.sign, n))
        self._mv_g = per_channel(f"{TABLE}.sensitivity_mv_g", options.sensitivity_mv_g, n)
        self.rate_hz = options.rate_hz or machine.points[0].rate_hz
        self._task: Any = None

    def _configure(self) -> None:
        """Make the task; the nearest rate that the device has is known afterwards."""
        constants, supply_ma = self._constants, self._options.supply_ma
        source = constants.ExcitationSource
        try:
            self._task = self._nidaqmx.Task()
            for name, point, mv_g in zip(
                self._options.inputs, self._machine.points, self._mv_g, strict=True
            ):
                self._task.ai_channels.add_ai_accel_chan(
                    name,
                    min_val=-point.range_m_s2,
                    max_val=point.range_m_s2,
                    units=constants.AccelUnits.METERS_PER_SECOND_SQUARED,
                    sensitivity=mv_g,
                    sensitivity_units=constants.AccelSensitivityUnits.MILLIVOLTS_PER_G,
                    current_excit_source=source.INTERNAL if supply_ma else source.NONE,
                    current_excit_val=supply_ma * 1e-3,
                )
            self._task.timing.cfg_samp_clk_timing(
                self.rate_hz,
                sample_mode=constants.AcquisitionType.CONTINUOUS,
                samps_per_chan=round(BUFFER_S * self.rate_hz),
            )
            self.rate_hz = float(self._task.timing.samp_clk_rate)
        except self._error as error:
            self.stop()
            raise _failed(error, "see NI MAX or `nilsdev` for the names of inputs") from None
        self._reader = self._readers.AnalogMultiChannelReader(self._task.in_stream)

    @property
    def sample_bytes(self) -> int:
        """Bytes of a sample of the 24-bit converters that IEPE modules have."""
        return 3

    def start(self) -> None:
        """Make the task and start it."""
        self.stop()
        self._configure()
        self._clock = FrameClock(self.rate_hz)
        block = max(1, round(self._options.block_ms * 1e-3 * self.rate_hz))
        self._data = np.zeros((len(self._mv_g), block))
        self._lost = 0
        try:
            self._task.start()
        except self._error as error:
            self.stop()
            raise _failed(error, "is another program using the device?") from None

    def read(self, timeout_s: float) -> Frames | None:
        """Return the next block, or what there is of it at the timeout."""
        if self._task is None:
            raise VibroError(f"{TABLE}: the task is not started")
        n = self._data.shape[1]
        try:
            n = int(self._reader.read_many_sample(self._data, n, timeout_s))
        except self._error as error:
            if error.error_code in OVERRUN:
                self._begin_again()
                return None
            if error.error_code != TIMED_OUT:
                raise _failed(error, "the task is started again") from None
            # What came before the timeout is in the array and will not come again.
            n = int(getattr(error, "samps_per_chan_read", 0))
            if not n:
                return None
        self._clock.got(n, self._monotonic())
        lost, self._lost = self._lost, 0
        return Frames(self._data[:, :n].astype(np.float32), lost)

    def _begin_again(self) -> None:
        try:
            self._task.stop()
            self._task.start()
        except self._error as error:
            raise _failed(error, "the task is started again") from None
        self._lost += self._clock.missed(self._monotonic())

    def stop(self) -> None:
        """Stop the task and give its hardware free."""
        task, self._task = self._task, None
        if task is not None:
            task.close()


def _failed(error: Exception, remedy: str) -> VibroError:
    return VibroError(f"{TABLE}: {' '.join(str(error).split())}: {remedy}")


KIND = LiveKind(NidaqmxOptions, open_device)
