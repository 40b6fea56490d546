"""What was found and is not yet in the spool: records, rows that wait, clips that are packed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from edge_node.clips.desk import ClipDesk
from edge_node.clips.packing import Packed, spectra, values
from edge_node.config import ReportingSection
from edge_node.privacy import Plain, Privacy
from edge_node.reporting.blocks import Waiting, feature_blocks
from edge_node.reporting.intervals import Row
from edge_node.spool import SpoolWriter
from vibro.records import Event, Origin


@dataclass(frozen=True, slots=True)
class Batch:
    """What one commit makes durable together."""

    records: list[Plain]
    clips: list[Packed]
    checkpoint: bytes
    t_ns: int


class Outbox:
    """Gathers what one commit makes durable, and writes it in one transaction.

    Parameters
    ----------
    writer : SpoolWriter
    origin : Origin
        Of the node's records.
    channels : tuple of str
    waiting : Waiting
        Rows that wait for more of their kind.
    desk : ClipDesk
    privacy : Privacy
    """

    def __init__(
        self,
        writer: SpoolWriter,
        origin: Origin,
        channels: tuple[str, ...],
        waiting: Waiting,
        desk: ClipDesk,
        privacy: Privacy,
    ) -> None:
        self._writer, self._origin, self._channels = writer, origin, channels
        self.waiting, self._desk, self._privacy = waiting, desk, privacy
        self._records: list[Plain] = []
        self.urgent = False
        """Whether there is an event: it must not wait for the next commit in its turn."""
        self.commits = 0
        self.spool_bytes = writer.size_bytes()

    def __bool__(self) -> bool:
        return bool(self._records)

    def reconfigure(self, reporting: ReportingSection, privacy: Privacy) -> None:
        """Go on with another interval of status, and by other rules of what may leave."""
        self.waiting.reconfigure(round(reporting.status_s * 1e9))
        self._privacy = privacy

    @property
    def trouble(self) -> dict[str, str]:
        """What keeps the spool from the disk, for a heartbeat; empty when all is well."""
        return {"trouble": self._writer.trouble} if self._writer.trouble else {}

    def add(self, record: Plain) -> None:
        """Put a record in if it may leave; the spool will number it."""
        if self._privacy.lets(record):
            self._records.append(record)
            self.urgent = self.urgent or isinstance(record, Event)

    def rows(self, rows: Sequence[Row]) -> None:
        """Let finished rows wait for more of their kind."""
        self.waiting.add(rows)

    @contextmanager
    def gathered(
        self,
        now_ns: int,
        bundle: str,
        checkpoint: Callable[[Sequence[Packed], bool], bytes],
        *,
        everything: bool,
        wait: bool,
    ) -> Iterator[Batch]:
        """Gather a commit; unless writing it fails, the outbox then forgets what it holds.

        Parameters
        ----------
        now_ns : int
            Stream time.
        bundle : str
            Version in use, empty without one.
        checkpoint : callable
            Takes the clips that reach the spool, and whether any record does; is called when rows
            have been taken.
        everything : bool
            No row waits for more of its kind.
        wait : bool
            Wait for clips that are being packed; else they come with a later commit.
        """
        # Whoever is learning, or looking at an event, wants to see everything now.
        awaited = not bundle or self.urgent
        clips = self._desk.ready(wait=wait)
        with self.waiting.taken(now_ns, everything=everything or awaited) as rows:
            blocks = feature_blocks(rows, self._origin, self._channels, bundle)
            found = [*self._records, *spectra(clips), *blocks]
            # Not what is packed: when it is ready is luck, and heartbeats must not depend on it.
            leaves = bool(self._records or blocks)
            yield Batch(found, clips, checkpoint(clips, leaves), now_ns)
        self._desk.kept(clips)
        self._records, self.urgent = [], False
        self.commits += 1

    def write(self, batch: Batch) -> None:
        """Write a batch into the spool; nothing else of the node may do so meanwhile."""
        self._writer.write(batch.records, values(batch.clips), batch.checkpoint, batch.t_ns)
        self.spool_bytes = self._writer.size_bytes()
