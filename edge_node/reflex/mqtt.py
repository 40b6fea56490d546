"""Output ``mqtt``: the trip as JSON, published to a broker with quality of service 1."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edge_node.config import ReflexSection
from edge_node.library import library
from edge_node.reflex.blocks import Trip
from vibro.errors import MissingExtraError, VibroError

WHAT = "reflex.action = 'mqtt'"
PORT, TLS_PORT = 1883, 8883


class MqttPublish:
    """Connects, publishes, waits for the broker's word, and disconnects.

    A connection of its own for each trip: none that went stale unseen stands in the way of one.
    """

    def __init__(self, section: ReflexSection, password: str | None, folder: Path) -> None:
        self._paho = library("paho.mqtt.client", WHAT, "mqtt")
        self._section, self._password = section, password
        self._ca_file = str(folder / section.ca_file) if section.ca_file else ""
        self._port = section.port or (TLS_PORT if self._ca_file else PORT)

    def __call__(self, trip: Trip) -> None:
        """Publish it.

        Raises
        ------
        VibroError
            If the broker has not acknowledged it in time.
        """
        section = self._section
        until = time.monotonic() + section.timeout_s
        said: list[Any] = []
        connected = threading.Event()
        client = self._client()

        def on_connect(
            _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any
        ) -> None:
            said.append(reason)
            connected.set()

        client.on_connect = on_connect
        try:
            client.connect(section.host, self._port, keepalive=60)
            client.loop_start()
            if not connected.wait(until - time.monotonic()):
                raise self._failed(f"did not answer within {section.timeout_s:g} s")
            if said[0].is_failure:
                raise self._failed(f"refused the connection ({said[0]})")
            message = client.publish(section.topic, json.dumps(trip.facts()), qos=1)
            message.wait_for_publish(max(0.0, until - time.monotonic()))
            if not message.is_published():
                raise self._failed(f"did not acknowledge within {section.timeout_s:g} s")
        except (OSError, ValueError, RuntimeError) as error:
            if isinstance(error, VibroError):
                raise
            raise self._failed(f"cannot be reached ({error})") from None
        finally:
            with contextlib.suppress(OSError, ValueError):
                client.disconnect()
            client.loop_stop()

    def _client(self) -> Any:
        version = self._paho.CallbackAPIVersion.VERSION2
        client = self._paho.Client(version, reconnect_on_failure=False)
        client.connect_timeout = self._section.timeout_s
        if self._section.user:
            client.username_pw_set(self._section.user, self._password)
        if self._ca_file:
            client.tls_set(self._ca_file)
        return client

    def _failed(self, said: str) -> VibroError:
        return VibroError(f"MQTT broker {self._section.host}:{self._port} {said}")


def mistakes(section: ReflexSection) -> Iterator[str]:
    """Yield what is wrong with the options of an MQTT output."""
    if find_spec("paho") is None:
        yield str(MissingExtraError(WHAT, "mqtt"))
    if not section.host:
        yield "reflex.host is empty: name the host of the broker"
    if section.port > 65_535:
        yield f"reflex.port = {section.port} is too large: at most 65535"
    if not section.topic or set(section.topic) & set("#+\0"):
        yield f"reflex.topic = '{section.topic}' is not one topic: name it without # and +"
    if section.password_file and not section.user:
        yield "reflex.user is empty: MQTT has no password without a user"
