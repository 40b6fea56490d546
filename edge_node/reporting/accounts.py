"""What became of every sample, and the heartbeat that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edge_node.reporting.pulse import Pulse
from edge_node.reporting.tally import LatencyTally
from edge_node.sources.port import Gap
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
    channels, sample_bytes : int
        Channels of the machine, and bytes of one raw sample.
    heartbeat_s : float
        Longest silence.

    Attributes
    ----------
    end : int
        Samples up to here are accounted for.
    """

    def __init__(
        self, origin: Origin, channels: int, sample_bytes: int, heartbeat_s: float
    ) -> None:
        self._origin, self._channels, self._sample_bytes = origin, channels, sample_bytes
        self._heartbeat_s = heartbeat_s
        self._pulse = Pulse(round(heartbeat_s * 1e9))
        self._beat_ns, self._revision = 0, 0
        self.counters = Counters()
        self.tally = LatencyTally()
        self.end = 0

    def reconfigure(self, heartbeat_s: float) -> None:
        """Go on with another longest silence."""
        self._heartbeat_s = heartbeat_s
        self._pulse.reconfigure(round(heartbeat_s * 1e9))

    def block(self, block: SampleBlock) -> None:
        """Count a processed block; samples that were read again after a restart count once."""
        end = block.first_sample + block.counts.shape[1]
        fresh = self._channels * max(0, end - max(self.end, block.first_sample))
        self.end = max(self.end, end)
        self.counters.seen += fresh
        self.counters.processed += fresh
        self.counters.raw_bytes += fresh * self._sample_bytes

    def gap(self, gap: Gap, bundle: str, rate_hz: float) -> Health:
        """Count what never came, and say so."""
        missing = self._channels * gap.samples
        self.counters.seen += missing
        self.counters.lost += missing
        self.end = max(self.end, gap.first_sample + gap.samples)
        detail = {
            "reason": gap.reason,
            "samples": missing,
            "until_ns": gap.t0_ns + round(gap.samples * 1e9 / rate_hz),
        }
        return self._health("gap", gap.first_sample, gap.t0_ns, bundle, detail)

    def note(self, now_ns: int, bundle: str) -> Health:
        """Return a record for something that is to be said now, beside the heartbeats."""
        return self._health("gap", self.end, now_ns, bundle, {})

    def said(self, now_ns: int) -> None:
        """Take note that records are handed over, or that the stream has begun."""
        self._pulse.said(now_ns)

    def silent(self, now_ns: int) -> bool:
        """Whether it is time for a heartbeat."""
        return self._pulse.due(now_ns)

    def heartbeat(
        self, now_ns: int, bundle: str, facts: Mapping[str, Any], *, full: bool = False
    ) -> Health:
        """Say how things stand: what has changed, or everything.

        A second one of the same instant is a later revision of the first.
        """
        self._revision = self._revision + 1 if self._beat_ns == now_ns else 0
        self._beat_ns = now_ns
        detail = self._pulse.detail(self._all(facts), now_ns, full=full)
        return self._health("heartbeat", self.end, now_ns, bundle, detail, self._revision)

    def told_all(self, now_ns: int, facts: Mapping[str, Any]) -> bool:
        """Whether a heartbeat has told all of these facts at this very instant."""
        return self._pulse.told_all(self._all(facts), now_ns)

    def _all(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        own = {"latency_us_log20": self.tally.as_dict(), "every_s": self._heartbeat_s}
        return own | dict(facts)

    def _health(
        self,
        content: str,
        sample: int,
        t0_ns: int,
        bundle: str,
        detail: dict[str, Any],
        revision: int = 0,
    ) -> Health:
        c, kind = self.counters, "health" if content == "heartbeat" else content
        return Health(
            id=RecordId(kind, self._origin.node, self._origin.stream_epoch, sample, revision),
            origin=self._origin,
            content=content,
            t0_ns=t0_ns,
            seen=c.seen,
            processed=c.processed,
            lost=c.lost,
            raw_bytes=c.raw_bytes,
            bundle=bundle,
            detail=detail,
        )

    def snapshot(self) -> dict[str, Any]:
        """JSON-able state, without the latencies: they are those of a process."""
        return {
            "end": self.end,
            "counters": asdict(self.counters),
            "pulse": self._pulse.snapshot(),
            "last_heartbeat_ns": self._beat_ns,
            "last_revision": self._revision,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a snapshot."""
        self.end, self.counters = state["end"], Counters(**state["counters"])
        self._pulse.restore(state.get("pulse"))
        self._beat_ns = state["last_heartbeat_ns"]
        self._revision = state.get("last_revision", 0)
