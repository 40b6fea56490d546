"""The diagnosing job: every clip once, by the commissioning clip, and none stops the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cloud_jobs import diagnose
from cloud_jobs.columns import clip_rows
from cloud_jobs.diagnose import Diagnoser
from cloud_jobs.lake import Lake
from cloud_jobs.store import Store, ingest
from tests.cloud_jobs.builders import clip
from tests.cloud_jobs.serve.homes import REGISTER, damaged
from vibro.assets import parse_register
from vibro.faults import Severity
from vibro.records import Clip
from vibro.wire import encode


@pytest.fixture
def home(tmp_path):
    """Lake, store and job over a home with machines a/m1 and a/m2."""
    return Home(tmp_path)


class Home:
    def __init__(self, folder) -> None:
        self.lake, self.store = Lake(folder), Store(folder)
        self.store.put_register(parse_register(REGISTER, "assets.csv"))
        self.job = Diagnoser(self.lake, self.store)
        self._next = 0

    def keep(self, *clips: Clip, samples: bool = True) -> None:
        self._next += 1
        if samples:
            rows = clip_rows([(c, encode(c)) for c in clips])
            self.lake.append("clips", lambda _: rows, {"x": self._next})
        with self.store.transaction() as session:
            ingest.keep_clips(session, clips)

    def found(self, cut: Clip) -> tuple[list[str], list[str]]:
        """Faults and notes of a clip."""
        faults = [d.fault for d in self.store.diagnoses() if d.clip == cut.id.thing]
        (row,) = [a for a in self.store.assessments() if a.clip == cut.id.thing]
        return faults, row.facts["notes"]

    def waiting(self) -> list[str]:
        return [c.thing for c in self.store.clips(undiagnosed=True)]


def loud(t0_s: float, gain: float, tone_hz: float = 1000.0, **options) -> Clip:
    """Two seconds of noise and a tone, the tone ``gain`` times that of the usual."""
    base = clip(t0_s, **options)
    rng = np.random.default_rng(round(t0_s))
    t = np.arange(2 * 25600) / 25600.0
    x = rng.normal(0.0, 100.0, (2, t.size)) + 150.0 * gain * np.sin(2 * np.pi * tone_hz * t)
    return replace(base, samples=x.astype(np.int16))


def test_a_fault_is_kept_with_its_evidence_its_event_and_its_clips_end(home):
    cut = damaged(120.0, "event:a/m1/de-h:7:100")
    home.keep(cut)
    assert home.job.run() == {"a/m1"}
    first = home.store.diagnoses()[0]
    assert (first.path, first.fault, first.channel, first.rank) == (
        "a/m1",
        "bearing_outer",
        "de-h",
        0,
    )
    assert (first.event, first.t_ns) == (cut.event, cut.t0_ns + 3 * 10**9)
    assert first.probability > 0.9
    (line, *_) = first.evidence
    assert line["line"] == "BPFO"
    assert line["found_hz"] == pytest.approx(3.5848 * 25.0, rel=0.02)
    (row,) = home.store.assessments(["a/m1"])
    assert (row.severity >= Severity.ALERT, len(row.facts["velocity_mm_s"])) == (True, 2)


def test_a_healthy_clip_is_assessed_and_has_no_diagnosis(home):
    home.keep(cut := loud(5.0, 0.0))
    home.job.run()
    assert home.found(cut) == ([], [])
    assert home.waiting() == []


def test_each_clip_is_assessed_once(home):
    home.keep(loud(5.0, 0.0), loud(15.0, 0.0, machine="m2"))
    assert home.job.run() == {"a/m1", "a/m2"}
    assert home.job.run() == set()
    assert Diagnoser(home.lake, home.store).run() == set()
    assert len(home.store.assessments()) == 2


def test_a_clip_of_an_unknown_machine_waits_for_the_register(home):
    stranger = damaged(120.0, "")
    stranger = replace(stranger, origin=replace(stranger.origin, machine="m7"))
    home.keep(stranger)
    assert home.job.run() == set()
    assert home.waiting() == [stranger.id.thing]
    register = parse_register(REGISTER + REGISTER.splitlines()[1].replace("m1", "m7"), "assets.csv")
    home.store.put_register(register)
    assert home.job.run() == {"a/m7"}
    assert home.waiting() == []
    assert home.found(stranger)[0][0] == "bearing_outer"


def broken(samples: np.ndarray, **facts) -> Clip:
    names = tuple(f"c{i}" for i in range(len(samples)))
    names = ("de-h", "de-v", *names)[: len(samples)]
    return replace(clip(50.0), samples=samples, channels=names,
                   scale=np.full(len(samples), 0.01, np.float32), **facts)  # fmt: skip


NOISE = np.random.default_rng(0).normal(0, 300, (2, 8192)).astype(np.float32)
BROKEN = {
    "no samples": broken(np.zeros((2, 0), np.int16)),
    "two samples": broken(NOISE[:, :2]),
    "ten samples": broken(NOISE[:, :10]),
    "not a number": broken(np.where(np.arange(8192) == 5, np.nan, NOISE).astype(np.float32)),
    "nothing but that": broken(np.full((2, 8192), np.nan, np.float32)),
    "infinite": broken(np.where(np.arange(8192) == 5, np.inf, NOISE).astype(np.float32)),
    "beyond all": broken(np.full((2, 8192), 3e38, np.float32)),
    "a slow rate": broken(NOISE, rate_hz=1.0),
    "an infinite speed": broken(NOISE, rpm=float("inf")),
    "a negative speed": broken(NOISE, rpm=-1500.0),
    "hardly turning": broken(NOISE, rpm=1e-3),
    "one channel": broken(NOISE[:1]),
    "no known channel": replace(broken(NOISE), channels=("x", "y")),
}


def test_no_clip_stops_the_others_nor_is_tried_for_ever(home):
    made = [replace(c, id=replace(c.id, first_sample=i)) for i, c in enumerate(BROKEN.values())]
    home.keep(*made)
    home.keep(after := damaged(120.0, ""))
    assert home.job.run() == {"a/m1"}
    assert home.waiting() == []
    assert home.found(after)[0][0] == "bearing_outer"
    assert len(home.store.assessments()) == len(BROKEN) + 1


@pytest.mark.parametrize("what", ["no samples", "not a number", "a slow rate"])
def test_a_broken_commissioning_clip_is_no_reference(home, what):
    home.keep(replace(BROKEN[what], reason="commissioning"))
    home.keep(cut := damaged(120.0, ""))
    home.job.run()
    assert home.found(cut)[0][0] == "bearing_outer"


def test_what_cannot_be_read_gets_a_note_and_is_not_tried_again(home):
    home.keep(lost := loud(5.0, 0.0), samples=False)
    torn = loud(15.0, 0.0)
    rows = clip_rows([(torn, encode(torn)[:300])])
    home.lake.append("clips", lambda _: rows, {"torn": 1})
    home.keep(torn, samples=False)
    home.keep(foreign := replace(loud(25.0, 0.0), channels=("x", "y")))
    assert home.job.run() == {"a/m1"}
    assert home.found(lost)[1][0].startswith(f"not assessed: clip '{lost.id.thing}' is not in the")
    assert home.found(torn)[1][0].startswith("not assessed: clip: ")
    unknown = "not assessed: no channel of the clip is in the asset register"
    assert home.found(foreign) == ([], [unknown])
    assert (home.waiting(), home.store.diagnoses()) == ([], [])


def test_numerics_that_fail_are_said_in_a_note(home, monkeypatch):
    home.keep(cut := loud(5.0, 0.0))
    monkeypatch.setattr(diagnose, "assess", lambda *_, **__: np.zeros(3)[7])
    home.job.run()
    (note,) = home.found(cut)[1]
    assert note.startswith("not assessed: the diagnosis failed (IndexError('index 7 is out of")


# -- the reference ---------------------------------------------------------------------------------


def test_a_clip_is_judged_by_what_the_machine_was_at_commissioning(home):
    """A tone that was there from the first day is no fault; the same tone, new, is one."""
    home.keep(loud(5.0, 5.0, reason="commissioning"), same := loud(15.0, 5.0))
    home.keep(loud(5.0, 1.0, reason="commissioning", machine="m2"))
    home.keep(grown := loud(15.0, 5.0, machine="m2"))
    home.job.run()
    assert home.found(same)[0] == []
    assert home.found(grown)[0] == ["unknown"]


def test_the_commissioning_clip_is_not_compared_with_itself(home):
    """By itself a machine that stood still would be one whose sensor had fallen silent."""
    still = np.random.default_rng(3).integers(-1, 2, (2, 25600)).astype(np.int16)
    first = replace(loud(5.0, 5.0, reason="commissioning"), samples=still)
    home.keep(first, later := replace(loud(25.0, 1.0, reason="commissioning"), samples=still))
    home.job.run()
    assert home.found(first) == ([], ["the machine stands still: nothing to diagnose"])
    assert home.found(later)[1] == []
    assert home.store.commissioning_clip("a/m1") == first.id.thing


@pytest.mark.parametrize("order", [("other", "grown"), ("grown", "other"), ("other", "other")])
def test_a_clip_of_another_layout_has_no_reference_and_takes_it_from_none(home, order):
    """Another rate or set of channels compares with nothing, whichever clip comes first."""
    home.keep(loud(5.0, 1.0, reason="commissioning"))
    made = {"grown": loud(15.0, 5.0), "other": replace(loud(25.0, 5.0), rate_hz=20480.0)}
    fewer = loud(35.0, 5.0)
    fewer = replace(fewer, channels=("de-h",), samples=fewer.samples[:1], scale=fewer.scale[:1])
    for i, name in enumerate(order):
        cut = made[name]
        home.keep(replace(cut, id=replace(cut.id, first_sample=i + 7)))
    home.keep(fewer, last := loud(45.0, 5.0))
    home.job.run()
    faults = {d.clip for d in home.store.diagnoses()}
    grown = {replace(made["grown"].id, first_sample=i + 7).thing
             for i, name in enumerate(order) if name == "grown"}  # fmt: skip
    assert faults == grown | {last.id.thing}


def test_a_register_that_changes_gives_the_reference_its_new_points(home):
    one = "\n".join(line for line in REGISTER.splitlines() if "de-v" not in line)
    home.store.put_register(parse_register(one, "assets.csv"))
    home.keep(loud(5.0, 1.0, reason="commissioning"), loud(15.0, 5.0))
    home.job.run()
    home.store.put_register(parse_register(REGISTER, "assets.csv"))
    home.keep(cut := loud(25.0, 5.0))
    home.job.run()
    assert home.found(cut) == (["unknown"], [])
