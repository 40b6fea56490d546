"""A node's way out and in: its spool to the transport, and what the cloud says to it.

In real time, and always over a broker, shipping has a thread of its own: nothing that a transport
does, and no time that it takes, holds up acquisition, processing or a commit. A recording that is
replayed into the embedded log as fast as it can be is shipped between its blocks instead.
"""

from __future__ import annotations

import random
import threading
import time

from edge_node.config import NodeConfig
from edge_node.ship import Shipper
from edge_node.spool import EnduringSpool
from edge_node.uplink.link import FAILING
from edge_node.uplink.listener import Listener
from vibro.log import EmbeddedLog, Stored, Transport
from vibro.log.kafka.settings import KafkaSection
from vibro.records import topic

HEARD = ("models", "requests")
AT_ONCE = 100
LOOK_S = 60.0
"""So often it is looked at least: a new day has a new budget."""
END_S = 0.5
WITHIN = 0.99
"""Of what a message may have; the rest is for what goes around a record."""


class Uplink:
    """Ships and listens for one node, until it is closed.

    Parameters
    ----------
    spool : EnduringSpool
    config : NodeConfig
    real : bool
        Whether the node runs in real time.
    """

    def __init__(self, spool: EnduringSpool, config: NodeConfig, *, real: bool) -> None:
        self._spool, self._config = spool, config
        self._threaded = real or over_kafka(config)
        self._transport = _transport(config)
        self.shipper = Shipper(
            spool,
            self._transport,
            config.node.site,
            config.node.id,
            random.Random(config.node.id),  # noqa: S311 (jitter, not a secret)
            budget_bytes=_budget(config),
        )
        self._listener: Listener | None = None
        # Another than the shipper's, which may be busy with it on its thread.
        self._heard = None if over_kafka(config) else EmbeddedLog(config.path(config.ship.log))
        self._read = dict.fromkeys(HEARD, 0)
        self._thread: threading.Thread | None = None
        self._turned = threading.Condition()
        self._asked = self._answered = 0
        self._over = False
        self._next: NodeConfig | None = None
        self._failed: BaseException | None = None

    # -- out -----------------------------------------------------------------------------------

    def tell(self) -> None:
        """Say that something came into the spool; never waits."""
        with self._turned:
            self._asked += 1
            self._turned.notify_all()
        if self._threaded and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="shipper", daemon=True)
            self._thread.start()

    def turn(self) -> None:
        """Ship now, where no thread does; raise what ended the thread, where one does."""
        if self._failed is not None:
            raise self._failed
        if not self._threaded and self._asked != self._answered:
            self.shipper.drain(time.monotonic())
            if self.shipper.drained:
                self._answered = self._asked

    def finish(self, within_s: float) -> None:
        """Ship what is in the spool; a link that is down, or too slow for that, is left alone."""
        self.tell()
        self.turn()
        asked, link = self._asked, self.shipper.link
        with self._turned:
            self._turned.wait_for(
                lambda: (
                    not self._threaded
                    or self._failed is not None
                    or (self._answered >= asked and self.shipper.drained)
                    or link.facts().state in FAILING
                ),
                within_s,
            )

    def _run(self) -> None:
        """Ship whenever there is something, until it is over."""
        try:
            while True:
                with self._turned:
                    self._turned.wait_for(
                        lambda: self._over or self._asked != self._answered, self._pause_s()
                    )
                    asked = self._asked
                if self._over:
                    break
                self._take_over()
                self.shipper.drain(time.monotonic())
                with self._turned:
                    self._answered = asked
                    self._turned.notify_all()
        except BaseException as error:
            self._failed = error
        _close(self._transport)

    def _pause_s(self) -> float:
        if self.shipper.drained:
            return LOOK_S
        return min(LOOK_S, self.shipper.wait_s(time.monotonic()))

    # -- another way ---------------------------------------------------------------------------

    def use(self, config: NodeConfig) -> None:
        """Ship to, and listen at, what a changed configuration or new certificates say.

        What is being sent is sent to its end, or given up, by the old way first.
        """
        self._threaded |= over_kafka(config)
        self._config = self._next = config
        self._read = dict.fromkeys(HEARD, 0)
        self._heard = None if over_kafka(config) else EmbeddedLog(config.path(config.ship.log))
        if self._listener is not None:
            if over_kafka(config):
                self._listener.use(config.kafka)
            else:
                self._listener.close()
                self._listener = None
        if not self._threaded:
            self._take_over()
        self.tell()

    def _take_over(self) -> None:
        config, self._next = self._next, None
        if config is None:
            return
        _close(self._transport)
        self._transport = _transport(config)
        self._spool.take_at_most(largest_bytes(config))
        self.shipper.use(self._transport, _budget(config))

    # -- in ------------------------------------------------------------------------------------

    def received(self, kind: str) -> list[Stored]:
        """Return what came of the site's topic of a kind, `HEARD`; never waits for a broker."""
        name = topic(self._config.node.site, kind)
        if self._heard is None:
            return self._listening().received(name)
        found = self._heard.read(name, self._read[kind], AT_ONCE)
        if found:
            self._read[kind] = found[-1].offset
        return found

    def _listening(self) -> Listener:
        if self._listener is None:
            config = self._config
            topics = tuple(topic(config.node.site, kind) for kind in HEARD)
            self._listener = Listener(config.kafka, config.folder, client_id(config), topics)
        return self._listener

    @property
    def deaf(self) -> str:
        """Why nothing can be heard; empty while it can."""
        return "" if self._listener is None else self._listener.trouble

    def close(self) -> None:
        """Let go of everything; whatever hangs ends with the process."""
        if self._listener is not None:
            self._listener.close()
        with self._turned:
            self._over = True
            self._turned.notify_all()
        if self._thread is not None:
            self._thread.join(END_S)
        if self._thread is None or self._thread.is_alive():
            # What is under way is given up: the spool has it, and its wait would hold up the end.
            _close(self._transport)


def over_kafka(config: NodeConfig) -> bool:
    """Whether a node's transport is a broker."""
    return config.ship.transport == "kafka"


def client_id(config: NodeConfig) -> str:
    """How a broker's logs name a node."""
    return f"vibro-edge-{config.node.site}-{config.node.id}"


def largest_bytes(config: NodeConfig) -> int:
    """Largest record that a node's transport takes; 0 = any."""
    return round(WITHIN * config.kafka.message_max_bytes) if over_kafka(config) else 0


def _budget(config: NodeConfig) -> int:
    return round(config.ship.budget_mb_day * 1e6)


def _transport(config: NodeConfig) -> Transport:
    if not over_kafka(config):
        return EmbeddedLog(config.path(config.ship.log))
    from vibro.log.kafka.transport import KafkaTransport  # noqa: PLC0415 (only with Kafka)

    section: KafkaSection = config.kafka
    return KafkaTransport(section, config.folder, client_id(config), "edge")


def _close(transport: Transport) -> None:
    # Not of the port: a transport of the tests has nothing to let go of.
    if (close := getattr(transport, "close", None)) is not None:
        close()
