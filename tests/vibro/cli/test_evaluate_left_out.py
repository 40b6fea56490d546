"""`vibro evaluate` on recordings that cannot be judged: they are counted and told, and no crash."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.datasets.manifests import add, write
from tests.vibro.cli.commands import vibro
from tests.vibro.cli.rigs import healthy, outer
from vibro.cli.evaluate import figures, units
from vibro.cli.evaluate.peers import Level, Mahalanobis, PerChannel
from vibro.features.stream import MachineFeatures
from vibro.features.table import FAST_NAMES
from vibro.files.recording import STANDARD_GRAVITY

pytestmark = pytest.mark.slow_nojit

NORMAL = 6


@pytest.fixture
def two_methods(monkeypatch):
    """A feature's level and a detector that stops at the first NaN, quick to fit."""

    def methods():
        return {"rms": Level("rms"), "mahalanobis": PerChannel(Mahalanobis, log=False)}

    monkeypatch.setattr(figures, "all_methods", methods)


def evaluated(folder, *, normal=None, fault=None, run=()):
    """The one group of a made-up rig."""
    normal = [healthy(i) for i in range(NORMAL)] if normal is None else normal
    fault = [outer(50 + i) for i in range(3)] if fault is None else fault
    entries = [add(folder, f"n{i}.npy", x) for i, x in enumerate(normal)]
    entries += [add(folder, f"f{i}.npy", x, "fault", "outer_race") for i, x in enumerate(fault)]
    for i, x in enumerate(run):
        facts = {"run": "r1", "index": i, "seconds_since_start": 60 * i}
        entries.append(add(folder, f"r{i}.npy", x, "run_to_failure", "natural", **facts))
    write(folder, entries)
    done = vibro("evaluate", "--data", folder, "--json")
    assert (done.status, done.err) == (0, "")
    (group,) = done.json["sets"]
    return group


def dead(n=12_000):
    return np.full((1, n), 0.0196, np.float32)


def with_channel(x, other):
    return np.concatenate([x, other])


def spoil(monkeypatch, first, feature, window=1):
    """Give one window of the recording whose first sample is ``first`` (g) a NaN feature."""
    push = MachineFeatures.push

    def pushed(self, x, rpm):
        batch = push(self, x, rpm)
        if np.isclose(x[0, 0], STANDARD_GRAVITY * first):
            batch.fast[window, 0, FAST_NAMES.index(feature)] = np.nan
        return batch

    monkeypatch.setattr(units.MachineFeatures, "push", pushed)


def test_a_feature_that_is_not_a_number_is_told_and_no_method_stops_at_it(tmp_path, monkeypatch):
    faults = [outer(50 + i) for i in range(3)]
    spoil(monkeypatch, faults[1][0, 0], "spectral_kurtosis")
    found = evaluated(tmp_path, fault=faults)
    assert (found["n_normal"], found["n_fault"]) == (NORMAL, 3)
    assert "spectral_kurtosis not defined in some windows" in found["caution"]
    assert "(f1.npy)" in found["caution"]
    for figures_of_method in found["methods"].values():
        assert all(figures_of_method[k] is not None for k in ("auc", "recall", "far"))


def test_a_window_that_stands_still_but_for_its_first_sample_stops_nobody(tmp_path, two_methods):
    # Under a Hann window a lone first sample is invisible: a line of no width at all.
    hop = 1024
    stuck = healthy(60)
    stuck[0, 4 * hop : 6 * hop + 1] = 0.5
    stuck[0, 4 * hop] = 0.4
    found = evaluated(tmp_path, fault=[stuck, outer(50), outer(51)])
    assert found["n_fault"] == 3
    assert found["methods"]["mahalanobis"]["auc"] is not None


def test_a_dead_channel_is_in_no_figure_and_named_in_the_caution(tmp_path, two_methods):
    alive = evaluated(tmp_path)
    assert "cannot be judged" not in alive["caution"]
    some_dead = evaluated(tmp_path, fault=[dead(), *(outer(50 + i) for i in range(3))])
    assert (some_dead["n_normal"], some_dead["n_fault"]) == (NORMAL, 3)
    assert "1 recording cannot be judged" in some_dead["caution"]
    assert "f0.npy: channel ch1 does not move" in some_dead["caution"]
    assert some_dead["methods"] == alive["methods"]
    assert some_dead["diagnosis"] == alive["diagnosis"]
    assert some_dead["diagnosis"]["total"] == 3


def test_one_dead_channel_of_two_is_enough_to_be_left_out(tmp_path, two_methods):
    normal = [with_channel(healthy(i), healthy(90 + i)) for i in range(NORMAL)]
    fault = [with_channel(outer(50), dead()), with_channel(outer(51), healthy(80))]
    found = evaluated(tmp_path, normal=normal, fault=fault)
    assert found["n_fault"] == 1
    assert "f0.npy: channel ch2 does not move" in found["caution"]


def test_a_dead_healthy_recording_is_neither_fitted_on_nor_a_false_alarm(tmp_path, two_methods):
    normal = [healthy(i) for i in range(NORMAL)]
    alive = evaluated(tmp_path, normal=normal)
    found = evaluated(tmp_path, normal=[dead(), *normal, dead()])
    assert found["n_normal"] == NORMAL
    assert found["methods"] == alive["methods"]
    assert "2 recordings cannot be judged" in found["caution"]


def test_a_recording_that_is_half_alive_is_judged_by_the_windows_that_move(tmp_path, two_methods):
    half = outer(50)
    half[0, 7000:] = 0.25
    found = evaluated(tmp_path, fault=[half, outer(51)])
    assert found["n_fault"] == 2
    assert "windows in which a channel does not move were left out (f0.npy)" in found["caution"]
    assert found["methods"]["rms"]["recall"] == 1.0


def test_a_short_recording_does_not_shorten_the_windows_of_the_others(tmp_path, two_methods):
    usual = evaluated(tmp_path)
    found = evaluated(tmp_path, fault=[healthy(40, 300), *(outer(50 + i) for i in range(3))])
    assert found["n_fault"] == 3
    assert "f0.npy: 300 samples, at least" in found["caution"]
    assert found["methods"] == usual["methods"]


@pytest.mark.parametrize(("role", "lacks"), [("normal", "normal"), ("fault", "fault")])
def test_when_nothing_is_left_of_a_role_that_is_the_caution(tmp_path, role, lacks):
    found = evaluated(tmp_path, **{role: [dead(), dead()]})
    assert found["methods"] == {}
    assert "2 recordings cannot be judged" in found["caution"]
    assert f"no {lacks} recording in this group" in found["caution"]


def test_a_dead_snapshot_of_a_run_is_no_alarm(tmp_path, two_methods):
    run = [outer(100 + i, 6000) if i >= 18 else healthy(100 + i, 6000) for i in range(26)]
    run[12] = run[13] = run[14] = dead(6000)
    found = evaluated(tmp_path, normal=[], fault=[], run=run)
    assert found["n_normal"] + found["n_fault"] == 23
    assert "3 recordings cannot be judged" in found["caution"]
    # Confirmed by the third faulty snapshot; the publisher's numbers and times still hold.
    rms = found["methods"]["rms"]
    assert (rms["first_alarm"], rms["lead_s"], rms["false_early"]) == (20, 300.0, 0)


def test_a_run_with_too_few_snapshots_left_says_so(tmp_path):
    run = [healthy(100 + i, 6000) if i < 18 else dead(6000) for i in range(26)]
    found = evaluated(tmp_path, normal=[], fault=[], run=run)
    assert found["methods"] == {}
    assert "a run of 18 snapshots is too short" in found["caution"]


def test_a_recording_that_is_not_there_is_counted_and_the_rest_judged(tmp_path, two_methods):
    entries = [add(tmp_path, f"n{i}.npy", healthy(i)) for i in range(NORMAL)]
    entries += [add(tmp_path, f"f{i}.npy", outer(50 + i), "fault", "outer_race") for i in range(3)]
    write(tmp_path, entries)
    (tmp_path / "f2.npy").unlink()
    (found,) = vibro("evaluate", "--data", tmp_path, "--json").json["sets"]
    assert (found["n_fault"], found["diagnosis"]["total"]) == (2, 2)
    assert "1 recording of the manifest is not there (f2.npy)" in found["caution"]


def test_every_real_recording_is_judged_or_told_of(data_dir):
    """No recording vanishes: judged, labelled otherwise, or named as one that cannot be judged."""
    entries = json.loads((data_dir / "manifest.json").read_text())["entries"]
    ims = [e for e in entries if e["set"] == "ims"]
    if not ims:
        pytest.skip("the folder holds no IMS recordings")
    (found,) = vibro("evaluate", "--data", data_dir, "--set", "ims", "--json").json["sets"]
    assert found["n_normal"] + found["n_fault"] + 1 == len(ims)
    assert "1 recording labelled otherwise left out" in found["caution"]
    for figures_of_method in found["methods"].values():
        assert figures_of_method["auc"] == 1.0
