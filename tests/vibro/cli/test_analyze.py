"""`vibro analyze`: the JSON's contract, real bearings, figures, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.vibro.cli.commands import refused, vibro
from tests.vibro.cli.rigs import RATE, healthy, outer
from vibro.features.table import FAST_NAMES, LONG_NAMES
from vibro.files import Recording, write_recording

pytestmark = pytest.mark.slow_nojit

KEYS = {"file", "rate_hz", "rpm", "features", "score", "severity", "diagnosis", "figures"}
EVIDENCE = {"line", "expected_hz", "found_hz", "snr_db", "decoy_snr_db", "harmonics"}
LADDER = ("ok", "watch", "alert", "alarm", "danger")
RPM = 1797
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    """Two channels: an outer race fault on the first; the second is quiet and healthy."""
    path = tmp_path_factory.mktemp("rig") / "pump.npy"
    samples = np.concatenate([outer(3, 60_000), healthy(4, 60_000)]) * 9.81
    recording = Recording(
        samples.astype(np.float32), ("de-h", "nde-h"), RATE, float(RPM), True, "made"
    )
    write_recording(path, recording)
    return path


@pytest.fixture(scope="module")
def found(rig):
    done = vibro("analyze", rig, "--bearing", "6205", "--json")
    assert (done.status, done.err) == (0, "")
    return done.json


@pytest.fixture
def cwru(data_dir):
    """Path of a CWRU recording by the beginning of its name."""

    def path(start):
        hits = sorted(data_dir.glob(f"cwru/**/{start}*.mat"))
        if not hits:
            pytest.skip(f"no CWRU recording {start} in the folder")
        return hits[0]

    return path


def by_bearing(path, rate, *more):
    done = vibro("analyze", path, "--rate", rate, "--bearing", "6205", "--json", *more)
    assert (done.status, done.err) == (0, ""), done.err
    return done.json


# -- contract --------------------------------------------------------------------------------------


def test_the_json_has_every_key_of_the_contract(rig, found):
    assert set(found) >= KEYS
    assert (found["file"], found["rate_hz"], found["rpm"]) == (str(rig), RATE, RPM)
    assert found["severity"] in LADDER
    assert found["figures"] == []
    assert found["score"] is None  # one recording has no baseline


def test_the_features_are_all_of_the_table_and_finite(found):
    assert list(found["features"]) == [*FAST_NAMES, *LONG_NAMES]
    assert all(math.isfinite(v) for v in found["features"].values())


def test_a_clear_fault_is_named_with_lines_that_stand_above_their_decoys(found):
    first = found["diagnosis"][0]
    assert (first["fault"], first["channel"]) == ("bearing_outer", "de-h")
    assert 0.5 < first["probability"] <= 1.0
    (line,) = first["evidence"]
    assert set(line) == EVIDENCE
    assert line["line"] == "BPFO"
    assert line["expected_hz"] == pytest.approx(3.5848 * RPM / 60, rel=1e-3)
    assert line["found_hz"] == pytest.approx(line["expected_hz"], rel=0.02)
    assert line["snr_db"] > line["decoy_snr_db"]
    assert line["harmonics"] >= 2


def test_features_are_medians_of_the_channel_that_the_diagnosis_names(rig, found):
    one = vibro("analyze", rig, "--bearing", "6205", "--channel", "de-h", "--json").json
    assert one["features"] == found["features"]
    assert found["channel"] == one["channel"] == "de-h"


def test_a_channel_is_taken_by_its_name_or_its_number(rig):
    by_name, by_number = (
        vibro("analyze", rig, "--bearing", "6205", "--channel", c, "--json").json
        for c in ("NDE-H", "2")
    )
    assert by_name == by_number
    assert by_name["channel"] == "nde-h"
    assert (by_name["severity"], by_name["diagnosis"]) == ("ok", [])
    refused(vibro("analyze", rig, "--channel", "3"), "has no channel '3'", "de-h, nde-h", "1 to 2")


def test_velocities_are_those_of_their_own_channels_even_beside_a_dead_one(tmp_path):
    path = tmp_path / "a.npy"
    x = np.concatenate([np.zeros((1, 40_000)), 9.81 * healthy(4, 40_000)]).astype(np.float32)
    write_recording(path, Recording(x, ("dead", "alive"), RATE, float(RPM), True, ""))
    both = vibro("analyze", path, "--json").json
    alone = vibro("analyze", path, "--channel", "alive", "--json").json
    assert both["velocity_rms_mm_s"] == {"dead": 0.0, **alone["velocity_rms_mm_s"]}
    assert both["velocity_rms_mm_s"]["alive"] > 0.0
    assert both["diagnosis"][0]["fault"] == "flatline"


def test_an_unknown_speed_is_null_and_names_no_line(rig):
    said = vibro("analyze", rig, "--rpm", "unknown", "--bearing", "6205", "--json").json
    assert said["rpm"] is None
    assert not any(d["evidence"] for d in said["diagnosis"])
    assert any("speed is not known" in n for n in said["notes"])


def test_people_read_the_same_lines_as_machines(rig, found):
    done = vibro("analyze", rig, "--bearing", "6205")
    assert (done.status, done.err) == (0, "")
    line = found["diagnosis"][0]["evidence"][0]
    assert f"severity {found['severity']}" in done.out
    assert "bearing outer" in done.out
    assert f"expected {line['expected_hz']:.2f} Hz, found {line['found_hz']:.2f} Hz" in done.out
    assert f"(decoys {line['decoy_snr_db']:.1f} dB)" in done.out


def test_geometry_says_what_the_designation_says(rig, found):
    said = vibro("analyze", rig, "--bearing", "Z=9 d=7.94 D=39.04 phi=0", "--json").json
    assert said["diagnosis"][0]["fault"] == found["diagnosis"][0]["fault"]


def test_a_recording_in_good_order_can_be_compared_with(rig, tmp_path):
    before = tmp_path / "before.npy"
    x = 9.81 * np.concatenate([healthy(8, 60_000), healthy(9, 60_000)])
    write_recording(
        before, Recording(x.astype(np.float32), ("de-h", "nde-h"), RATE, float(RPM), True, "")
    )
    said = vibro("analyze", rig, "--bearing", "6205", "--reference", before, "--json")
    assert said.json["diagnosis"][0]["fault"] == "bearing_outer"
    refused(
        vibro("analyze", rig, "--channel", "1", "--reference", rig.with_name("none.npy")),
        "none.npy",
    )
    other = tmp_path / "other.npy"
    write_recording(other, Recording(x[:1].astype(np.float32), ("x",), RATE, float(RPM), True, ""))
    refused(vibro("analyze", rig, "--reference", other), "other.npy", "cannot be compared")


def test_iso_zones_are_judged_only_where_the_units_are_known(rig, tmp_path):
    zoned = vibro("analyze", rig, "--iso-group", "2", "--json").json
    assert zoned["zone"] in ("A", "B", "C", "D")
    np.save(tmp_path / "bare.npy", healthy(1, 30_000))
    bare = vibro(
        "analyze", tmp_path / "bare.npy", "--rate", RATE, "--rpm", RPM, "--iso-group", "2", "--json"
    ).json
    assert bare["zone"] is None
    assert any("not judged where the units are not known" in n for n in bare["notes"])
    assert any("g were taken" in n for n in bare["notes"])


def test_scaled_windows_are_said(tmp_path):
    np.save(tmp_path / "short.npy", healthy(1, 3000))
    said = vibro("analyze", tmp_path / "short.npy", "--rate", RATE, "--rpm", RPM, "--json").json
    assert any("long window scaled to" in n for n in said["notes"])


# -- real bearings ---------------------------------------------------------------------------------


def test_the_outer_race_fault_of_130at6_is_named(cwru):
    said = by_bearing(cwru("130at6_0"), 12_000, "--rpm", 1796)
    first = said["diagnosis"][0]
    assert first["fault"] == "bearing_outer"
    assert first["probability"] > 0.9
    line = first["evidence"][0]
    assert (line["line"], said["severity"]) == ("BPFO", "alert")
    assert line["expected_hz"] == pytest.approx(107.3, abs=0.1)
    assert line["found_hz"] == pytest.approx(107.3, rel=0.02)
    assert line["snr_db"] > line["decoy_snr_db"] + 3.0


def test_the_inner_race_fault_of_109_is_named(cwru):
    said = by_bearing(cwru("109_0"), 48_000)
    assert said["diagnosis"][0]["fault"] == "bearing_inner"
    assert said["diagnosis"][0]["evidence"][0]["line"] == "BPFI"
    assert said["rpm"] == 1796  # the file's own


def test_the_normal_recording_97_is_ok(cwru):
    said = by_bearing(cwru("97_"), 48_000)
    assert (said["severity"], said["diagnosis"]) == ("ok", [])


def test_174_is_abnormal_and_its_type_uncertain(cwru):
    said = by_bearing(cwru("174_0"), 48_000)
    assert said["severity"] != "ok"
    assert not [d for d in said["diagnosis"] if d["fault"] not in ("unknown", "bearing_inner")]
    assert said["channel"] == "DE"  # whatever number its keys carry


def test_cwru_channels_are_taken_by_the_publishers_letters(cwru):
    path = cwru("130at6_0")
    by_name, by_number = (by_bearing(path, 12_000, "--channel", c) for c in ("DE", "1"))
    assert by_name == by_number
    assert by_name["diagnosis"][0]["fault"] == "bearing_outer"


# -- figures ---------------------------------------------------------------------------------------


def test_figures_are_drawn_one_a_channel_into_a_new_folder(rig, tmp_path):
    folder = tmp_path / "a" / "figures"
    said = vibro("analyze", rig, "--bearing", "6205", "--figures", folder, "--json").json
    assert said["figures"] == [str(folder / "pump-de-h.png"), str(folder / "pump-nde-h.png")]
    for path in folder.iterdir():
        assert path.read_bytes()[:8] == PNG
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("name", ["../../escaped", "/abs", "a/b", "..", "é"])
def test_a_channels_name_never_leads_out_of_the_folder(tmp_path, name):
    path, folder = tmp_path / "x.npy", tmp_path / "figures"
    write_recording(path, Recording(outer(1), (name,), RATE, float(RPM), True, ""))
    before = sorted(tmp_path.rglob("*"))
    done = vibro("analyze", path, "--figures", folder, "--json")
    assert done.status == 0, done.err
    new = [p for p in sorted(tmp_path.rglob("*")) if p not in before]
    assert new == [folder, *map(type(path), done.json["figures"])]
    assert new[1].parent == folder


def test_a_figures_folder_that_cannot_be_written_is_one_line(rig, tmp_path):
    (tmp_path / "file").write_text("precious")
    refused(vibro("analyze", rig, "--figures", tmp_path / "file"), "--figures", "file")
    refused(vibro("analyze", rig, "--figures", tmp_path / "file" / "below"), "cannot be made")
    refused(vibro("analyze", rig, "--figures", "/proc/self"), "/proc/self", "cannot be written")
    taken = tmp_path / "taken"
    (taken / "pump-de-h.png").mkdir(parents=True)
    refused(vibro("analyze", rig, "--figures", taken), "pump-de-h.png", "another folder")
    assert (tmp_path / "file").read_text() == "precious"
