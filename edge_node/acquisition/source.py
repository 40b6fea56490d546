"""The sources that a node sees of a live stream: its epochs, one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from edge_node.acquisition.acquire import Acquisition
from edge_node.acquisition.epoch import Epoch
from edge_node.sources.port import Gap
from vibro.records import SampleBlock, StreamInfo


class LiveSource:
    """One epoch of a live stream; what was read cannot be read again."""

    def __init__(self, epoch: Epoch, acquisition: Acquisition) -> None:
        self._epoch, self._acquisition = epoch, acquisition

    @property
    def info(self) -> StreamInfo:
        """What the stream is."""
        return self._epoch.info

    @property
    def finished(self) -> bool:
        """Whether every sample of the epoch was read and none will follow."""
        return self._epoch.drained

    @property
    def continues(self) -> bool:
        """Whether another epoch may follow."""
        epochs = self._acquisition.epochs
        return not self._acquisition.over or (bool(epochs) and epochs[-1] is not self._epoch)

    @property
    def next_sample(self) -> int:
        """Index of the sample that the next block starts with."""
        return self._epoch.next_sample

    def seek(self, first_sample: int) -> None:
        """Stay where it is: only the start of an epoch that has just begun is ever asked for."""
        if first_sample != self.next_sample:
            raise ValueError(f"a live stream cannot go to sample {first_sample}")

    def read(self) -> SampleBlock | Gap | None:
        """Return what comes next, or None."""
        return self._epoch.take()

    def wait_s(self) -> float:
        """Nobody knows when samples come: acquisition wakes whoever waits for them."""
        return math.inf

    def facts(self) -> dict[str, Any]:
        """What acquisition counts and measures."""
        return {"acquisition": self._acquisition.facts() | self._epoch.facts()}


class Ended:
    """An epoch that is over: for the node that closes it, and while none has begun.

    Parameters
    ----------
    info : StreamInfo
    continues : callable
        Tells whether another epoch may follow.
    """

    def __init__(self, info: StreamInfo, continues: Callable[[], bool]) -> None:
        self._info, self._continues = info, continues

    @property
    def info(self) -> StreamInfo:
        """What the stream was."""
        return self._info

    @property
    def finished(self) -> bool:
        """It is."""
        return True

    @property
    def continues(self) -> bool:
        """Whether another epoch may follow."""
        return self._continues()

    @property
    def next_sample(self) -> int:
        """There is none."""
        return 0

    def seek(self, first_sample: int) -> None:
        """Go nowhere: no sample can be read again."""

    def read(self) -> SampleBlock | Gap | None:
        """Return nothing."""
        return None

    def wait_s(self) -> float:
        """For ever."""
        return math.inf

    def facts(self) -> dict[str, Any]:
        """Nothing is known."""
        return {}
