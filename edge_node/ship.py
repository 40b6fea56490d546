"""Shipping: from the spool to the transport, in order, forgetting only what was acknowledged.

The live lane goes first. While anything waits and the link takes it, batch follows batch: what a
long outage has piled up needs no timer to leave. Batches grow and shrink so that one takes about a
second of the link, and after each it is asked again what comes first: a new event overtakes the
backfill within a second.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from itertools import groupby

from edge_node.spool import PRIORITY, EnduringSpool, Spool, Spooled
from edge_node.uplink.link import Link
from vibro.errors import VibroError
from vibro.log import Message, TooLargeError, Transport
from vibro.records import topic

LOG = logging.getLogger("vibro.ship")
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 60.0
SLICE_S = 2.0
"""A drain returns after so long, whatever still waits: what is found meanwhile is to be kept."""
BATCH_S = 1.0
"""What one batch should take of the link."""
FIRST_BATCH, LEAST_BATCH, MOST_BATCH = 64_000, 4_000, 4_000_000
ALWAYS = ("events", "health")
"""Kinds that pass whatever the day's budget says; the others wait for the next UTC day."""


class Shipper:
    """Drains one node's spool.

    Parameters
    ----------
    spool : Spool or EnduringSpool
    transport : Transport
    site, node : str
    rng : random.Random
        Source of the backoff's jitter.
    budget_bytes : int
        Most bytes of a UTC day of the stream, 0 = no bound. Events and heartbeats count, but always
        pass; what waits is subject to the spool's bounds.
    clock : callable
        Monotonic clock in seconds, for how long the link takes.

    Attributes
    ----------
    drained : bool
        Whether the last drain left nothing that may be shipped.
    link : Link
        What became of the attempts.
    """

    def __init__(
        self,
        spool: Spool | EnduringSpool,
        transport: Transport,
        site: str,
        node: str,
        rng: random.Random,
        *,
        budget_bytes: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spool, self._transport, self._site, self._node = spool, transport, site, node
        self._rng, self._budget, self._clock = rng, budget_bytes, clock
        self._wait_s, self._next_try_s = 0.0, 0.0
        self._batch = FIRST_BATCH
        self.drained = False
        self.records = 0
        self.bytes_by_kind: dict[str, int] = {}
        self.link = Link(clock)

    def use(self, transport: Transport, budget_bytes: int) -> None:
        """Ship to another transport from now on, and try that at once."""
        self._transport, self._budget = transport, budget_bytes
        self._wait_s, self._next_try_s = 0.0, 0.0
        self.drained = False

    @property
    def last_error(self) -> str:
        """Why the last attempt failed; empty when it did not."""
        return self.link.error

    def wait_s(self, now_s: float) -> float:
        """Time until something is tried again; 0 when it may be now."""
        return max(0.0, self._next_try_s - now_s)

    @property
    def pending(self) -> bool:
        """Whether records wait that may be shipped today."""
        return bool(self._next(0))

    def drain(self, now_s: float) -> int:
        """Ship until nothing is left, the transport refuses, or `SLICE_S` have passed.

        Parameters
        ----------
        now_s : float
            Monotonic time; while a backoff runs nothing is tried.

        Returns
        -------
        int
            Records acknowledged.
        """
        if now_s < self._next_try_s:
            return 0
        before, until = self.records, self._clock() + SLICE_S
        self.drained = False
        while batch := self._next(self._batch):
            try:
                for (_, _, spool), group in groupby(batch, key=_sender):
                    self._send(list(group), f"{self._node}/{spool}")
            except VibroError as error:
                self.link.failed(error)
                self._back_off(now_s)
                break
            self._wait_s, self._next_try_s = 0.0, 0.0
            if self._clock() >= until:
                break
        else:
            self.drained = True
        return self.records - before

    def _next(self, limit_bytes: int) -> list[Spooled]:
        """Return what is to be shipped next, within the budget."""
        left = self._budget - self._spool.spent_bytes() if self._budget else limit_bytes
        if left <= 0 < self._budget:
            return self._spool.peek(limit_bytes, ALWAYS)
        return self._spool.peek(min(limit_bytes, left), PRIORITY)

    def _send(self, records: Sequence[Spooled], producer: str) -> None:
        """Send records of one kind and lane, and forget them."""
        kind, lane = records[0].kind, records[0].lane
        # A node whose spool was lost numbers from 0 again: to the log it is another producer.
        messages = [Message(r.key, r.value, f"{producer}/{lane}", r.sequence) for r in records]
        size = sum(m.size for m in messages)
        # Until it has an answer nobody may say of it that it was given up.
        self._spool.hold(r.id for r in records)
        self.link.began()
        try:
            self._transport.send(topic(self._site, kind), messages)
        except TooLargeError as error:
            self._refuse(records[error.at], error)
            return
        self._fit(size, self.link.acknowledged())
        self._spool.acknowledge((r.id for r in records), size)
        self.records += len(messages)
        self.bytes_by_kind[kind] = self.bytes_by_kind.get(kind, 0) + size

    def _refuse(self, record: Spooled, error: TooLargeError) -> None:
        """Give up what will never be taken, so that what is behind it can go; a gap tells of it."""
        self.link.acknowledged()
        self._spool.refuse(record.id)
        LOG.warning(
            "%s: %s %d of the %s lane is given up: %s",
            self._node, record.kind, record.sequence, record.lane, error,
        )  # fmt: skip

    def _fit(self, size: int, took_s: float) -> None:
        """Fit batches to the link: half as much if it took too long, twice as much if it can."""
        if took_s > BATCH_S:
            self._batch = max(LEAST_BATCH, self._batch // 2)
        elif took_s < BATCH_S / 4 and 2 * size >= self._batch:
            self._batch = min(MOST_BATCH, 2 * self._batch)

    def _back_off(self, now_s: float) -> None:
        """Wait twice as long as last time, jittered by half, up to a minute."""
        self._batch = max(LEAST_BATCH, self._batch // 2)
        self._wait_s = min(max(FIRST_WAIT_S, 2.0 * self._wait_s), LONGEST_WAIT_S)
        self._next_try_s = now_s + self._wait_s * (0.5 + 0.5 * self._rng.random())


def _sender(record: Spooled) -> tuple[str, str, str]:
    return record.kind, record.lane, record.spool
