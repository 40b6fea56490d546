"""Every block of TOML in docs/sources.md is a configuration that is taken."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from edge_node.config import parse
from edge_node.process_values import open_process_values
from edge_node.sources.kinds import kind_of
from tests.edge_node.devices import MACHINE
from vibro.errors import MissingExtraError

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "sources.md").read_text(encoding="utf-8")
BLOCKS = [part.split("```")[0] for part in PAGE.split("```toml\n")[1:]]
NODE = 'register = "assets.csv"\n[node]\nid = "n"\nsite = "harbour"\nmachine = "motor-1"\n'
MINE = ("audio", "iepe", "iio", "mqtt", "nidaqmx")


def read(block: str):
    sections, mistakes = parse(tomllib.loads(NODE + block))
    assert mistakes == []
    return sections


@pytest.mark.parametrize("block", BLOCKS)
def test_a_documented_block_is_taken_and_opens_what_it_names(block, tmp_path):
    sections = read(block)
    (tmp_path / "opcua-password").write_text("secret\n")
    if sections["process_values"].kind != "none":
        assert open_process_values(sections["process_values"], tmp_path, "n") is not None
    elif (kind := kind_of(sections["source"].kind)).live:
        try:
            device = kind.open_device(sections["source_options"], MACHINE, tmp_path)
        except MissingExtraError as missing:
            # Its hardware is not here either: tests/edge_node/test_source_hardware.py.
            assert missing.exit_code == 2  # noqa: PT017
        else:
            assert device.rate_hz == sections["source_options"].rate_hz
            device.stop()


@pytest.mark.parametrize("name", MINE)
def test_every_driver_is_documented_and_none_claims_more_than_it_has(name):
    assert f"\n## {name}\n" in PAGE
    assert any(f'kind = "{name}"' in block for block in BLOCKS)
    options = kind_of(name).options
    never_run = "never run on hardware" in (options.__doc__ or "")
    assert never_run == (f"| `{name}` |" in "".join(x for x in PAGE.split("\n") if "**no" in x))
    assert all(f.metadata["doc"].endswith(".") for f in fields(options))
