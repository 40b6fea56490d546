"""Units, sensitivities and signs: what one count of a converter is in m/s2."""

from __future__ import annotations

import numpy as np
import pytest

from edge_node.library import library
from edge_node.sources.calibration import check_inputs, chosen, m_s2_per_unit, per_channel
from vibro.errors import BadInputError, MissingExtraError, VibroError

G = 9.80665


@pytest.mark.parametrize(
    ("unit", "mv_g", "one"),
    [
        ("m/s2", (), [1.0, -1.0]),
        ("g", (), [G, -G]),
        ("mV", (100.0,), [G / 100, -G / 100]),
        ("V", (100.0, 10.0), [10 * G, -100 * G]),
    ],
)
def test_one_unit_is_so_many_m_s2_and_a_turned_sensor_has_the_other_sign(unit, mv_g, one):
    np.testing.assert_allclose(m_s2_per_unit("t", unit, mv_g, (1.0, -1.0), 2), one)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: m_s2_per_unit("t", "V", (), (1.0,), 2), "t.sensitivity_mv_g is empty"),
        (lambda: m_s2_per_unit("t", "V", (0.0,), (1.0,), 2), "not above 0: turn an axis by sign"),
        (lambda: m_s2_per_unit("t", "g", (), (0.5,), 2), "t.sign .* is not made of 1 and -1"),
        (lambda: per_channel("t.x", (1, 2, 3), 2), "t.x has 3 values, the machine 2 channels"),
        (lambda: chosen("t.i", (1,), 1, 2), "t.i names 1 inputs, the machine has 2"),
        (lambda: chosen("t.i", (1, 1), 1, 2), "names an input twice"),
        (lambda: chosen("t.i", (1.5, 2), 1, 2), "is not made of whole numbers from 1 on"),
        (lambda: chosen("t.i", (0, 2), 1, 2), "is not made of whole numbers from 1 on"),
        (lambda: check_inputs("t.i", (1, 5), 4), "the device's last input is 4"),
    ],
)
def test_what_does_not_fit_is_one_line_naming_its_key(ask, said):
    with pytest.raises(BadInputError, match=said) as caught:
        ask()
    assert "\n" not in str(caught.value)


def test_inputs_are_the_first_ones_or_those_named():
    assert chosen("t.i", (), 1, 3) == [1, 2, 3]
    assert chosen("t.i", (3, 1), 1, 2) == [3, 1]


def test_a_missing_extra_is_one_line_that_names_it():
    with pytest.raises(MissingExtraError) as caught:
        library("a_module_that_nobody_has", "source.kind = 'audio'", "audio")
    assert str(caught.value) == (
        "source.kind = 'audio' needs the 'audio' extra: pip install 'vibro[audio]'"
    )


def test_a_library_without_the_vendors_own_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "half_there.py").write_text('raise OSError("libx.so: not found")')
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(VibroError, match=r"half_there does not load .libx.so: not found.: install"):
        library("half_there", "source.kind = 'audio'", "audio")
