"""`vibro capture` against a node that runs beside it."""

from __future__ import annotations

import threading

import pytest

from edge_node.host import Host
from tests.vibro.cli.commands import refused, vibro
from vibro.cli.capture import answer, ask
from vibro.errors import VibroError
from vibro.log import EmbeddedLog
from vibro.records import Clip, topic
from vibro.wire import decode

PLACE = "austin/fan-1"


@pytest.fixture
def running(tmp_path):
    """Home of a simulated node in real time."""
    from tests.vibro.cli.homes import laid_out  # noqa: PLC0415

    config = laid_out(tmp_path, 3600.0)
    text = config.read_text().replace('pace = "fast"', 'pace = "real"\nblock_s = 0.1')
    text = text.replace("clip_s = 2", "clip_s = 0.5\ncommit_s = 0.5\ncaptures_s_per_day = 1.2")
    config.write_text("\n".join(x for x in text.splitlines() if not x.startswith("t0_ns")))
    ending, begun = threading.Event(), threading.Event()

    def run() -> None:
        host = Host([config], __import__("time").time_ns())
        while not ending.is_set():
            host.turn_or_wait()
            if host.nodes[0].node.begun:
                begun.set()
        for hosted in host.nodes:
            hosted.secure()
            hosted.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert begun.wait(120.0)
    yield tmp_path
    ending.set()
    thread.join(60.0)


@pytest.mark.slow_nojit
def test_a_capture_is_asked_for_answered_and_refused_when_the_day_is_used_up(running):
    done = vibro("capture", PLACE, "--home", running, "--seconds", "0.7", "--wait", "--json")
    assert done.status == 0, done
    thing = done.json["clip"]
    assert thing.startswith(f"capture:{PLACE}:")
    clips = [
        decode(m.value) for m in EmbeddedLog(running / "log").read(topic("austin", "clips"), 0, 9)
    ]
    (clip,) = [c for c in clips if isinstance(c, Clip) and c.request == done.json["request"]]
    assert clip.id.thing == thing
    assert clip.samples.shape[1] == round(0.7 * clip.rate_hz)
    second = vibro("capture", PLACE, "--home", running, "--seconds", "0.7", "--wait")
    assert (second.status, second.out) == (1, "")
    assert "0.5 s are left of reporting.captures_s_per_day = 1.2" in second.err
    assert len(second.err.splitlines()) == 1


def test_without_waiting_it_says_what_was_asked(tmp_path):
    (tmp_path / "log").mkdir()
    done = vibro("capture", PLACE, "--home", tmp_path)
    assert done.status == 0
    assert done.out.startswith(f"asked {PLACE} for a capture: request ")


def test_nobody_answers_in_time(tmp_path):
    (tmp_path / "log").mkdir()
    done = vibro("capture", PLACE, "--home", tmp_path, "--wait", "--expires", "1")
    assert (done.status, done.out) == (1, "")
    assert "has not answered within 1 s: does its node run?" in done.err


def test_a_home_without_a_log_and_a_machine_without_a_site_are_refused(tmp_path):
    refused(vibro("capture", PLACE, "--home", tmp_path), "holds no log")
    (tmp_path / "log").mkdir()
    refused(vibro("capture", "fan-1", "--home", tmp_path), "is not SITE/MACHINE")
    refused(vibro("capture", "a/B c", "--home", tmp_path), "is not SITE/MACHINE")


def test_an_answer_to_somebody_else_is_none(tmp_path):
    log = EmbeddedLog(tmp_path / "log")
    asked = ask(log, PLACE, 1.0, 10**18, 60.0)
    assert answer(log, asked) is None
    (message,) = log.read(topic("austin", "requests"), 0, 10)
    assert message.key == PLACE
    with pytest.raises(VibroError, match="is not SITE/MACHINE"):
        ask(log, "austin", 1.0, 10**18, 60.0)
