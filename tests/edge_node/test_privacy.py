"""No raw sample leaves where the site does not allow it, whatever the sensors say."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edge_node
from edge_node.config import PrivacySection
from edge_node.node import Node
from edge_node.privacy import Privacy
from edge_node.ship import Shipper
from edge_node.spool import Spool
from tests.edge_node.plants import MACHINE, RATE, SCALE, ArraySource, config, run
from tests.edge_node.spools import NO_BOUND
from vibro.log import EmbeddedLog
from vibro.records import Clip, Event, FeatureBlock, Health, Spectrum
from vibro.wire import decode

FORBIDDING = [
    {"clips": "never"},
    {"content": "features-only"},
    {"content": "features-only", "clips": "on-event"},
    {"clip_region": "elsewhere"},
    {"clip_region": "site"},
]
KINDS = ("features", "events", "clips", "health")


def loud(seconds: float, seed: int) -> np.ndarray:
    """Noise of which no three samples of a channel come twice, for a while three times less."""
    rng = np.random.default_rng(seed)
    counts = rng.normal(0.0, 3000.0, (2, round(seconds * RATE)))
    quiet = slice(*sorted(rng.integers(0, counts.shape[1], 2)))
    counts[0, quiet] /= 3.0
    return np.clip(np.round(counts), -32768, 32767).astype(np.int16)


def lived(folder, counts: np.ndarray, privacy: dict, block_s: float = 0.5) -> Node:
    """A node that was asked for every kind of clip there is, to the end of its source."""
    settings = config(folder, capture_at_s=(2.0,), commissioning_clip_s=1.0, clip_s=0.5)
    settings = replace(settings, privacy=PrivacySection(**privacy))
    spool = Spool(folder / "spool.db", NO_BOUND, NO_BOUND)
    source = ArraySource(counts, block_s=block_s)
    node = Node(settings, MACHINE, source, spool, None, lambda: 0.0)
    run(node)
    return node


def sequences(thing) -> Iterator[np.ndarray]:
    """Every row and column of numbers that a record holds, whatever it is called."""
    if is_dataclass(thing):
        thing = {f.name: getattr(thing, f.name) for f in fields(thing)}
    if isinstance(thing, np.ndarray):
        if thing.dtype.kind in "iuf":
            yield from np.atleast_2d(thing)
    elif isinstance(thing, dict):
        numbers = [v for v in thing.values() if isinstance(v, np.ndarray) and v.dtype.kind in "iuf"]
        if numbers and len({v.shape for v in numbers}) == 1 and numbers[0].ndim == 1:
            yield from np.array(numbers, np.float64).T
        yield from sequences(tuple(thing.values()))
    elif isinstance(thing, (tuple, list)):
        plain = [v for v in thing if isinstance(v, (int, float))]
        yield np.array(plain, np.float64)
        for part in thing:
            yield from sequences(part)


def leaks(values: Iterable[bytes], counts: np.ndarray) -> int:
    """Count how often three samples in a row are told, as counts or as m/s2, or stand in bytes."""
    told = {tuple(t) for c in counts for t in np.lib.stride_tricks.sliding_window_view(c, 3)}
    raw = [c[i : i + 6].tobytes() for c in counts for i in range(0, c.size - 6, 6)]
    found = 0
    for value in values:
        for numbers in sequences(decode(value)):
            for unit in (1.0, SCALE):
                q = np.round(np.nan_to_num(numbers.astype(np.float64), nan=1e6) / unit)
                q = np.clip(q, -1e6, 1e6).astype(np.int64)
                triples = zip(q[:-2].tolist(), q[1:-1].tolist(), q[2:].tolist(), strict=True)
                found += sum(t in told for t in triples)
        found += sum(r in value for r in raw)
    return found


def shipped(node: Node, folder) -> list[bytes]:
    """All that the log has of a node."""
    log = EmbeddedLog(folder / "log")
    Shipper(node.spool, log, "harbour", "n", random.Random(0)).drain(0.0)  # noqa: S311
    values = [s.value for k in KINDS for s in log.read(f"vibro.v1.harbour.{k}", 0, 10**6)]
    log.close()
    return values


LIVES = {
    "privacy": st.sampled_from(FORBIDDING),
    "seed": st.integers(0, 9999),
    "block_s": st.sampled_from([0.05, 0.3, 1.0]),
}


@settings(deadline=None, max_examples=3)
@given(**LIVES)
def test_no_raw_sample_is_in_any_record_of_a_site_that_forbids_it(tmp_path_factory, **life):
    """Through the whole node: three samples in a row are in no record of the spool or the log."""
    check_private(tmp_path_factory.mktemp("private"), **life)


@pytest.mark.prove
@settings(deadline=None, max_examples=100)
@given(**LIVES)
def test_no_raw_sample_leaves_in_a_hundred_lives(tmp_path_factory, **life):
    check_private(tmp_path_factory.mktemp("private"), **life)


def check_private(folder: Path, privacy: dict, seed: int, block_s: float) -> None:
    counts = loud(5.0, seed)
    node = lived(folder, counts, privacy, block_s)
    spooled = [r.value for r in node.spool.peek(NO_BOUND)]
    records = [decode(v) for v in spooled]
    assert {type(r) for r in records} >= {FeatureBlock, Health}
    assert not any(isinstance(r, Clip) for r in records)
    assert leaks(spooled, counts) == 0
    values = shipped(node, folder)
    assert sorted(values) == sorted(spooled)
    node.spool.close()


def test_the_search_finds_what_is_there(tmp_path):
    """The same search, the same node, and clips that are allowed."""
    counts = loud(9.0, 3)
    node = lived(tmp_path, counts, {})
    clips = [r.value for r in node.spool.peek(NO_BOUND) if r.kind == "clips"]
    assert len(clips) >= 2
    assert all(leaks([value], counts) > 500 for value in clips)
    node.spool.close()


def test_clips_are_made_in_one_place_only():
    """What the type checker holds the outbox and the packer to begins here."""
    makers = set()
    for file in Path(edge_node.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                makers |= {file.name} if node.func.id in ("Clip", "ReleasedClip") else set()
    assert makers == {"privacy.py"}


def test_only_what_a_person_asked_for_leaves_on_request(tmp_path):
    node = lived(tmp_path, loud(9.0, 4), {"clips": "on-request"})
    clips = [decode(r.value) for r in node.spool.peek(NO_BOUND) if r.kind == "clips"]
    assert {c.reason for c in clips} == {"capture"}
    assert any(r.kind == "events" for r in node.spool.peek(NO_BOUND))
    node.spool.close()


REASONS = ("event", "commissioning", "daily", "capture")


@pytest.mark.parametrize(
    ("given", "ship", "machine", "allowed"),
    [
        ({}, "", "", set(REASONS)),
        ({"clips": "on-request"}, "", "", {"capture"}),
        ({"clips": "never"}, "eu", "eu", set()),
        ({"clip_region": "eu"}, "eu", "us", set(REASONS)),
        ({"clip_region": "eu"}, "us", "eu", set()),
        ({"clip_region": "eu"}, "", "eu", set()),
        ({"clip_region": "site"}, "eu", "eu", set(REASONS)),
        ({"clip_region": "site"}, "us", "eu", set()),
        ({"clip_region": "site"}, "", "", set()),
        ({"clip_region": "site", "clips": "on-request"}, "eu", "eu", {"capture"}),
        ({"content": "features-only"}, "", "", set()),
    ],
)
def test_rules(given, ship, machine, allowed):
    privacy = Privacy(PrivacySection(**given), ship, machine)
    assert {r for r in REASONS if privacy.may(r)} == allowed
    if "clip_region" in given and not allowed:
        assert "clips stay here: privacy.clip_region is" in privacy.refusal


def test_features_only_holds_spectra_back_too():
    blank = dict.fromkeys((f.name for f in fields(Spectrum)), None)
    event = dict.fromkeys((f.name for f in fields(Event)), None)
    for content, may in (("all", True), ("features-only", False)):
        privacy = Privacy(PrivacySection(content=content), "", "")
        assert privacy.lets(Spectrum(**blank)) == may
        assert privacy.lets(Event(**event))
