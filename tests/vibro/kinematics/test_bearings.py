"""Bearing orders against rolling without slip, worked out from surface speeds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibro.errors import BadInputError
from vibro.kinematics import Bearing, find_bearing
from vibro.kinematics.catalogue import catalogue, near_names


@st.composite
def bearings(draw):
    pitch = draw(st.floats(5.0, 2000.0))
    elements = draw(st.integers(3, 60))
    ball = draw(st.floats(0.05, 0.999)) * min(pitch, math.pi * pitch / elements)
    return Bearing("any", elements, ball, pitch, draw(st.floats(0.0, 89.0)))


def rolled(b: Bearing, inner: float, outer: float) -> dict[str, float]:
    """Frequencies from the speeds of the contact points, rings turning at ``inner``, ``outer``.

    A ball's centre moves at the mean of the surface speeds it touches; seen from the cage it
    turns so fast that its surface keeps up with the inner ring's.
    """
    lever = b.ball_mm * math.cos(math.radians(b.contact_deg)) / 2
    r_inner, r_outer = b.pitch_mm / 2 - lever, b.pitch_mm / 2 + lever
    cage = (inner * r_inner + outer * r_outer) / 2 / (b.pitch_mm / 2)
    return {
        "ftf": cage,
        "bpfo": b.elements * abs(cage - outer),
        "bpfi": b.elements * abs(inner - cage),
        "bsf": abs(inner - cage) * r_inner / (b.ball_mm / 2),
    }


@given(bearings(), st.sampled_from(["inner", "outer"]))
def test_orders_are_those_of_rolling_without_slip(b, rotating):
    speeds = (1.0, 0.0) if rotating == "inner" else (0.0, 1.0)
    orders = b.orders(rotating)
    for name, expected in rolled(b, *speeds).items():
        assert getattr(orders, name) == pytest.approx(expected, rel=1e-9), name


@given(bearings())
def test_relations_that_hold_for_every_bearing(b):
    inner, outer = b.orders(), b.orders("outer")
    assert inner.bpfo + inner.bpfi == pytest.approx(b.elements)
    assert inner.bpfo == pytest.approx(b.elements * inner.ftf)
    assert inner.bpfo < b.elements / 2 < inner.bpfi
    assert inner.ftf < 0.5 < outer.ftf
    # Seen from the inner ring, a turning outer ring is an inner ring turning backwards.
    assert inner.ftf + outer.ftf == pytest.approx(1.0)
    assert (inner.bpfo, inner.bpfi, inner.bsf) == (outer.bpfo, outer.bpfi, outer.bsf)


@pytest.mark.parametrize(
    ("name", "bpfo", "bpfi", "bsf", "ftf"),
    [
        ("6205", 3.585, 5.415, 2.357, 0.398),
        ("ZA-2115", 7.092, 8.908, 4.198, 0.443),
        ("NICE", 3.245, 4.755, 2.555, 0.406),
        ("PRONOSTIA", 5.611, 7.389, 3.589, 0.432),
    ],
)
def test_published_orders(name, bpfo, bpfi, bsf, ftf):
    orders = find_bearing(name).orders()
    assert orders.bpfo == pytest.approx(bpfo, abs=6e-4)
    assert orders.bpfi == pytest.approx(bpfi, abs=6e-4)
    assert orders.bsf == pytest.approx(bsf, abs=6e-4)
    assert orders.ftf == pytest.approx(ftf, abs=6e-4)


@pytest.mark.parametrize("bearing", catalogue().values(), ids=lambda b: b.name)
def test_the_catalogue_obeys_the_trades_rule_of_thumb(bearing):
    """BPFO is about 0.4 Z and BPFI about 0.6 Z; a slip of a digit in the table breaks it."""
    orders = bearing.orders()
    assert 0.36 < orders.bpfo / bearing.elements < 0.46
    assert 0.54 < orders.bpfi / bearing.elements < 0.64
    assert orders.bsf < orders.bpfo


@pytest.mark.parametrize(
    "name",
    ["6205", "SKF 6205-2RS JEM", "skf 6205", "6205/C3", "FAG 6205-2Z/C3", "6205 (drive end)"],
)
def test_makers_and_suffixes_do_not_hide_a_designation(name):
    assert find_bearing(name) == catalogue()["6205"]


@pytest.mark.parametrize("name", ["", "SKF", "62055", "7205", "bearing"])
def test_what_is_not_in_the_catalogue(name):
    assert find_bearing(name) is None


def test_a_typo_is_answered_by_names_near_it():
    assert "6205" in near_names("SKF 6255-2RS")
    assert near_names("entirely different") == []


@given(bearings())
def test_geometry_as_text_reads_back(b):
    read = Bearing.parse(b.geometry)
    assert read.orders() == b.orders()
    assert Bearing.parse(read.name) == read


def test_geometry_is_read_in_any_spacing_and_without_an_angle():
    expected = (9, 7.94, 39.04, 0.0)
    for text in ("Z=9 d=7.94 D=39.04 phi=0", " D=39.04, d = 7.94; Z=9 "):
        b = Bearing.parse(text)
        assert (b.elements, b.ball_mm, b.pitch_mm, b.contact_deg) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Z=9 d=7.94", "is not geometry: write Z=9"),
        ("Z=9.5 d=7.94 D=39", "is not geometry"),
        ("Z=9 d=7..9 D=39", "is not geometry"),
        ("nothing", "is not geometry"),
        ("Z=2 d=8 D=39", "needs Z >= 3"),
        ("Z=9 d=39 D=8", "0 < d < D"),
        ("Z=9 d=0 D=8", "0 < d < D"),
        ("Z=9 d=-1 D=8", "0 < d < D"),
        ("Z=9 d=7.94 D=39.04 phi=90", "contact angle 90 is not in 0..90"),
        ("Z=9 d=7.94 D=39.04 phi=-1", "contact angle -1 is not"),
        ("Z=30 d=8 D=39", "30 elements of 8 mm do not fit"),
    ],
)
def test_geometry_that_no_bearing_has(text, said):
    with pytest.raises(BadInputError, match=said) as caught:
        Bearing.parse(text)
    assert text in str(caught.value)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_geometry_that_is_no_number(bad):
    for numbers in ((bad, 40.0, 0.0), (8.0, 40.0, bad)):
        with pytest.raises(BadInputError):
            Bearing("any", 9, *numbers)
