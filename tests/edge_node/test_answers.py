"""What a running process answers: metrics that add up, health that tells why, facts as JSON."""

from __future__ import annotations

import http.client
import json
import socket
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge_node.host import Host
from edge_node.reporting.tally import LatencyTally
from edge_node.service.answers import Answers
from tests.edge_node.plants import RATE, T0
from tests.edge_node.test_host import laid_out
from vibro.errors import VibroError

NODE = {"node": "n1", "machine": "harbour/motor-1"}


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """A host whose node has processed eight seconds."""
    made = Host([laid_out(tmp_path_factory.mktemp("answers"))], T0)
    for _ in range(16):
        made.turn()
    made.nodes[0].node.commit(wait=True)
    yield made
    made.stopping = True
    made.run()


@pytest.fixture
def ask(host):
    """Asks a real server; ``ask.facts`` may be replaced."""

    def fresh() -> dict:
        """As of a loop that has just gone round."""
        host.turned_s = time.monotonic()
        return host.facts()

    held = {"facts": fresh}
    answers = Answers("127.0.0.1", 0, lambda: held["facts"]())  # noqa: PLW0108 (it changes)

    def asked(path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", answers.port, timeout=10.0)
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    asked.held = held
    yield asked
    answers.close()


def metrics(text: str) -> dict[str, list]:
    return {f.name: f.samples for f in text_string_to_metric_families(text)}


def value(samples: list, **labels: str) -> float:
    (found,) = [s.value for s in samples if labels.items() <= s.labels.items()]
    return found


@pytest.mark.slow_nojit
def test_metrics_are_the_nodes_facts(ask):
    status, text = ask("/metrics")
    assert status == 200
    found = metrics(text)
    for what, expected in (("seen", 16 * RATE), ("processed", 16 * RATE), ("lost", 0)):
        assert value(found[f"vibro_edge_samples_{what}"], **NODE) == expected
    assert value(found["vibro_edge_speed_rpm"], **NODE) == 1480.0
    assert value(found["vibro_edge_severity"], channel="de-v") == 0.0
    assert value(found["vibro_edge_link_up"], **NODE) == 1.0
    assert value(found["vibro_edge_healthy"]) == 1.0
    assert value(found["vibro_edge_reflex_trips"], **NODE) == 0.0
    assert value(found["vibro_edge_state_info"], state="running") == 1.0
    assert value(found["vibro_edge_loop_age_seconds"]) >= 0.0
    assert found["process_resident_memory_bytes"]
    shipped = found["vibro_edge_shipped_bytes"]
    assert {s.labels["kind"] for s in shipped} >= {"features", "health"}


@pytest.mark.slow_nojit
def test_the_histogram_holds_every_decision_once(ask, host):
    (node,) = host.facts()["nodes"]
    tally = {int(k): n for k, n in node["latency_us_log20"].items()}
    samples = metrics(ask("/metrics")[1])["vibro_edge_decision_seconds"]
    buckets = [s for s in samples if s.name.endswith("_bucket")]
    counts = [s.value for s in buckets]
    assert counts == sorted(counts)
    assert buckets[-1].labels["le"] == "+Inf"
    assert counts[-1] == sum(tally.values()) > 0
    (total,) = [s.value for s in samples if s.name.endswith("_sum")]
    edges = [10.0 ** (k / 20) * 1e-6 for k in tally]
    assert min(edges) * counts[-1] <= total <= max(edges) * 10.0**0.05 * counts[-1]


def test_a_bucket_counts_what_is_below_its_edge(ask):
    """Latencies of 10 us, 1 ms and 100 ms stand in three buckets, on the right side of each."""
    tally = LatencyTally()
    for seconds in (11e-6, 1.1e-3, 0.11):
        tally.add(seconds)
    facts = ask.held["facts"]()
    facts["nodes"][0]["latency_us_log20"] = tally.as_dict()
    ask.held["facts"] = lambda: facts
    samples = metrics(ask("/metrics")[1])["vibro_edge_decision_seconds"]
    below = {s.labels["le"]: s.value for s in samples if s.name.endswith("_bucket")}
    assert [below[e] for e in ("1e-05", "1.78e-05", "0.001", "0.00178", "0.1", "0.178")] == [
        0.0, 1.0, 1.0, 2.0, 2.0, 3.0,
    ]  # fmt: skip


def test_health_is_503_with_one_line_that_says_why(ask, host):
    assert ask("/healthz") == (200, "ok\n")
    host.turned_s = time.monotonic() - 100.0
    ask.held["facts"] = host.facts
    status, text = ask("/healthz")
    assert status == 503
    assert text.startswith("the loop has not gone round for 100.")
    assert text.count("\n") == 1


def test_status_is_json_without_nan(ask, host):
    status, text = ask("/status?now")
    facts = json.loads(text, parse_constant=pytest.fail)
    assert (status, facts["nodes"][0]["node"]) == (200, "n1")
    assert facts["ill"] == []


def test_another_path_says_what_there_is(ask):
    status, text = ask("/")
    assert status == 404
    assert "/metrics" in text


def test_a_port_that_is_taken_is_one_line(ask, host):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(VibroError, match=r"service\.http_port = \d+ on 127\.0\.0\.1") as told:
            Answers("127.0.0.1", taken.getsockname()[1], host.facts)
    assert "\n" not in str(told.value)


def test_who_connects_and_says_nothing_keeps_nobody_waiting(ask, host):
    answers = Answers("127.0.0.1", 0, ask.held["facts"])
    with socket.create_connection(("127.0.0.1", answers.port)):
        connection = http.client.HTTPConnection("127.0.0.1", answers.port, timeout=10.0)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        connection.close()
    answers.close()
