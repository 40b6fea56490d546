"""The link is down for days and the spool too small: what arrives and what is said make up all."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from cloud_jobs.store import Store
from cloud_jobs.store.tables import GapRow
from edge_node.ship import Shipper
from edge_node.spool import EnduringSpool, SpoolWriter
from tests.cloud_jobs.builders import consuming
from tests.edge_node.some_records import HOUR, ORIGIN, S, beat, block, clip, event
from tests.edge_node.spools import NO_BOUND
from vibro.errors import VibroError
from vibro.log import EmbeddedLog
from vibro.records import Clip, FeatureBlock
from vibro.wire import decode, encode

KINDS = ("events", "clips", "features", "health")
T0 = 20_000 * 24 * HOUR


class Gate(EmbeddedLog):
    """The embedded log behind a link that is up or down."""

    up = True

    def send(self, topic, messages) -> None:
        if not self.up:
            raise VibroError("the link is down")
        super().send(topic, messages)


class Life:
    """A node's spool and shipper in simulated time; killed and started again at any commit."""

    def __init__(self, folder: Path, max_bytes: int, seed: int) -> None:
        self.folder, self._max_bytes = folder, max_bytes
        self.log = Gate(folder / "log")
        self._rng = random.Random(seed)  # noqa: S311
        self._spools: list[EnduringSpool] = []
        self.made: Counter = Counter()
        self.second = 0
        self.most_on_disk = self.kills = 0
        self._begin()

    def _begin(self) -> None:
        path = self.folder / "spool.db"
        self.spool = EnduringSpool(path, self._max_bytes, NO_BOUND, clip_lead_s=2.0)
        self._spools.append(self.spool)
        self.writer = SpoolWriter(self.spool, "harbour/pump-1", 120 * S)
        self.shipper = Shipper(self.spool, self.log, "harbour", ORIGIN.node, self._rng)

    def run(self, seconds: int, every_s: int) -> None:
        """Commit, ship, and now and then be killed."""
        for second in range(self.second, self.second + seconds, every_s):
            self.second = second + every_s
            self._commit(second, every_s)
            self.shipper.drain(float(second))
            size = (self.folder / "spool.db").stat().st_size
            self.most_on_disk = max(self.most_on_disk, size)
            if self._rng.random() < 0.02:
                self.kills += 1
                self._begin()

    def _commit(self, second: int, every_s: int) -> None:
        t = T0 + second * S

        def due(each_s: int) -> bool:
            return second // each_s != (second - every_s) // each_s

        records = [beat(t, second)]
        if due(1200):
            records.append(block("status", 20, seed=second, t0_ns=t))
        if due(6 * 3600):
            records += [block(c, 72, seed=second, t0_ns=t) for c in ("mean", "max", "sample")]
        if due(1800):
            records.append(event(t))
        clips = [clip(1000.0, 10.0, seed=second)] if due(3600) else []
        self.writer.write(records, [encode(c) for c in clips], b"%d" % second, t)
        for r in records:
            self.made["rows"] += getattr(r, "rows", 0)
        self.made["events"] += sum(r.id.kind == "event" for r in records if hasattr(r, "id"))
        self.made["samples"] += sum(c.samples.size for c in clips)

    def close(self) -> None:
        for spool in self._spools:
            spool.close()
        self.log.close()


def live_through(folder: Path, outage_h: int, max_bytes: int, every_s: int, seed: int) -> Life:
    life = Life(folder, max_bytes, seed)
    life.run(2 * 3600, every_s)
    life.log.up = False
    life.run(outage_h * 3600, every_s)
    life.log.up = True
    life.run(3 * 3600, every_s)
    while not life.shipper.drained:
        life.shipper.drain(float(life.second))
    return life


def check_nothing_is_unexplained(life: Life, home: Path) -> dict:
    """Compare what was made with what the cloud has and with what the gap records say."""
    store = Store(home)
    consumer = consuming(home, life.log)
    while consumer.poll().messages:
        pass
    with store.transaction() as session:
        told = [row.detail["losses"] for row in session.query(GapRow).all()]
    lost = [loss for losses in told for loss in losses]
    assert life.spool.open_losses() == []
    assert life.spool.peek() == []
    arrived = {k: life.log.read(f"vibro.v1.harbour.{k}", 0, 10**6) for k in KINDS}
    records = {k: [decode(m.value) for m in arrived[k]] for k in KINDS}
    check_numbers(life, records, lost)
    _, missing = store.received()
    given_up = [x for x in lost if x["step"] == "given up"]
    assert missing == sum(x["records"] for x in given_up)
    assert len(store.events()) == len(records["events"]) == life.made["events"]
    rows = sum(b.rows for b in records["features"] if isinstance(b, FeatureBlock))
    samples = sum(c.samples.size for c in records["clips"] if isinstance(c, Clip))
    assert rows + items(lost, "features") == life.made["rows"]
    assert samples + items(lost, "clips") == life.made["samples"]
    return {"lost": lost, "missing": missing, "gaps": len(told)}


def items(lost: list[dict], kind: str) -> int:
    return sum(x["items"] for x in lost if x["kind"] == kind)


def check_numbers(life: Life, records: dict, lost: list[dict]) -> None:
    """Each lane rises, and what is missing from it lies in the ranges that gap records name."""
    for kind, lane in life.spool.produced():
        got = [r.origin.sequence for r in records[kind] if r.origin.lane == lane]
        assert got == sorted(set(got))
        absent = set(range(life.spool.produced()[kind, lane])) - set(got)
        ranges = [
            range(x["first"], x["last"] + 1)
            for x in lost
            if (x["kind"], x["lane"], x["step"]) == (kind, lane, "given up")
        ]
        assert all(any(n in r for r in ranges) for n in absent)
        counted = sum(
            x["records"]
            for x in lost
            if (x["kind"], x["lane"], x["step"]) == (kind, lane, "given up")
        )
        assert counted == len(absent)


def test_an_outage_that_fills_the_spool(tmp_path):
    life = live_through(tmp_path / "node", 10, 150_000, 600, seed=1)
    found = check_nothing_is_unexplained(life, tmp_path / "home")
    assert {x["step"] for x in found["lost"]} >= {"given up", "thinned", "shortened"}
    assert life.kills > 0
    # Beside the records: empty tables, and what a commit brings before room is made for it.
    assert life.most_on_disk < 150_000 + 200_000
    life.close()


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(3))
def test_three_days_without_a_link_and_a_spool_for_one(tmp_path, seed):
    life = live_through(tmp_path / "node", 72, 600_000, 60, seed)
    found = check_nothing_is_unexplained(life, tmp_path / "home")
    assert {x["step"] for x in found["lost"]} >= {"given up", "thinned", "shortened"}
    assert {x["kind"] for x in found["lost"]} == {"clips", "features", "health"}
    assert life.kills > 20
    assert life.most_on_disk < 1.05 * 600_000 + 200_000
    life.close()
