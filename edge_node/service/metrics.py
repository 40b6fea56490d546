"""A process's facts as Prometheus metrics, made when somebody asks and never on a hot path."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
)
from prometheus_client.registry import Collector

from edge_node.reporting.tally import BINS_PER_DECADE
from edge_node.uplink.link import STATES
from vibro.faults import Severity

PREFIX = "vibro_edge_"
NODE = ("node", "machine")
_STEP = BINS_PER_DECADE // 4
_EDGES = tuple(range(_STEP, 7 * BINS_PER_DECADE + 1, _STEP))
"""Upper edges of the histogram's buckets, in bins of the tally: four a decade, 1.8 us to 10 s."""

Facts = Mapping[str, Any]


def _samples(n: Facts, what: str) -> int | None:
    found: int | None = n.get("samples", {}).get(what)
    return found


def _oldest_s(n: Facts) -> float:
    """Age of the oldest waiting record in stream time; 0 when nothing waits."""
    oldest, until = n.get("oldest_ns"), n.get("until_ns")
    return max(0.0, (until - oldest) * 1e-9) if oldest is not None and until is not None else 0.0


_GAUGES: tuple[tuple[str, str, Callable[[Facts], float | None]], ...] = (
    ("lag_seconds", "Age of the newest sample that was judged.", lambda n: n["lag_s"]),
    ("quiet_seconds", "Time since the source last said something.", lambda n: n["quiet_s"]),
    ("committing_seconds", "How long a commit waits for the disk.", lambda n: n["committing_s"]),
    ("spool_bytes", "Bytes of the records that wait.", lambda n: n.get("spool_bytes")),
    ("spool_max_bytes", "Bound of the spool.", lambda n: n.get("spool_max_bytes")),
    ("spool_headroom_ratio", "Free share of the spool.", lambda n: n.get("spool_headroom")),
    ("spool_oldest_seconds", "Age of the oldest record that waits.", _oldest_s),
    ("link_up", "Whether the last attempt to ship went well.", lambda n: not n["last_error"]),
    ("link_state_seconds", "Time since the link's state changed.", lambda n: n["link"]["for_s"]),
    ("speed_rpm", "Speed of the reference shaft.", lambda n: n.get("rpm")),
    ("finished", "Whether the source has ended.", lambda n: n["finished"]),
)
_COUNTERS: tuple[tuple[str, str, Callable[[Facts], float | None]], ...] = (
    ("samples_seen", "Samples of all channels.", lambda n: _samples(n, "seen")),
    ("samples_processed", "Samples that were processed.", lambda n: _samples(n, "processed")),
    ("samples_lost", "Samples that were lost.", lambda n: _samples(n, "lost")),
    ("shipped_records", "Records acknowledged, by this process.", lambda n: n["shipped_records"]),
    ("reflex_trips", "Limits exceeded, by this process.", lambda n: n["reflex"]["trips"]),
    ("reflex_dropped", "Actions that did not fit.", lambda n: n["reflex"]["dropped"]),
    ("bundles_refused", "Bundles refused, by this process.", lambda n: n["bundles_refused"]),
)


class NodeMetrics(Collector):
    """Collects the metrics of one process.

    Parameters
    ----------
    facts : callable
        Returns what `edge_node.service.live.process_facts` does.
    """

    def __init__(self, facts: Callable[[], Facts]) -> None:
        self._facts = facts
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return the text of ``/metrics``."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Name nothing beforehand: no fact is asked for at registration."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of every node."""
        facts = self._facts()
        nodes = facts["nodes"]
        yield GaugeMetricFamily(f"{PREFIX}healthy", "Whether all is well.", not facts["ill"])
        yield GaugeMetricFamily(
            f"{PREFIX}loop_age_seconds", "Time since the loop went round.", facts["loop_age_s"]
        )
        for family, rows, end in (
            (GaugeMetricFamily, _GAUGES, ""), (CounterMetricFamily, _COUNTERS, "_total"),
        ):  # fmt: skip
            for name, doc, value in rows:
                metric = family(f"{PREFIX}{name}{end}", doc, labels=NODE)
                for n in nodes:
                    _add(metric, _labels(n), value(n))
                yield metric
        yield from _by_kind(nodes)
        yield from _words(nodes)
        yield _links(nodes)
        yield from _channels(nodes)
        yield _latencies(nodes)


def _labels(n: Facts) -> list[str]:
    return [n["node"], n["machine"]]


def _add(metric: Any, labels: list[str], value: float | None) -> None:
    """Add a value where there is one."""
    if value is not None:
        metric.add_metric(labels, float(value))


def _by_kind(nodes: list[Facts]) -> Iterator[Metric]:
    shipped = CounterMetricFamily(
        f"{PREFIX}shipped_bytes_total", "Bytes acknowledged, by this process.",
        labels=[*NODE, "kind"],
    )  # fmt: skip
    given_up = CounterMetricFamily(
        f"{PREFIX}given_up_records_total", "Records the spool had to give up.",
        labels=[*NODE, "kind"],
    )  # fmt: skip
    source = GaugeMetricFamily(
        f"{PREFIX}source_fact", "What the source tells of itself.", labels=[*NODE, "fact"]
    )
    for n in nodes:
        for kind, size in n["shipped_bytes"].items():
            _add(shipped, [*_labels(n), kind], size)
        for kind, lost in n.get("given_up", {}).items():
            _add(given_up, [*_labels(n), kind], lost["records"])
        for fact, value in n["source"].items():
            if isinstance(value, int | float):
                _add(source, [*_labels(n), fact], value)
    yield from (shipped, given_up, source)


def _links(nodes: list[Facts]) -> Metric:
    """State of each link, 1 for the one that it is in."""
    metric = StateSetMetricFamily(f"{PREFIX}link", "State of the link.", labels=NODE)
    for n in nodes:
        metric.add_metric(_labels(n), {state: state == n["link"]["state"] for state in STATES})
    return metric


def _words(nodes: list[Facts]) -> Iterator[Metric]:
    for name, doc, key in (
        ("bundle", "Bundle in use.", "bundle"),
        ("state", "Operating state of the machine.", "state"),
        ("last_error", "Why the last attempt to ship failed.", "last_error"),
    ):
        metric = InfoMetricFamily(f"{PREFIX}{name}", doc, labels=NODE)
        for n in nodes:
            if word := n.get(key):
                metric.add_metric(_labels(n), {key: str(word)})
        yield metric


def _channels(nodes: list[Facts]) -> Iterator[Metric]:
    for name, doc, value in (
        ("severity", "Severity: 0 ok, 1 watch, 2 alert, 3 alarm, 4 danger.", _severity),
        ("score_fast", "Score of the newest fast window.", lambda c: c["score_fast"]),
        ("score_long", "Score of the newest long window.", lambda c: c["score_long"]),
        ("velocity_mm_s", "Velocity RMS, long path.", lambda c: c["velocity_rms_mm_s"]),
    ):
        metric = GaugeMetricFamily(f"{PREFIX}{name}", doc, labels=[*NODE, "channel"])
        for n in nodes:
            for c in n.get("channels", []):
                _add(metric, [*_labels(n), c["channel"]], value(c))
        yield metric


def _severity(channel: Facts) -> int | None:
    word = channel["severity"]
    return None if word is None else int(Severity[word.upper()])


def _latencies(nodes: list[Facts]) -> Metric:
    """Histogram of the tally; its sum takes every latency for the middle of its bin."""
    metric = HistogramMetricFamily(
        f"{PREFIX}decision_seconds", "From a window's last sample to its decision.", labels=NODE
    )
    for n in nodes:
        bins = {int(k): count for k, count in n["latency_us_log20"].items()}
        below = [
            (f"{_seconds(edge):.3g}", float(sum(c for k, c in bins.items() if k < edge)))
            for edge in _EDGES
        ]
        everything = float(sum(bins.values()))
        total = math.fsum(count * _seconds(k + 0.5) for k, count in bins.items())
        metric.add_metric(_labels(n), [*below, ("+Inf", everything)], total)
    return metric


def _seconds(bin_edge: float) -> float:
    return float(10.0 ** (bin_edge / BINS_PER_DECADE) * 1e-6)
