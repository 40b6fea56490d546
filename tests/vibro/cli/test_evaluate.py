"""`vibro evaluate`: the JSON's shape, its figures on made-up rigs, and on real recordings."""

from __future__ import annotations

import pytest

from tests.datasets.manifests import add, write
from tests.vibro.cli.commands import refused, vibro
from tests.vibro.cli.rigs import healthy, outer

pytestmark = pytest.mark.slow_nojit

FIGURES = {"auc", "recall", "far", "far_upper95", "lead_s", "first_alarm", "false_early"}
INTERVALS = {"auc_interval", "recall_interval", "far_interval", "lead_range_s"}
METHODS = [
    "vibro", "rms", "kurtosis", "isolation_forest", "one_class_svm", "lof", "mahalanobis", "ecod",
]  # fmt: skip


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rig")
    entries = [add(folder, f"n/{i}.npy", healthy(i)) for i in range(20)]
    entries += [add(folder, f"f/{i}.npy", outer(50 + i), "fault", "outer_race") for i in range(3)]
    entries.append(
        add(folder, "single/n.npy", healthy(70, 60_000), set="single", sample_rate_hz=12_000)
    )
    entries.append(
        add(folder, "single/f.npy", outer(71, 60_000), "fault", "outer_race", set="single")
    )
    run = {"set": "rig", "run": "r1"}
    for i in range(24):
        x = outer(100 + i, 6000) if i >= 16 else healthy(100 + i, 6000)
        facts = {"index": i, "seconds_since_start": 60 * i, **run}
        entries.append(add(folder, f"run/{i}.npy", x, "run_to_failure", "natural", **facts))
    entries.append(add(folder, "skab/0.npy", healthy(1), "by the row", "valve", set="skab"))
    write(folder, entries)
    return folder


@pytest.fixture(scope="module")
def found(rig):
    done = vibro("evaluate", "--data", rig, "--json")
    assert done.status == 0, done.err
    return {s["set"]: s for s in done.json["sets"]}


def test_every_set_has_the_same_shape(found):
    assert list(found) == ["cwru", "single", "rig", "skab"]
    for item in found.values():
        assert set(item) == {
            "set", "group", "n_normal", "n_fault", "methods", "best", "too_small", "diagnosis",
            "caution",
        }  # fmt: skip
        assert set(item["diagnosis"]) == {
            "correct", "uncertain", "wrong", "wrong_upper95", "total", "confusion",
        }  # fmt: skip
        assert list(item["methods"]) in (METHODS, [])
        assert all(set(m) == FIGURES | INTERVALS for m in item["methods"].values())


def test_clear_faults_are_found_and_named(found):
    cwru = found["cwru"]
    assert (cwru["n_normal"], cwru["n_fault"], cwru["caution"].count("one normal")) == (20, 3, 0)
    ours = cwru["methods"]["vibro"]
    assert (ours["auc"], ours["recall"], ours["far"]) == (1.0, 1.0, 0.0)
    assert ours["far_upper95"] == pytest.approx(1 - 0.05 ** (1 / 20), abs=1e-6)
    assert ours["lead_s"] is None
    assert ours["auc_interval"][0] < 0.95  # three faulty recordings prove little
    assert ours["recall_interval"] == pytest.approx([0.025 ** (1 / 3), 1.0])
    assert cwru["too_small"]
    assert "3 faulty recordings would not prove a recall above 29%" in cwru["caution"]
    named = cwru["diagnosis"]
    assert (named["correct"], named["wrong"], named["total"]) == (3, 0, 3)
    assert named["confusion"]["healthy"] == {"healthy": 20}


def test_a_single_normal_recording_is_cut_and_said(found):
    single = found["single"]
    assert single["caution"].startswith("one normal recording: guarded blocks")
    assert single["methods"]["vibro"]["auc"] == 1.0
    assert single["methods"]["vibro"]["far_upper95"] == pytest.approx(0.95)  # one proves nothing
    assert "1 healthy test recording cannot bound" in single["caution"]


def test_a_run_tells_lead_and_early_alarms(found):
    run = found["rig"]
    ours = run["methods"]["vibro"]
    assert ours["first_alarm"] == 18  # confirmed by the third faulty snapshot
    assert (ours["lead_s"], ours["false_early"]) == (300.0, 0)
    assert (ours["auc"], ours["recall"]) == (None, None)
    low, high = ours["lead_range_s"]
    assert low <= ours["lead_s"] <= high
    assert run["n_normal"] + run["n_fault"] == 24


def test_what_cannot_be_measured_says_why(found):
    assert found["skab"]["methods"] == {}
    assert "rms values at 1 Hz" in found["skab"]["caution"]


def test_one_set_as_a_table(rig):
    done = vibro("evaluate", "--data", rig, "--set", "single")
    assert done.status == 0
    assert "single" in done.out
    assert "cwru" not in done.out
    assert "mahalanobis" in done.out
    assert "named: 1 right, 0 uncertain, 0 wrong of 1" in done.out


def test_wrong_names_are_one_line(rig, tmp_path, monkeypatch):
    monkeypatch.delenv("VIBRO_DATA", raising=False)
    refused(vibro("evaluate"), "--data", "VIBRO_DATA")
    refused(vibro("evaluate", "--data", rig, "--set", "nope"), "nope", "cwru, single")
    refused(vibro("evaluate", "--data", tmp_path), "manifest.json")


def test_real_motors_never_wrong_with_confidence(data_dir):
    done = vibro("evaluate", "--data", data_dir, "--set", "cwru", "--json")
    groups = done.json["sets"]
    assert sum(g["diagnosis"]["wrong"] for g in groups) == 0
    assert sum(g["diagnosis"]["total"] for g in groups) > 0
    measured = [g for g in groups if g["methods"]]
    assert all(g["methods"]["vibro"]["auc"] > 0.9 for g in measured)
