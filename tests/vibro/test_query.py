from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibro.errors import BadInputError
from vibro.faults import Severity
from vibro.query import FIELDS, parse

NOW = 1_800_000_000 * 10**9
HOUR = 3600 * 10**9
ROW = {
    "fault": "bearing_outer",
    "severity": Severity.ALARM,
    "site": "harbour",
    "machine": "pump-1",
    "class": "pump",
    "state": "quiet",
    "score": 0.7,
    "probability": 0.9,
    "t_onset_ns": NOW - 3 * HOUR,
    "t_last_ns": NOW - 2 * HOUR,
}


def holds(expression: str, **changes) -> bool:
    return parse(expression, NOW).matches({**ROW, **changes})


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "fault=bearing_outer severity>=alert since=24h",
        "fault=imbalance,bearing_outer",
        "fault=bearing_*",
        "fault!=unknown",
        "severity=alarm",
        "severity>watch severity<danger",
        "machine=pump-1",
        "machine=harbour/pump-1",
        "machine=*/pump-*",
        "class=pump site=harbour",
        "score>0.6 probability<=0.9",
        "until=1h",
        "since=2027-01-14T00:00",
        "  since=1.5d   state=quiet ",
    ],
)
def test_what_holds(expression):
    assert holds(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "fault=imbalance",
        "fault!=bearing_*",
        "severity>=danger",
        "severity!=alarm",
        "since=1h",
        "until=4h",
        "site=harbour site=inland",
        "score<0.7",
        "since=2027-01-16",
    ],
)
def test_what_does_not_hold(expression):
    assert not holds(expression)


def test_what_is_open_is_always_recent():
    assert holds("since=1s", state="open")


def test_what_was_not_measured_meets_no_condition():
    assert not holds("score>0", score=None)
    assert not holds("score<=1", score=None)


@pytest.mark.parametrize(
    ("expression", "position", "remedy"),
    [
        ("fualt=imbalance", 1, "did you mean 'fault'"),
        ("site=a severty>=alert", 8, "did you mean 'severity'"),
        ("severity>=allert", 11, "ok, watch, alert, alarm, danger"),
        ("fault=bearing_outter", 7, "did you mean 'bearing_outer'"),
        ("fault>=imbalance", 6, "use = !="),
        ("since>=1h", 6, "use ="),
        ("since=yesterday", 7, "30m, 24h, 7d"),
        ("score>high", 7, "not a number"),
        ("site=", 6, "value is missing"),
        ("site=,", 6, "at least one name"),
        ("harbour", 1, "fields are fault"),
        ("=x", 1, "fields are"),
        ("state=closed", 7, "open, quiet"),
        ("severity=>alert", 9, "use = != >="),
    ],
)
def test_a_typo_is_named_with_its_position_and_remedy(expression, position, remedy):
    with pytest.raises(BadInputError) as caught:
        parse(expression, NOW)
    assert f"position {position}:" in str(caught.value)
    assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused_in_one_line(text):
    try:
        parse(text, NOW)
    except BadInputError as error:
        said = str(error)
    else:
        return
    assert "query '" in said


@given(
    st.sampled_from([f for f in FIELDS if f in ("site", "machine", "class")]),
    st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True),
)
def test_equal_and_not_equal_divide_everything(field, name):
    assert holds(f"{field}={name}") != holds(f"{field}!={name}")
