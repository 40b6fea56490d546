"""What is kept together: the admitted messages of one or more polls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa

from cloud_jobs.columns import block_rows, clip_rows, spectrum_rows, table_name
from cloud_jobs.consume.letters import Letter
from cloud_jobs.lake import Lake
from cloud_jobs.store.progress import Sender, Taken
from vibro.log import Place, Stored
from vibro.records import Clip, Event, FeatureBlock, Health, Record, Spectrum

_ROWS: dict[str, Callable[[Any], pa.Table]] = {"clips": clip_rows, "spectra": spectrum_rows}
"""Tables that hold records as they were shipped."""


@dataclass(slots=True)
class Counts:
    """What was kept.

    `machines` are those with new events or clips, `alive` those whose nodes gave a heartbeat;
    spectra count among the features, whose topic they share. `expired` counts messages that the
    transport had deleted before they were taken, `overtaken` batches that another consumer had
    taken over; `seconds` is how long keeping took.
    """

    messages: int = 0
    features: int = 0
    rows: int = 0
    events: int = 0
    clips: int = 0
    health: int = 0
    repeats: int = 0
    dead: int = 0
    value_bytes: int = 0
    expired: int = 0
    overtaken: int = 0
    seconds: float = 0.0
    machines: set[str] = field(default_factory=set)
    alive: set[str] = field(default_factory=set)

    def add(self, other: Counts) -> None:
        """Add what another batch kept."""
        for name in self.__slots__:
            mine, more = getattr(self, name), getattr(other, name)
            setattr(self, name, mine | more if isinstance(mine, set) else mine + more)


@dataclass(slots=True)
class Batch:
    """Messages that go into lake and store in one go.

    Attributes
    ----------
    reached : dict of Place to int
        Offset of the last message of each place.
    taken : dict of Sender to Taken
        Numbers taken from the senders once all of it is kept.
    admitted : list of (Place, int, Record)
        With the place and offset that it came from.
    rows : dict of str to list of (Place, int, object)
        What goes into each table of the lake: a block, or a clip or spectrum with its value.
    replays : set of str
        Letters that were let in at last.
    since_s : float
        Monotonic time of the first message.
    """

    reached: dict[Place, int] = field(default_factory=dict)
    taken: dict[Sender, Taken] = field(default_factory=dict)
    admitted: list[tuple[Place, int, Record]] = field(default_factory=list)
    rows: dict[str, list[tuple[Place, int, Any]]] = field(default_factory=dict)
    clips: list[Clip] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    beats: list[Health] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    replays: set[str] = field(default_factory=set)
    counts: Counts = field(default_factory=Counts)
    since_s: float = 0.0

    def pass_by(self, stored: Stored) -> None:
        """Count a message, whatever becomes of it."""
        self.reached[stored.place] = stored.offset
        self.counts.messages += 1
        self.counts.value_bytes += len(stored.value)

    def bury(self, letter: Letter) -> None:
        """Add a dead letter."""
        self.letters.append(letter)
        self.counts.dead += 1

    def add(self, stored: Stored, record: Record) -> None:
        """Put an admitted record where it belongs."""
        at = (stored.place, stored.offset)
        self.admitted.append((*at, record))
        counts = self.counts
        if isinstance(record, FeatureBlock):
            counts.features += 1
            counts.rows += record.rows
            self.rows.setdefault(table_name(record), []).append((*at, record))
        elif isinstance(record, Spectrum):
            counts.features += 1
            self.rows.setdefault("spectra", []).append((*at, (record, stored.value)))
        elif isinstance(record, Clip):
            counts.clips += 1
            counts.machines.add(record.origin.machine_path)
            self.clips.append(record)
            self.rows.setdefault("clips", []).append((*at, (record, stored.value)))
        elif isinstance(record, Event):
            counts.events += 1
            self.events.append(record)
        elif isinstance(record, Health):
            counts.health += 1
            counts.alive.add(record.origin.machine_path)
            self.beats.append(record)

    def to_lake(self, lake: Lake) -> None:
        """Append to each table what it does not hold yet."""
        for table, found in self.rows.items():
            reached = {app_id(place): self.reached[place] for place, _, _ in found}
            lake.append(table, partial(_rows_above, table, found), reached)


def app_id(place: Place) -> str:
    """Name of a place in the lake's commits."""
    topic, partition = place
    return f"{topic}/{partition}" if partition else topic


def _rows_above(
    table: str, found: Sequence[tuple[Place, int, Any]], held: Mapping[str, int]
) -> pa.Table:
    records = [r for place, offset, r in found if offset > held[app_id(place)]]
    return _ROWS.get(table, partial(block_rows, table))(records)
