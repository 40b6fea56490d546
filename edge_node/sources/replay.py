"""Source ``replay``: recordings of one machine, one after the other, as one stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_node.sources.calibration import UNITS, as_scale, m_s2_per_unit
from edge_node.sources.kinds import RecordedKind
from edge_node.sources.pace import pace_of
from edge_node.sources.port import Pace, Seekable
from vibro.assets import Machine
from vibro.errors import BadInputError
from vibro.files import read_recording
from vibro.files.recording import STANDARD_GRAVITY
from vibro.options import option
from vibro.records import SampleBlock, StreamInfo

if TYPE_CHECKING:
    from edge_node.config import NodeConfig

EMPTY = "source.files is empty: name at least one recording to replay"


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """Recordings to replay."""

    files: tuple[str, ...] = option((), "paths", "Recordings to replay, one after the other.")
    rate_hz: float = option(0.0, "Hz", "Sampling rate where a recording does not say it.", low=0)
    unit: str = option("g", "word", "Unit where a recording does not say it.", words=UNITS)
    sensitivity_mv_g: tuple[float, ...] = option(
        (), "mV/g", "Sensitivity where unit is mV or V: one for all channels or one each.", low=0
    )
    sign: tuple[float, ...] = option((1.0,), "", "1, or -1 to turn an axis, likewise.", low=-1)


class ReplaySource(Seekable):
    """Samples of recordings (wav, csv, npy, tdms) of all channels of a machine.

    Parameters
    ----------
    files : sequence of Path
        Recordings with as many channels as the machine has points, at one rate.
    options : ReplayOptions
        Rate (0 = the machine's) and unit are for recordings that do not say theirs.
    """

    def __init__(
        self,
        machine: Machine,
        files: Sequence[Path],
        options: ReplayOptions,
        *,
        t0_ns: int,
        block_s: float,
        pace: Pace,
    ) -> None:
        if not files:
            raise BadInputError(EMPTY)
        known = options.rate_hz or machine.points[0].rate_hz
        recordings = [read_recording(f, otherwise_rate_hz=known) for f in files]
        rate, n = recordings[0].rate_hz, len(machine.points)
        for file, recording in zip(files, recordings, strict=True):
            if recording.samples.shape[0] != n or recording.rate_hz != rate:
                raise BadInputError(
                    f"{file}: has {recording.samples.shape[0]} channels at "
                    f"{recording.rate_hz:g} Hz; needed are {n} at {rate:g} Hz"
                )
        unit = m_s2_per_unit("source", options.unit, options.sensitivity_mv_g, [1.0], n)
        # A recording that does not say its unit was taken for g.
        assumed = (unit / STANDARD_GRAVITY).astype(np.float32)[:, None]
        self._samples = np.concatenate(
            [r.samples if r.units_known else r.samples * assumed for r in recordings], axis=1
        )
        rpm = machine.rpm_nominal
        self._rpm = float("nan") if rpm is None else rpm
        scale = m_s2_per_unit("source", "m/s2", (), options.sign, n)
        info = StreamInfo(
            channels=machine.channels,
            rate_hz=rate,
            scale=as_scale(scale),
            stream_epoch=t0_ns,
            sample_bytes=2,
        )
        super().__init__(info, t0_ns, self._samples.shape[1], max(1, round(block_s * rate)), pace)

    def _render(self, first: int, n: int) -> SampleBlock:
        counts = self._samples[:, first : first + n]
        return SampleBlock(first, self.time_of(first), counts, self._rpm)


def _open(config: NodeConfig, machine: Machine, now_ns: int) -> ReplaySource:
    section, options = config.source, config.source_options
    return ReplaySource(
        machine,
        [config.path(f) for f in options.files],
        options,
        t0_ns=section.t0_ns or now_ns,
        block_s=section.block_s,
        pace=pace_of(config),
    )


def _mistakes(options: ReplayOptions, folder: Path) -> list[str]:
    missing = [f for f in options.files if not (folder / f).is_file()]
    found = [] if options.files else [EMPTY]
    return [*found, *(f"source.files: {folder / f} is not there" for f in missing)]


KIND = RecordedKind(ReplayOptions, _open, _mistakes)
