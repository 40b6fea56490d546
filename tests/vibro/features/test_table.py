"""The feature table is the schema: complete, documented, versioned."""

from __future__ import annotations

import re

from vibro.features.table import FAST, FAST_NAMES, LONG, LONG_NAMES, SCHEMA_HASH


def test_sizes_and_names():
    assert len(FAST) >= 32
    assert len(LONG) >= 20
    names = FAST_NAMES + LONG_NAMES
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in names)
    for needed in ("velocity_rms_mm_s", "displacement_rms_um", "order_0_5", "order_1", "order_2"):
        assert needed in LONG_NAMES
    for needed in ("ses_bpfo", "ses_bpfi", "ses_2bsf", "ses_ftf", "gear_mesh_1", "blade_pass_1"):
        assert needed in LONG_NAMES
    for needed in ("rms", "peak", "crest_factor", "kurtosis", "band_00", "band_15"):
        assert needed in FAST_NAMES


def test_every_feature_says_what_it_is():
    for feature in (*FAST, *LONG):
        assert feature.formula
        assert feature.source
        assert feature.path == ("fast" if feature in FAST else "long")
        assert feature.scale in ("linear", "log")


def test_schema_hash():
    assert re.fullmatch(r"[0-9a-f]{16}", SCHEMA_HASH)
