"""Running sums and extremes are those that numpy forms with temporaries, to the last bit."""

from __future__ import annotations

import numpy as np

from vibro.dsp.running import add_about, add_known


def test_sums_about_an_origin_and_the_largest_are_those_of_numpy():
    rows = np.random.default_rng(0).standard_normal((9, 3, 5)).astype(np.float32)
    rows[4, 1, 2] = np.nan
    origin, total, square = rows[0].copy(), np.zeros((3, 5)), np.zeros((3, 5))
    highest, untouched = np.full((3, 5), -np.inf, np.float32), rows[1].copy()
    wanted = [np.zeros((3, 5)), np.zeros((3, 5)), highest.copy()]
    for row in rows:
        add_about(row, origin, total, square, highest, True)
        add_about(row, origin, np.zeros((3, 5)), np.zeros((3, 5)), untouched, False)
        away = row.astype(np.float64) - origin
        wanted[0] += away
        wanted[1] += away * away
        np.maximum(wanted[2], row, out=wanted[2])
    for found, expected in zip((total, square, highest), wanted, strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(untouched, rows[1])


def test_what_is_not_known_is_neither_added_nor_counted_nor_an_extreme():
    values = np.random.default_rng(0).standard_normal((7, 4, 3))
    values[values > 0.8] = np.nan
    values[:, 2, 1] = np.nan
    total, count = np.zeros((4, 3)), np.zeros((4, 3))
    low, high = np.full((4, 3), np.nan), np.full((4, 3), np.nan)
    expected = np.zeros((4, 3))
    for v in values:
        add_known(v, total, count, low, high)
        np.add(expected, v, out=expected, where=v == v)
    np.testing.assert_array_equal(total, expected)
    np.testing.assert_array_equal(count, (values == values).sum(axis=0))
    np.testing.assert_array_equal(low, np.fmin.reduce(values))
    np.testing.assert_array_equal(high, np.fmax.reduce(values))
    assert np.isnan(low[2, 1])
