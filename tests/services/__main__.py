"""``make services``: fetch, build and install what the services need, before a test asks."""

from __future__ import annotations

import os
import sys
import time

from tests.deploy.tools import compose_spec
from tests.services.chromium import browser
from tests.services.debian import MAY_INSTALL
from tests.services.influx import influxd
from tests.services.kafka import kafka_home
from tests.services.kept import ServiceMissingError
from tests.services.postgres import binaries

WHAT = {
    "kafka": kafka_home,
    "influx": influxd,
    "postgres": binaries,
    "chromium": browser,
    "compose": compose_spec,
}


def main() -> int:
    """Make each; 1 if one cannot be had."""
    os.environ[MAY_INSTALL] = "required"
    missing = 0
    for name, make in WHAT.items():
        began = time.monotonic()
        try:
            said = str(make())
        except ServiceMissingError as error:
            said, missing = f"MISSING: {error}", 1
        sys.stdout.write(f"{name:10s}{time.monotonic() - began:7.1f} s  {said}\n")
        sys.stdout.flush()
    return missing


if __name__ == "__main__":
    sys.exit(main())
