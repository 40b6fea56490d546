"""`vibro bench`: paired, interleaved, checked to agree, and in the form that other tools read."""

from __future__ import annotations

import numpy as np
import pytest

from tests.vibro.cli.commands import vibro
from vibro.cli.bench.features import idle_long_path, stream_of
from vibro.cli.bench.measure import Contender, agree, case, race, repeated, target
from vibro.cli.bench.numpy_features import NumpyFeatures
from vibro.errors import VibroError
from vibro.features.recording import analyse_recording
from vibro.features.setup import ChannelSetup
from vibro.features.spans import spans_of
from vibro.features.table import FAST_NAMES


def test_everybody_runs_in_every_round_and_in_turn():
    calls: list[str] = []
    people = [Contender(n, lambda times, n=n: calls.append(n)) for n in "ab"]
    seconds = race(people, 4)
    assert {n: len(v) for n, v in seconds.items()} == {"a": 4, "b": 4}
    assert calls[-8:] == ["a", "b", "b", "a", "a", "b", "b", "a"]


def test_seconds_are_an_item_s():
    """The same work told as ten items takes a tenth of the time an item."""
    work = repeated(lambda: sum(range(200)))
    seconds = race([Contender("one", work), Contender("ten", work, 10)], 15)
    assert np.median(seconds["one"] / seconds["ten"]) == pytest.approx(10.0, rel=0.3)


def test_ratios_are_paired_within_rounds():
    """A machine that slows down for a while slows both: the ratio does not move."""
    slow = np.array([1.0, 1.0, 9.0, 1.0])
    found = case("c", {"vibro": 2e-6 * slow, "peer": 4e-6 * slow})
    assert found["vibro"]["median"] == 2.0
    assert found["peers"]["peer"]["ratio"] == 0.5
    assert (found["peers"]["peer"]["ratio_p10"], found["peers"]["peer"]["ratio_p90"]) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("value", "op", "met"), [(1.0, "<=", True), (1.2, "<=", False), (1.2, ">=", True)]
)
def test_targets_say_whether_they_are_met(value, op, met):
    assert target("t", value, op, 1.0)["met"] is met


def test_who_does_not_agree_does_not_race():
    agree("same", [1.0, 2.0], [1.0, 2.0 + 1e-9], 1e-6)
    for other in ([1.0, 2.1], [np.nan, 2.0], [1.0]):
        with pytest.raises(VibroError, match="bench: other"):
            agree("other", other, [1.0, 2.0], 1e-6)


def test_the_numpy_peer_computes_our_features():
    rate = 25600.0
    x = np.random.default_rng(2).standard_normal((1, 40_000)).astype(np.float32)
    ours = analyse_recording(x, rate, 1500.0, [ChannelSetup()])
    n, hop = ours.spans.fast_window, ours.spans.fast_hop
    windows = np.stack([x[0, i * hop : i * hop + n] for i in range(len(ours.fast))])
    theirs = NumpyFeatures(spans_of(rate, [ChannelSetup()]))(windows)
    assert theirs.shape == (len(windows), len(FAST_NAMES))
    np.testing.assert_allclose(theirs, ours.fast[:, 0], rtol=2e-3, atol=2e-3)


@pytest.mark.slow_nojit
def test_the_json_is_as_other_tools_read_it():
    done = vibro("bench", "fft", "--rounds", "3", "--json")
    assert done.status == 0, done.err
    found = done.json
    assert found["bench"] == "fft"
    assert [c["case"] for c in found["cases"][:2]] == ["1024", "1024, 64 at once"]
    for c in found["cases"]:
        assert c["unit"] == "us"
        assert set(c["vibro"]) == {"median", "p10", "p90"}
        assert {"median", "p10", "p90", "ratio"} <= set(c["peers"]["scipy"])
    assert set(found["absent"]) <= {"pyfftw", "mkl_fft", "rocket_fft"}


def test_a_stream_without_the_long_path_has_no_long_windows_and_the_same_fast_ones():
    """What the bench subtracts is the long path and nothing else."""
    found = {}
    x = np.random.default_rng(3).standard_normal((1, 100_000)).astype(np.float32)
    for long_path, make in ((True, stream_of), (False, idle_long_path)):
        found[long_path] = make(1).push(x, 1500.0)
    assert len(found[True].long) == 1
    assert len(found[False].long) == 0
    np.testing.assert_array_equal(found[True].fast, found[False].fast)
    np.testing.assert_array_equal(found[True].reflex, found[False].reflex)


def test_a_bench_that_does_not_exist_is_refused():
    done = vibro("bench", "speed")
    assert done.status == 2
    assert "'speed' is not one of" in done.err
