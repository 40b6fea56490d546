"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# What decides whether a change may land draws the same examples every time; `make search` looks
# for new ones.
settings.register_profile("gate", derandomize=True)
settings.register_profile("search", derandomize=False, print_blob=True)
settings.load_profile("gate")

pytest_plugins = ["tests.services.fixtures"]

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of real recordings: ``VIBRO_DATA``, else ``../shared/data`` beside the checkout."""
    named = os.environ.get("VIBRO_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not (folder / "manifest.json").exists():
        pytest.skip("no real recordings: set VIBRO_DATA to a folder with a manifest.json")
    return folder
