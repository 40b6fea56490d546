"""Programs that come as packages of Debian: installed where we may, else named."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.services.kept import ServiceMissingError, locked, run

MAY_INSTALL = "VIBRO_SERVICES"
"""Only who sets it to ``required`` has packages installed by a test."""


def installed(find: Callable[[], Path | None], *packages: str) -> Path:
    """Path of a program, whose packages are installed first if root asks for all services.

    Raises
    ------
    ServiceMissingError
        Naming the packages.
    """
    found = find()
    if found is not None:
        return found
    if os.environ.get(MAY_INSTALL) != "required" or os.geteuid() or not shutil.which("apt-get"):
        raise ServiceMissingError(f"install {', '.join(packages)}, or run `make services` as root")
    with locked("packages"):
        if find() is None:
            quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            run(["apt-get", "update", "-q"], env=quiet)
            run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages], env=quiet)
    found = find()
    if found is None:
        raise ServiceMissingError(f"{', '.join(packages)} hold no such program")
    return found
