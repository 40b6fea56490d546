"""A small machine, what its sensors say, and a node that listens to it.

At 1280 Hz a fast window is 0.2 s, a long one 3.2 s, and everything else is as in the plant.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from edge_node.config import (
    NodeConfig,
    NodeSection,
    ReportingSection,
    ShipSection,
    SourceSection,
    SpoolSection,
)
from edge_node.judging.judge import FACTS
from edge_node.judging.states import StatesSection
from edge_node.node import Node
from edge_node.sources.port import FOREVER_NS, Seekable
from edge_node.spool import Spool
from tests.edge_node.spools import NO_BOUND
from tests.vibro.bundle.bundles import forest
from vibro.assets import Machine, Point
from vibro.bundle import Bundle, Geometry, PathModel, Scaling, encode
from vibro.features.setup import ChannelSetup
from vibro.features.stream import MachineFeatures
from vibro.features.table import FAST_NAMES, LONG_NAMES, SCHEMA_HASH
from vibro.forest import fit_tail, score
from vibro.log import EmbeddedLog, Message
from vibro.records import FeatureBlock, Record, SampleBlock, StreamInfo, topic
from vibro.wire import decode

RATE = 1280
S = 10**9
T0 = 1_700_000_000 * S
SCALE = 490.0 / 32768.0
KEYS = tuple(f"harbour/motor-1/{c}|running" for c in ("de-h", "de-v"))

MACHINE = Machine(
    site="harbour",
    machine="motor-1",
    machine_class="motor",
    power_kw=45.0,
    rpm_nominal=1480.0,
    mounting="rigid",
    iso_part="10816-3",
    iso_group=2,
    points=tuple(
        Point(channel=f"de-{a.lower()}", location="DE", axis=a, rate_hz=float(RATE)) for a in "HV"
    ),
)
REPORTING = {
    "status_s": 2.0,
    "summary_s": 5.0,
    "sample_s": 1.0,
    "heartbeat_s": 4.0,
    "clip_s": 2.0,
    "clip_lead_s": 0.5,
    "clip_spacing_s": 4.0,
    "clips_per_day": 5,
    "commissioning_clip_s": 3.0,
    "commit_s": 1.5,
    "daily_s": 0.0,
}


def healthy(seconds: float, seed: int = 0) -> np.ndarray:
    """Counts of both channels: the shaft, its double and noise."""
    n = round(seconds * RATE)
    rng = np.random.default_rng(seed)
    turn = 2 * np.pi * 1480 / 60 * np.arange(n) / RATE
    x = 0.1 * np.cos(turn) + 0.05 * np.cos(2 * turn + 1) + 0.5 * rng.standard_normal((2, n))
    return np.round(x / SCALE).astype(np.int16)


def eventful(seconds: float = 36.0) -> tuple[np.ndarray, np.ndarray]:
    """Counts and speed: rough from 12 to 19 s on de-h, stopped 21 to 24, de-v flat 27 to 31."""
    counts, rpm = healthy(seconds), np.full(round(seconds * RATE), 1480.0)
    rng = np.random.default_rng(9)
    rough, still, flat = (slice(a * RATE, b * RATE) for a, b in ((12, 19), (21, 24), (27, 31)))
    counts[0, rough] += np.round(rng.standard_normal(counts[0, rough].size) * 2.5 / SCALE).astype(
        np.int16
    )
    counts[:, still] //= 100
    rpm[still] = 0.0
    counts[1, flat] = 7
    return counts, rpm


class Now:
    """A pace that a test moves by hand."""

    def __init__(self, until_ns: int = FOREVER_NS) -> None:
        self.now_ns = until_ns

    def until_ns(self) -> int:
        return self.now_ns


class ArraySource(Seekable):
    """Samples from memory."""

    def __init__(self, counts, rpm=None, *, block_s=0.5, t0_ns=T0, pace=None, epoch=0) -> None:
        info = StreamInfo(MACHINE.channels, float(RATE), np.full(2, SCALE, np.float32), epoch, 2)
        super().__init__(
            info, t0_ns, counts.shape[1], round(block_s * RATE), pace or Now(FOREVER_NS)
        )
        self._counts = counts
        self._speeds = np.full(counts.shape[1], 1480.0) if rpm is None else rpm

    def _render(self, first: int, n: int) -> SampleBlock:
        span = slice(first, first + n)
        return SampleBlock(
            first, self.time_of(first), self._counts[:, span], float(self._speeds[span].mean())
        )


def config(folder: Path, **reporting) -> NodeConfig:
    return NodeConfig(
        folder=folder,
        node=NodeSection("harbour-motor-1", "harbour", "motor-1"),
        source=SourceSection(block_s=0.5),
        reporting=ReportingSection(**REPORTING | reporting),
        spool=SpoolSection(),
        ship=ShipSection(),
        register="assets.csv",
        # What happens between two states has tests of its own.
        states=StatesSection(speed_slope=100.0, blanking_s=0.0),
    )


def spool_of(folder: Path) -> Spool:
    return Spool(folder / "spool.db", NO_BOUND, NO_BOUND)


def node_of(
    folder: Path, source, bundle=None, spool=None, monotonic=lambda: 0.0, **reporting
) -> Node:
    spool = spool or spool_of(folder)
    return Node(config(folder, **reporting), MACHINE, source, spool, bundle, monotonic)


def run(node: Node) -> None:
    """To the end of its source, as the host does."""
    while node.step():
        pass
    node.finish()


def records(spool: Spool) -> list[Record]:
    """All records in the spool, by kind and sequence."""
    return list(_decoded(spool, tuple(sorted(spool.produced().items()))))


@lru_cache(maxsize=4)
def _decoded(spool: Spool, produced: tuple) -> list[Record]:
    held = sorted(spool.peek(NO_BOUND), key=lambda r: (r.kind, r.sequence))
    found = [decode(r.value) for r in held]
    assert [r.origin.sequence for r in found] == [r.sequence for r in held]
    return found


def of(kind: type, spool: Spool) -> list:
    return [r for r in records(spool) if isinstance(r, kind)]


def blocks(spool: Spool, content: str, path: str = "") -> list[FeatureBlock]:
    return [b for b in of(FeatureBlock, spool) if (b.content, b.path) == (content, path)]


def column(spool: Spool, content: str, path: str, name: str, channel: int = 0) -> np.ndarray:
    """A column of one channel over all blocks, in the order they were sent."""
    parts = [b.columns[name][b.columns["channel"] == channel] for b in blocks(spool, content, path)]
    return np.concatenate(parts)


def bundle_of(
    counts, version: str = "v1", rate_hz: float = RATE, rpm: float = 1480.0, **facts
) -> Bundle:
    """A bundle of healthy counts: medians, spreads and calibration; no tree was ever trained."""
    batch = MachineFeatures(
        float(rate_hz), [ChannelSetup(lines=p.lines) for p in MACHINE.points]
    ).push(counts.astype(np.float32) * np.float32(SCALE), rpm)
    models = {}
    codes = {}
    for i, (path, rows, names) in enumerate(
        (("fast", batch.fast, FAST_NAMES), ("long", batch.long, LONG_NAMES))
    ):
        width = len(names)
        center = np.median(rows, axis=0)
        spread = np.maximum(rows.std(axis=0), 0.05 * np.abs(center) + 1e-3)
        geometry = Geometry(np.zeros(width, np.float32), np.eye(width, dtype=np.float32))
        trees = forest(i, width + 1)
        z = geometry.codes(((rows - center) / spread).reshape(-1, width).astype(np.float32))
        models[path] = PathModel(
            trees,
            geometry,
            fit_tail(score(trees, z)),
            fit_tail(z[:, -1]),
            {
                key: Scaling(center[c].astype(np.float32), spread[c].astype(np.float32))
                for c, key in enumerate(KEYS)
            },
            np.zeros(width, np.bool_),
            {},
        )
        codes[path] = z[:4]
    plain = {
        "site": "harbour",
        "machine_class": "motor",
        "version": version,
        "created_ns": T0,
        "schema_hash": SCHEMA_HASH,
    }
    return Bundle(
        **plain | facts,
        fast=models["fast"],
        long=models["long"],
        golden_codes=codes,
        golden_scores={p: score(models[p].forest, c) for p, c in codes.items()},
    )


@cache
def trained(version: str = "v1", seed: int = 5) -> Bundle:
    """A bundle of the healthy machine."""
    return bundle_of(healthy(40.0, seed), version)


def announce(home: Path, bundle: Bundle) -> None:
    """Publish a bundle as the cloud would."""
    content = encode(bundle)
    (home / "bundles").mkdir(exist_ok=True)
    # The topic keeps the newest notice only: it does not tell how many there were.
    published = len(list((home / "bundles").iterdir()))
    (home / "bundles" / f"{bundle.version}.vbundle").write_bytes(content)
    notice = {
        "version": bundle.version,
        "file": f"{bundle.version}.vbundle",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    log = EmbeddedLog(home / "log")
    sequence = published + len(log.read(topic("harbour", "models"), 0, 100))
    value = json.dumps(notice).encode()
    log.send(topic("harbour", "models"), [Message(bundle.machine_class, value, "t", sequence)])


def without_luck(record: Record) -> Record:
    """A record without what depends on the machine that computes it."""
    detail = getattr(record, "detail", None)
    if detail is None:
        return record
    lucky = {"latency_us_log20", "spool_bytes"}
    return replace(record, detail={k: v for k, v in detail.items() if k not in lucky})


def facts_of(verdict):
    """What a window adds to the status, by name; empty for a long one."""
    return {} if verdict.facts is None else dict(zip(FACTS, verdict.facts, strict=True))
