"""The process around the nodes: configuration to log, models over the log, and restarts."""

from __future__ import annotations

import numpy as np
import pytest

from edge_node.config import load
from edge_node.host import Host
from edge_node.hosted import HostedNode, machine_of
from edge_node.outbox import Outbox
from edge_node.service.facts import status
from tests.edge_node.plants import MACHINE, RATE, SCALE, T0, S, announce, bundle_of, healthy
from vibro.assets import Register, export
from vibro.errors import BadInputError, VibroError
from vibro.files import Recording, write_recording
from vibro.log import EmbeddedLog, Message
from vibro.records import Clip, FeatureBlock, Health, topic
from vibro.wire import decode

pytestmark = pytest.mark.slow_nojit
SECONDS = 12.0
REPORTING = """
[reporting]
status_s = 2.0
summary_s = 4.0
sample_s = 2.0
heartbeat_s = 3.0
clip_s = 1.0
commissioning_clip_s = 2.0
commit_s = 1.0
daily_s = 0
"""


def laid_out(home, source: str = 'pace = "fast"'):
    """A home with register, recording and one node that replays it."""
    folder = home / "nodes" / "n1"
    folder.mkdir(parents=True)
    (home / "assets.csv").write_text(export(Register({MACHINE.path: MACHINE})))
    x = healthy(SECONDS).astype(np.float32) * np.float32(SCALE)
    names = ("de-h", "de-v")
    recording = Recording(x, names, float(RATE), float("nan"), True, "")
    write_recording(folder / "a.npy", recording)
    path = folder / "node.toml"
    path.write_text(
        f'register = "../../assets.csv"\n[node]\nid = "n1"\nsite = "harbour"\n'
        f'machine = "motor-1"\n[source]\nfiles = ["a.npy"]\nblock_s = 0.5\n{source}\n{REPORTING}'
    )
    return path


def in_log(home, kind: str) -> list:
    return [
        decode(m.value) for m in EmbeddedLog(home / "log").read(topic("harbour", kind), 0, 9999)
    ]


def test_from_a_recording_to_the_log(tmp_path):
    path = laid_out(tmp_path)
    host = Host([path], T0)
    host.run()
    (hosted,) = host.nodes
    assert hosted.done
    beat = in_log(tmp_path, "health")[-1]
    assert isinstance(beat, Health)
    assert (beat.seen, beat.lost, beat.detail["finished"]) == (2 * SECONDS * RATE, 0, True)
    (clip,) = in_log(tmp_path, "clips")
    assert isinstance(clip, Clip)
    assert clip.samples.shape == (2, RATE)
    assert all(isinstance(b, FeatureBlock) for b in in_log(tmp_path, "features"))
    report = hosted.report()
    assert report["samples"] == {"seen": beat.seen, "processed": beat.seen, "lost": 0}
    assert report["shipped_records"] == sum(report["produced"].values())
    assert (report["spool_bytes"], report["bundles_refused"], report["bundle"]) == (0, [], "")
    assert report["reflex"] == {"trips": 0, "dropped": 0}
    assert report == status(load(path)) | {
        k: report[k]
        for k in ("bundle", "bundles_refused", "shipped_records", "shipped_bytes", "reflex")
    }


def test_in_real_time_the_disk_is_written_beside_and_holds_the_same(tmp_path):
    """The keeper's commits come when they come; what is in them does not depend on it."""
    found = []
    for name, pace in (("fast", "fast"), ("real", "real")):
        home = tmp_path / name
        # The first sample is long past: in real time, too, everything has happened already.
        path = laid_out(home, f'pace = "{pace}"\nt0_ns = {T0}')
        host = Host([path], T0)
        assert host.nodes[0].real is (pace == "real")
        host.run()
        assert host.nodes[0].report()["spool_bytes"] == 0
        beats, clips = in_log(home, "health"), in_log(home, "clips")
        columns: dict[str, list[float]] = {}
        for block in in_log(home, "features"):
            for key, values in block.columns.items():
                columns.setdefault(f"{block.content} {block.path} {key}", []).extend(values)
        # How exactly a value is told depends on its neighbours in a block; which there are, not.
        rows = ("channel", "first_sample", "t0_ns")
        columns = {k: sorted(v) for k, v in columns.items() if k.endswith(rows)}
        # A heartbeat is said only where nothing else was; that depends on when it was committed.
        end = (beats[-1].t0_ns, beats[-1].seen)
        found.append((end, [c.id for c in clips], columns))
    assert found[0] == found[1]


def test_what_the_keeper_cannot_write_ends_the_process(tmp_path, monkeypatch):
    """A disk that refuses is endured (see the spool); anything else would lose records unseen."""

    def somebody_else(self, batch) -> None:
        raise VibroError("somebody else writes into the spool")

    host = Host([laid_out(tmp_path, f'pace = "real"\nt0_ns = {T0}')], T0)
    monkeypatch.setattr(Outbox, "write", somebody_else)
    with pytest.raises(VibroError, match="somebody else writes"):
        host.run()


def test_a_host_that_is_told_to_stop_commits_and_ships_first(tmp_path):
    host = Host([laid_out(tmp_path)], T0)
    for _ in range(9):
        host.nodes[0].step()
    host.stopping = True
    host.run()
    assert not host.nodes[0].done
    assert status(load(tmp_path / "nodes" / "n1" / "node.toml"))["samples"]["seen"] == 9 * RATE


def test_a_stream_goes_on_from_when_it_began_after_a_restart(tmp_path):
    """With t0_ns = 0 the first start dates the stream, and no later one does."""
    path = laid_out(tmp_path)
    first = Host([path], T0)
    for _ in range(9):
        first.nodes[0].step()
    first.stopping = True
    first.run()
    Host([path], T0 + 3600 * S).run()
    beats = in_log(tmp_path, "health")
    assert beats[-1].t0_ns == T0 + round(SECONDS * S)
    assert [c.t0_ns for c in in_log(tmp_path, "clips")] == [T0 + 2 * S]
    for block in in_log(tmp_path, "features"):
        assert block.columns["t0_ns"].min() >= T0
        assert block.columns["t0_ns"].max() < T0 + SECONDS * S


def test_a_stream_that_begins_anew_is_not_taken_for_a_repeat(tmp_path):
    """A lost spool numbers its records from 0 again; only the epoch tells them from the old."""
    path = laid_out(tmp_path)
    Host([path], T0).run()
    for file in path.parent.glob("spool.db*"):
        file.unlink()
    Host([path], T0 + 3600 * S).run()
    beats = in_log(tmp_path, "health")
    half = len(beats) // 2
    assert {b.origin.stream_epoch for b in beats[:half]} == {T0}
    assert {b.origin.stream_epoch for b in beats[half:]} == {T0 + 3600 * S}
    assert len({str(b.id) for b in beats}) == len(beats)


def test_models_come_over_the_log_and_bad_ones_are_refused(tmp_path):
    path = laid_out(tmp_path)
    hosted = HostedNode(load(path), T0)
    hosted.poll_models()
    assert hosted.node.bundle_version == ""
    announce(tmp_path, bundle_of(healthy(40.0, 5), "v1"))
    announce(tmp_path, bundle_of(healthy(40.0, 5), "v2", machine_class="fan"))
    for _ in range(6):
        hosted.step()
    hosted.poll_models()
    assert hosted.node.bundle_version == "v1"
    announce(tmp_path, bundle_of(healthy(40.0, 5), "v3", schema_hash="old"))
    hosted.poll_models()
    assert hosted.node.bundle_version == "v1"
    while hosted.step():
        pass
    hosted.ship()
    assert hosted.done
    report = hosted.report()
    assert report["bundle"] == "v1"
    assert len(report["bundles_refused"]) == 1
    again = HostedNode(load(path), T0)
    assert again.node.bundle_version == "v1"


def test_a_notice_that_is_garbage_does_not_stop_the_node(tmp_path):
    hosted = HostedNode(load(laid_out(tmp_path)), T0)
    log = EmbeddedLog(tmp_path / "log")
    log.send(topic("harbour", "models"), [Message("motor", b"what a day", "t", 0)])
    hosted.poll_models()
    assert hosted.step()
    hosted.secure()
    hosted.close()
    (reason,) = hosted.report()["bundles_refused"]
    assert reason.startswith("model notice of harbour/motor")
    announce(tmp_path, bundle_of(healthy(40.0, 5), "v1"))
    hosted.poll_models()
    assert hosted.node.bundle_version == "v1"


def test_what_a_configuration_may_get_wrong(tmp_path):
    path = laid_out(tmp_path)
    config = load(path)
    with pytest.raises(VibroError, match="node n1 has never run"):
        status(config)
    path.write_text(path.read_text().replace('machine = "motor-1"', 'machine = "motor-2"'))
    with pytest.raises(BadInputError, match="'harbour/motor-2' is not in the asset register"):
        machine_of(load(path))
    (tmp_path / "assets.csv").unlink()
    with pytest.raises(BadInputError, match=r"assets\.csv: there is no such file"):
        machine_of(load(path))
