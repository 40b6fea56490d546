"""What a consuming process tells Prometheus, on loopback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from cloud_jobs.consume.batch import Counts
from cloud_jobs.consume.tap import Tap
from vibro.errors import BadInputError

ADDRESS = "127.0.0.1"
SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


class Meter:
    """Counts what was kept and what is still to come.

    Parameters
    ----------
    port : int
        On loopback; 0 takes a free one, see `port`.

    Raises
    ------
    BadInputError
        If the port is taken.
    """

    def __init__(self, port: int) -> None:
        self._registry = CollectorRegistry()
        new: Any = {"registry": self._registry, "namespace": "vibro", "subsystem": "consume"}
        self._messages = Counter("messages", "Messages taken.", ["kind"], **new)
        self._rows = Counter("rows", "Rows of features and status taken.", **new)
        self._bytes = Counter("value_bytes", "Bytes of the values of messages.", **new)
        self._repeats = Counter("repeats", "Records that were taken before.", **new)
        self._dead = Counter("dead", "Messages that went to the dead letters.", **new)
        self._expired = Counter(
            "expired", "Messages that retention deleted before they were taken.", **new
        )
        self._overtaken = Counter(
            "overtaken", "Batches dropped because another consumer had taken over.", **new
        )
        self._failures = Counter("failures", "Steps that a service that was away failed.", **new)
        self._seconds = Histogram(
            "batch_seconds", "Time to keep a batch in lake and store.", buckets=SECONDS, **new
        )
        self._lag = Gauge("lag_messages", "Messages that were not kept yet.", ["topic"], **new)
        try:
            self._server, self._thread = start_http_server(port, ADDRESS, self._registry)
        except OSError as error:
            raise BadInputError(
                f"--metrics-port {port}: cannot be listened on ({error.strerror}); name a free one"
            ) from None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_port)

    def kept(self, counts: Counts, lag: Mapping[str, int]) -> None:
        """Take note of a step."""
        for kind in ("features", "events", "clips", "health"):
            self._messages.labels(kind).inc(getattr(counts, kind))
        self._rows.inc(counts.rows)
        self._bytes.inc(counts.value_bytes)
        self._repeats.inc(counts.repeats)
        self._dead.inc(counts.dead)
        self._expired.inc(counts.expired)
        self._overtaken.inc(counts.overtaken)
        if counts.messages:
            self._seconds.observe(counts.seconds)
        self._lag.clear()
        for topic, behind in lag.items():
            self._lag.labels(topic).set(behind)

    def watch(self, tap: Tap) -> None:
        """Tell what a further sink tells of itself, too."""
        self._registry.register(tap)

    def failed(self) -> None:
        """Take note of a step that failed."""
        self._failures.inc()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
