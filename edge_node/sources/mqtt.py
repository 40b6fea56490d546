"""Source ``mqtt``: samples that arrive as MQTT messages, by paho-mqtt.

The broker may go away and come back: the library connects again by itself, and what was missed
meanwhile is told as lost, exactly where messages are numbered, else by the time that passed.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_node.library import library
from edge_node.password import read_password
from edge_node.sources.calibration import UNITS, as_scale, m_s2_per_unit, per_channel
from edge_node.sources.device import Frames
from edge_node.sources.frame_clock import FrameClock
from edge_node.sources.inbox import Inbox
from edge_node.sources.kinds import LiveKind
from edge_node.sources.mqtt_payload import ENCODINGS, HEADER_MODULUS, PayloadFormat
from edge_node.sources.sequence import BEGAN_ANEW, Sequence
from vibro.assets import Machine
from vibro.errors import BadInputError, VibroError
from vibro.options import option

TABLE = "source.mqtt"
CONNECT_S = 5.0
KEEPALIVE_S = 30
QUEUE_S = 10.0
"""Samples that may wait between the library's thread and acquisition."""
TELL_EVERY_S = 60.0
"""Messages that cannot be read are told in the log at most so often."""
LOG = logging.getLogger("vibro.sources.mqtt")


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """Samples in MQTT messages."""

    host: str = option("localhost", "text", "Host of the broker.")
    port: int = option(1883, "", "Port of the broker.", low=1)
    topic: str = option("", "text", "Topic of the machine's samples, without wildcards.")
    qos: str = option("1", "word", "Quality of service.", words=("0", "1"))
    client: str = option("", "text", "Client identifier; empty = the broker gives one.")
    user: str = option("", "text", "User name; empty = none.")
    password_file: str = option("", "path", "File with the password, in its first line.")
    ca_file: str = option("", "path", "Certificates to trust; empty = without TLS.")
    encoding: str = option("int16", "word", "Numbers of a message.", words=ENCODINGS)
    byte_order: str = option(
        "little", "word", "Byte order of binary numbers.", words=("little", "big")
    )
    layout: str = option(
        "interleaved",
        "word",
        "Order of numbers: frame by frame, or channel by channel.",
        words=("interleaved", "planar"),
    )
    sequence: str = option(
        "none",
        "word",
        "What messages are numbered by: nothing, messages, or their first frame.",
        words=("none", "message", "frame"),
    )
    rate_hz: float = option(0.0, "Hz", "Sampling rate; 0 = the machine's in the register.", low=0)
    unit: str = option("m/s2", "word", "Unit of scale.", words=UNITS)
    scale: tuple[float, ...] = option(
        (1.0,), "unit", "What one count is: one for all channels or one for each.", low=0
    )
    sensitivity_mv_g: tuple[float, ...] = option(
        (), "mV/g", "Sensitivity where unit is mV or V, likewise.", low=0
    )
    sign: tuple[float, ...] = option((1.0,), "", "1, or -1 to turn an axis, likewise.", low=-1)


def open_device(
    options: MqttOptions,
    machine: Machine,
    folder: Path,
    *,
    monotonic: Callable[[], float] = time.monotonic,
) -> MqttDevice:
    """Return the device of the options; nothing is connected yet.

    Raises
    ------
    MissingExtraError
        Without paho-mqtt.
    BadInputError
        If the options do not fit the machine, or a file they name cannot be read.
    """
    paho = library("paho.mqtt.client", "source.kind = 'mqtt'", "mqtt")
    if not options.topic or set(options.topic) & {"#", "+"}:
        raise BadInputError(
            f"{TABLE}.topic = '{options.topic}' is not one topic: name it without # and +"
        )
    if options.port > 65535:
        raise BadInputError(f"{TABLE}.port = {options.port} is too large: at most 65535")
    return MqttDevice(paho, options, machine, folder, monotonic)


class MqttDevice:
    """One subscription.

    Attributes
    ----------
    rate_hz : float
        Sampling rate.
    scale : ndarray, float32, shape (channels,)
        m/s2 per count.
    """

    def __init__(
        self,
        paho: Any,
        options: MqttOptions,
        machine: Machine,
        folder: Path,
        monotonic: Callable[[], float],
    ) -> None:
        self._paho, self._options, self._monotonic = paho, options, monotonic
        n = len(machine.points)
        self.rate_hz = options.rate_hz or machine.points[0].rate_hz
        unit = m_s2_per_unit(TABLE, options.unit, options.sensitivity_mv_g, options.sign, n)
        self.scale = as_scale(unit * np.array(per_channel(f"{TABLE}.scale", options.scale, n)))
        self._format = PayloadFormat(
            n,
            options.encoding,
            options.byte_order == "big",
            options.layout == "planar",
            options.sequence != "none",
        )
        self._password = read_password(folder, options.password_file, f"{TABLE}.password_file")
        self._ca_file = str(folder / options.ca_file) if options.ca_file else ""
        self._inbox = Inbox(round(QUEUE_S * self.rate_hz))
        self._client: Any = None
        self.refused = 0
        self._told_at = -math.inf

    @property
    def sample_bytes(self) -> int:
        """Bytes of a sample; JSON counts as the float32 that it becomes."""
        return 2 if self._options.encoding == "int16" else 4

    def begin(self) -> None:
        """Forget what came before."""
        self._inbox.clear()
        self._clock = FrameClock(self.rate_hz)
        modulus = 0 if self._options.encoding == "json" else HEADER_MODULUS
        per_frame = self._options.sequence == "frame"
        self._sequence = Sequence(self._clock, self.rate_hz, per_frame, modulus)
        self._interrupted = False

    def start(self) -> None:
        """Connect and subscribe."""
        self.stop()
        self.begin()
        self._subscribed = threading.Event()
        self._refusal = ""
        try:
            self._client = self._connected()
        except (OSError, ValueError) as error:
            raise self._failed(str(error)) from None
        self._client.loop_start()
        if not self._subscribed.wait(CONNECT_S) or self._refusal:
            self.stop()
            raise self._failed(self._refusal or f"no answer within {CONNECT_S:g} s")

    def _connected(self) -> Any:
        options = self._options
        client = self._paho.Client(self._paho.CallbackAPIVersion.VERSION2, client_id=options.client)
        client.on_connect, client.on_subscribe = self._on_connect, self._on_subscribe
        client.on_message, client.on_disconnect = self._on_message, self._on_disconnect
        client.connect_timeout = CONNECT_S
        client.reconnect_delay_set(min_delay=1, max_delay=30)
        if options.user:
            client.username_pw_set(options.user, self._password)
        if self._ca_file:
            client.tls_set(ca_certs=self._ca_file)
        client.connect(options.host, options.port, keepalive=KEEPALIVE_S)
        return client

    def read(self, timeout_s: float) -> Frames | None:
        """Return the samples of the next message."""
        return self._inbox.get(timeout_s)

    def stop(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            client.on_disconnect = None
            client.disconnect()
            client.loop_stop()

    def _failed(self, why: str) -> VibroError:
        broker = f"{self._options.host}:{self._options.port}"
        return VibroError(f"{TABLE}: {broker}: {' '.join(why.split())}: is it the right broker?")

    # -- on the library's thread ---------------------------------------------------------------

    def _on_connect(self, client: Any, _data: Any, _flags: Any, reason: Any, _props: Any) -> None:
        if reason.is_failure:
            self._refusal = f"the broker refuses ({reason})"
            self._subscribed.set()
            return
        client.subscribe(self._options.topic, int(self._options.qos))

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, reasons: Any, _props: Any) -> None:
        if any(r.is_failure for r in reasons):
            self._refusal = f"the broker refuses the topic {self._options.topic}"
        self._subscribed.set()

    def _on_disconnect(self, *_told: Any) -> None:
        self._interrupted = True

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        if not message.retain:  # what the broker had kept is of another day
            self.take(message.payload)

    def take(self, payload: bytes) -> None:
        """Put one message's samples aside; one that cannot be read is counted and told."""
        now_s = self._monotonic()
        try:
            decoded = self._format.decode(payload)
        except BadInputError as error:
            self._refuse(error, now_s)
            return
        n, lost, anew = decoded.counts.shape[1], 0, False
        if decoded.sequence is not None:
            missing = self._sequence.lost(decoded.sequence, n, now_s)
            if missing is None:
                return
            anew, lost = missing == BEGAN_ANEW, max(0, missing)
            self._clock.skip(lost)
            if anew:
                self._clock.begin()
        elif self._interrupted:
            lost = self._clock.missed(now_s - n / self.rate_hz)
        self._interrupted = False
        self._clock.got(n, now_s)
        self._inbox.put(Frames(decoded.counts, lost, decoded.rpm, anew))

    def _refuse(self, error: BadInputError, now_s: float) -> None:
        self.refused += 1
        self._interrupted = True
        if now_s - self._told_at >= TELL_EVERY_S:
            self._told_at = now_s
            LOG.warning(
                "%s: a message on %s cannot be read, %d so far: %s",
                TABLE, self._options.topic, self.refused, error,
            )  # fmt: skip


KIND = LiveKind(MqttOptions, open_device)
