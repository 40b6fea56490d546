"""`vibro evaluate` on folders that nobody has seen: cautions and one-line errors, no traceback."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.datasets.manifests import add, write
from tests.vibro.cli.commands import refused, vibro
from tests.vibro.cli.rigs import healthy, outer
from vibro.cli.evaluate import figures
from vibro.cli.evaluate.peers import Level
from vibro.cli.evaluate.recordings import Recordings
from vibro.cli.evaluate.report import duration
from vibro.files import read_manifest

pytestmark = pytest.mark.slow_nojit


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(figures, "all_methods", lambda: {"rms": Level("rms")})


def rig(folder, normal=6, fault=3, **facts):
    entries = [add(folder, f"n{i}.npy", healthy(i), **facts) for i in range(normal)]
    return entries + [
        add(folder, f"f{i}.npy", outer(50 + i), "fault", "outer_race", **facts)
        for i in range(fault)
    ]


def judged(folder, entries):
    write(folder, entries)
    done = vibro("evaluate", "--data", folder, "--json")
    assert (done.status, done.err) == (0, "")
    return done.json["sets"]


def test_broken_recordings_are_named_and_lose_nothing_else(tmp_path):
    entries = rig(tmp_path)
    (usual,) = judged(tmp_path, entries)
    extra = [add(tmp_path, f"bad{i}.npy", healthy(i), "fault", "ball") for i in range(3)]
    (tmp_path / "bad0.npy").write_bytes(b"junk" * 100)
    (tmp_path / "bad1.npy").write_bytes(b"")
    holes = healthy(9)
    holes[0, 77] = np.nan
    np.save(tmp_path / "bad2.npy", holes)
    (found,) = judged(tmp_path, [*entries, *extra])
    assert (found["methods"], found["diagnosis"]) == (usual["methods"], usual["diagnosis"])
    assert "3 recordings cannot be judged" in found["caution"]
    for words in ("bad0.npy:", "bad1.npy: is empty", "bad2.npy: 1 samples are not finite"):
        assert words in found["caution"]
    assert str(tmp_path) not in found["caution"]


def test_a_folder_of_broken_recordings_only_is_a_caution(tmp_path):
    entries = rig(tmp_path, 2, 2)
    for path in tmp_path.glob("*.npy"):
        path.write_bytes(b"junk")
    (found,) = judged(tmp_path, entries)
    assert (found["methods"], found["n_normal"], found["n_fault"]) == ({}, 0, 0)
    assert "4 recordings cannot be judged" in found["caution"]


def test_a_rate_that_nobody_tells_is_the_manifests_to_give(tmp_path):
    (found,) = judged(tmp_path, rig(tmp_path, sample_rate_hz=None))
    assert found["group"] == "rate by the files"
    assert "give its sample_rate_hz in the manifest" in found["caution"]
    assert "--rate" not in found["caution"]


def test_a_file_of_another_rate_is_left_out_even_if_it_is_the_first(tmp_path):
    from scipy.io import wavfile  # noqa: PLC0415

    entries = rig(tmp_path)
    other = add(tmp_path, "a0.npy", healthy(3))
    wavfile.write(tmp_path / "a0.wav", 8000, healthy(3)[0])
    (found,) = judged(tmp_path, [other | {"file": "a0.wav"}, *entries])
    assert "a0.wav: 8000 Hz, not 12000" in found["caution"]
    assert (found["n_normal"], found["n_fault"]) == (6, 3)


def test_one_channel_beside_many(tmp_path):
    entries = rig(tmp_path)
    many = np.concatenate([outer(70), *(healthy(80 + i) for i in range(11))])
    entries.append(add(tmp_path, "many.npy", many, "fault", "outer_race"))
    (found,) = judged(tmp_path, entries)
    assert found["n_fault"] == 4
    assert "channels" in found["caution"]
    assert found["methods"]["rms"]["auc"] is not None


@pytest.mark.parametrize("role", ["normal", "fault"])
def test_only_one_kind_of_recording(tmp_path, role):
    (found,) = judged(tmp_path, rig(tmp_path, **{role: 0}))
    assert found["methods"] == {}
    assert f"no {role} recording in this group" in found["caution"]


def test_unknown_words_and_keys_are_told_and_do_no_harm(tmp_path):
    entries = [e | {"colour": "red", "index": 3} for e in rig(tmp_path)]
    entries += [
        add(tmp_path, "w.npy", outer(77), "Faulty", "wobbly shaft"),
        add(tmp_path, "x.npy", outer(78), "who knows", "wobbly shaft"),
    ]
    (found,) = judged(tmp_path, entries)
    assert (found["n_fault"], found["diagnosis"]["total"]) == (4, 3)
    assert "faults of unknown kind, detected but not named: 'wobbly shaft'" in found["caution"]
    assert "1 recording labelled otherwise left out (who knows)" in found["caution"]


def test_a_run_without_numbers_and_times_counts_its_snapshots(tmp_path):
    entries = [
        add(tmp_path, f"s{i}.npy", outer(i, 6000) if i >= 18 else healthy(i, 6000),
            "run_to_failure", "natural", run="r")
        for i in range(26)
    ]  # fmt: skip
    (found,) = judged(tmp_path, entries)
    assert "snapshots are not numbered" in found["caution"]
    assert "lead_s counts snapshots" in found["caution"]
    rms = found["methods"]["rms"]
    assert (rms["first_alarm"], rms["lead_s"]) == (20, 5.0)


def test_speeds_that_differ_are_told(tmp_path):
    entries = rig(tmp_path)
    entries = [e | {"rpm": 900} if e["label"] == "fault" else e for e in entries]
    (found,) = judged(tmp_path, entries)
    assert (
        "faulty recordings run at 900 to 900 rpm, normal ones at 1797 to 1797" in found["caution"]
    )


def test_a_method_that_fails_is_told_and_the_others_stand(tmp_path, monkeypatch):
    class Fails(Level):
        def fit(self, units):
            raise np.linalg.LinAlgError("singular\nmatrix")

    monkeypatch.setattr(figures, "all_methods", lambda: {"bad": Fails("rms"), "rms": Level("rms")})
    (found,) = judged(tmp_path, rig(tmp_path))
    assert list(found["methods"]) == ["rms"]
    assert "bad fails on these recordings (singular matrix)" in found["caution"]


def test_large_recordings_are_read_again_instead_of_kept(tmp_path):
    write(tmp_path, rig(tmp_path, 4, 0))
    entries = read_manifest(tmp_path)
    one = Recordings(entries)[entries[0].file].samples.nbytes
    recordings = Recordings(entries, budget_bytes=2 * one)
    first = recordings[entries[0].file].samples.copy()
    for e in entries:
        recordings.survey(e.file)
    assert recordings.kept_bytes <= 2 * one
    assert (recordings[entries[0].file].samples == first).all()
    assert len(recordings.shapes) == 4


def test_the_report_is_one_page_that_loads_nothing(tmp_path):
    run = [
        add(tmp_path, f"s{i}.npy", outer(i, 6000) if i >= 18 else healthy(i, 6000),
            "run_to_failure", "natural", run="<r>", index=i, seconds_since_start=600 * i)
        for i in range(26)
    ]  # fmt: skip
    write(tmp_path, [*rig(tmp_path), *run])
    page = tmp_path / "report.html"
    done = vibro("evaluate", "--data", tmp_path, "--json", "--html", page)
    assert done.status == 0
    text = page.read_text()
    sets = json.loads(done.out)["sets"]
    for outside in ("http", "<script", "<link", "@import", "url(", "src="):
        assert outside not in text
    assert text.count('<svg class="plot"') == 2
    # A dot for every fault, and for every snapshot after those fitted on.
    strip, panel = (p.split("</svg>")[0] for p in text.split('<svg class="plot"')[1:])
    assert strip.count('class="fault') == 3
    assert panel.count("<circle") == 21
    assert panel.count("alarm stays") == 1
    assert "&lt;r&gt;" in text
    assert "<r>" not in text
    assert all(item["too_small"] for item in sets)
    assert "too small to tell" in text


def test_a_report_that_cannot_be_written_is_one_line(tmp_path):
    write(tmp_path, rig(tmp_path, 1, 1))
    refused(
        vibro("evaluate", "--data", tmp_path, "--html", tmp_path / "no" / "r.html"),
        "its folder is not there",
    )


@pytest.mark.parametrize(
    ("seconds", "counted", "said"),
    [(70.0, False, "70 s"), (6320.0, False, "1.8 h"), (1500.0, False, "25 min"),
     (200_000.0, False, "2.3 d"), (12.0, True, "12 snapshots"), (float("nan"), False, "none")],
)  # fmt: skip
def test_lead_times_are_told_in_a_unit_that_fits(seconds, counted, said):
    assert duration(seconds, counted) == said
