"""Recordings that may be compared."""

from __future__ import annotations

from tests.datasets.manifests import COMMON, write
from vibro.evaluation import group_entries, seconds_of
from vibro.files import read_manifest


def groups(folder, *facts):
    entries = [
        COMMON | {"file": f"{i}.npy", "label": "normal", "fault": "none", "sha256": ""} | f
        for i, f in enumerate(facts)
    ]
    write(folder, entries)
    return group_entries(read_manifest(folder))


def test_sets_rates_and_states_are_apart(tmp_path):
    found = groups(
        tmp_path,
        {},
        {"label": "fault", "fault": "ball"},
        {"sample_rate_hz": 48000},
        {"set": "fan", "speed": "low"},
        {"set": "fan", "speed": "high"},
        {"load_lbs": 0},
    )
    shape = [(g.set, g.name, len(g.normal), len(g.fault)) for g in found]
    assert shape == [
        ("cwru", "12000 Hz", 1, 1),
        ("cwru", "48000 Hz", 1, 0),
        ("fan", "12000 Hz, speed low", 1, 0),
        ("fan", "12000 Hz, speed high", 1, 0),
        ("cwru", "12000 Hz, load 0", 1, 0),
    ]


def test_a_run_is_one_group_in_the_order_of_time_without_its_shutdown(tmp_path):
    run = {"set": "ims", "run": "set2", "label": "run_to_failure"}
    found = groups(
        tmp_path,
        run | {"index": 2},
        run | {"index": 0, "label": "normal"},
        run | {"index": 1},
        run | {"index": 3, "label": "post_shutdown", "fault": "machine stopped"},
    )
    (group,) = found
    assert [e.index for e in group.run] == [0, 1, 2]
    assert (group.normal, group.fault, group.other, group.numbered) == ((), (), 1, True)
    assert group.other_labels == ("post_shutdown",)


def test_a_run_without_numbers_is_in_the_order_of_its_times_else_of_its_names(tmp_path):
    run = {"set": "x", "run": "r", "label": "run_to_failure"}
    timed = [run | {"file": f"s{i}.npy", "seconds_since_start": 10 * (3 - i)} for i in range(3)]
    (group,) = groups(tmp_path, *timed)
    assert [e.file for e in group.run] == ["s2.npy", "s1.npy", "s0.npy"]
    assert not group.numbered
    assert seconds_of(group.run) == [10.0, 20.0, 30.0]
    (group,) = groups(tmp_path, *(run | {"file": f"s{i}.npy"} for i in (10, 9, 1)))
    assert [e.file for e in group.run] == ["s1.npy", "s9.npy", "s10.npy"]
    assert seconds_of(group.run) is None


def test_times_that_are_no_numbers_or_do_not_rise_are_not_told(tmp_path):
    run = {"set": "x", "run": "r", "label": "run_to_failure"}
    for times in ([0, "10"], [0, 0], [5, 4], [0, None], [0, True]):
        facts = [run | {"index": i, "seconds_since_start": t} for i, t in enumerate(times)]
        (group,) = groups(tmp_path, *facts)
        assert seconds_of(group.run) is None


def test_other_words_for_faulty_count_and_unknown_faults_are_told(tmp_path):
    (group,) = groups(
        tmp_path,
        {"label": "Faulty", "fault": "wobbly shaft"},
        {"label": "damaged", "fault": "inner_race"},
        {"label": "healthy"},
        {"label": "fault", "fault": None},
    )
    assert (len(group.normal), len(group.fault), group.other) == (1, 3, 0)
    assert group.unknown_words == ("wobbly shaft",)


def test_a_rate_that_only_the_files_tell_is_no_number_in_the_name(tmp_path):
    (group,) = groups(tmp_path, {"sample_rate_hz": None})
    assert group.name == "rate by the files"


def test_other_labels_are_counted_and_not_used(tmp_path):
    (group,) = groups(tmp_path, {"label": "per-row column anomaly", "fault": "valve2"})
    assert (group.normal, group.fault, group.other) == ((), (), 1)


def test_names_are_counted_not_spelt(tmp_path):
    names = ["H10.npy", "H9.npy", "H1.npy", "G2.npy"]
    (group,) = groups(tmp_path, *({"file": n} for n in names))
    assert [e.file for e in group.normal] == ["G2.npy", "H1.npy", "H9.npy", "H10.npy"]
