"""Spectra on the wire: within half a step, in about two bits a line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tests.vibro.wire.records import FIXED
from vibro.errors import BadInputError
from vibro.wire import decode, encode, rice
from vibro.wire.framing import frame, unframe
from vibro.wire.levels import REFERENCE, STEP_DB, read, write

SPECTRUM = FIXED["spectrum"]


@given(npst.arrays(np.float32, (2, 60), elements=st.floats(0.0, width=32)))
def test_a_line_is_told_within_half_a_step_and_nothing_is_made_of_nothing(values):
    told = read(write(values), 2).astype(float)
    loud = values > REFERENCE * 10 ** (-STEP_DB / 40)
    with np.errstate(divide="ignore", invalid="ignore"):
        off = 20.0 * np.log10(told / values.astype(float))
    # The largest float32 may round to what float32 cannot hold.
    sane = loud & (values < 1e38)
    assert (np.abs(off[sane]) <= STEP_DB / 2 + 1e-4).all()
    assert (told[~loud] == 0.0).all()


NEAR_THE_REFERENCE = st.floats(np.float32(0.5e-6), np.float32(2e-6), width=32)


@given(npst.arrays(np.float32, (1, 20), elements=NEAR_THE_REFERENCE | st.floats(0.0, width=32)))
def test_what_was_told_is_told_the_same_again(values):
    """Near the reference too: the float32 next to it lies below it."""
    told = read(write(values), 1)
    assert write(told) == write(values)
    np.testing.assert_array_equal(read(write(told), 1), told)


def test_a_channel_that_was_not_measured_stays_so():
    values = np.array([[1.0, 2.0], [np.nan, np.nan]], np.float32)
    assert np.isnan(read(write(values), 2)[1]).all()


def test_averaged_noise_takes_less_than_three_bits_a_line():
    rng = np.random.default_rng(0)
    power = rng.gamma(30.0, size=(4, 3200))
    values = (1e-2 * np.sqrt(power / 30.0)).astype(np.float32)
    assert 8 * len(write(values)["levels"]) < 3 * values.size


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"lines": 0}, "no spectrum"),
        ({"lines": 2**30}, "no spectrum"),
        ({"step_db": 0.0}, "no spectrum"),
        ({"step_db": float("nan")}, "no spectrum"),
        ({"parameters": b"\x01"}, "do not tell"),
        ({"parameters": b"\xff\x01"}, "do not tell"),
        ({"levels": b"\x00"}, "cannot hold"),
        ({"channels": ["de-h"]}, "do not tell"),
    ],
)
def test_a_spectrum_that_is_not_whole_is_refused(change, says):
    kind, body = unframe(encode(SPECTRUM))
    with pytest.raises(BadInputError, match=says):
        decode(frame(kind, body | change))


def test_a_level_beyond_every_scale_is_refused():
    body = write(np.ones((1, 40), np.float32))
    far = [np.full(40, 2**20)]
    with pytest.raises(BadInputError, match="outside every scale"):
        read(body | {"levels": rice.write(far, [21]), "parameters": bytes([21])}, 1)


def test_lines_know_their_frequency():
    f = replace(SPECTRUM, step_hz=3.125).frequencies_hz()
    assert (f[0], f[-1], len(f)) == (3.125, 10_000.0, 3200)
