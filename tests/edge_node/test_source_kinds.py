"""Kinds of sources: found by name, each with its options, its sample and its own mistakes."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from edge_node.config import load, parse, sample_config
from edge_node.sources import kinds
from edge_node.sources.kinds import kind_names, kind_of
from edge_node.sources.section import sample_source
from vibro.errors import BadInputError, VibroError

DOCS = Path(__file__).parents[2] / "docs"
LEAST = 'register = "assets.csv"\n[node]\nid = "n"\nsite = "s"\nmachine = "m"\n'


def mistakes(text: str) -> list[str]:
    return parse(tomllib.loads(LEAST + text))[1]


@pytest.mark.parametrize("name", kind_names())
def test_every_kind_has_a_sample_that_is_loaded_and_holds_every_option(tmp_path, name):
    path = tmp_path / "node.toml"
    path.write_text(sample_config(name), encoding="utf-8")
    config = load(path)
    options = kind_of(name).options
    assert isinstance(config.source_options, options)
    assert config.source.block_s == kind_of(name).block_s
    text = sample_source(name)
    for option in fields(options):
        assert f"\n{option.name} = " in text
        assert option.metadata["doc"] in text
        assert option.metadata["doc"].endswith(".")


def test_our_own_kinds_are_there():
    assert {"replay", "simulator", "tcp", "audio", "iio", "mqtt"} <= set(kind_names())


def test_an_own_option_may_stand_in_either_table_but_not_in_both():
    flat = parse(tomllib.loads(LEAST + '[source]\nkind = "tcp"\nport = 80\n'))[0]
    nested = parse(tomllib.loads(LEAST + '[source]\nkind = "tcp"\n[source.tcp]\nport = 80\n'))[0]
    assert flat["source_options"] == nested["source_options"]
    assert flat["source_options"].port == 80
    assert flat["source"].block_s == 0.02
    both = '[source]\nkind = "tcp"\nport = 80\n[source.tcp]\nport = 81\n'
    (told,) = mistakes(both)
    assert told == "source.port is given twice: take it out of [source] or of [source.tcp]"


def test_options_of_the_first_kinds_stand_side_by_side_as_they_always_did():
    text = '[source]\nkind = "replay"\nfiles = ["a.npy"]\nseed = 3\nduration_s = 60\n'
    assert not mistakes(text)
    (told,) = mistakes(text.replace("seed = 3", "seed = -3"))
    assert told == "source.seed = -3 is too small: at least 0"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[source]\nkind = "tcp"\ncolour = 1\n',
            "source.colour is not known: known are kind, pace, clock, t0_ns, block_s, host, port",
        ),
        ('[source]\nkind = "tcp"\nfiles = []\n', "source.files is not known: known are kind"),
        (
            '[source]\nkind = "tcp"\n[source.tcp]\ncolour = 1\n',
            "source.tcp.colour is not known: known are host, port",
        ),
        ('[source]\nkind = "tcp"\ntcp = 1\n', "[source.tcp] is not a table: write a line"),
        ('[source]\nkind = "tcp"\npace = "fast"\n', "source.pace = 'fast': a live source has"),
        ('[source]\nkind = "tcp"\ngoodbye = "ciao"\n', "source.goodbye = 'ciao' is not one of"),
        ('[source]\nkind = "radio"\n', "source.kind = 'radio' is not one of audio, iepe, iio,"),
    ],
)
def test_mistakes_name_what_is_known(text, said):
    (told,) = mistakes(text)
    assert told.startswith(said)


def test_a_kind_of_somebody_else_that_does_not_load_is_one_line(monkeypatch):
    broken = {
        "gone": EntryPoint("gone", "no.such.module:KIND", kinds.GROUP),
        "odd": EntryPoint("odd", "math:pi", kinds.GROUP),
    }
    monkeypatch.setattr(kinds, "_points", lambda: broken)
    with pytest.raises(VibroError, match=r"source\.kind = 'gone': no\.such\.module:KIND does not"):
        kind_of("gone")
    with pytest.raises(VibroError, match="math:pi is no kind of source"):
        kind_of("odd")
    with pytest.raises(BadInputError, match="'tcp' is not one of gone, odd"):
        kind_of("tcp")


@pytest.mark.parametrize("page", ["tcp-stream.md", "acquisition.md"])
def test_the_blocks_of_the_pages_are_loaded(page):
    blocks = re.findall(r"```toml\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        assert not mistakes(block)
