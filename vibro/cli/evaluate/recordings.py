"""Recordings of a group: read one at a time, and only the last ones stay in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from datasets.replay import read_entry
from vibro.errors import BadInputError, VibroError
from vibro.features.spans import FAST_S
from vibro.files import Entry, Recording

BUDGET = 256 * 1024 * 1024
"""Bytes of samples that stay in memory; the recording at hand may exceed them."""
STILL = 0.5
"""Share of a recording in which a channel may stand still; above it nobody could judge it."""

# A command that reads one file has options for these; an evaluation has its manifest.
_REMEDIES = {
    "give it with --rate HZ": "give its sample_rate_hz in the manifest",
    "give the right one with --rpm": "give its rpm in the manifest",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of a recording once it was read.

    Attributes
    ----------
    dead : str
        Why nobody could judge it, else empty.
    """

    names: tuple[str, ...]
    samples: int
    rate_hz: float
    rpm: float
    dead: str


class Recordings:
    """Recordings by the manifest's name of the file; a large one is read again when needed."""

    def __init__(self, entries: Iterable[Entry], budget_bytes: int = BUDGET) -> None:
        self._entries = {e.file: e for e in entries}
        self._kept: OrderedDict[str, Recording] = OrderedDict()
        self._budget = budget_bytes
        self.shapes: dict[str, Shape] = {}

    def __getitem__(self, file: str) -> Recording:
        """Read a recording.

        Raises
        ------
        BadInputError
            In the manifest's words: the remedy is there.
        """
        if file in self._kept:
            self._kept.move_to_end(file)
            return self._kept[file]
        found = self._kept[file] = _read(self._entries[file])
        self.shapes.setdefault(file, _shape(found))
        while len(self._kept) > 1 and self.kept_bytes > self._budget:
            self._kept.popitem(last=False)
        return found

    @property
    def kept_bytes(self) -> int:
        """Bytes of samples in memory."""
        return sum(r.samples.nbytes for r in self._kept.values())

    def survey(self, file: str) -> str:
        """Read a recording for the first time; tell why that is not possible, else empty."""
        try:
            self[file]
        except VibroError as error:
            return str(error)
        return ""


def _read(entry: Entry) -> Recording:
    try:
        return read_entry(entry)
    except BadInputError as error:
        text = str(error).removeprefix(f"{entry.path}: ")
        for option, remedy in _REMEDIES.items():
            text = text.replace(option, remedy)
        raise BadInputError(text) from None
    except MemoryError:
        raise BadInputError("does not fit into this machine's memory") from None


def _shape(recording: Recording) -> Shape:
    return Shape(
        recording.names,
        recording.samples.shape[1],
        recording.rate_hz,
        recording.rpm,
        _standstill(recording),
    )


def _standstill(recording: Recording) -> str:
    """Why a recording with a channel that is constant most of the time is no use; else empty.

    Every method takes the median over windows: that would be the dead channel's, and its alarm
    would pass for the fault that the label tells of.
    """
    samples = recording.samples
    size = min(samples.shape[1], max(2, round(FAST_S * recording.rate_hz)))
    blocks = samples[:, : samples.shape[1] // size * size].reshape(len(samples), -1, size)
    share = (np.ptp(blocks, axis=2) == 0.0).mean(axis=1)
    dead = [n for n, s in zip(recording.names, share, strict=True) if s > STILL]
    return f"channel {' and '.join(dead)} does not move" if dead else ""
