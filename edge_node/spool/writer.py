"""From records to a spool: which lane, which number, and what is said of losses.

A record's lane is fixed when it is appended. It is live, unless the oldest record of its kind in
the live lane has already waited longer than a bound: then the link is down or too slow, and the
record is backfill. So the live lane of a kind never holds more than about that much time; once the
link is back it is empty within moments, the next record is live again, and the backfill follows
behind it. Each lane keeps its own numbers and its order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from edge_node.spool.enduring import EnduringSpool
from edge_node.spool.entry import PRIORITY, Entry
from edge_node.spool.sqlite import Spool
from vibro.records import BACKFILL, LIVE, TOPIC_OF, FeatureBlock, Health, Record, RecordId
from vibro.wire import encode, renumber


def lane_of(waited_ns: int, live_ns: int) -> str:
    """Lane of a new record, from how long the oldest of its kind has waited in the live lane."""
    return BACKFILL if waited_ns > live_ns else LIVE


class SpoolWriter:
    """Writes what a commit gathered.

    Parameters
    ----------
    spool : Spool or EnduringSpool
    key : str
        ``site/machine``.
    live_ns : int
        Longest wait of the live lane's oldest record before newer ones are backfill.
    """

    def __init__(self, spool: Spool | EnduringSpool, key: str, live_ns: int) -> None:
        self._spool, self._key, self._live_ns = spool, key, live_ns
        self._beat: Health | None = None

    @property
    def trouble(self) -> str:
        """What keeps records from the disk; empty when all is well."""
        return self._spool.trouble if isinstance(self._spool, EnduringSpool) else ""

    def write(
        self,
        records: Sequence[Record],
        clips: Sequence[bytes],
        checkpoint: bytes,
        t_ns: int,
    ) -> None:
        """Append records, packed clips and the checkpoint in one transaction.

        A gap record, when one is due, follows the pattern of the newest heartbeat.

        Parameters
        ----------
        clips : sequence of bytes
            Encoded clips, under any number.
        t_ns : int
            Stream time.
        """
        lanes = {
            kind: lane_of(self._spool.waited_ns(kind, t_ns), self._live_ns) for kind in PRIORITY
        }
        entries = [self._entry(record, lanes[TOPIC_OF[type(record)]], t_ns) for record in records]
        lane = lanes["clips"]
        entries += [
            Entry("clips", self._key, lane, partial(renumber, value, lane), t_ns) for value in clips
        ]
        beats = (r for r in reversed(records) if isinstance(r, Health))
        self._beat = next(beats, self._beat)
        gap = None
        if self._beat is not None:
            gap = partial(self._gap, self._beat, lanes["health"], t_ns)
        self._spool.put(entries, checkpoint, gap)

    def _entry(self, record: Record, lane: str, t_ns: int) -> Entry:
        rows = record.rows if isinstance(record, FeatureBlock) else 0
        seal = partial(renumber, encode(record), lane)
        return Entry(TOPIC_OF[type(record)], self._key, lane, seal, t_ns, rows)

    def _gap(
        self, beat: Health, lane: str, t_ns: int, detail: dict[str, Any], number: int
    ) -> Entry:
        """Say what a spool gave up; the record's id is the spool and the number of the gap."""
        origin = beat.origin
        source = f"{origin.node}/{detail['spool']}"
        record = replace(
            beat,
            id=RecordId("spool", source, origin.stream_epoch, number),
            content="gap",
            t0_ns=min(loss["from_ns"] for loss in detail["losses"]),
            detail=detail,
        )
        return replace(self._entry(record, lane, t_ns), gap=True)

    def size_bytes(self) -> int:
        """Bytes that the waiting records take."""
        return self._spool.size_bytes()
