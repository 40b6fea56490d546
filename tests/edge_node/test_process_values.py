"""Process values: real OPC UA and Modbus servers, values that grow old, servers that hang."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import random
import socket
import struct
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asyncua import Server, ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge_node.process_values import ProcessValuesSection, Values, mistakes, open_process_values
from edge_node.process_values import poller as poller_module
from edge_node.process_values.device import WithSpeed
from edge_node.process_values.modbus import ModbusReader, Register
from edge_node.process_values.opcua import OpcUaReader
from edge_node.process_values.poller import FIRST_PAUSE_S, LONGEST_PAUSE_S, Poller
from edge_node.sources.device import Frames
from vibro.errors import BadInputError, VibroError
from vibro.options import read_section

DEADLINE_S = 10.0
BUILD_S = 60.0
"""asyncua makes the thousands of nodes of the standard before it serves any."""
LUCK = random.Random(0)  # noqa: S311 (jitter)
SECTION = ProcessValuesSection(kind="modbus", address="127.0.0.1:1", rpm="holding 0 uint16")


class Loop:
    """An event loop on a thread, for servers."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def call(self, coroutine, deadline_s=DEADLINE_S):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(deadline_s)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(DEADLINE_S)
        self.loop.close()


@pytest.fixture(scope="module")
def loop():
    found = Loop()
    yield found
    found.close()


# -- the poller, with a reader of our own port and time as an argument -------------------------


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Script:
    """A reader that gives or raises what is next; the last of it for ever."""

    def __init__(self, *answers, takes_s=0.0, clock=None) -> None:
        self.answers, self.calls = list(answers), []
        self.takes_s, self.clock = takes_s, clock

    def open(self):
        self.calls.append("open")
        self._next(peek=True)

    def read(self):
        self.calls.append("read")
        if self.clock is not None:
            self.clock.now_s += self.takes_s
        return self._next()

    def _next(self, *, peek=False):
        answer = self.answers[0]
        if len(self.answers) > 1 and not (peek and isinstance(answer, dict)):
            del self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self):
        self.calls.append("close")


@pytest.fixture
def clock():
    return Clock()


def polling(reader, clock, **options):
    return Poller(reader, replace(SECTION, **options), clock, LUCK)


def test_values_are_scaled_and_a_speed_has_no_sign_and_running_is_yes_or_no(clock):
    reader = Script({"rpm": -148.0, "load": 50.0, "running": 3.0, "temperature": 400.0})
    poller = polling(
        reader, clock,
        rpm_scale=10.0, load_scale=0.5, load_offset=1.0, running_scale=0.2,
        temperature_scale=0.1, temperature_offset=-5.0,
    )  # fmt: skip
    poller.poll()
    assert poller.latest() == Values(1480.0, 26.0, 1.0, 35.0, 0.0)
    reader.answers = [{"rpm": math.inf, "running": 2.0}]
    poller.poll()
    got = poller.latest()
    assert (got.running, got.age_s) == (0.0, 0.0)
    assert all(map(math.isnan, (got.rpm, got.load, got.temperature)))


def test_before_the_first_answer_nothing_is_known(clock):
    got = polling(Script({}), clock).latest()
    assert got.age_s == math.inf
    assert all(map(math.isnan, (got.rpm, got.load, got.running, got.temperature, got.speed)))


def test_a_value_grows_old_and_is_then_unknown_never_stuck(clock):
    poller = polling(Script({"rpm": 1480.0}, VibroError("gone")), clock, stale_s=5.0)
    poller.poll()
    for age_s in (1.0, 4.9, 5.0):
        clock.now_s = 1000.0 + age_s
        poller.poll()
        assert poller.latest().rpm == 1480.0
        assert poller.latest().age_s == pytest.approx(age_s)
    clock.now_s = 1005.1
    assert math.isnan(poller.latest().rpm)
    assert poller.latest().age_s == pytest.approx(5.1)


def test_age_counts_from_the_question(clock):
    poller = polling(Script({"rpm": 1.0}, takes_s=1.5, clock=clock), clock)
    assert poller.poll() == 0.0
    assert poller.latest().age_s == 1.5


def test_polls_come_at_their_interval_whatever_an_answer_takes(clock):
    poller = polling(Script({"rpm": 1.0}, takes_s=0.25, clock=clock), clock, poll_s=1.0)
    assert poller.poll() == 0.75


def test_a_failing_server_is_asked_ever_more_seldom_and_at_once_again_when_it_is_back(
    clock, caplog
):
    reader = Script(*[VibroError("no route")] * 12, {"rpm": 1.0})
    poller = polling(reader, clock)
    with caplog.at_level(logging.WARNING):
        pauses = [poller.poll() for _ in range(12)]
    for k, pause_s in enumerate(pauses):
        longest = min(FIRST_PAUSE_S * 2.0**k, LONGEST_PAUSE_S)
        assert longest / 2 <= pause_s <= longest
    assert len(set(pauses)) == 12  # nodes do not all come back at once
    assert [r.getMessage() for r in caplog.records] == ["process values: no route"]
    assert poller.last_error == "no route"
    assert poller.poll() == 1.0
    assert (poller.latest().rpm, poller.last_error) == (1.0, "")
    assert reader.calls[:4] == ["open", "close", "open", "close"]


def test_a_reader_that_breaks_in_any_way_is_a_failure_like_others(clock):
    poller = polling(Script(RuntimeError("unheard of"), {"rpm": 1.0}), clock)
    assert poller.poll() > 0
    assert poller.last_error == "RuntimeError: unheard of"
    poller.poll()
    assert poller.latest().rpm == 1.0


class Hanging:
    """A reader whose second question is never answered."""

    def __init__(self) -> None:
        self.asked, self.free, self.first = threading.Event(), threading.Event(), True

    def open(self):
        pass

    def read(self):
        if self.first:
            self.first = False
            return {"rpm": 1480.0}
        self.asked.set()
        self.free.wait(DEADLINE_S)
        raise VibroError("never answered")

    def close(self):
        pass


def test_a_server_that_hangs_holds_nobody_up_and_its_value_is_forgotten(clock):
    reader = Hanging()
    poller = polling(reader, clock, poll_s=0.001, stale_s=5.0)
    poller.start()
    poller.start()
    assert reader.asked.wait(DEADLINE_S)
    assert poller.latest().rpm == 1480.0
    clock.now_s += 5.5
    assert math.isnan(poller.latest().rpm)
    poller._stopping.set()
    reader.free.set()
    poller.stop()
    poller.stop()
    assert "process-values" not in {t.name for t in threading.enumerate()}


def test_one_thread_at_a_time_asks_the_server_however_often_polling_begins(clock, monkeypatch):
    monkeypatch.setattr(poller_module, "STOP_S", 0.0)
    reader = Hanging()
    poller = polling(reader, clock, poll_s=0.001)
    poller.start()
    assert reader.asked.wait(DEADLINE_S)
    reader.asked.clear()
    for _ in range(3):
        poller.stop()
        poller.start()
    assert not reader.asked.wait(0.05)
    reader.free.set()
    assert reader.asked.wait(DEADLINE_S)
    monkeypatch.undo()
    poller.stop()


@pytest.mark.parametrize(
    ("rpm", "running", "speed"),
    [(1480.0, 0.0, 1480.0), (math.nan, 0.0, 0.0), (math.nan, 1.0, math.nan), (0.0, 1.0, 0.0)],
)
def test_no_speed_is_made_up_but_a_machine_that_is_off_stands(rpm, running, speed):
    np.testing.assert_equal(Values(rpm=rpm, running=running).speed, speed)


class Said:
    """Process values and a device, as scripted."""

    rate_hz, sample_bytes, scale = 100.0, 2, np.ones(2, np.float32)
    last_error = ""

    def __init__(self, *frames, **values) -> None:
        self.frames, self.values, self.calls = list(frames), Values(**values), []

    def start(self):
        self.calls.append("start")

    def stop(self):
        self.calls.append("stop")

    def read(self, timeout_s):
        return self.frames.pop(0)

    def latest(self):
        return self.values


def test_frames_without_a_speed_get_the_control_systems_and_others_keep_theirs():
    counts = np.zeros((2, 5), np.int16)
    device = Said(Frames(counts, 3), Frames(counts, rpm=1500.0), None)
    values = Said(rpm=1480.0)
    speedy = WithSpeed(device, values)
    speedy.start()
    first, second, third = (speedy.read(0.0) for _ in range(3))
    assert (first.rpm, first.lost, second.rpm, third) == (1480.0, 3, 1500.0, None)
    assert (speedy.rate_hz, speedy.sample_bytes, speedy.scale.tolist()) == (100.0, 2, [1.0, 1.0])
    speedy.stop()
    assert (device.calls, values.calls) == (["start", "stop"], ["start", "stop"])


def test_what_is_known_is_shown_and_what_is_not_is_left_out():
    values = Said(rpm=1480.123456, age_s=0.5)
    told = WithSpeed(Said(), values).facts()
    assert json.loads(json.dumps(told, allow_nan=False)) == {"rpm": 1480.1, "age_s": 0.5}
    assert WithSpeed(Said(), Said()).facts() == {}
    values.last_error = "no route"
    assert WithSpeed(Said(), values).facts()["last_error"] == "no route"


# -- options -----------------------------------------------------------------------------------


def test_the_table_is_read_by_the_machinery_of_all_options():
    told = []
    given_ = {"kind": "opcua", "rpm": "ns=2;s=a", "rpm_scale": -2, "stale_s": "old"}
    assert read_section("process_values", ProcessValuesSection, given_, told) is None
    assert told == ["process_values.stale_s = 'old' is not a number (s)"]


def test_without_a_protocol_there_are_none(tmp_path):
    assert open_process_values(ProcessValuesSection(), tmp_path, "n") is None
    assert mistakes(ProcessValuesSection(), tmp_path) == []


def test_all_mistakes_are_told_at_once(tmp_path):
    section = replace(SECTION, address="", rpm="", stale_s=1.0)
    assert len(mistakes(section, tmp_path)) == 3
    assert mistakes(replace(SECTION, address="plc", rpm="input 1 int16"), tmp_path) == []


OPCUA = ProcessValuesSection(kind="opcua", address="opc.tcp://127.0.0.1:1", rpm="i=2258")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (replace(SECTION, address=""), "process_values.address is empty"),
        (replace(SECTION, rpm=""), "maps nothing: give at least one of rpm, load, running"),
        (replace(SECTION, stale_s=2.5), r"stale_s = 2.5 is too short: at least .* = 3 s"),
        (replace(SECTION, device_id=256), "process_values.device_id = 256 is too large"),
        (replace(SECTION, address="a b"), "'a b' is not HOST or HOST:PORT"),
        (replace(SECTION, address="h:70000"), "is not HOST or HOST:PORT"),
        (replace(SECTION, rpm="40001"), "process_values.rpm = '40001' is no register: write 'hol"),
        (replace(SECTION, rpm="coil 3 int16"), "is no register"),
        (replace(SECTION, rpm="holding x int16"), "the address is not within 0 to 65535"),
        (replace(SECTION, rpm="holding 65535 int32"), "the address is not within 0 to 65535"),
        (replace(OPCUA, address="127.0.0.1"), "is not 'opc.tcp://HOST:PORT/PATH'"),
        (replace(OPCUA, rpm="Motor.Speed"), "process_values.rpm = 'Motor.Speed' is no node: one"),
        (replace(OPCUA, password_file="gone"), "process_values.password_file = .*gone' cannot be"),  # noqa: S106 (a path)
    ],
)
def test_options_that_do_not_fit_are_one_line(tmp_path, section, said):
    with pytest.raises(BadInputError, match=said) as caught:
        open_process_values(section, tmp_path, "n")
    assert "\n" not in str(caught.value)
    assert mistakes(section, tmp_path) == [str(caught.value)]


@pytest.mark.parametrize("kind", ["opcua", "modbus"])
def test_a_missing_extra_is_one_line(monkeypatch, tmp_path, kind):
    module = {"opcua": "asyncua.sync", "modbus": "pymodbus"}[kind]
    monkeypatch.setitem(__import__("sys").modules, module, None)
    section = OPCUA if kind == "opcua" else SECTION
    with pytest.raises(VibroError, match=f"process_values.kind = '{kind}' needs the '{kind}' extr"):
        open_process_values(section, tmp_path, "n")


# -- Modbus ------------------------------------------------------------------------------------

CODES = {"int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "float32": "f"}


@given(st.sampled_from(sorted(CODES)), st.data())
def test_registers_hold_numbers_of_any_type_in_either_order_of_words(kind, data):
    bounds = {"h": (-(2**15), 2**15 - 1), "H": (0, 2**16 - 1), "i": (-(2**31), 2**31 - 1)}
    code = CODES[kind]
    number = data.draw(
        st.floats(width=32, allow_nan=False)
        if code == "f"
        else st.integers(*bounds.get(code, (0, 2**32 - 1)))
    )
    packed = struct.pack(f">{code}", number)
    words = list(struct.unpack(f">{len(packed) // 2}H", packed))
    register = Register.parse(f"input 7 {kind}", "k")
    assert (register.count, register.address) == (len(words), 7)
    assert register.value(words, low_first=False) == number
    assert register.value(words[::-1], low_first=True) == number


def motor() -> SimDevice:
    """Coil, discrete input, and registers of several types; 70000 has its low word first."""
    return SimDevice(
        id=1,
        simdata=(
            [SimData(3, values=[True], datatype=DataType.BITS)],
            [SimData(4, values=[False], datatype=DataType.BITS)],
            [
                SimData(100, values=1480.5, datatype=DataType.FLOAT32),
                SimData(102, values=[70000 & 0xFFFF, 70000 >> 16], datatype=DataType.REGISTERS),
                SimData(104, values=math.nan, datatype=DataType.FLOAT32),
            ],
            [SimData(20, values=-12, datatype=DataType.INT16)],
        ),
    )


@pytest.fixture
def modbus(loop):
    """Starts pymodbus' own server, at any port or at a given one."""
    servers = []

    async def start(port):
        server = ModbusTcpServer(motor(), address=("127.0.0.1", port))
        await server.serve_forever(background=True)
        return server

    def open_it(port=0):
        servers.append(loop.call(start(port)))
        return servers[-1], servers[-1].transport.sockets[0].getsockname()[1]

    yield open_it
    for server in servers:
        loop.call(server.shutdown())


def test_values_of_a_real_modbus_server(modbus):
    _, port = modbus()
    section = replace(
        SECTION,
        address=f"127.0.0.1:{port}",
        rpm="holding 100 float32",
        load="input 20 int16",
        running="coil 3",
        temperature="discrete 4",
    )
    reader = ModbusReader(section)
    reader.open()
    assert reader.read() == {"rpm": 1480.5, "load": -12.0, "running": 1.0, "temperature": 0.0}
    reader.close()
    reader.close()
    swapped = ModbusReader(replace(section, rpm="holding 102 uint32", word_order="little"))
    swapped.open()
    assert swapped.read()["rpm"] == 70000.0
    swapped.close()


def test_a_register_that_the_server_refuses_is_unknown_and_the_others_are_not(modbus):
    _, port = modbus()
    reader = ModbusReader(
        replace(
            SECTION,
            address=f"127.0.0.1:{port}",
            rpm="holding 100 float32",
            load="holding 5000 int16",
            temperature="holding 104 float32",
        )
    )
    reader.open()
    got = reader.read()
    reader.close()
    assert got["rpm"] == 1480.5
    assert math.isnan(got["load"])
    assert math.isnan(got["temperature"])


def test_a_modbus_server_that_goes_is_one_line_and_is_read_again_when_it_is_back(
    loop, modbus, clock
):
    server, port = modbus()
    section = replace(
        SECTION, address=f"127.0.0.1:{port}", rpm="holding 100 float32", timeout_s=0.5
    )
    poller = Poller(ModbusReader(section), section, clock, LUCK)
    poller.poll()
    assert poller.latest().rpm == 1480.5
    loop.call(server.shutdown())
    clock.now_s += 6.0
    assert poller.poll() > 0
    assert poller.last_error.startswith(f"Modbus 127.0.0.1:{port}: ")
    assert "\n" not in poller.last_error
    assert math.isnan(poller.latest().rpm)
    modbus(port)
    poller.poll()
    assert poller.latest().rpm == 1480.5
    poller.stop()


def reader_of(kind: str, port: int, folder, **options):
    if kind == "modbus":
        section = replace(SECTION, address=f"127.0.0.1:{port}", **options)
        return section, ModbusReader(section)
    section = replace(OPCUA, address=f"opc.tcp://127.0.0.1:{port}", **options)
    return section, OpcUaReader(section, folder)


@pytest.mark.parametrize("kind", ["modbus", "opcua"])
def test_a_server_that_is_silent_fails_within_its_timeout(clock, tmp_path, kind):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        section, reader = reader_of(kind, silent.getsockname()[1], tmp_path, timeout_s=0.1)
        poller = Poller(reader, section, clock, LUCK)
        began_s = time.monotonic()
        assert poller.poll() > 0
    assert time.monotonic() - began_s < DEADLINE_S
    assert "127.0.0.1" in poller.last_error


@pytest.mark.parametrize("kind", ["modbus", "opcua"])
def test_a_server_that_is_off_for_long_leaves_no_thread_no_file_and_one_line_behind(
    clock, tmp_path, caplog, kind
):
    section, reader = reader_of(kind, free_port(), tmp_path)
    poller = Poller(reader, section, clock, LUCK)
    poller.poll()
    threads, files = threading.active_count(), open_files()
    for _ in range(100):
        assert poller.poll() > 0
    assert threading.active_count() <= threads
    assert open_files() < files + 10
    assert [r.name for r in caplog.records] == ["vibro.process_values"]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# -- OPC UA ------------------------------------------------------------------------------------


class Plant:
    """asyncua's own server with a motor."""

    def __init__(self, loop, folder: Path) -> None:
        self.loop, self.folder = loop, folder
        self.url = f"opc.tcp://127.0.0.1:{free_port()}"
        loop.call(self._build(), BUILD_S)
        self.start()

    async def _build(self):
        self.server = Server()
        await self.server.init()
        self.server.set_endpoint(self.url)
        self.server.set_security_policy(
            [
                ua.SecurityPolicyType.NoSecurity,
                ua.SecurityPolicyType.Basic256Sha256_Sign,
                ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
            ]
        )
        for name, use in (
            ("plc", ExtendedKeyUsageOID.SERVER_AUTH),
            ("node", ExtendedKeyUsageOID.CLIENT_AUTH),
            ("stranger", ExtendedKeyUsageOID.SERVER_AUTH),
        ):
            await setup_self_signed_certificate(
                self.folder / f"{name}-key.pem", self.folder / f"{name}.der",
                f"urn:plant:{name}", "localhost", [use], {"commonName": name},
            )  # fmt: skip
        await self.server.load_certificate(str(self.folder / "plc.der"))
        await self.server.load_private_key(str(self.folder / "plc-key.pem"))
        index = await self.server.register_namespace("urn:plant")
        motor = await self.server.nodes.objects.add_object(index, "Motor")
        told = {"Speed": -1480.5, "Load": 62, "Running": True, "Name": "M1"}
        self.nodes = {
            name: await motor.add_variable(ua.NodeId(f"Motor.{name}", index), name, value)
            for name, value in told.items()
        }

    def start(self) -> None:
        self.loop.call(self.server.start())

    def bad(self, name: str) -> None:
        value = ua.DataValue(ua.Variant(1.0), ua.StatusCode(ua.StatusCodes.BadSensorFailure))
        self.loop.call(self.nodes[name].write_value(value))

    def stop(self) -> None:
        self.loop.call(self.server.stop())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def plant(loop, tmp_path_factory):
    found = Plant(loop, tmp_path_factory.mktemp("plant"))
    yield found
    found.stop()


def on_opcua(url: str, **more) -> ProcessValuesSection:
    return ProcessValuesSection(
        kind="opcua", address=url, timeout_s=2.0, rpm="ns=2;s=Motor.Speed",
        load="ns=2;s=Motor.Load", running="ns=2;s=Motor.Running", **more,
    )  # fmt: skip


def test_values_of_a_real_opc_ua_server_and_its_bad_ones(plant, tmp_path):
    section = on_opcua(plant.url, temperature="ns=2;s=Motor.Gone")
    reader = OpcUaReader(section, tmp_path)
    reader.open()
    got = reader.read()
    assert math.isnan(got.pop("temperature"))
    assert got == {"rpm": -1480.5, "load": 62.0, "running": 1.0}
    plant.bad("Load")
    got = reader.read()
    assert math.isnan(got["load"])
    assert got["rpm"] == -1480.5
    reader.close()
    reader.close()
    text = OpcUaReader(replace(section, rpm="ns=2;s=Motor.Name"), tmp_path)
    text.open()
    assert math.isnan(text.read()["rpm"])
    text.close()


def test_an_opc_ua_server_that_goes_is_one_line_and_is_read_again_when_it_is_back(
    plant, clock, tmp_path
):
    section = on_opcua(plant.url)
    poller = Poller(OpcUaReader(section, tmp_path), section, clock, LUCK)
    poller.poll()
    assert poller.latest().speed == 1480.5
    plant.stop()
    clock.now_s += 6.0
    assert poller.poll() > 0
    assert poller.last_error.startswith(f"OPC UA {plant.url}: ")
    assert "\n" not in poller.last_error
    assert math.isnan(poller.latest().rpm)
    plant.start()
    poller.poll()
    assert (poller.latest().rpm, poller.latest().running) == (1480.5, 1.0)
    poller._close()


SECURE = {"certificate_file": "node.der", "key_file": "node-key.pem"}


@pytest.mark.parametrize("security", ["sign", "encrypt"])
@pytest.mark.parametrize("trusted", ["", "plc.der"])
def test_messages_to_an_opc_ua_server_are_signed_or_encrypted(plant, security, trusted):
    section = on_opcua(plant.url, security=security, server_certificate_file=trusted, **SECURE)
    reader = OpcUaReader(section, plant.folder)
    reader.open()
    assert reader._client.aio_obj.application_uri == "urn:plant:node"
    mode = reader._client.aio_obj.security_policy.Mode
    assert mode.name == {"sign": "Sign", "encrypt": "SignAndEncrypt"}[security]
    assert reader.read()["rpm"] == -1480.5
    reader.close()


def test_an_opc_ua_server_with_another_certificate_is_not_talked_to(plant):
    section = on_opcua(
        plant.url, security="encrypt", server_certificate_file="stranger.der", **SECURE
    )
    reader = OpcUaReader(replace(section, timeout_s=0.5), plant.folder)
    with pytest.raises(VibroError, match=r"^OPC UA opc.tcp"):
        reader.open()
    reader.close()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"certificate_file": ""}, "process_values.certificate_file = .* is no file"),
        ({"key_file": "gone.key"}, "process_values.key_file = .*gone.key' is no file"),
        ({"certificate_file": "node-key.pem"}, "node-key.pem' is no certificate .* with an app"),
    ],
)
def test_certificates_that_do_not_fit_are_one_line(plant, files, said):
    section = on_opcua(plant.url, security="sign", **SECURE | files)
    with pytest.raises(BadInputError, match=said):
        OpcUaReader(section, plant.folder)


def test_values_arrive_by_themselves_once_started(plant, tmp_path):
    values = open_process_values(replace(on_opcua(plant.url), poll_s=0.05), tmp_path, "n")
    values.start()
    waited = threading.Event()
    for _ in range(200):
        if values.latest().rpm == 1480.5:
            break
        waited.wait(0.05)
    assert values.latest().rpm == 1480.5
    assert values.latest().age_s < 5.0
    values.stop()
