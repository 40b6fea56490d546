"""Source ``iio``: accelerometers and converters behind Linux' Industrial I/O buffers.

No library: attributes are files, and scans are read from the character device. What the kernel
drops because nobody read in time is seen in the timestamps, where the device has them.
"""

from __future__ import annotations

import os
import select
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_node.sources.calibration import as_scale, m_s2_per_unit, per_channel
from edge_node.sources.device import Frames
from edge_node.sources.iio_sysfs import TIMESTAMP, IioFiles
from edge_node.sources.kinds import LiveKind
from edge_node.sources.scan_gaps import ScanGaps
from edge_node.sources.scan_layout import ScanLayout
from vibro.assets import Machine
from vibro.errors import BadInputError, VibroError
from vibro.options import option

TABLE = "source.iio"
_MOST_BYTES = 1 << 16
_UNITS = {"in_accel": "m/s2", "in_voltage": "mV"}


@dataclass(frozen=True, slots=True)
class IioOptions:
    """A Linux IIO device with a buffer."""

    device: str = option("iio:device0", "text", "Folder of the device, or what its `name` says.")
    inputs: tuple[str, ...] = option(
        (), "texts", "Scan element of each channel, such as 'in_accel_x'; empty = all, in order."
    )
    trigger: str = option("", "text", "Trigger to set; empty = leave what is set.")
    rate_hz: float = option(0.0, "Hz", "Sampling frequency to set; 0 = leave what is set.", low=0)
    buffer_s: float = option(4.0, "s", "Length of the kernel's buffer.", low=0.1)
    block_ms: float = option(20.0, "ms", "Samples after which the kernel wakes the node.", low=1)
    timestamp: str = option(
        "yes",
        "word",
        "Use the device's timestamps, if it has them, to see what was dropped.",
        words=("yes", "no"),
    )
    sensitivity_mv_g: tuple[float, ...] = option(
        (),
        "mV/g",
        "Sensitivity of sensors on voltage inputs: one for all channels or one for each.",
        low=0,
    )
    sign: tuple[float, ...] = option((1.0,), "", "1, or -1 to turn an axis, likewise.", low=-1)


def open_device(
    options: IioOptions,
    machine: Machine,
    folder: Path,  # noqa: ARG001 (the same form for all drivers; nothing here is the node's)
    *,
    sysfs: Path = Path("/sys/bus/iio/devices"),
    dev: Path = Path("/dev"),
) -> IioDevice:
    """Return the device of the options; no file of the kernel is touched.

    Parameters
    ----------
    sysfs, dev : Path
        Where the kernel shows its devices.

    Raises
    ------
    BadInputError
        If the options do not fit the machine.
    """
    return IioDevice(options, machine, sysfs, dev)


def _folder_of(device: str, sysfs: Path) -> str:
    folders = sorted(sysfs.glob("iio:device*"))
    for folder in folders:
        if device == folder.name or (
            (folder / "name").exists() and IioFiles(folder).read("name") == device
        ):
            return folder.name
    there = ", ".join(f.name for f in folders) or "none"
    raise BadInputError(f"{TABLE}.device = '{device}' is not in {sysfs}: there are {there}")


class IioDevice:
    """Scans of one IIO buffer.

    Attributes
    ----------
    rate_hz : float
        Rate asked for; once started, the one that the device says it has.
    scale : ndarray, float32, shape (channels,)
        m/s2 per count.
    """

    def __init__(self, options: IioOptions, machine: Machine, sysfs: Path, dev: Path) -> None:
        self._options, self._sysfs, self._dev = options, sysfs, dev
        self._channels = n = len(machine.points)
        if options.inputs and len(set(options.inputs)) != n:
            raise BadInputError(
                f"{TABLE}.inputs = {list(options.inputs)} does not name {n} different elements, "
                "one for each channel of the machine"
            )
        per_channel(f"{TABLE}.sign", options.sign, n)
        self.rate_hz = options.rate_hz or machine.points[0].rate_hz
        self.scale = np.zeros(n, np.float32)
        self._sample_bytes = 2
        self._fd: int | None = None
        self._files: IioFiles | None = None

    def _open(self) -> IioFiles:
        """Find the device's files, and what its elements are."""
        name = _folder_of(self._options.device, self._sysfs)
        files = IioFiles(self._sysfs / name)
        self._character = self._dev / name
        self._elements = files.elements()
        # It is still enabled when the node was killed, and then takes no setting.
        files.write("buffer/enable", 0)
        known = [n for n in self._elements if n != TIMESTAMP]
        self._inputs = list(self._options.inputs) or known
        if len(self._inputs) != self._channels or not set(self._inputs) <= set(known):
            raise BadInputError(
                f"{TABLE}.inputs = {self._inputs} does not name {self._channels} elements, one for "
                f"each channel of the machine, of {', '.join(known)}"
            )
        if self._options.trigger:
            files.write("trigger/current_trigger", self._options.trigger)
        self.rate_hz = self._set_rate(files)
        self.scale, self._offsets = self._calibration(files)
        self._dtype = self._count_type()
        self._sample_bytes = max(self._elements[n].type.storage_bits for n in self._inputs) // 8
        self._bytes, self._gaps = b"", ScanGaps(1e9 / self.rate_hz)
        return files

    def _set_rate(self, files: IioFiles) -> float:
        names = ["sampling_frequency"]
        for name in self._inputs:
            names += files.of_channel(name, "sampling_frequency")
        there = next((n for n in names if (files.folder / n).exists()), None)
        if there is None:
            if not self._options.rate_hz:
                raise BadInputError(
                    f"{files.folder} has no sampling_frequency: "
                    f"give its trigger's in {TABLE}.rate_hz"
                )
            return self._options.rate_hz
        if self._options.rate_hz:
            files.write(there, f"{self._options.rate_hz:g}")
        rate_hz = files.number([there])
        if not rate_hz or rate_hz < 0:
            raise BadInputError(f"{files.folder / there} = {rate_hz} is no rate")
        return rate_hz

    def _calibration(self, files: IioFiles) -> tuple[NDArray[np.float32], list[float]]:
        """Return m/s2 per count and the counts to add, of every channel."""
        scales, offsets = np.ones(self._channels), []
        kinds = {next((u for k, u in _UNITS.items() if n.startswith(k)), "") for n in self._inputs}
        if len(kinds) != 1 or "" in kinds:
            raise BadInputError(
                f"{TABLE}.inputs = {self._inputs} are neither all in_accel nor all in_voltage"
            )
        unit = m_s2_per_unit(
            TABLE, kinds.pop(), self._options.sensitivity_mv_g, self._options.sign, self._channels
        )
        for c, name in enumerate(self._inputs):
            scale = files.number(files.of_channel(name, "scale"))
            offset = files.number(files.of_channel(name, "offset"))
            scales[c] = 1.0 if scale is None else scale
            offsets.append(offset or 0.0)
        return as_scale(scales * unit), offsets

    def _count_type(self) -> type[np.int16 | np.int32 | np.float32]:
        """Return the smallest type that holds every count with its offset."""
        kinds = [self._elements[n].type for n in self._inputs]
        least = min(k.limits[0] + o for k, o in zip(kinds, self._offsets, strict=True))
        most = max(k.limits[1] + o for k, o in zip(kinds, self._offsets, strict=True))
        whole = all(o == int(o) for o in self._offsets)
        for kind in (np.int16, np.int32):
            if whole and np.iinfo(kind).min <= least and most <= np.iinfo(kind).max:
                return kind
        return np.float32

    @property
    def sample_bytes(self) -> int:
        """Bytes of one element in memory; known once started."""
        return self._sample_bytes

    def start(self) -> None:
        """Choose the elements, enable the buffer and open the character device."""
        self.stop()
        self._files = files = self._open()
        stamped = TIMESTAMP in self._elements and self._options.timestamp == "yes"
        wanted = {*self._inputs, *([TIMESTAMP] if stamped else [])}
        for name in self._elements:
            files.write(f"scan_elements/{name}_en", int(name in wanted))
        # A driver may enable more than it was asked for, or refuse a combination.
        enabled = [e for e in self._elements.values() if files.enabled(e.name)]
        if missing := wanted - {e.name for e in enabled}:
            raise VibroError(f"{files.folder}: does not enable {', '.join(sorted(missing))}")
        self._stamped, self._layout = stamped, ScanLayout(enabled)
        if stamped and (files.folder / "current_timestamp_clock").exists():
            files.write("current_timestamp_clock", "monotonic")
        length = max(2, round(self._options.buffer_s * self.rate_hz))
        files.write("buffer/length", length)
        if (files.folder / "buffer/watermark").exists():
            block = max(1, round(self._options.block_ms * 1e-3 * self.rate_hz))
            files.write("buffer/watermark", min(block, length // 2))
        files.write("buffer/enable", 1)
        try:
            self._fd = os.open(self._character, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise VibroError(f"{self._character}: cannot be read ({error.strerror})") from None

    def read(self, timeout_s: float) -> Frames | None:
        """Return whole scans up to the next gap."""
        if self._fd is None:
            raise VibroError(f"{TABLE}: the device is not open")
        size = self._layout.scan_bytes
        if len(self._bytes) < size:
            self._bytes += self._wait(self._fd, timeout_s)
        whole = len(self._bytes) // size
        if not whole:
            return None
        n, lost = whole, 0
        if self._stamped:
            stamps = self._layout.values(self._bytes[: whole * size], TIMESTAMP)
            n, lost = self._gaps.split(stamps)
        scans, self._bytes = self._bytes[: n * size], self._bytes[n * size :]
        return Frames(self._counts(scans, n), lost)

    def _counts(self, scans: bytes, n: int) -> NDArray[Any]:
        counts = np.empty((len(self._inputs), n), self._dtype)
        for c, (name, offset) in enumerate(zip(self._inputs, self._offsets, strict=True)):
            counts[c] = self._layout.values(scans, name) + (
                int(offset) if offset == int(offset) else offset
            )
        return counts

    def _wait(self, fd: int, timeout_s: float) -> bytes:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        if not poll.poll(1000.0 * timeout_s):
            return b""
        most = max(1, _MOST_BYTES // self._layout.scan_bytes) * self._layout.scan_bytes
        try:
            got = os.read(fd, most)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise VibroError(f"{self._character}: reading failed ({error.strerror})") from None
        if not got:
            raise VibroError(f"{self._character}: has ended: is the device still there?")
        return got

    def stop(self) -> None:
        """Close the character device and disable the buffer."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)
        files, self._files = self._files, None
        if files is not None:
            # A device that was pulled out has no files any more.
            with suppress(VibroError):
                files.write("buffer/enable", 0)


KIND = LiveKind(IioOptions, open_device)
