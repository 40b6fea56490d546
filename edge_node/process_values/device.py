"""A device whose frames carry the speed that the control system knows."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from edge_node.process_values.port import ProcessValues
from edge_node.sources.device import Device, Frames


class WithSpeed:
    """Gives the speed to frames of a device that measures none.

    It is looked up when the frames are read, on acquisition's thread, and never waited for. A speed
    that the device measures itself is kept.
    """

    def __init__(self, device: Device, values: ProcessValues) -> None:
        self._device, self._values = device, values

    @property
    def rate_hz(self) -> float:
        """The device's."""
        return self._device.rate_hz

    @property
    def scale(self) -> NDArray[np.float32]:
        """The device's."""
        return self._device.scale

    @property
    def sample_bytes(self) -> int:
        """The device's."""
        return self._device.sample_bytes

    def start(self) -> None:
        """Start polling and the device."""
        self._values.start()
        self._device.start()

    def read(self, timeout_s: float) -> Frames | None:
        """Read the device's frames; where they have no speed, the latest is theirs."""
        frames = self._device.read(timeout_s)
        if frames is None or not math.isnan(frames.rpm):
            return frames
        return replace(frames, rpm=self._values.latest().speed)

    def stop(self) -> None:
        """Stop the device and polling."""
        self._device.stop()
        self._values.stop()

    def facts(self) -> dict[str, float | str]:
        """Return what is known (five digits), its age, and what went wrong last, if it did.

        Heartbeats carry it, so it is short: what is not known is not in it.
        """
        latest = asdict(self._values.latest())
        found: dict[str, float | str] = {
            name: float(f"{value:.5g}") for name, value in latest.items() if math.isfinite(value)
        }
        if self._values.last_error:
            found["last_error"] = self._values.last_error
        return found
