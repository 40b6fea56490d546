"""Paths, ids and what records say of themselves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibro import records
from vibro.errors import BadInputError, MissingExtraError, VibroError
from vibro.faults import Severity
from vibro.records import (
    TOPIC_OF,
    ChannelPath,
    Clip,
    Event,
    FeatureBlock,
    Health,
    Label,
    Origin,
    RecordId,
    natural_id,
    slug,
    topic,
)

SLUGS = st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True)
INTS = st.integers(0, 2**63 - 1)
ORIGIN = Origin("n", "harbour", "pump-1", "live", 1, 7)


@given(SLUGS, SLUGS, SLUGS)
def test_channel_paths_are_read_back(site, machine, channel):
    path = ChannelPath(site, machine, channel)
    assert ChannelPath.parse(str(path)) == path
    assert path.machine_path == f"{site}/{machine}"


@pytest.mark.parametrize(
    "text", ["", "a/b", "a/b/c/d", "A/b/c", "a//c", "a/b/c\n", "a/b/" + "c" * 64]
)
def test_what_is_no_channel_path(text):
    with pytest.raises(BadInputError, match=r"channel path|is not a slug"):
        ChannelPath.parse(text)


@given(st.text(max_size=70))
def test_slugs_are_slugs(text):
    fits = 1 <= len(text) <= 63 and set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    if fits:
        assert slug(text, "site") == text
    else:
        with pytest.raises(BadInputError, match="site '"):
            slug(text, "site")


@given(st.sampled_from(["event", "clip", "health"]), SLUGS, INTS, INTS, INTS)
def test_record_ids_are_read_back(kind, source, epoch, first, revision):
    made = RecordId(kind, f"{source}/m/c", epoch, first, revision)
    assert RecordId.parse(str(made)) == made
    assert str(made) == f"{made.thing}:{revision}"
    assert dataclasses.replace(made, revision=revision + 1) > made
    assert dataclasses.replace(made, revision=revision + 1).thing == made.thing


@pytest.mark.parametrize("text", ["", "a:b:1:2", "a:b:1:2:3:4", "a:b:x:2:3"])
def test_what_is_no_record_id(text):
    with pytest.raises(BadInputError, match="is not kind:source:epoch:first_sample:revision"):
        RecordId.parse(text)


def test_natural_ids_depend_on_every_part_and_on_where_it_ends():
    assert natural_id("case", "a", "b") == natural_id("case", "a", "b")
    different = {natural_id(*p) for p in (("a", "b"), ("ab",), ("a", "b", ""), ("b", "a"))}
    assert len(different) == 4


def test_topics():
    assert topic("harbour", "events") == "vibro.v1.harbour.events"
    assert {TOPIC_OF[t] for t in (FeatureBlock, Event, Clip, Health, Label)} == {
        "features",
        "events",
        "clips",
        "health",
        "labels",
    }


@pytest.mark.parametrize(
    "kind",
    [v for v in vars(records).values() if dataclasses.is_dataclass(v)],
    ids=lambda k: k.__name__,
)
def test_records_are_frozen_and_slotted(kind):
    assert kind.__dataclass_params__.frozen
    assert "__slots__" in vars(kind)


def test_a_clip_in_m_s2_and_a_block_in_rows():
    scale = np.array([0.5, 2.0], np.float32)
    clip = Clip(
        RecordId("clip", "harbour/pump-1", 7, 0),
        ORIGIN,
        "event",
        "",
        0,
        100.0,
        1480.0,
        "run",
        ("a", "b"),
        scale,
        np.array([[2, -4], [3, 32767]], np.int16),
    )
    assert clip.acceleration().tolist() == [[1.0, -2.0], [6.0, 65534.0]]
    assert clip.acceleration().dtype == np.float32
    columns = {"t0_ns": np.arange(3)}
    block = FeatureBlock(ORIGIN, "mean", "fast", "0", "", ("a",), ("run",), columns)
    assert block.rows == 3
    assert ORIGIN.machine_path == "harbour/pump-1"
    assert Severity.OK < Severity.WATCH


def test_errors_tell_the_exit_status():
    assert VibroError("x").exit_code == 1
    assert BadInputError("x").exit_code == 2
    missing = MissingExtraError("reading TDMS", "edge")
    assert str(missing) == "reading TDMS needs the 'edge' extra: pip install 'vibro[edge]'"
    assert (missing.exit_code, isinstance(missing, ImportError)) == (2, True)
