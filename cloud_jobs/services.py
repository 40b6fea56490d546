"""The services that ``HOME/cloud.toml`` names: where records come from, and where they go."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from cloud_jobs import exposure
from cloud_jobs.config import CloudConfig
from cloud_jobs.consume import KINDS, PATTERNS, Tap
from cloud_jobs.store import Database, Store, address
from vibro.log import EmbeddedFeed, EmbeddedLog, Feed, Transport

TOPICS = rf"^vibro\.v1\.[a-z0-9-]+\.({'|'.join(KINDS)})$"
"""What is consumed: every site's topics."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the jobs stand on; whoever is given it closes it."""

    store: Store
    log: Transport
    feed: Feed
    tap: Tap | None = None

    def close(self) -> None:
        """Leave the group, send what is held, give back all connections."""
        self.feed.close()
        if self.tap is not None:
            self.tap.close()
        self.log.close()
        self.store.close()


def open_services(config: CloudConfig, pause: Callable[[float], object] = time.sleep) -> Services:
    """Open what the configuration names; a broker is connected to when it is first needed.

    Parameters
    ----------
    pause : callable
        Waits for a time (s) when there is nothing new; may return before.

    Raises
    ------
    VibroError
        If the store cannot be reached.
    BadInputError
        If something that is named cannot be used.
    """
    exposure.warn(config)
    store = open_store(config)
    log = open_log(config, "vibro-cloud")
    return Services(store, log, _feed(config, log, pause), _tap(config, store))


def open_store(config: CloudConfig) -> Store:
    """Open the relational store; without a name it is the home's own file.

    Raises
    ------
    VibroError
        If it cannot be reached.
    BadInputError
        If the name is none, or its password is missing.
    """
    return Store(config.home, Database(address.of_config(config)))


def open_log(config: CloudConfig, client_id: str) -> Transport:
    """Return the transport, for one thread.

    Parameters
    ----------
    client_id : str
        How a broker's own logs name it.
    """
    if config.services.transport == "kafka":
        from vibro.log.kafka.transport import KafkaTransport  # noqa: PLC0415 (only its users pay)

        return KafkaTransport(config.kafka, config.home, client_id)
    return EmbeddedLog(config.home / "log")


def _feed(config: CloudConfig, log: Transport, pause: Callable[[float], object]) -> Feed:
    if isinstance(log, EmbeddedLog):
        return EmbeddedFeed(log, PATTERNS, pause=pause)
    from vibro.log.kafka.feed import KafkaFeed  # noqa: PLC0415 (only its users pay)

    consume = config.consume
    return KafkaFeed(config.kafka, config.home, consume.group, TOPICS, session_s=consume.session_s)


def _tap(config: CloudConfig, store: Store) -> Tap | None:
    if config.services.timeseries != "influxdb":
        return None
    from cloud_jobs.timeseries.tap import InfluxTap  # noqa: PLC0415 (only its users pay)

    return InfluxTap(config, open_log(config, "vibro-timeseries"), store)
