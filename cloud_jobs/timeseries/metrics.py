"""What the sink of points tells Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

PREFIX = "vibro_timeseries_"
_COUNTERS = {
    "points": "Points taken by the server.",
    "refused": "Points that the server will never take, and messages gone from the log.",
    "failures": "Attempts that came to nothing.",
    "overflows": "Times the queue was let go, to be read again from the log.",
}
_GAUGES = {
    "queue_bytes": "Bytes of the records that wait.",
    "behind_messages": "Messages that lake and store have and the server has not.",
    "behind_seconds": "Time for which the oldest of what waits has waited.",
    "up": "Whether the last attempt went well.",
}


def metrics(facts: Mapping[str, float | str]) -> Iterator[Metric]:
    """Yield the metrics of a tap with these facts, see `InfluxTap.facts`."""
    values = {**facts, "behind_seconds": facts["behind_s"], "up": not facts["trouble"]}
    for name, said in _COUNTERS.items():
        yield CounterMetricFamily(PREFIX + name, said, float(values[name]))
    for name, said in _GAUGES.items():
        yield GaugeMetricFamily(PREFIX + name, said, float(values[name]))
