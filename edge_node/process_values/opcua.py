"""Process values over OPC UA, by asyncua."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from typing import Any

from edge_node.library import library
from edge_node.password import read_password
from edge_node.process_values.opcua_security import security_of
from edge_node.process_values.options import ProcessValuesSection
from vibro.errors import BadInputError, VibroError

ROUND_TRIPS = 8
"""Requests that connecting takes; a call of several has so many timeouts."""


class OpcUaReader:
    """One session with an OPC UA server."""

    def __init__(self, section: ProcessValuesSection, folder: Path) -> None:
        what = "process_values.kind = 'opcua'"
        self._sync = library("asyncua.sync", what, "opcua")
        self._ua = library("asyncua.ua", what, "opcua")
        # What it would log at every attempt is told by the poller, once and in one line.
        logging.getLogger("asyncua").setLevel(logging.CRITICAL)
        if not section.address.startswith("opc.tcp://"):
            raise BadInputError(
                f"process_values.address = '{section.address}' is not 'opc.tcp://HOST:PORT/PATH'"
            )
        self._section = section
        self._nodes = {q: self._node_id(q, text) for q, text in section.mapped().items()}
        self._password = read_password(
            folder, section.password_file, "process_values.password_file"
        )
        self._security = security_of(section, folder, what)
        self._client: Any = None
        self._loop: Any = None

    def _node_id(self, quantity: str, text: str) -> Any:
        try:
            return self._ua.NodeId.from_string(text)
        except (self._ua.UaStringParsingError, ValueError, TypeError):
            raise BadInputError(
                f"process_values.{quantity} = '{text}' is no node: one is like 'ns=2;s=Motor.Speed'"
            ) from None

    def open(self) -> None:
        """Connect and open a session."""
        self.close()
        timeout_s = self._section.timeout_s
        self._loop = self._sync.ThreadLoop(timeout=ROUND_TRIPS * timeout_s)
        self._loop.start()
        self._client = self._sync.Client(self._section.address, timeout=timeout_s, tloop=self._loop)
        if self._security is not None:
            self._client.application_uri = self._security.application_uri
            self._call(self._client.set_security_string, self._security.text)
        if self._section.user:
            self._client.set_user(self._section.user)
            self._client.set_password(self._password or "")
        self._call(self._client.connect)

    def read(self) -> Mapping[str, float]:
        """Read all nodes with one request; a value whose status is not good is NaN."""
        nodes = [self._client.get_node(n) for n in self._nodes.values()]
        answers = self._call(self._client.read_attributes, nodes, self._ua.AttributeIds.Value)
        return {q: _number(a) for q, a in zip(self._nodes, answers, strict=True)}

    def _call(self, what: Any, *args: Any) -> Any:
        try:
            return what(*args)
        except (OSError, TimeoutError, CancelledError) as error:
            told = str(error) or type(error).__name__
        except (self._ua.UaError, ValueError) as error:
            told = str(error)
        raise VibroError(f"OPC UA {self._section.address}: {' '.join(told.split())}")

    def close(self) -> None:
        """Close the session and its thread."""
        client, self._client = self._client, None
        loop, self._loop = self._loop, None
        if client is not None:
            # A server that is gone cannot be said goodbye to.
            with suppress(Exception):
                client.disconnect()
        if loop is not None:
            loop.stop()


def _number(answer: Any) -> float:
    """Return a DataValue's number; NaN when it is no number or its status is not good."""
    status, variant = answer.StatusCode, answer.Value
    if (status is not None and not status.is_good()) or variant is None:
        return math.nan
    value = variant.Value
    return float(value) if isinstance(value, bool | int | float) else math.nan
