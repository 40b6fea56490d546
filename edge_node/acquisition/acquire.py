"""Frames of a device made into stream epochs: a plain state machine, time is an argument.

A new epoch begins when the process, or the device, has begun anew; when the time of day has jumped;
when the clocks of device and node have parted; after a gap that is too long; and when the device
delivers something else (rate, scale, type). Every other gap lies inside its epoch.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_node.acquisition.epoch import Epoch, Lead
from edge_node.config import AcquisitionSection
from edge_node.process_values.device import WithSpeed
from edge_node.sources.device import Device, Frames
from vibro.errors import VibroError
from vibro.records import ChannelPath, StreamInfo

MOST_EPOCHS = 2
"""Epochs that may wait or be read while another is to begin; what comes meanwhile is lost."""
RESTART, OTHER = "the node began anew", "the device delivers something else now"
ANEW, PARTED = "the device began anew", "the clocks of device and node have parted"
TOO_LONG = "a gap of more than acquisition.longest_gap_s"


class Acquisition:
    """Accounts for everything that a device delivers.

    Parameters
    ----------
    device : Device
        Is asked for rate, scale and bytes a sample when an epoch begins.
    channels : tuple of ChannelPath
    section : AcquisitionSection
    block_s : float
        Length of the blocks that are handed on.
    exact : bool
        Whether the device tells of every loss.

    Attributes
    ----------
    epochs : deque of Epoch
        For the reader: the oldest first; it takes one out when it is drained.
    over : bool
        Whether the device will never deliver anything again.
    """

    def __init__(
        self,
        device: Device,
        channels: tuple[ChannelPath, ...],
        section: AcquisitionSection,
        block_s: float,
        *,
        exact: bool,
    ) -> None:
        self._device, self._channels, self._section = device, channels, section
        self._block_s, self._exact = block_s, exact
        self.epochs: deque[Epoch] = deque()
        self._epoch: Epoch | None = None
        self._lead: Lead | None = None
        self._number = self._offset_ns = 0
        # A copy of the device's scale, and the array that was last found to be like it.
        self._scale: NDArray[np.float32] = np.zeros(0, np.float32)
        self._looked_at: object = None
        self.over = False
        self.epoch_count = self.failures = 0
        self.last_failure = ""

    def follow(self, number: int, end_ns: int | None) -> None:
        """Go on after an epoch of an earlier process.

        Parameters
        ----------
        number : int
            Its stream epoch.
        end_ns : int or None
            UTC time up to which it was accounted for; None if it never had a sample.
        """
        self._number = number
        if end_ns is not None:
            self._lead = Lead(RESTART, since_utc_ns=end_ns)

    def push(self, frames: Frames, mono_ns: int, utc_ns: int) -> bool:
        """Take frames that have just come; return whether the reader has something to do.

        Raises
        ------
        VibroError
            If the device delivers another number of channels than the machine has.
        """
        n = frames.counts.shape[0]
        if n != len(self._channels):
            raise VibroError(
                f"the device delivers {n} channels, the machine has {len(self._channels)}"
            )
        offset_ns = utc_ns - mono_ns
        ended = self._end_if_due(frames, offset_ns)
        self._offset_ns = offset_ns
        if self._epoch is None:
            if not self._begin(frames.counts, utc_ns):
                self._miss(frames)
                return ended
            frames = replace(frames, lost=0, anew=False)
        epoch = self._epoch
        return (epoch is not None and epoch.push(frames, mono_ns, offset_ns)) or ended

    def fail(self, why: str) -> None:
        """End the epoch, because the device has failed and will begin anew."""
        self.failures += 1
        self.last_failure = why
        self._close(f"{ANEW}: {why}")

    def finish(self) -> None:
        """End everything: no sample will ever come again."""
        self._close("")
        self.over = True

    def facts(self) -> dict[str, Any]:
        """Small JSON-able facts, for whoever asks on whichever thread."""
        told: dict[str, Any] = {
            "epochs": self.epoch_count,
            "failures": self.failures,
            "last_failure": self.last_failure,
        }
        if isinstance(self._device, WithSpeed):
            told["process_values"] = self._device.facts()
        return told

    # -- epochs ----------------------------------------------------------------------------------

    def _end_if_due(self, frames: Frames, offset_ns: int) -> bool:
        """End the epoch that these frames do not belong to; return whether one has ended."""
        epoch = self._epoch
        if epoch is None:
            return False
        jump_ns = offset_ns - self._offset_ns
        if frames.anew:
            self._close(ANEW)
        elif abs(jump_ns) > self._section.clock_jump_s * 1e9:
            self._close(f"the time of day jumped by {jump_ns * 1e-9:+.3f} s", frames.lost)
        elif not epoch.fits(frames.counts) or self._differs(epoch.info):
            self._close(OTHER, frames.lost)
        elif frames.lost > self._section.longest_gap_s * epoch.info.rate_hz:
            self._close(TOO_LONG, frames.lost)
        elif epoch.clock.parted():
            self._close(PARTED, frames.lost)
        return self._epoch is None

    def _differs(self, info: StreamInfo) -> bool:
        scale = self._device.scale
        if scale is not self._looked_at:
            if not np.array_equal(scale, self._scale):
                return True
            self._looked_at = scale
        return self._device.rate_hz != info.rate_hz

    def _begin(self, like: NDArray[Any], utc_ns: int) -> bool:
        if len(self.epochs) >= MOST_EPOCHS:
            return False
        rate_hz = self._device.rate_hz
        self._looked_at = self._device.scale
        self._scale = np.array(self._looked_at, np.float32)
        # Numbers rise even when the time of day goes back: they are names, not times.
        self._number = max(utc_ns, self._number + 1)
        info = StreamInfo(
            self._channels, rate_hz, self._scale, self._number, self._device.sample_bytes
        )
        self._epoch = Epoch(
            info,
            like,
            round(self._section.ring_s * rate_hz),
            max(1, round(self._block_s * rate_hz)),
            self._section.clock_jump_s,
            self._lead,
            exact=self._exact,
        )
        self.epochs.append(self._epoch)
        self.epoch_count += 1
        self._lead = None
        return True

    def _miss(self, frames: Frames) -> None:
        """Count frames that no epoch can take yet, where they are counted and not measured."""
        if self._lead is not None and self._lead.missing is not None:
            more = frames.counts.shape[1] + (0 if frames.anew else frames.lost)
            self._lead = replace(self._lead, missing=self._lead.missing + more)

    def _close(self, reason: str, missing: int | None = None) -> None:
        epoch, self._epoch = self._epoch, None
        if epoch is None:
            return
        epoch.close(self._offset_ns)
        self._lead = Lead(reason, missing, since_mono_ns=epoch.clock.mono_of(epoch.end))
