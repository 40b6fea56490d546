"""Manifests of recordings."""

from __future__ import annotations

import hashlib
import json
import math

import pytest

from vibro.errors import BadInputError
from vibro.faults import Fault
from vibro.files import read_manifest

ENTRY = {"file": "a.npy", "set": "cwru", "label": "fault", "fault": "inner_race", "rpm": 1772}


def manifest(tmp_path, *entries) -> list:
    (tmp_path / "manifest.json").write_text(json.dumps({"pack": "p", "entries": entries}))
    return read_manifest(tmp_path)


def test_an_entry_in_our_own_terms(tmp_path):
    content = b"samples"
    (tmp_path / "a.npy").write_bytes(content)
    lines = {"BPFO": 3.58, "geom": "n=9"}
    more = {
        "sample_rate_hz": 12000,
        "units": "m/s^2, rms",
        "fault_freq_multipliers": lines,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    (entry,) = manifest(tmp_path, ENTRY | more)
    assert (entry.fault, entry.rpm, entry.rate_hz) == (Fault.BEARING_INNER, 1772.0, 12000.0)
    assert (entry.units, entry.multipliers, entry.path) == (
        "m/s2",
        {"BPFO": 3.58},
        tmp_path / "a.npy",
    )
    assert entry.is_intact()
    (tmp_path / "a.npy").write_bytes(b"other")
    assert not entry.is_intact()
    (tmp_path / "a.npy").unlink()
    assert not entry.is_intact()


@pytest.mark.parametrize(
    ("facts", "rpm"),
    [
        ({"rpm": None, "rpm_nominal": 1797}, 1797.0),
        ({"rpm": 1796, "rpm_nominal": 1797}, 1796.0),
        ({"rpm": None}, math.nan),
    ],
)
def test_measured_speed_before_nominal_before_none(tmp_path, facts, rpm):
    assert manifest(tmp_path, ENTRY | facts)[0].rpm == pytest.approx(rpm, nan_ok=True)


@pytest.mark.parametrize(
    ("units", "ours"),
    [
        ("g", "g"),
        ("g (not stated in the file)", "g"),
        ("m/s2", "m/s2"),
        ("appear standardised (std near 1)", ""),
        ("volts", ""),
        (None, ""),
    ],
)
def test_units_out_of_sentences(tmp_path, units, ours):
    assert manifest(tmp_path, ENTRY | {"units": units})[0].units == ours


def test_healthy_and_unnamed_faults(tmp_path):
    healthy, unnamed = manifest(
        tmp_path, ENTRY | {"label": "normal"}, ENTRY | {"label": "run_to_failure", "fault": None}
    )
    assert (healthy.fault, unnamed.fault) == (None, Fault.UNKNOWN)


def test_no_manifest_or_a_broken_one_is_one_line(tmp_path):
    with pytest.raises(BadInputError, match="there is no manifest; name a folder that has one"):
        read_manifest(tmp_path)
    for text in ("{", "[]", "{}", '{"entries": [{"file": "a"}]}', '{"entries": [7]}'):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(BadInputError, match="manifest") as caught:
            read_manifest(tmp_path)
        assert "\n" not in str(caught.value)
    with pytest.raises(BadInputError, match="entry 2 is malformed"):
        manifest(tmp_path, ENTRY, ENTRY | {"rpm": "fast"})


def test_the_real_manifest(data_dir):
    entries = read_manifest(data_dir)
    assert len(entries) > 300
    assert all(e.path.is_file() for e in entries)
    assert {e.fault for e in entries if e.set == "cwru"} > {None, Fault.BEARING_OUTER}
