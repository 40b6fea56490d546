"""Source ``replay``: recordings of one machine, one after the other, as one stream."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge_node.sources.port import Pace, Seekable
from vibro.assets import Machine
from vibro.errors import BadInputError
from vibro.files import read_recording
from vibro.records import SampleBlock, StreamInfo


class ReplaySource(Seekable):
    """Samples of recordings (wav, csv, npy, tdms) of all channels of a machine.

    Parameters
    ----------
    files : sequence of Path
        Recordings with as many channels as the machine has points, at one rate.
    rate_hz : float
        Rate where a recording does not say it; 0 = the machine's.
    """

    def __init__(
        self,
        machine: Machine,
        files: Sequence[Path],
        *,
        rate_hz: float,
        t0_ns: int,
        block_s: float,
        pace: Pace,
    ) -> None:
        if not files:
            raise BadInputError("source.files is empty: name at least one recording to replay")
        recordings = [
            read_recording(f, otherwise_rate_hz=rate_hz or machine.points[0].rate_hz) for f in files
        ]
        rate = recordings[0].rate_hz
        for file, recording in zip(files, recordings, strict=True):
            if recording.samples.shape[0] != len(machine.points) or recording.rate_hz != rate:
                raise BadInputError(
                    f"{file}: has {recording.samples.shape[0]} channels at "
                    f"{recording.rate_hz:g} Hz; needed are {len(machine.points)} at {rate:g} Hz"
                )
        self._samples = np.concatenate([r.samples for r in recordings], axis=1)
        rpm = machine.rpm_nominal
        self._rpm = float("nan") if rpm is None else rpm
        info = StreamInfo(
            channels=machine.channels,
            rate_hz=rate,
            scale=np.ones(len(machine.points), np.float32),
            stream_epoch=t0_ns,
            sample_bytes=2,
        )
        super().__init__(info, t0_ns, self._samples.shape[1], max(1, round(block_s * rate)), pace)

    def _render(self, first: int, n: int) -> SampleBlock:
        counts = self._samples[:, first : first + n]
        return SampleBlock(first, self.time_of(first), counts, self._rpm)
