"""`vibro analyze`: what is missing or cannot be is one line that names the option."""

from __future__ import annotations

import numpy as np
import pytest

from tests.vibro.cli.commands import refused, vibro
from tests.vibro.cli.rigs import RATE, healthy

pytestmark = pytest.mark.slow_nojit


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A recording that says nothing of itself."""
    path = tmp_path_factory.mktemp("bare") / "bare.npy"
    np.save(path, healthy(1))
    return path


def test_a_missing_rate_names_its_option(bare):
    refused(vibro("analyze", bare, "--rpm", 1797), "bare.npy", "sampling rate", "--rate HZ")


def test_a_missing_speed_names_its_option_and_the_way_without(bare):
    refused(vibro("analyze", bare, "--rate", RATE), "bare.npy", "--rpm RPM", "--rpm unknown")


@pytest.mark.parametrize("json", [[], ["--json"]])
def test_a_refusal_is_the_same_for_people_and_machines(bare, json):
    refused(vibro("analyze", bare, *json), "bare.npy", "--rate HZ")


@pytest.mark.parametrize(("typed", "near"), [("62O5", "6205"), ("62055", "6205"), ("NU31", "NU")])
def test_an_unknown_bearing_names_near_ones_and_how_to_write_geometry(bare, typed, near):
    done = vibro("analyze", bare, "--rate", RATE, "--rpm", 1797, "--bearing", typed)
    refused(done, f"'{typed}'", near, "Z=9 d=7.94 D=39.04 phi=0")


@pytest.mark.parametrize(
    "geometry", ["Z=9", "Z=9 d=x D=39", "Z=-9 d=7 D=39", "Z=9 d=50 D=39", "Z=0 d=0 D=0", "Z=9e9"]
)
def test_geometry_that_no_bearing_has_is_refused(bare, geometry):
    done = vibro("analyze", bare, "--rate", RATE, "--rpm", 1797, "--bearing", geometry)
    refused(done, "bearing")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--rate", "0"), ("--rate", "-1"), ("--rate", "nan"), ("--rate", "inf"), ("--rate", "fast"),
        ("--rpm", "0"), ("--rpm", "-5"), ("--rpm", "nan"), ("--rpm", "inf"), ("--rpm", "quick"),
        ("--line-hz", "0"), ("--line-hz", "nan"), ("--blades", "0"), ("--iso-group", "7"),
        ("--mounting", "glued"), ("--units", "furlongs"), ("--channel", ""), ("--gear", "0 12"),
        ("--gear", "-3 12"), ("--no-such", "1"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_refused_with_the_options_name(bare, option, value):
    given = {"--rate": RATE, "--rpm": 1797, option: value}
    arguments = [a for o, v in given.items() for a in (o, *(str(v).split(" ")))]
    refused(vibro("analyze", bare, *arguments), option.lstrip("-"))


@pytest.mark.parametrize("rate", ["20", "1e7"])
def test_a_rate_that_no_window_fits_names_the_file_and_the_option(bare, rate):
    refused(vibro("analyze", bare, "--rate", rate, "--rpm", 1797), "bare.npy", "--rate")


@pytest.mark.parametrize("samples", [64, 255])
@pytest.mark.parametrize("rpm", [1, 1500, 60_000, "unknown"])
def test_a_recording_too_short_for_a_window_says_how_many_are_needed(tmp_path, samples, rpm):
    path = tmp_path / "brief.npy"
    np.save(path, healthy(1)[:, :samples])
    refused(vibro("analyze", path, "--rate", 1000, "--rpm", rpm), "brief.npy", f"{samples} samples")


def test_nothing_to_analyse_points_at_the_help():
    refused(vibro("analyze"), "FILE", "vibro analyze --help")
