"""A spool that goes on when its disk does not.

The file is used as long as it can be written. On a disk that is full (beyond what the file itself
can make room for), read-only or failing, a spool in memory stands in: it numbers on from the file,
has the same ladder at its own bound, is shipped from, and moves into the file with the first write
that succeeds. A torn file is set aside and a new one begun; the next gap record says so.

What is in memory only does not outlive the process: the node's checkpoint is in the file too, so a
restart goes back to the last one that was written, and a source that can be read again yields the
same records under the same numbers.

Two threads may use it: one commits, one ships; no method waits for the link. An id means the same
record for as long as the process lives, whichever file or memory held it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path

from edge_node.spool.entry import PRIORITY, DiskError, Entry, Spooled, TornError
from edge_node.spool.losses import UNKNOWN, Loss
from edge_node.spool.sqlite import GapMaker, Spool
from edge_node.spool.turns import alone
from vibro.errors import VibroError
from vibro.records import BACKFILL, LIVE

MEMORY_BYTES = 16_000_000
MEMORY_IDS, IDS_OF_ONE = 2**40, 2**32
"""Ids from here on are those of spools in memory, so many for each."""
_SUFFIXES = ("-wal", "-shm", "")


class EnduringSpool:
    """A file, and memory behind it; see `sqlite.Spool` for the methods that both share.

    Parameters
    ----------
    path : Path
    max_bytes, max_age_ns, clip_lead_s, reserve_bytes, largest_bytes
        As of `sqlite.Spool`.

    Attributes
    ----------
    trouble : str
        Why memory stands in for the file; empty while the file is well.
    """

    def __init__(
        self,
        path: Path,
        max_bytes: int,
        max_age_ns: int,
        *,
        clip_lead_s: float = 0.0,
        reserve_bytes: int = 0,
        largest_bytes: int = 0,
    ) -> None:
        self._path, self._bounds = path, (max_bytes, max_age_ns)
        self._lead_s, self._reserve = clip_lead_s, reserve_bytes
        self._largest, self.turn = largest_bytes, threading.RLock()
        self._stood_in = self._shown = 0
        self._file: Spool | None = None
        self._memory: Spool | None = None
        self._numbers: dict[tuple[str, str], int] = {}
        self.trouble = ""
        self._open()
        if self._file is None:
            self._memory = self._stand_in()

    # -- the file and its stand-in -------------------------------------------------------------

    def _open(self) -> None:
        """Open the file, or say why not."""
        try:
            try:
                self._file = self._new()
            except TornError as error:
                self._set_aside(str(error), {})
        except OSError as error:
            self.trouble = f"spool {self._path}: {error.strerror}"
        except DiskError as error:
            self.trouble = str(error)

    def _new(self) -> Spool:
        return Spool(
            self._path,
            *self._bounds,
            clip_lead_s=self._lead_s,
            reserve_bytes=self._reserve,
            first_id=self._shown + 1,
            largest_bytes=self._largest,
        )

    def _stand_in(self) -> Spool:
        memory = Spool(
            None,
            min(self._bounds[0], MEMORY_BYTES),
            self._bounds[1],
            clip_lead_s=self._lead_s,
            first_id=MEMORY_IDS + self._stood_in * IDS_OF_ONE,
            largest_bytes=self._largest,
        )
        self._stood_in += 1
        if self._file is not None:
            with suppress(VibroError):
                memory.stand_in_for(self._file)
        return memory

    def _set_aside(self, why: str, numbers: dict[tuple[str, str], int]) -> None:
        """Put a torn file away and begin a new one, which numbers on."""
        if self._file is not None:
            self._file.close()
            self._file = None
        n = 1
        while (away := self._path.with_name(f"{self._path.name}.torn-{n}")).exists():
            n += 1
        # The journal first: beside a new file it would be taken for the new one's.
        for suffix in _SUFFIXES:
            with suppress(FileNotFoundError):
                self._path.with_name(self._path.name + suffix).rename(f"{away}{suffix}")
        numbers, lost = _of_torn(away, numbers, why)
        self._file = self._new()
        self._file.begin_after(numbers, lost)

    def _spools(self) -> list[Spool]:
        return [s for s in (self._file, self._memory) if s is not None]

    @property
    def _newest(self) -> Spool:
        """Where the latest numbers, accounts and checkpoint are."""
        return self._spools()[-1]

    @alone
    def close(self) -> None:
        """Close the file."""
        for spool in self._spools():
            spool.close()

    # -- in ------------------------------------------------------------------------------------

    @alone
    def put(
        self,
        entries: Sequence[Entry],
        checkpoint: bytes | None = None,
        gap: GapMaker | None = None,
    ) -> None:
        """Append records and replace the checkpoint, in the file or, for now, in memory."""
        if self._file is None:
            self._open()
        try:
            self._put_into_file(entries, checkpoint, gap)
        except DiskError as error:
            self.trouble = str(error)
            self._memory = self._memory or self._stand_in()
            self._memory.put(entries, checkpoint, gap)

    def _put_into_file(
        self, entries: Sequence[Entry], checkpoint: bytes | None, gap: GapMaker | None
    ) -> None:
        if self._file is None:
            raise DiskError(self.trouble, no_room=False)
        try:
            self._file.put(entries, checkpoint, gap, self._memory)
        except TornError as error:
            self._renew(error)
            self._file.put(entries, checkpoint, gap, self._memory)
        if self._memory is not None:
            self._memory.close()
        self._memory, self.trouble = None, ""
        self._numbers = self._file.produced()

    def _renew(self, error: TornError) -> None:
        try:
            self._set_aside(str(error), self._numbers)
        except OSError as failed:
            raise DiskError(f"spool {self._path}: {failed.strerror}", no_room=False) from None

    # -- out -----------------------------------------------------------------------------------

    @alone
    def peek(self, limit_bytes: int = 1_000_000, kinds: Iterable[str] = PRIORITY) -> list[Spooled]:
        """Records to ship next, by lane, then from the file before those in memory."""
        kinds = tuple(kinds)
        for lane in (LIVE, BACKFILL):
            for spool in self._spools():
                try:
                    batch = spool.peek(limit_bytes, kinds, (lane,))
                except (DiskError, TornError) as error:
                    # A torn file is set aside, with what is to be said of it, by the next write.
                    self.trouble = str(error)
                    continue
                if batch:
                    if spool is self._file:
                        self._shown = max(self._shown, *(r.id for r in batch))
                    return batch
        return []

    @alone
    def hold(self, ids: Iterable[int]) -> None:
        """Let records be what is being shipped: until they are acknowledged none is reduced."""
        ids = tuple(ids)
        for spool in self._spools():
            spool.hold(ids)

    @alone
    def refuse(self, key: int) -> None:
        """Give up a record that the transport will never take, and say so in a gap record."""
        for spool in self._spools():
            spool.refuse(key)

    @alone
    def acknowledge(self, ids: Iterable[int], sent_bytes: int = 0) -> None:
        """Forget records that the transport has made durable."""
        ids = tuple(ids)
        in_memory = [i for i in ids if i >= MEMORY_IDS]
        if in_memory and self._memory is not None:
            self._memory.acknowledge(in_memory, sent_bytes)
        elif self._file is not None:
            self._file.acknowledge(ids, sent_bytes)

    @alone
    def take_at_most(self, largest_bytes: int) -> None:
        """Cut short from now on what is larger than a message of another transport; 0 = nothing."""
        self._largest = largest_bytes
        for spool in self._spools():
            spool.largest_bytes = largest_bytes

    # -- facts ---------------------------------------------------------------------------------

    @alone
    def waited_ns(self, kind: str, now_ns: int) -> int:
        """How long the oldest record of a kind has waited in the live lane; 0 without one."""
        return max(spool.waited_ns(kind, now_ns) for spool in self._spools())

    @alone
    def spent_bytes(self) -> int:
        """What was shipped on this UTC day of the stream."""
        return max(spool.spent_bytes() for spool in self._spools())

    @alone
    def checkpoint(self) -> bytes | None:
        """Return the last checkpoint, or None before the first."""
        try:
            held = (spool.checkpoint() for spool in reversed(self._spools()))
            return next((c for c in held if c is not None), None)
        except TornError as error:
            self._renew(error)
            return None

    @alone
    def size_bytes(self) -> int:
        """Bytes that the waiting records take."""
        return sum(spool.size_bytes() for spool in self._spools())

    @alone
    def produced(self) -> dict[tuple[str, str], int]:
        """Records ever appended, by (kind, lane)."""
        return self._newest.produced()

    @alone
    def given_up(self) -> dict[str, tuple[int, int]]:
        """Records and bytes given up, by kind."""
        total: dict[str, tuple[int, int]] = {}
        for spool in self._spools():
            for kind, (n, size) in spool.given_up().items():
                held = total.get(kind, (0, 0))
                total[kind] = (held[0] + n, held[1] + size)
        return total

    @alone
    def open_losses(self) -> list[Loss]:
        """What was given up, or made smaller, and is in no gap record yet."""
        return [loss for spool in self._spools() for loss in spool.open_losses()]


def _of_torn(
    path: Path, numbers: dict[tuple[str, str], int], why: str
) -> tuple[dict[tuple[str, str], int], list[Loss]]:
    """Read from a torn file what can be read: its numbers and how many records were waiting."""
    waiting: dict[tuple[str, str], tuple[int, ...]] = {}
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as db:
        if not numbers:
            numbers = {(k, lane): n + 1 for k, lane, n in db.execute("SELECT * FROM lane")}
        for kind, lane, *counts in db.execute(
            "SELECT kind, lane, COUNT(*), SUM(items), SUM(bytes), MIN(sequence), "
            "MAX(sequence), MIN(t0_ns), MAX(t0_ns) FROM record GROUP BY kind, lane"
        ):
            waiting[kind, lane] = tuple(counts)
    if not waiting:
        unknown = (UNKNOWN, UNKNOWN, UNKNOWN, 0)
        waiting = {key: (*unknown, n - 1, 0, 0) for key, n in numbers.items()}
    lost = [Loss("torn", why, *key, *counts) for key, counts in waiting.items()]
    return numbers, lost or [Loss("torn", why, "", "", UNKNOWN, UNKNOWN, UNKNOWN, 0, 0, 0, 0)]
