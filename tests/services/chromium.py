"""A browser for what people see."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.services.debian import installed

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""No screen, and no conversation with anyone but the page; add an empty ``--user-data-dir``."""


def browser() -> Path:
    """Path of the browser; Debian's ``chromedriver`` lies beside it."""
    return installed(_find, "chromium", "chromium-driver", "fonts-dejavu-core")


def _find() -> Path | None:
    found = shutil.which("chromium")
    return Path(found) if found else None
