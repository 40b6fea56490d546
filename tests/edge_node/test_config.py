"""A node's configuration: the sample, the defaults and every mistake it can name."""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_node.config import (
    NodeSection,
    ReportingSection,
    ShipSection,
    SourceSection,
    SpoolSection,
    load,
    parse,
    sample_config,
)
from vibro.cli.demo.plant import simulated, write
from vibro.errors import BadInputError
from vibro.simulate import plant

LEAST = 'register = "assets.csv"\n[node]\nid = "n"\nsite = "s"\nmachine = "m"\n'
SECTIONS = {
    "node": NodeSection,
    "source": SourceSection,
    "reporting": ReportingSection,
    "spool": SpoolSection,
    "ship": ShipSection,
}


def written(tmp_path, text: str):
    path = tmp_path / "node.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(tmp_path, text: str) -> str:
    with pytest.raises(BadInputError) as caught:
        load(written(tmp_path, text))
    told = str(caught.value)
    assert told.startswith(str(tmp_path / "node.toml"))
    assert "\n" not in told
    return told


def test_the_sample_is_loaded_and_holds_every_option_at_its_default(tmp_path):
    config = load(written(tmp_path, sample_config()))
    for name, kind in SECTIONS.items():
        for option in fields(kind):
            value = getattr(getattr(config, name), option.name)
            assert value == (
                f"my-{option.name}" if option.default is MISSING else option.default
            ), f"{name}.{option.name}"
    assert config.register == "../../assets.csv"


def test_every_option_of_the_sample_has_one_sentence_and_its_unit():
    text = sample_config()
    for name, kind in SECTIONS.items():
        assert (kind.__doc__ or "") in text
        for option in fields(kind):
            line = next(
                a
                for a, b in zip(text.splitlines(), text.splitlines()[1:], strict=False)
                if b.startswith(f"{option.name} = ") and option.metadata["doc"] in a
            )
            assert option.metadata["doc"].endswith(".")
            unit = option.metadata["unit"]
            assert line.endswith(f"[{unit}]" if unit else "."), f"{name}.{option.name}"


def test_only_names_and_the_register_are_needed(tmp_path):
    config = load(written(tmp_path, LEAST))
    assert (config.node.id, config.register) == ("n", "assets.csv")
    assert config.reporting == ReportingSection()
    assert config.path("../a/b.csv") == (tmp_path.parent / "a" / "b.csv").resolve()
    assert config.folder == tmp_path.resolve()


def test_whole_numbers_do_where_decimals_are_meant(tmp_path):
    config = load(written(tmp_path, LEAST + "[reporting]\nstatus_s = 10\n"))
    assert config.reporting.status_s == 10.0
    assert isinstance(config.reporting.status_s, float)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[node]", "is not TOML"),
        ("[reporting]\nstatus = 1", "reporting.status is not known: known are status_s, summary_s"),
        ("[colour]", "'colour' is not known: known are register, node, source"),
        ("[reporting]\nstatus_s = '60'", "reporting.status_s = '60' is not a number (s)"),
        ("[reporting]\nstatus_s = true", "reporting.status_s = True is not a number (s)"),
        ("[reporting]\nstatus_s = 0.5", "reporting.status_s = 0.5 is too small: at least 1 s"),
        ("[reporting]\nclips_per_day = 1.5", "reporting.clips_per_day = 1.5 is not a number"),
        ("[reporting]\nclips_per_day = -1", "clips_per_day = -1 is too small: at least 0"),
        ("[reporting]\ncommit_s = nan", "reporting.commit_s = nan is too large, or not finite"),
        ("[reporting]\ncommit_s = inf", "reporting.commit_s = inf"),
        ("[source]\nkind = 'radio'", "source.kind = 'radio' is not one of "),
        ("[source]\nkind = 3", "source.kind = 3 is not a text"),
        ("[source]\nfiles = 'a.wav'", "source.files = 'a.wav' is not a list of texts"),
        ("[source]\nfiles = [1]", "source.files = [1] is not a list of texts"),
        ("[source]\npace = 'slow'", "source.pace = 'slow' is not one of real, fast, clock"),
        ("[ship]\ntransport = 'pigeon'", "is not one of embedded"),
        ("[spool]\nmax_mb = 0", "spool.max_mb = 0 is too small: at least 1 MB"),
    ],
)
def test_every_mistake_names_key_value_and_remedy(tmp_path, more, said):
    assert said in refused(tmp_path, LEAST + more)


def test_all_mistakes_at_once(tmp_path):
    text = 'spool = 3\n[node]\nid = "N 1"\nsite = "s"\n[reporting]\nstatus_s = -1\nx = 2\n'
    told = refused(tmp_path, text)
    for said in (
        "node.id = 'N 1' is not a slug (1 to 63 of a-z, 0-9 and '-')",
        "node.machine is missing: Machine that the node listens to.",
        "reporting.x is not known",
        "reporting.status_s = -1 is too small",
        "[spool] is not a table: write a line [spool]",
        "register is missing: name the asset register",
    ):
        assert said in told


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(BadInputError, match=r"gone\.toml: cannot be read \(No such file"):
        load(tmp_path / "gone.toml")
    (tmp_path / "node.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInputError, match="is not TOML"):
        load(tmp_path / "node.toml")


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*SECTIONS, "register", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(
                    st.sampled_from([f.name for k in SECTIONS.values() for f in fields(k)]), inner
                )
            ),
            max_leaves=8,
        ),
    )
)
def test_any_document_is_read_or_told_of(raw):
    sections, mistakes = parse(raw)
    assert mistakes or set(sections) == set(SECTIONS)


def test_configurations_of_the_demos_plant_are_loaded(tmp_path):
    plans = simulated(list(plant()), seed=1, duration_s=60, commissioning_s=30, t0_ns=10**18)
    paths = write(tmp_path, plans)
    assert len(paths) == 12
    for path, plan in zip(paths, plans, strict=True):
        config = load(path)
        assert config.node.id == plan.machine.node_id
        assert (config.source.kind, config.source.t0_ns) == ("simulator", 10**18)
        assert tomllib.loads(path.read_text())["node"]["site"] == plan.machine.site
