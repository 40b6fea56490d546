"""Source mqtt: payloads of every form, and a real broker on loopback."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import random
import ssl
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import numpy as np
import paho.mqtt.client as paho
import pytest
from amqtt.broker import Broker
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from pwdlib.hashers.argon2 import Argon2Hasher

from edge_node.sources.mqtt import MqttOptions, open_device
from edge_node.sources.mqtt_payload import ENCODINGS, PayloadFormat
from tests.edge_node.devices import MACHINE
from vibro.errors import BadInputError, VibroError

TOPIC = "plant/motor-1/samples"
DEADLINE_S = 10.0
X = np.array([[1, -2, 3], [-32768, 32767, 0]])


# -- payloads ----------------------------------------------------------------------------------


def form(encoding="int16", *, channels=2, big=False, planar=False, numbered=False):
    return PayloadFormat(channels, encoding, big, planar, numbered)


@pytest.mark.parametrize("numbered", [False, True])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(
    ("encoding", "code"), [("int16", "i2"), ("int32", "i4"), ("float32", "f4")]
)
def test_binary_samples_arrive_as_they_were_sent(encoding, code, big, planar, numbered):
    order = ">" if big else "<"
    body = (X if planar else X.T).astype(f"{order}{code}").tobytes()
    head = np.array(7, f"{order}u4").tobytes() if numbered else b""
    got = form(encoding, big=big, planar=planar, numbered=numbered).decode(head + body)
    assert got.counts.dtype == np.dtype(encoding)
    assert got.counts.flags["C_CONTIGUOUS"]
    assert (got.counts == X).all()
    assert got.sequence == (7 if numbered else None)
    assert math.isnan(got.rpm)


@pytest.mark.parametrize("planar", [False, True])
def test_json_samples_arrive_as_they_were_sent(planar):
    lists = (X if planar else X.T).tolist()
    for told in (lists, {"samples": lists}):
        assert (form("json", planar=planar).decode(json.dumps(told).encode()).counts == X).all()
    full = json.dumps({"samples": lists, "sequence": 12, "rpm": 1480.5}).encode()
    got = form("json", planar=planar, numbered=True).decode(full)
    assert (got.sequence, got.rpm, got.counts.dtype) == (12, 1480.5, np.float32)
    one = form("json", channels=1, planar=planar).decode(b"[0.5, -1, 2e3]")
    assert one.counts.tolist() == [[0.5, -1.0, 2000.0]]


@pytest.mark.parametrize(
    ("form_", "payload", "said"),
    [
        (form(), b"", "without samples"),
        (form(), b"12345", "5 bytes are not 0 and whole frames of 2 channels of 2 bytes"),
        (form(numbered=True), b"123", "3 bytes are not 4 and whole frames"),
        (form("float32", channels=1), np.float32(np.nan).tobytes(), "not a finite number"),
        (form("json"), b"{", "is not JSON"),
        (form("json"), b"\xff", "is not JSON"),
        (form("json"), b"[" * 100_000, "is not JSON"),
        (form("json"), b"3", "has no list of frames"),
        (form("json"), b'{"sample": []}', "has no list of frames"),
        (form("json"), b"[]", "not made of frames of channels of one length"),
        (form("json"), b"[[1, 2], [3]]", "not made of frames of channels of one length, 2"),
        (form("json"), b'[[1, "2"]]', "all of them numbers"),
        (form("json"), b"[[1, true]]", "all of them numbers"),
        (form("json"), b"[1, 2]", "all of them numbers"),
        (form("json"), b"[[1, NaN]]", "not a finite number"),
        (form("json"), b"[[1, 1e39]]", "not a finite number"),
        (form("json"), b"[[1, 1" + b"0" * 400 + b"]]", "not a finite number"),
        (form("json", numbered=True), b"[[1, 2]]", 'not an object with "sequence"'),
        (form("json", numbered=True), b'{"samples": [[1, 2]]}', '"sequence" is not'),
        (form("json", numbered=True), b'{"samples": [[1, 2]], "sequence": -1}', '"sequence" is'),
        (form("json"), b'{"samples": [[1, 2]], "rpm": "fast"}', '"rpm" is not a number'),
        (form("json"), b'{"samples": [[1, 2]], "rpm": 1e999}', '"rpm" is not a number'),
    ],
)  # fmt: skip
def test_a_payload_that_is_not_what_it_should_be_is_one_line(form_, payload, said):
    with pytest.raises(BadInputError, match=said) as caught:
        form_.decode(payload)
    assert "\n" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["samples", "sequence", "rpm", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)
FORMS = st.builds(
    PayloadFormat,
    st.integers(1, 4), st.sampled_from(ENCODINGS), st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip
PAYLOADS = st.binary(max_size=64) | JSON.map(lambda told: json.dumps(told).encode())


def decoded_or_refused(form_: PayloadFormat, payload: bytes) -> bool:
    got, told = None, ""
    try:
        got = form_.decode(payload)
    except BadInputError as error:
        told = str(error)
    assert "\n" not in told
    if got is None:
        assert told
    else:
        assert got.counts.shape[0] == form_.channels
        assert np.isfinite(got.counts).all()
        assert (got.sequence is not None) == form_.numbered
    return got is not None


@settings(max_examples=100, deadline=None)
@given(FORMS, PAYLOADS)
def test_any_payload_is_decoded_or_refused(form_, payload):
    decoded_or_refused(form_, payload)


@pytest.mark.parametrize("n", [1000, pytest.param(100_000, marks=pytest.mark.prove)])
def test_payloads_with_anything_in_them_are_decoded_or_refused(n):
    luck, decoded = random.Random(n), 0  # noqa: S311 (a test's luck)
    for _ in range(n):
        form_ = PayloadFormat(
            luck.randint(1, 4), luck.choice(ENCODINGS), *luck.choices((False, True), k=3)
        )
        payload = damaged(luck, valid(luck, form_))
        decoded += decoded_or_refused(form_, payload)
    assert 0.1 * n < decoded < 0.9 * n


def valid(luck: random.Random, form_: PayloadFormat) -> bytes:
    """A message of the format, of one to five frames."""
    frames = luck.randint(1, 5)
    if form_.encoding != "json":
        size = 2 if form_.encoding == "int16" else 4
        return luck.randbytes(4 * form_.numbered + frames * form_.channels * size)
    shape = (form_.channels, frames) if form_.planar else (frames, form_.channels)
    samples = [[luck.choice((0, -1.5, 1e3)) for _ in range(shape[1])] for _ in range(shape[0])]
    told = {"samples": samples, "sequence": luck.choice((0, 2**53 - 1, 2**60, -1)), "rpm": 1480}
    return json.dumps(told).encode()


def damaged(luck: random.Random, payload: bytes) -> bytes:
    """A message that may have been cut, and have other bytes in it."""
    for _ in range(luck.choice((0, 0, 1, 3))):
        at = luck.randrange(len(payload) + 1)
        new = luck.choice((b"", b"[", b"]", b"{", b"NaN", b'"', b"1e999", b"\xff", b"null", b"9"))
        payload = payload[:at] + new + payload[at + luck.randrange(3) :]
    return payload


# -- the device, message by message ------------------------------------------------------------

HERE = MqttOptions(topic=TOPIC, encoding="json", sequence="message", rate_hz=100.0)


class Clock:
    now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


def message(number: int, n: int = 10, rpm=None) -> bytes:
    return json.dumps({"samples": [[number, -number]] * n, "sequence": number, "rpm": rpm}).encode()


@pytest.fixture
def fed(tmp_path):
    """A device that is given messages by hand; connecting is another matter."""
    clock = Clock()
    device = open_device(HERE, MACHINE, tmp_path, monotonic=clock)
    device.begin()

    def give(payload: bytes, after_s: float = 0.1):
        clock.now_s += after_s
        device.take(payload)
        return device.read(0.0)

    return give, device


def test_messages_that_are_missing_are_lost_frames_and_repeats_are_dropped(fed):
    give, _ = fed
    assert [give(message(i, rpm=1500)).lost for i in range(3)] == [0, 0, 0]
    assert give(message(5), after_s=0.4).lost == 20
    assert give(message(5)) is None
    assert math.isnan(give(message(6)).rpm)
    first = give(message(0))
    assert (first.lost, first.anew) == (0, True)
    second = give(message(1))
    assert (second.lost, second.anew) == (0, False)


def test_a_message_that_cannot_be_read_is_lost_and_told_once_a_minute(fed, caplog):
    give, device = fed
    give(message(0))
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            assert give(b"rubbish") is None
    assert len(caplog.records) == 1
    assert "source.mqtt: a message on plant/motor-1/samples cannot be read" in caplog.text
    assert device.refused == 5
    assert give(message(6)).lost == 50


def test_without_numbers_an_interruption_is_lost_by_the_clock(tmp_path):
    clock = Clock()
    device = open_device(replace(HERE, sequence="none"), MACHINE, tmp_path, monotonic=clock)
    device.begin()
    for _ in range(10):
        clock.now_s += 0.1
        device.take(json.dumps([[1, 2]] * 10).encode())
        assert device.read(0.0).lost == 0
    device._on_disconnect()
    clock.now_s += 3.1
    device.take(json.dumps([[1, 2]] * 10).encode())
    assert device.read(0.0).lost == pytest.approx(300, abs=1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"topic": ""}, "source.mqtt.topic = '' is not one topic"),
        ({"topic": "plant/+/samples"}, "name it without # and"),
        ({"unit": "mV"}, "sensitivity_mv_g is empty"),
        ({"port": 70000}, "source.mqtt.port = 70000 is too large"),
        ({"password_file": "gone"}, "source.mqtt.password_file = .*gone' cannot be read"),
    ],
)
def test_options_that_do_not_fit_are_one_line(tmp_path, options, said):
    with pytest.raises(BadInputError, match=said):
        open_device(replace(HERE, **options), MACHINE, tmp_path)


def test_scale_unit_and_sign_are_in_the_scale(tmp_path):
    options = replace(HERE, unit="g", scale=(0.001,), sign=(1.0, -1.0))
    device = open_device(options, MACHINE, tmp_path)
    np.testing.assert_allclose(device.scale, [0.00980665, -0.00980665], rtol=1e-6)
    assert (device.rate_hz, device.sample_bytes) == (100.0, 4)
    assert open_device(replace(options, rate_hz=0.0), MACHINE, tmp_path).rate_hz == 1280.0


# -- a real broker -----------------------------------------------------------------------------


class BrokerThread:
    """An amqtt broker on loopback, on a loop of its own."""

    def __init__(self, port: int = 0, listener=None, plugins=None) -> None:
        self.listener = {"type": "tcp", "bind": f"127.0.0.1:{port}", **(listener or {})}
        self.plugins = plugins or {"amqtt.plugins.authentication.AnonymousAuthPlugin": {}}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.broker = self.call(self._start())
        (listener,) = self.broker._servers.values()
        self.port = listener.instance.sockets[0].getsockname()[1]

    async def _start(self) -> Broker:
        broker = Broker({"listeners": {"default": self.listener}, "plugins": self.plugins})
        await broker.start()
        return broker

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(DEADLINE_S)

    def stop(self) -> None:
        self.call(self.broker.shutdown())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(DEADLINE_S)
        self.loop.close()


@pytest.fixture
def broker():
    found = BrokerThread()
    yield found
    found.stop()


@contextmanager
def connected(broker: BrokerThread):
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    yield lambda payload, **how: client.publish(TOPIC, payload, **how).wait_for_publish(DEADLINE_S)
    client.disconnect()
    client.loop_stop()


def test_messages_of_a_real_broker_become_frames(broker, tmp_path):
    options = MqttOptions(
        port=broker.port, topic=TOPIC, host="127.0.0.1", sequence="frame", rate_hz=1000.0
    )
    device = open_device(options, MACHINE, tmp_path)
    rng = np.random.default_rng(0)
    sent = rng.integers(-32768, 32767, (2, 300), np.int16)
    with connected(broker) as send:
        send(b"of yesterday", retain=True)
        device.start()
        for first in (0, 100, 150):
            block = sent[:, first : first + 50].T.astype("<i2").tobytes()
            send(np.uint32(first).tobytes() + block, qos=1)
    got = [device.read(DEADLINE_S) for _ in range(3)]
    assert [f.lost for f in got] == [0, 50, 0]
    for frames, first in zip(got, (0, 100, 150), strict=True):
        np.testing.assert_array_equal(frames.counts, sent[:, first : first + 50])
    assert device.refused == 0
    device.stop()
    device.stop()


def test_no_broker_is_one_line(tmp_path):
    broker = BrokerThread()
    broker.stop()
    device = open_device(replace(HERE, host="127.0.0.1", port=broker.port), MACHINE, tmp_path)
    with pytest.raises(VibroError, match=r"source.mqtt: 127.0.0.1:.*is it the right broker"):
        device.start()
    device.stop()


def test_a_broker_that_comes_back_is_subscribed_again_and_the_gap_is_told(tmp_path):
    first = BrokerThread()
    # The broker of the tests does not end while a message of quality 1 is on its way.
    options = replace(HERE, host="127.0.0.1", port=first.port, qos="0")
    device = open_device(options, MACHINE, tmp_path)
    device.start()
    with connected(first) as send:
        send(message(0))
        assert device.read(DEADLINE_S).lost == 0
    first.stop()
    second = BrokerThread(first.port)
    deadline, frames = time.monotonic() + DEADLINE_S, None
    with connected(second) as send:
        # Nobody says when the library has come back: messages are sent until one is heard.
        for number in range(2, 1000):
            send(message(number))
            frames = device.read(0.05)
            if frames is not None or time.monotonic() > deadline:
                break
    assert frames is not None
    assert frames.counts[0, 0] == number
    assert frames.lost > 0
    device.stop()
    second.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of 127.0.0.1 that has signed itself, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "broker.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder


def test_a_broker_with_tls_is_trusted_by_its_certificate_alone(certificate):
    files = {
        n: str(certificate / f) for n, f in (("certfile", "broker.pem"), ("keyfile", "key.pem"))
    }
    broker = BrokerThread(listener={"ssl": True, **files})
    options = replace(HERE, host="127.0.0.1", port=broker.port, ca_file="broker.pem")
    device = open_device(options, MACHINE, certificate)
    device.start()
    device.stop()
    authorities = ssl.get_default_verify_paths()
    if authorities.cafile:
        stranger = open_device(replace(options, ca_file=authorities.cafile), MACHINE, certificate)
        with pytest.raises(VibroError, match="CERTIFICATE_VERIFY_FAILED"):
            stranger.start()
    with pytest.raises(VibroError, match="No such file"):
        open_device(replace(options, ca_file="gone.pem"), MACHINE, certificate).start()
    broker.stop()


def test_a_broker_is_told_the_name_and_the_password_of_its_file(tmp_path):
    (tmp_path / "users").write_text(f"node-1:{Argon2Hasher().hash('right')}\n")
    broker = BrokerThread(
        plugins={
            "amqtt.plugins.authentication.FileAuthPlugin": {
                "password_file": str(tmp_path / "users")
            }
        }
    )
    options = replace(HERE, host="127.0.0.1", port=broker.port, user="node-1")
    options = replace(options, password_file="mine")  # noqa: S106 (a path)
    (tmp_path / "mine").write_text("right\n")
    device = open_device(options, MACHINE, tmp_path)
    device.start()
    device.stop()
    (tmp_path / "mine").write_text("wrong\n")
    with pytest.raises(VibroError, match=r"the broker refuses .*is it the right broker") as caught:
        open_device(options, MACHINE, tmp_path).start()
    assert "wrong" not in str(caught.value)
    broker.stop()
