"""A node on a live stream: gaps, epochs and restarts, and every sample accounted for."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from edge_node.acquisition import Live
from edge_node.acquisition.acquire import RESTART
from edge_node.config import load
from edge_node.host import Host
from edge_node.hosted import HostedNode
from edge_node.sources.device import Frames
from tests.edge_node.acquisition.played import Clocks, Played
from tests.edge_node.plants import MACHINE, RATE, SCALE, S, healthy
from vibro.assets import Register, export
from vibro.errors import VibroError
from vibro.files import Recording, write_recording
from vibro.log import EmbeddedLog
from vibro.records import BACKFILL, LIVE, Clip, Event, Health, topic
from vibro.wire import decode

pytestmark = pytest.mark.slow_nojit
BLOCK = round(0.1 * RATE)
X = healthy(60.0)
NODE = """\
register = "../../assets.csv"
[node]
id = "n1"
site = "harbour"
machine = "motor-1"
[source]
block_s = 0.1
[acquisition]
retry_s = 0.1
ring_s = 120
[reporting]
status_s = 2.0
summary_s = 4.0
sample_s = 2.0
heartbeat_s = 3.0
clip_s = 1.0
commissioning_clip_s = 2.0
commit_s = 1.0
"""


@dataclass
class Bench:
    """A home, and the sensors beside the machine; time passes only as samples do."""

    home: Path
    clocks: Clocks = field(default_factory=Clocks)
    at: int = 0
    device: Played | None = None

    @property
    def config(self) -> Path:
        return self.home / "nodes" / "n1" / "node.toml"

    def signal(self, seconds: float, lost_s: float = 0.0, *, flat: bool = False):
        """Frames of what the sensors say next."""
        for k in range(round(seconds / 0.1)):
            x = X[:, self.at % 70000 : self.at % 70000 + BLOCK]
            lost = round(lost_s * RATE) if k == 0 else 0
            self.at += BLOCK + lost
            yield Frames(np.full_like(x, 7) if flat else x, lost, 1480.0)

    def opener(self, *script):
        """Open a live stream of what the sensors say."""
        device = self.device = Played((f for part in script for f in part), self.clocks)
        device.rate_hz, device.scale = float(RATE), np.full(2, SCALE, np.float32)
        device.sample_bytes = 2

        def opener(config, machine, now_ns):
            return Live(
                device, machine.channels, config.acquisition, config.source.block_s,
                exact=True, clocks=self.clocks,
            )  # fmt: skip

        return opener

    def node(self, *script) -> HostedNode:
        self.wake = threading.Event()
        return HostedNode(load(self.config), 0, self.opener(*script), wake=self.wake)

    def silence(self):
        """Say nothing, for ever."""
        while True:
            threading.Event().wait(0.01)
            yield None

    def calm(self):
        """Say nothing until the node has come to the present epoch."""
        while len(self.hosted._epochs._live._acquisition.epochs) > 1:
            self.wake.set()
            threading.Event().wait(0.001)
            yield None

    def run(self, hosted: HostedNode, until=None) -> HostedNode:
        """Turn by turn, as the host does, to the end or until something is so."""
        self.hosted = hosted
        for _ in range(4000):
            if hosted.done if until is None else until():
                return hosted
            busy = hosted.step()
            hosted.keep()
            if not busy:
                self.wake.wait(0.02)
                self.wake.clear()
        raise AssertionError("it never came to that")

    def killed(self, hosted: HostedNode) -> None:
        """End without any order: nothing is committed that was not."""
        hosted.settle()
        hosted._epochs._live.stop()
        hosted._spool.close()

    def told(self, kind: type) -> list:
        name = {Event: "events", Health: "health", Clip: "clips"}[kind]
        log = EmbeddedLog(self.home / "log")
        return [decode(m.value) for m in log.read(topic("harbour", name), 0, 9999)]

    def last_of_epochs(self) -> dict[int, Health]:
        """The last heartbeat of each epoch."""
        beats = [h for h in self.told(Health) if h.content == "heartbeat"]
        last = {h.origin.stream_epoch: h for h in sorted(beats, key=lambda h: h.seen)}
        return dict(sorted(last.items()))

    def gaps(self) -> list[Health]:
        return [h for h in self.told(Health) if h.content == "gap"]


@pytest.fixture
def bench(tmp_path):
    folder = tmp_path / "nodes" / "n1"
    folder.mkdir(parents=True)
    (tmp_path / "assets.csv").write_text(export(Register({MACHINE.path: MACHINE})))
    (folder / "node.toml").write_text(NODE)
    return Bench(tmp_path)


def test_a_gap_lies_inside_its_epoch_and_every_sample_is_accounted_for(bench):
    bench.run(bench.node(bench.signal(8), bench.signal(8, lost_s=1.5)))
    (beat,) = bench.last_of_epochs().values()
    assert (beat.lost, beat.seen) == (2 * round(1.5 * RATE), 2 * bench.at)
    assert beat.seen == beat.processed + beat.lost
    assert beat.detail["finished"] is True
    (gap,) = bench.gaps()
    assert gap.detail["samples"] == beat.lost
    assert gap.detail["until_ns"] - gap.t0_ns == pytest.approx(1.5 * S, abs=2)
    assert beat.detail["acquisition"]["frames_lost"] == round(1.5 * RATE)


def test_a_jump_of_the_clock_and_a_failure_begin_epochs_on_the_same_spool(bench):
    def jump(device):
        device.clocks.offset_ns += 3600 * S
        return next(bench.signal(0.1))

    def fail(device):
        device.clocks.mono_ns += 4 * S
        return VibroError("the cable is out")

    bench.run(
        bench.node(bench.signal(6), [jump], bench.signal(6), bench.calm(), [fail], bench.signal(6))
    )
    epochs = bench.last_of_epochs()
    assert len(epochs) == 3
    assert [e.detail.get("finished", False) for e in epochs.values()] == [False, False, True]
    for beat in epochs.values():
        assert beat.seen == beat.processed + beat.lost
    assert sum(b.processed for b in epochs.values()) == 2 * bench.at
    jumped, failed = bench.gaps()
    assert (jumped.detail["samples"], failed.detail["samples"]) == (
        0, pytest.approx(2 * 4.0 * RATE, abs=4),
    )  # fmt: skip
    assert jumped.detail["reason"].startswith("the time of day jumped by +3600")
    # An instant is not cut again because an epoch began.
    assert len(bench.told(Clip)) == 1
    # What waits across a jump of an hour makes the next record backfill: each lane has its numbers.
    for lane in (LIVE, BACKFILL):
        numbers = [h.origin.sequence for h in bench.told(Health) if h.origin.lane == lane]
        assert numbers == sorted(set(numbers))


def test_a_kill_loses_no_more_than_it_says_and_leaves_no_event_open(bench):
    hosted = bench.node(bench.signal(6), bench.signal(6, flat=True), bench.silence())
    # Events are shipped before heartbeats: one may be there without the other.
    bench.run(hosted, lambda: hosted.node.now_ns and bench.told(Event) and bench.last_of_epochs())
    bench.killed(hosted)
    (old,) = bench.last_of_epochs()
    assert all(e.t_clear_ns is None for e in bench.told(Event))
    bench.clocks.mono_ns += 10 * S
    began_ns = bench.clocks()[1]

    bench.run(bench.node(bench.signal(6)))
    epochs = bench.last_of_epochs()
    assert list(epochs) == sorted(epochs)
    assert len(epochs) == 2
    (gap,) = bench.gaps()
    assert gap.origin.stream_epoch != old
    assert gap.detail["reason"] == RESTART
    # The old epoch ends, by the clock, where the gap begins, and that where the new one does.
    assert gap.t0_ns == pytest.approx(epochs[old].t0_ns, abs=S // RATE + 1)
    assert gap.detail["until_ns"] == pytest.approx(began_ns, abs=S // RATE + 1)
    for beat in epochs.values():
        assert beat.seen == beat.processed + beat.lost
    newest = {e.id.thing: e for e in sorted(bench.told(Event), key=lambda e: e.id.revision)}
    assert newest
    assert all(e.t_clear_ns is not None for e in newest.values() if e.origin.stream_epoch == old)


def test_an_end_in_order_reads_the_ring_up_and_closes_the_epoch(bench):
    hosted = bench.node(bench.signal(9), bench.silence())
    bench.run(hosted, lambda: hosted.node.now_ns and hosted.step())
    hosted.secure()
    hosted.close()
    hosted._spool.close()
    (beat,) = bench.last_of_epochs().values()
    assert beat.processed % (2 * BLOCK) == 0
    again = bench.run(bench.node(bench.signal(3)))
    assert again.closed
    (gap,) = bench.gaps()
    assert gap.detail["reason"] == RESTART
    assert gap.detail["samples"] <= 4
    totals = defaultdict(int)
    for h in bench.last_of_epochs().values():
        totals["processed"] += h.processed
    assert totals["processed"] == 2 * bench.at


def test_a_device_that_hangs_does_not_cost_what_was_processed(bench, monkeypatch):
    monkeypatch.setattr("edge_node.acquisition.live.STOP_S", 0.05)
    free = threading.Event()
    hosted = bench.node(bench.signal(6), [lambda d: free.wait(20.0) and None])
    bench.run(hosted, lambda: hosted.node.source.next_sample == bench.at)
    hosted.secure()
    hosted.close()
    hosted._spool.close()
    (beat,) = bench.last_of_epochs().values()
    free.set()
    hosted._epochs.stop()
    # Nothing was lost: what was not told in a heartbeat yet is in the checkpoint.
    bench.clocks.mono_ns += S
    bench.run(bench.node(bench.signal(3)))
    assert beat.processed <= 2 * 6 * RATE
    assert sum(h.processed for h in bench.last_of_epochs().values()) == 2 * bench.at


def test_a_node_waits_for_a_device_that_is_not_there(bench):
    hosted = bench.node([lambda d: VibroError("not there")] * 3, bench.signal(3))
    assert hosted.node.source.finished
    assert hosted.node.source.continues
    bench.run(hosted)
    (beat,) = bench.last_of_epochs().values()
    assert beat.processed == 2 * bench.at


def test_a_host_runs_a_live_node_to_the_end_of_its_stream(bench):
    host = Host([bench.config], 0, bench.opener(bench.signal(6)))
    host.run()
    (beat,) = bench.last_of_epochs().values()
    assert beat.processed == 2 * bench.at


def test_a_recording_after_a_live_stream_is_another_epoch_and_closes_the_last(bench):
    hosted = bench.node(bench.signal(6), bench.silence())
    # Whether a heartbeat was due depends on when it was committed; a clip is always told.
    bench.run(hosted, lambda: bench.told(Clip))
    bench.killed(hosted)
    x = X[:, : 6 * RATE].astype(np.float32) * np.float32(SCALE)
    names = ("de-h", "de-v")
    write_recording(
        bench.config.parent / "a.npy", Recording(x, names, float(RATE), float("nan"), True, "")
    )
    bench.config.write_text(
        NODE.replace("[source]\n", '[source]\npace = "fast"\nfiles = ["a.npy"]\nt0_ns = 5\n')
    )
    host = Host([bench.config], 0)
    host.run()
    recorded, live = bench.last_of_epochs().values()
    assert recorded.origin.stream_epoch == 5
    assert recorded.processed == 2 * 6 * RATE
    assert live.processed > 0
