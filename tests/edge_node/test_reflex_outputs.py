"""Outputs of the reflex against real servers; what does not answer is given up in time."""

from __future__ import annotations

import json
import queue
import threading
import time
from dataclasses import replace

import paho.mqtt.client as paho
import pytest
from pymodbus.client import ModbusTcpClient

from edge_node.config import ReflexSection, parse
from edge_node.node import Node
from edge_node.reflex import Actuator, Later, Trip, action_of, dry_run, mistakes
from tests.edge_node.plants import MACHINE, RATE, T0, ArraySource, config, healthy, spool_of
from tests.edge_node.servers import (
    DEADLINE_S,
    modbus_server,
    mqtt_broker,
    mute_server,
    web_server,
)
from vibro.errors import VibroError

TRIP = Trip("harbour/motor-1/de-h", "peak", 12.5, 10.0, 0, T0)
FACTS = {
    "channel": "harbour/motor-1/de-h",
    "quantity": "peak",
    "value": 12.5,
    "limit": 10.0,
    "first_sample": 0,
    "t0_ns": T0,
    "unit": "m/s2",
}
WEB = ReflexSection(action="webhook", armed=True, timeout_s=5.0)
MQTT = ReflexSection(
    action="mqtt", armed=True, host="127.0.0.1", topic="plant/trips", timeout_s=5.0
)
COIL = ReflexSection(action="modbus", armed=True, host="127.0.0.1", coil=3, timeout_s=5.0)


def acted(section: ReflexSection, folder, trips: int = 1) -> Actuator:
    """Actuator that has done with some trips."""
    actuator = Actuator(action_of(section, folder))
    for _ in range(trips):
        actuator(TRIP)
    actuator.close(DEADLINE_S)
    return actuator


@pytest.mark.parametrize("section", [WEB, MQTT, COIL], ids=lambda s: s.action)
def test_an_output_that_is_not_armed_is_a_dry_run(section, tmp_path):
    sound = replace(section, armed=False, url="https://plant.example/trips")
    assert action_of(sound, tmp_path) is dry_run


# -- webhook -------------------------------------------------------------------------------------


def test_a_webhook_is_posted_as_json(tmp_path):
    (tmp_path / "secret").write_text("s3cret\n")
    with web_server([204]) as (port, taken):
        url = f"http://127.0.0.1:{port}/trips?plant=7"
        section = replace(WEB, url=url, password_file="secret")  # noqa: S106 (a file's name)
        assert acted(section, tmp_path).failed == 0
    ((path, headers, body),) = taken
    assert (path, json.loads(body)) == ("/trips?plant=7", FACTS)
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"] == "Bearer s3cret"


@pytest.mark.parametrize(
    ("statuses", "calls", "failed", "said"),
    [
        ([503, 200], 2, 0, ""),
        ([503, 500, 200], 2, 1, "answered 500"),
        ([404, 200], 1, 1, "answered 404"),
        ([302, 200], 1, 1, "answered 302"),
    ],
)
def test_only_the_servers_own_faults_are_tried_again_and_no_redirect_is_followed(
    statuses, calls, failed, said, tmp_path, caplog
):
    with web_server(statuses) as (port, taken):
        actuator = acted(replace(WEB, url=f"http://127.0.0.1:{port}/"), tmp_path)
    assert (len(taken), actuator.failed) == (calls, failed)
    assert {path for path, _, _ in taken} == {"/"}
    assert len({headers["Idempotency-Key"] for _, headers, _ in taken}) == 1
    assert said in caplog.text


# -- MQTT ----------------------------------------------------------------------------------------


def test_a_trip_is_published_to_a_real_broker_and_acknowledged(tmp_path):
    got: queue.Queue = queue.Queue()
    with mqtt_broker() as port:
        listener = paho.Client(paho.CallbackAPIVersion.VERSION2)
        subscribed = threading.Event()
        listener.on_message = lambda _c, _d, message: got.put(message)
        listener.on_subscribe = lambda *_: subscribed.set()
        listener.connect("127.0.0.1", port)
        listener.loop_start()
        listener.subscribe("plant/#", qos=1)
        assert subscribed.wait(DEADLINE_S)
        assert acted(replace(MQTT, port=port), tmp_path, trips=2).failed == 0
        messages = [got.get(timeout=DEADLINE_S) for _ in range(2)]
        listener.disconnect()
        listener.loop_stop()
    assert [(m.topic, m.qos, json.loads(m.payload)) for m in messages] == [
        ("plant/trips", 1, FACTS)
    ] * 2


def test_a_broker_that_refuses_or_is_not_there_is_one_line(tmp_path, caplog):
    (tmp_path / "nobody").write_text("")
    with mqtt_broker(str(tmp_path / "nobody")) as port:
        assert acted(replace(MQTT, port=port, user="mila"), tmp_path).failed == 1
        assert "refused the connection" in caplog.text
    assert acted(replace(MQTT, port=port), tmp_path).failed == 1
    assert "cannot be reached" in caplog.messages[-1]
    assert "\n" not in caplog.messages[-1]


# -- Modbus --------------------------------------------------------------------------------------


def coil(port: int, number: int = 3) -> bool:
    client = ModbusTcpClient("127.0.0.1", port=port)
    client.connect()
    try:
        return client.read_coils(number, count=1, device_id=1).bits[0]
    finally:
        client.close()


def test_a_coil_is_set_and_stays_set(tmp_path):
    with modbus_server() as port:
        assert not coil(port)
        assert acted(replace(COIL, port=port), tmp_path).failed == 0
        assert coil(port)
        assert not coil(port, 4)


def test_a_coil_is_reset_when_its_time_is_over_and_when_the_process_ends(tmp_path):
    with modbus_server() as port:
        actuator = Actuator(action_of(replace(COIL, port=port, reset_s=0.3), tmp_path))
        actuator(TRIP)
        seen, until = [], time.monotonic() + DEADLINE_S
        while seen[-2:] != [True, False] and time.monotonic() < until:
            seen.append(coil(port))
        assert seen[-2:] == [True, False]
        actuator.close(DEADLINE_S)
        assert acted(replace(COIL, port=port, reset_s=3600.0), tmp_path).failed == 0
        assert not coil(port)


def test_a_server_that_refuses_or_is_not_there_is_one_line(tmp_path, caplog):
    with modbus_server() as port:
        assert acted(replace(COIL, port=port, coil=60_000), tmp_path).failed == 1
        assert "refused coil 60000" in caplog.text
    assert acted(replace(COIL, port=port), tmp_path).failed == 1
    assert "cannot be reached" in caplog.messages[-1]


def test_what_is_to_be_done_later_is_done_again_while_it_says_so_and_only_once_for_many_trips():
    done, ended = [], threading.Event()

    def reset() -> Later | None:
        done.append(len(done))
        if len(done) < 3:
            return Later(0.01, reset)
        ended.set()
        return None

    actuator = Actuator(lambda _: Later(0.1, reset))
    for _ in range(5):
        actuator(TRIP)
    assert ended.wait(DEADLINE_S)
    actuator.close(DEADLINE_S)
    assert done == [0, 1, 2]


# -- what hangs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("section", [WEB, MQTT, COIL], ids=lambda s: s.action)
def test_a_server_that_accepts_and_never_answers_is_given_up(section, tmp_path, caplog):
    with mute_server() as port:
        section = replace(
            section, url=f"http://127.0.0.1:{port}/", port=port, timeout_s=0.3, retries=0
        )
        started = time.monotonic()
        assert acted(section, tmp_path).failed == 1
        assert time.monotonic() - started < 5.0
    assert "nswer" in caplog.messages[-1]


def test_a_web_server_that_drips_bytes_is_given_up_as_well(tmp_path):
    with mute_server(b"HTTP/1.1 200 OK\r\nX-More: " + b"x" * 5000) as port:
        section = replace(WEB, url=f"http://127.0.0.1:{port}/", timeout_s=0.3, retries=0)
        started = time.monotonic()
        assert acted(section, tmp_path).failed == 1
        assert time.monotonic() - started < 5.0


def test_a_node_goes_on_while_its_action_hangs(tmp_path):
    """Every sample is processed while not one action has come to its end."""
    with mute_server() as port:
        section = replace(
            WEB, url=f"http://127.0.0.1:{port}/", timeout_s=60.0, peak_m_s2=(1e-6,), hold_s=0.0
        )
        actuator = Actuator(action_of(section, tmp_path))
        plan = replace(config(tmp_path), reflex=section)
        spool = spool_of(tmp_path)
        node = Node(
            plan, MACHINE, ArraySource(healthy(4.0)), spool, None, time.perf_counter, actuator
        )
        started = time.monotonic()
        while node.step():
            pass
        assert time.monotonic() - started < 30.0
        assert node.now_ns == T0 + 4 * 10**9
        assert actuator.trips == 2 * (4 * RATE // round(0.02 * RATE))
        assert actuator.dropped >= actuator.trips - 65
        assert actuator.failed == 0
        actuator.close(0.1)
        spool.close()


# -- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (ReflexSection(peak_m_s2=(1.0, 2.0, 3.0)), "reflex.peak_m_s2 has 3 limits, the machine 2"),
        (ReflexSection(action="program"), "reflex.program is empty"),
        (ReflexSection(action="program", program=("/no/such",)), "cannot be run"),
        (WEB, "reflex.url = '' is no URL"),
        (replace(WEB, url="ftp://plant/x"), "is no URL"),
        (replace(WEB, url="http://plant:port/x"), "is no URL"),
        (replace(WEB, url="https://mila:pw@plant/x"), "holds a password"),
        (replace(WEB, url="https://plant/x", password_file="no"), "cannot be read"),  # noqa: S106
        (replace(WEB, url="https://plant/x", ca_file="no"), "reflex.ca_file = 'no' is no file"),
        (replace(MQTT, host=""), "reflex.host is empty"),
        (replace(MQTT, topic="plant/#"), "reflex.topic = 'plant/#' is not one topic"),
        (replace(MQTT, port=70_000), "reflex.port = 70000 is too large"),
        (replace(COIL, host=""), "reflex.host is empty"),
        (replace(COIL, coil=65_536), "reflex.coil = 65536 is too large"),
        (replace(COIL, user="mila"), "mean nothing to Modbus TCP"),
    ],
)
def test_a_mistake_is_one_line_with_its_key(section, said, tmp_path):
    (mistake,) = mistakes(section, 2, tmp_path)
    assert said in mistake
    assert "\n" not in mistake


def test_a_password_would_not_be_shown_to_the_network(tmp_path):
    (tmp_path / "secret").write_text("s3cret")
    section = replace(WEB, url="http://plant/x", password_file="secret")  # noqa: S106
    (mistake,) = mistakes(section, 2, tmp_path)
    assert "use https" in mistake
    assert "s3cret" not in mistake
    assert mistakes(replace(section, url="https://plant/x"), 2, tmp_path) == []


@pytest.mark.parametrize(("section", "extra"), [(MQTT, "mqtt"), (COIL, "modbus")])
def test_a_missing_extra_is_named(section, extra, tmp_path, monkeypatch):
    module = "paho.mqtt.client" if extra == "mqtt" else "pymodbus"
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(VibroError, match=f"reflex.action = '{extra}' needs the '{extra}' extra"):
        action_of(section, tmp_path)


def test_armed_is_true_or_false():
    _, said = parse({"reflex": {"armed": "yes"}})
    assert "reflex.armed = 'yes' is neither true nor false" in said
