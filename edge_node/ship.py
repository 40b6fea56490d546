"""Shipping: from the spool to the transport, in order, forgetting only what was acknowledged."""

from __future__ import annotations

import random
from itertools import groupby

from edge_node.spool import Spool
from vibro.errors import VibroError
from vibro.log import Message, Transport
from vibro.records import topic

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 60.0


class Shipper:
    """Drains one node's spool.

    Parameters
    ----------
    spool : Spool
    transport : Transport
    site, node : str
    rng : random.Random
        Source of the backoff's jitter.
    """

    def __init__(
        self, spool: Spool, transport: Transport, site: str, node: str, rng: random.Random
    ) -> None:
        self._spool, self._transport, self._site = spool, transport, site
        self._rng = rng
        # A node whose spool was lost numbers from 0 again: to the log it is another producer.
        self._producer = f"{node}/{spool.identity}"
        self._wait_s, self._next_try_s = 0.0, 0.0
        self.records = 0
        self.bytes_by_kind: dict[str, int] = {}
        self.last_error = ""

    @property
    def pending(self) -> bool:
        """Whether records wait."""
        return bool(self._spool.peek(0))

    def drain(self, now_s: float, limit_bytes: int = 1_000_000) -> int:
        """Ship until the spool is empty or the transport refuses.

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
        shipped = 0
        while batch := self._spool.peek(limit_bytes):
            try:
                for (kind, _), group in groupby(batch, key=lambda r: (r.kind, r.lane)):
                    records = list(group)
                    messages = [
                        Message(r.key, r.value, f"{self._producer}/{r.lane}", r.sequence)
                        for r in records
                    ]
                    self._transport.send(topic(self._site, kind), messages)
                    self._spool.acknowledge(r.id for r in records)
                    shipped += len(records)
                    self._count(kind, messages)
            except VibroError as error:
                self._back_off(now_s, str(error))
                return shipped
        self._wait_s, self._next_try_s, self.last_error = 0.0, 0.0, ""
        return shipped

    def _count(self, kind: str, messages: list[Message]) -> None:
        self.records += len(messages)
        size = sum(m.size for m in messages)
        self.bytes_by_kind[kind] = self.bytes_by_kind.get(kind, 0) + size

    def _back_off(self, now_s: float, error: str) -> None:
        """Wait twice as long as last time, jittered by half, up to a minute."""
        self.last_error = error
        self._wait_s = min(max(FIRST_WAIT_S, 2.0 * self._wait_s), LONGEST_WAIT_S)
        self._next_try_s = now_s + self._wait_s * (0.5 + 0.5 * self._rng.random())
