"""SIGHUP: limits and intervals change between two blocks, and no window is lost or judged twice."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from edge_node.config import load
from edge_node.host import Host
from edge_node.service.reload import merged
from tests.edge_node.plants import RATE, T0, S
from tests.edge_node.test_host import SECONDS, in_log, laid_out
from vibro.log import EmbeddedLog
from vibro.records import topic

HALF = 12
LIMITS = "[reflex]\npeak_m_s2 = [0.01]\nhold_s = 1.0\n"


def edited(path, *pairs: tuple[str, str], more: str = ""):
    text = path.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text + more)
    return path


def lived(home, change=None):
    """Run a node to its end; half-way change its configuration and say so."""
    path = laid_out(home)
    host = Host([path], T0, action=lambda trip: None)
    for _ in range(HALF):
        host.turn()
    if change is not None:
        change(path)
        host.reload(load)
        host._looked_at = 0.0
    host.run()
    return host


def sampled(home) -> list[tuple[int, int, str]]:
    """Channel, window and path of every sampled vector that came to the log."""
    found = []
    for block in in_log(home, "features"):
        if block.content == "sample":
            rows = zip(block.columns["channel"], block.columns["first_sample"], strict=True)
            found += [(int(c), int(first), block.path) for c, first in rows]
    return sorted(found)


def status_times(home) -> list[int]:
    blocks = [b for b in in_log(home, "features") if b.content == "status"]
    of_one = [b.columns["t0_ns"][b.columns["channel"] == 0] for b in blocks]
    return sorted(int(t) for t in np.concatenate(of_one))


@pytest.mark.slow_nojit
def test_intervals_and_limits_change_and_no_window_is_lost(tmp_path, caplog):
    """What does not depend on the change is the same to the bit as without it."""
    before = lived(tmp_path / "a")

    def change(path) -> None:
        edited(path, ("status_s = 2.0", "status_s = 1.0"), more=LIMITS)

    with caplog.at_level(logging.INFO):
        after = lived(tmp_path / "b", change)
    for home, host in (("a", before), ("b", after)):
        beat = in_log(tmp_path / home, "health")[-1]
        assert (beat.seen, beat.processed, beat.lost) == (2 * SECONDS * RATE, beat.seen, 0), home
        assert host.nodes[0].done
    assert sampled(tmp_path / "a") == sampled(tmp_path / "b") != []
    steps = np.diff(status_times(tmp_path / "b")) / 1e9
    assert steps[0] == pytest.approx(2.0, abs=0.2)
    assert steps[-2] == pytest.approx(1.0, abs=0.2)
    assert before.nodes[0].actuator.trips == 0
    assert after.nodes[0].actuator.trips > 0
    (line,) = [r.getMessage() for r in caplog.records if "reloaded" in r.getMessage()]
    assert line == "n1: reloaded: reporting.status_s, reflex.peak_m_s2, reflex.hold_s"


@pytest.mark.slow_nojit
def test_what_begins_another_stream_is_named_and_not_applied(tmp_path, caplog):
    def change(path) -> None:
        edited(path, ("block_s = 0.5", "block_s = 0.25"), ("clip_s = 1.0", "clip_s = 5.0"))

    with caplog.at_level(logging.INFO):
        host = lived(tmp_path, change)
    lines = [r.getMessage() for r in caplog.records if r.name == "vibro.host"]
    assert lines == [
        "n1: reloaded: nothing has changed",
        "n1: not taken over, because it begins another stream: source.block_s, reporting.clip_s; "
        "restart the node",
    ]
    assert host.nodes[0].config.source.block_s == 0.5
    assert [c.samples.shape[1] for c in in_log(tmp_path, "clips")] == [RATE]


@pytest.mark.slow_nojit
@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("status_s = 2.0", 'status_s = "often"', "reporting.status_s = 'often' is not a number"),
        ("[node]", "[node", "is not TOML"),
        ("daily_s = 0", "daily_s = 0\n[reflex]\npeak_m_s2 = [1, 2, 3]", "has 3 limits"),
        ("daily_s = 0", 'daily_s = 0\n[reflex]\naction = "program"', "program is empty"),
    ],
)
def test_a_broken_configuration_changes_nothing_and_says_why(tmp_path, caplog, old, new, why):
    with caplog.at_level(logging.INFO):
        host = lived(tmp_path, lambda path: edited(path, (old, new)))
    (line,) = [r.getMessage() for r in caplog.records if r.name == "vibro.host"]
    assert line.startswith("n1: the old configuration stays: ")
    assert why in line
    assert host.nodes[0].config.reflex.peak_m_s2 == ()
    assert in_log(tmp_path, "health")[-1].seen == 2 * SECONDS * RATE


@pytest.mark.slow_nojit
def test_limits_set_by_hand_hold_from_then_on(tmp_path):
    """The rms of the machine is about 0.5 m/s2: a limit of a hundredth makes an event of it."""

    def change(path) -> None:
        edited(path, more='[[limits]]\nfeature = "rms"\nchannel = "de-v"\nalert = 0.005\n')

    lived(tmp_path / "a")
    lived(tmp_path / "b", change)
    assert in_log(tmp_path / "a", "events") == []
    first = in_log(tmp_path / "b", "events")[0]
    assert (first.channel, first.severity.word) == ("de-v", "alert")
    assert first.t_onset_ns >= T0 + 5 * S


@pytest.mark.slow_nojit
def test_records_go_to_another_log_from_then_on(tmp_path):
    """What was acknowledged is in the old one, everything else in the new one, nothing in both."""

    def change(path) -> None:
        edited(path, more='[ship]\nlog = "../../other"\n')

    host = lived(tmp_path, change)
    (hosted,) = host.nodes
    counts = []
    for name in ("log", "other"):
        log = EmbeddedLog(tmp_path / name)
        held = [len(log.read(topic("harbour", k), 0, 999)) for k in ("features", "health", "clips")]
        counts.append(sum(held))
    assert all(counts)
    assert sum(counts) == hosted.report()["shipped_records"]


@pytest.mark.slow_nojit
def test_a_clip_that_is_due_later_is_not_cut_once_privacy_forbids_it(tmp_path):
    path = edited(laid_out(tmp_path), ("commissioning_clip_s = 2.0", "commissioning_clip_s = 9.0"))
    host = Host([path], T0)
    for _ in range(HALF):
        host.turn()
    edited(path, more='[privacy]\nclips = "never"\n')
    host.reload(load)
    host._looked_at = 0.0
    host.run()
    assert in_log(tmp_path, "clips") == []


def test_merging_takes_what_may_change_and_names_the_rest(tmp_path):
    old = load(laid_out(tmp_path))
    path = edited(
        tmp_path / "nodes" / "n1" / "node.toml",
        ("status_s = 2.0", "status_s = 3.0"), ("clip_s = 1.0", "clip_s = 2.0"),
        ('register = "../../assets.csv"', 'register = "other.csv"'),
        ('files = ["a.npy"]', 'files = ["a.npy"]\nrate_hz = 640.0'),
    )  # fmt: skip
    config, taken, waits = merged(old, load(path))
    assert taken == ["reporting.status_s"]
    assert waits == ["reporting.clip_s", "register", "source.rate_hz"]
    assert (config.reporting.status_s, config.reporting.clip_s) == (3.0, 1.0)
    assert config.register == old.register
    assert merged(old, old) == (old, [], [])
