"""How the tests fill a spool and look into it."""

from __future__ import annotations

from edge_node.spool import Spool

NO_BOUND = 2**62


def put(spool: Spool, *records: tuple, checkpoint: bytes | None = None) -> None:
    """Append (kind, lane, value, t0_ns) records in one transaction."""
    with spool.transaction() as transaction:
        for kind, lane, value, t0_ns in records:
            transaction.next_sequence(kind, lane)
            transaction.append(kind, "a/m1", lane, value, t0_ns)
        if checkpoint is not None:
            transaction.checkpoint(checkpoint)


def waiting(spool: Spool) -> list[tuple]:
    return [(r.kind, r.lane, r.sequence, r.value) for r in spool.peek(NO_BOUND)]
