"""Lines of a measuring point as orders of the reference shaft."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibro.kinematics import find_bearing, line_orders

TEETH = st.integers(8, 200)
RATIOS = st.floats(0.01, 50.0)


def test_nothing_known_but_the_shaft():
    lines = line_orders()
    assert lines.shaft == 1.0
    assert lines.gear_shafts == ()
    unknown = [f.name for f in dataclasses.fields(lines) if f.name not in ("shaft", "gear_shafts")]
    assert all(math.isnan(getattr(lines, name)) for name in unknown)


@given(RATIOS)
def test_bearing_lines_turn_with_their_own_shaft(ratio):
    bearing = find_bearing("6205")
    orders, lines = bearing.orders(), line_orders(ratio, bearing)
    assert lines.shaft == ratio
    assert lines.bpfo / ratio == pytest.approx(orders.bpfo)
    assert lines.bpfi / ratio == pytest.approx(orders.bpfi)
    assert lines.ftf / ratio == pytest.approx(orders.ftf)
    # A defect on a ball strikes both rings once a turn.
    assert lines.bsf2 / ratio == pytest.approx(2 * orders.bsf)


@given(RATIOS, TEETH, TEETH)
def test_both_gears_of_a_mesh_agree_on_its_order(ratio, teeth, mate):
    """What tooth meets tooth on one shaft meets on the other, at the mate's own speed."""
    lines = line_orders(ratio, gear_teeth=teeth, gear_mate_teeth=mate)
    own, other = lines.gear_shafts
    assert own == ratio
    assert lines.gear_mesh == pytest.approx(own * teeth)
    assert lines.gear_mesh == pytest.approx(other * mate)
    seen_from_the_mate = line_orders(other, gear_teeth=mate, gear_mate_teeth=teeth)
    assert seen_from_the_mate.gear_mesh == pytest.approx(lines.gear_mesh)
    assert seen_from_the_mate.gear_shafts == pytest.approx((other, own))


def test_a_mate_with_unknown_teeth_has_no_known_speed():
    lines = line_orders(2.0, gear_teeth=20)
    assert (lines.gear_mesh, lines.gear_shafts) == (40.0, (2.0,))
    assert line_orders(gear_mate_teeth=20).gear_shafts == ()


def test_blades_pass_once_a_turn_each():
    assert line_orders(1.5, blades=6).blade_pass == 9.0
