"""The words every part shares."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibro.faults import SENSOR_FAULTS, Fault, Severity, from_publisher


def test_every_fault_has_a_family_and_sensor_faults_are_the_sensors():
    for fault in Fault:
        assert fault.is_sensor_fault == (fault in SENSOR_FAULTS)
        assert (fault.family == "sensor") == fault.is_sensor_fault
    assert {f.family for f in Fault if f.name.startswith("BEARING")} == {"bearing"}
    assert {f.family for f in Fault if f.name.startswith("GEAR")} == {"gear"}
    shaft = (Fault.IMBALANCE, Fault.MISALIGNMENT, Fault.LOOSENESS, Fault.ONE_X_FAMILY)
    assert {f.family for f in shaft} == {"shaft"}
    assert Fault.CAVITATION.family == "cavitation"


def test_severities_are_a_ladder_of_words():
    words = ["ok", "watch", "alert", "alarm", "danger"]
    assert [s.word for s in sorted(Severity)] == words
    assert [Severity.parse(f" {w.upper()} ") for w in words] == list(Severity)
    with pytest.raises(
        ValueError, match="severity 'bad' is not one of ok, watch, alert, alarm, danger"
    ):
        Severity.parse("bad")


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        (None, None),
        ("normal", None),
        ("None", None),
        ("Healthy", None),
        ("inner_race", Fault.BEARING_INNER),
        ("Outer Race", Fault.BEARING_OUTER),
        ("outer-race (6 o'clock)", Fault.BEARING_OUTER),
        ("unbalance", Fault.IMBALANCE),
        ("broken tooth", Fault.GEAR_TOOTH),
        ("cavitation", Fault.CAVITATION),
        ("natural (end of test = acceleration above 20 g)", Fault.UNKNOWN),
        ("valve2", Fault.UNKNOWN),
        ("", Fault.UNKNOWN),
    ],
)
def test_publishers_words(word, fault):
    assert from_publisher(word) is fault


@given(st.text(max_size=20))
def test_any_word_means_something(word):
    assert from_publisher(word) in (None, *Fault)


@pytest.mark.parametrize("fault", Fault)
def test_our_own_words_are_understood(fault):
    assert from_publisher(fault.value) is fault
