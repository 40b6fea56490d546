"""What became of every sample, and the heartbeat that says so."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edge_node.tally import LatencyTally
from vibro.records import Health, Origin, RecordId, SampleBlock


@dataclass(slots=True)
class Counters:
    """Samples of all channels since the stream epoch began; seen = processed + lost."""

    seen: int = 0
    processed: int = 0
    lost: int = 0
    raw_bytes: int = 0


class Accounts:
    """Counts the samples of one stream epoch and tallies the latencies of its decisions.

    Parameters
    ----------
    origin : Origin
        Of the node's records.
    sample_bytes : int
        Bytes of one raw sample.

    Attributes
    ----------
    end : int
        Samples up to here are accounted for.
    """

    def __init__(self, origin: Origin, sample_bytes: int) -> None:
        self._origin, self._sample_bytes = origin, sample_bytes
        self.counters = Counters()
        self.tally = LatencyTally()
        self.end = 0

    def block(self, block: SampleBlock) -> None:
        """Count a processed block; samples that were read again after a restart count once."""
        channels, n = block.counts.shape
        end = block.first_sample + n
        fresh = channels * max(0, end - max(self.end, block.first_sample))
        self.end = max(self.end, end)
        self.counters.seen += fresh
        self.counters.processed += fresh
        self.counters.raw_bytes += fresh * self._sample_bytes

    def heartbeat(self, now_ns: int, bundle: str, detail: dict[str, Any]) -> Health:
        """Say how things stand."""
        c = self.counters
        return Health(
            id=RecordId("health", self._origin.node, self._origin.stream_epoch, self.end),
            origin=self._origin,
            content="heartbeat",
            t0_ns=now_ns,
            seen=c.seen,
            processed=c.processed,
            lost=c.lost,
            raw_bytes=c.raw_bytes,
            bundle=bundle,
            detail={"latency_us_log20": self.tally.as_dict(), "end_ns": now_ns, **detail},
        )

    def snapshot(self) -> dict[str, Any]:
        """JSON-able state, without the latencies: they are those of a process."""
        return {"end": self.end, "counters": asdict(self.counters)}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a snapshot."""
        self.end, self.counters = state["end"], Counters(**state["counters"])
