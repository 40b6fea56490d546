"""Source ``iepe``: IEPE accelerometers on an MCC 172 board, by `daqhats`.

Only documented calls of daqhats 1.4 are made. Written from that documentation; it has not been run
on a board.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_node.library import library
from edge_node.sources.calibration import as_scale, check_inputs, chosen, m_s2_per_unit
from edge_node.sources.device import Frames
from edge_node.sources.frame_clock import FrameClock
from edge_node.sources.kinds import LiveKind
from vibro.assets import Machine
from vibro.errors import VibroError
from vibro.options import option

TABLE = "source.iepe"
CHANNELS = 2
"""Of one board; several boards need a trigger wire between them, which is not made use of."""


@dataclass(frozen=True, slots=True)
class IepeOptions:
    """One MCC 172 board on a Raspberry Pi (never run on hardware)."""

    address: int = option(0, "", "Address of the board, 0 to 7.", low=0)
    inputs: tuple[int, ...] = option(
        (), "", "The board's input of each channel, 0 or 1; empty = the first ones.", low=0
    )
    rate_hz: float = option(
        0.0,
        "Hz",
        "Sampling rate, the nearest of 51200 Hz / n is used; 0 = the machine's.",
        low=0,
    )
    supply: str = option(
        "on", "word", "The board's IEPE supply of the sensors.", words=("on", "off")
    )
    sensitivity_mv_g: tuple[float, ...] = option(
        (100.0,), "mV/g", "Sensitivity: one for all channels or one for each.", low=0
    )
    sign: tuple[float, ...] = option((1.0,), "", "1, or -1 to turn an axis, likewise.", low=-1)
    block_ms: float = option(20.0, "ms", "Samples read at once.", low=1)


def open_device(
    options: IepeOptions,
    machine: Machine,
    folder: Path,  # noqa: ARG001 (the same form for all drivers; nothing here is a path)
    *,
    monotonic: Callable[[], float] = time.monotonic,
) -> IepeDevice:
    """Return the device of the options; the board is not touched.

    Raises
    ------
    MissingExtraError
        Without daqhats.
    BadInputError
        If the options do not fit the machine.
    """
    daqhats = library("daqhats", "source.kind = 'iepe'", "daqhats")
    return IepeDevice(daqhats, options, machine, monotonic)


class IepeDevice:
    """A continuous scan of one board.

    The board's library stops its scan when a buffer overran. What was read before is good; then the
    scan begins again, and the time between says how many frames are lost.

    Attributes
    ----------
    rate_hz : float
        Rate asked for; once started, the one that the board has chosen.
    scale : ndarray, float32, shape (channels,)
        m/s2 per volt.
    """

    def __init__(
        self, daqhats: Any, options: IepeOptions, machine: Machine, monotonic: Callable[[], float]
    ) -> None:
        self._daqhats, self._options, self._monotonic = daqhats, options, monotonic
        n = len(machine.points)
        self._inputs = chosen(f"{TABLE}.inputs", options.inputs, 0, n)
        check_inputs(f"{TABLE}.inputs", self._inputs, CHANNELS - 1)
        self.scale = as_scale(m_s2_per_unit(TABLE, "V", options.sensitivity_mv_g, options.sign, n))
        self.rate_hz = options.rate_hz or machine.points[0].rate_hz
        self._board: Any = None

    @property
    def sample_bytes(self) -> int:
        """Bytes of a 24-bit sample."""
        return 3

    def start(self) -> None:
        """Open the board, supply the sensors, set the clock and begin the scan."""
        self.stop()
        daqhats, options = self._daqhats, self._options
        try:
            self._board = daqhats.mcc172(options.address)
            for channel in self._inputs:
                self._board.iepe_config_write(channel, int(options.supply == "on"))
            self._board.a_in_clock_config_write(daqhats.SourceType.LOCAL, self.rate_hz)
            self.rate_hz = float(self._board.a_in_clock_config_read().sample_rate_per_channel)
            self._scan()
        except daqhats.HatError as error:
            raise self._failed(
                error, f"is there an MCC 172 at {TABLE}.address, and no other program using it?"
            ) from None
        self._block = max(1, round(options.block_ms * 1e-3 * self.rate_hz))
        self._clock = FrameClock(self.rate_hz)
        self._lost = 0

    def _scan(self) -> None:
        mask = sum(1 << i for i in self._inputs)
        self._board.a_in_scan_start(mask, 0, self._daqhats.OptionFlags.CONTINUOUS)

    def read(self, timeout_s: float) -> Frames | None:
        """Return the next block, or what there is of it at the timeout."""
        if self._board is None:
            raise VibroError(f"{TABLE}: the board is not open")
        try:
            got = self._board.a_in_scan_read_numpy(self._block, timeout_s)
            # Interleaved by channel number, whichever order the machine's channels have.
            order = sorted(self._inputs)
            columns = [order.index(i) for i in self._inputs]
            volts = np.asarray(got.data, np.float32).reshape(-1, len(order))
            counts = np.array(volts[:, columns].T, order="C")
            self._clock.got(len(volts), self._monotonic())
            lost, self._lost = self._lost, 0
            if got.hardware_overrun or got.buffer_overrun or not got.running:
                self._end_scan()
                self._scan()
                self._lost = self._clock.missed(self._monotonic())
        except self._daqhats.HatError as error:
            raise self._failed(error, "it is started again") from None
        if not len(volts):
            self._lost += lost
            return None
        return Frames(counts, lost)

    def _end_scan(self) -> None:
        """End the scan and free its buffer; without one nothing happens."""
        for end in (self._board.a_in_scan_stop, self._board.a_in_scan_cleanup):
            # The board is gone, or had no scan: there is nothing left to end.
            with suppress(self._daqhats.HatError):
                end()

    def stop(self) -> None:
        """End the scan and close the board."""
        if self._board is not None:
            self._end_scan()
            # The library closes a board when its object goes; it must go before the next is made.
            self._board = None

    def _failed(self, error: Exception, remedy: str) -> VibroError:
        return VibroError(f"{TABLE}: {' '.join(str(error).split())}: {remedy}")


KIND = LiveKind(IepeOptions, open_device)
