"""The thread that reads a device, and the live stream that it makes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from edge_node.acquisition.acquire import Acquisition
from edge_node.acquisition.source import LiveSource
from edge_node.config import AcquisitionSection
from edge_node.sources.device import Device
from edge_node.wake import Wake
from vibro.errors import VibroError
from vibro.records import ChannelPath

LOG = logging.getLogger("vibro.acquisition")
READ_S = 0.2
"""Longest wait for frames, and so for the thread to notice that it shall end."""
FIRST_PAUSE_S = 0.25
STOP_S = 2.0
CLOSE_NS, TRIES = 50_000, 4
"""Two readings of the monotonic clock so close take that of the day between them."""


def read_clocks() -> tuple[int, int]:
    """Return monotonic clock and time of day in ns, of the same instant."""
    for _ in range(TRIES):
        before = time.monotonic_ns()
        utc_ns = time.time_ns()
        after = time.monotonic_ns()
        if after - before <= CLOSE_NS:
            break
    return (before + after) // 2, utc_ns


class Live:
    """A live stream: a device that is read on a thread of its own.

    Parameters
    ----------
    device : Device
    channels : tuple of ChannelPath
    section : AcquisitionSection
    block_s : float
        Length of the blocks that are handed on.
    exact : bool
        Whether the device tells of every loss.
    clocks : callable
        Returns monotonic clock and time of day in ns.
    """

    def __init__(
        self,
        device: Device,
        channels: tuple[ChannelPath, ...],
        section: AcquisitionSection,
        block_s: float,
        *,
        exact: bool = False,
        clocks: Callable[[], tuple[int, int]] = read_clocks,
    ) -> None:
        self.channels = channels
        self._device, self._clocks, self._retry_s = device, clocks, section.retry_s
        self._acquisition = Acquisition(device, channels, section, block_s, exact=exact)
        self._stopping, self._wake = threading.Event(), Wake()
        self._thread = threading.Thread(target=self._run, name="acquisition", daemon=True)
        self._served: LiveSource | None = None

    def start(self, wake: Wake, after: tuple[int, int | None] | None) -> None:
        """Begin to acquire.

        Parameters
        ----------
        wake : Wake
            Is set whenever there is something to read.
        after : tuple of int and (int or None), optional
            Stream epoch that an earlier process left, and the UTC time up to which it accounted
            for samples.
        """
        self._wake = wake
        if after is not None:
            self._acquisition.follow(*after)
        self._thread.start()

    @property
    def over(self) -> bool:
        """Whether no epoch follows the one that is read."""
        return self._acquisition.over and len(self._acquisition.epochs) <= (
            self._served is not None
        )

    def next_epoch(self) -> LiveSource | None:
        """Return the next epoch, if it has begun; the one before must have been read up."""
        epochs = self._acquisition.epochs
        if self._served is not None:
            if not self._served.finished:
                return None
            epochs.popleft()
            self._served = None
        if not epochs or not epochs[0].clock.ready:
            return None
        self._served = LiveSource(epochs[0], self._acquisition)
        return self._served

    def stop(self) -> None:
        """End acquisition; what is in the ring can still be read."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    # -- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        pause_s, told = FIRST_PAUSE_S, ""
        while not self._stopping.is_set():
            frames_before = self._acquisition.epoch_count
            try:
                self._read()
            except EOFError:
                break
            except VibroError as error:
                why = str(error)
            except Exception as error:
                # A driver's mistake must not silence the machine for ever.
                LOG.exception("acquisition: the driver failed")
                why = f"{type(error).__name__}: {error}"
            else:
                break
            finally:
                self._device.stop()
            if self._acquisition.epoch_count > frames_before:
                pause_s = FIRST_PAUSE_S
            if why != told:
                LOG.warning("acquisition: %s; it is tried again", why)
                told = why
            self._acquisition.fail(why)
            self._wake.set()
            self._stopping.wait(pause_s)
            pause_s = min(2.0 * pause_s, self._retry_s)
        self._acquisition.finish()
        self._wake.set()

    def _read(self) -> None:
        self._device.start()
        while not self._stopping.is_set():
            frames = self._device.read(READ_S)
            if frames is not None and self._acquisition.push(frames, *self._clocks()):
                self._wake.set()
