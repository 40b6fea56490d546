"""Ways to services on which others could listen, or take a service's place: told at every start.

Each was asked for in the configuration; none goes unsaid. Kafka's is told where its clients are
made, `vibro.log.kafka.client`.
"""

from __future__ import annotations

import logging
from functools import cache
from urllib.parse import urlsplit

from cloud_jobs.config import CloudConfig
from cloud_jobs.store import address

LOG = logging.getLogger("vibro.services")
VERIFIED = ("verify-full", "verify-ca")


def exposures(config: CloudConfig) -> list[str]:
    """Return a sentence for each way out of this machine that is not encrypted or not verified."""
    said = []
    if config.services.timeseries == "influxdb":
        parts = urlsplit(config.influxdb.url)
        if parts.scheme == "http" and parts.hostname not in address.LOOPBACK:
            said.append(
                f"influxdb.url = '{config.influxdb.url}' is not encrypted: whoever listens on the "
                "way reads the token; use https://"
            )
    url = address.of_config(config)
    mode = url.query.get("sslmode", VERIFIED[0])
    beyond = url.drivername.startswith("postgresql") and not address.is_local(url)
    if beyond and mode not in VERIFIED:
        said.append(
            f"services.store says sslmode={mode}: the server's certificate is not verified, so "
            "anyone on the way can take its place; use sslmode=verify-full"
        )
    return said


@cache
def warn(config: CloudConfig) -> None:
    """Tell them once a process."""
    for said in exposures(config):
        LOG.warning(said)
