"""Records of every kind: fixed ones for the golden bytes, drawn ones for the properties."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from vibro.faults import Fault, Severity
from vibro.features.table import FAST_NAMES, SCHEMA_HASH
from vibro.records import (
    Clip,
    Event,
    FeatureBlock,
    Health,
    Label,
    Origin,
    RecordId,
    Spectrum,
)

NAN = float("nan")
INT64 = st.integers(-(2**63), 2**63 - 1)
SLUGS = st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True)
FLOAT32 = st.floats(width=32)


def assert_same(a, b):
    """Equal bit for bit, NaN included, whatever the record holds."""
    if dataclasses.is_dataclass(a):
        assert type(a) is type(b)
        for field in dataclasses.fields(a):
            assert_same(getattr(a, field.name), getattr(b, field.name))
    elif isinstance(a, np.ndarray):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert a.tobytes() == b.tobytes()
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert a == b or (a != a and b != b)


ORIGIN = Origin("harbour-pump-1", "harbour", "pump-1", "live", 41, 1_700_000_000_000_000_000)


def keys(rows: int) -> dict[str, np.ndarray]:
    return {
        "channel": (np.arange(rows) % 2).astype(np.int16),
        "first_sample": 2048 * np.arange(rows, dtype=np.int64),
        "t0_ns": 1_700_000_000_000_000_000 + 80_000_000 * np.arange(rows, dtype=np.int64),
        "state": np.zeros(rows, np.int16),
    }


def block(content: str, path: str, schema_hash: str, columns: dict) -> FeatureBlock:
    where = (("de-h", "de-v"), ("n1480",))
    return FeatureBlock(ORIGIN, content, path, schema_hash, "2024-05-01", *where, columns)


def fixed_sample() -> FeatureBlock:
    values = {name: np.array([i + 0.1, -i, i / 7], np.float32) for i, name in enumerate(FAST_NAMES)}
    return block("sample", "fast", SCHEMA_HASH, keys(3) | values)


def fixed_status() -> FeatureBlock:
    """Values of 8 mantissa bits, so that rounding leaves them alone; counts are beyond float32."""
    seen = 123_456_789_012_345 + np.arange(400)
    values = {
        "score_fast": np.where(np.arange(400) % 3, 0.5, 0.75).astype(np.float32),
        "p_fast": np.full(400, NAN, np.float32),
        "seen": seen,
        "processed": seen - 7,
        "lost": np.full(400, 7),
    }
    return block("status", "", "", keys(400) | values)


def fixed_spectrum() -> Spectrum:
    """Values that the wire tells exactly: whole steps, nothing, and what was not measured."""
    steps = np.round(60 + 40 * np.sin(np.arange(3200) * [[0.01], [0.02]]))
    values = (1e-6 * 10.0 ** (steps * 0.75 / 20.0)).astype(np.float32)
    values[0, 7], values[1] = 0.0, NAN
    return Spectrum(
        id=RecordId("spectrum", "harbour/pump-1", 7, 0),
        origin=ORIGIN,
        reason="daily",
        t0_ns=1_700_000_001_000_000_000,
        rate_hz=25600.0,
        rpm=1482.5,
        state="n1480",
        channels=("de-h", "de-v"),
        averages=61,
        step_hz=3.125,
        values=values,
    )


FIXED = {
    "features_sample": fixed_sample(),
    "features_status": fixed_status(),
    "spectrum": fixed_spectrum(),
    "event": Event(
        id=RecordId("event", "harbour/pump-1/de-h", 1_700_000_000_000_000_000, 51200, 2),
        origin=ORIGIN,
        channel="de-h",
        t_onset_ns=1_700_000_002_000_000_000,
        t_last_ns=1_700_000_009_000_000_000,
        t_clear_ns=None,
        t_decided_ns=1_700_000_003_000_000_000,
        severity=Severity.ALERT,
        causes=("forest_fast", "iso_velocity"),
        state="n1480",
        score=0.75,
        p_value=2.0**-40,
        velocity_rms_mm_s=NAN,
        rpm=1482.5,
        bundle="2024-05-01",
        contributions=(("kurtosis", 12.25), ("ses_bpfo", -3.5)),
        sensor_fault=Fault.CLIPPING,
    ),
    "clip": Clip(
        id=RecordId("clip", "harbour/pump-1", 7, 0),
        origin=ORIGIN,
        reason="event",
        event="event:harbour/pump-1/de-h:7:51200",
        t0_ns=1_700_000_001_000_000_000,
        rate_hz=25600.0,
        rpm=1482.5,
        state="n1480",
        channels=("de-h", "de-v"),
        scale=np.array([0.015, 0.03], np.float32),
        samples=np.round(900 * np.sin(np.arange(1200) * [[0.05], [0.07]])).astype(np.int16),
    ),
    "health": Health(
        id=RecordId("health", "harbour-pump-1", 7, 25600),
        origin=ORIGIN,
        content="heartbeat",
        t0_ns=1_700_000_001_000_000_000,
        seen=2**40,
        processed=2**40 - 5,
        lost=5,
        raw_bytes=2**41,
        bundle="",
        detail={"spool_bytes": 12, "versions": ["1", None], "lag_s": 0.25, "grad": "°C"},
    ),
    "label": Label(
        "0d9b2f2e-3c1b-5a55-b1a5-000000000001",
        ORIGIN,
        "case:17",
        Fault.BEARING_OUTER,
        "mila",
        -1,
        "seen at the bench",
    ),
}


ORIGINS = st.builds(
    Origin, SLUGS, SLUGS, SLUGS, st.sampled_from(["live", "backfill"]), INT64, INT64
)
IDS = st.builds(RecordId, SLUGS, SLUGS, INT64, INT64, INT64)
FAULTS = st.none() | st.sampled_from(Fault)
EVENTS = st.builds(
    Event,
    id=IDS,
    origin=ORIGINS,
    channel=st.text(max_size=9),
    t_onset_ns=INT64,
    t_last_ns=INT64,
    t_clear_ns=st.none() | INT64,
    t_decided_ns=INT64,
    severity=st.sampled_from(Severity),
    causes=st.lists(st.text(max_size=9), max_size=3).map(tuple),
    state=st.text(max_size=9),
    score=FLOAT32,
    p_value=FLOAT32,
    velocity_rms_mm_s=FLOAT32,
    rpm=FLOAT32,
    bundle=st.text(max_size=9),
    contributions=st.lists(st.tuples(st.text(max_size=9), FLOAT32), max_size=3).map(tuple),
    sensor_fault=FAULTS,
)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
HEALTHS = st.builds(
    Health,
    id=IDS,
    origin=ORIGINS,
    content=st.sampled_from(["heartbeat", "gap"]),
    t0_ns=INT64,
    seen=INT64,
    processed=INT64,
    lost=INT64,
    raw_bytes=INT64,
    bundle=st.text(max_size=9),
    detail=st.dictionaries(st.text(max_size=9), JSONS, max_size=4),
)
LABELS = st.builds(
    Label, st.text(max_size=9), ORIGINS, st.text(max_size=9), FAULTS, st.text(max_size=9), INT64
)


@st.composite
def clips(draw):
    channels, n = draw(st.integers(1, 3)), draw(st.integers(0, 700))
    dtype = draw(st.sampled_from([np.int16, np.int32, np.float32]))
    kind = npst.from_dtype(np.dtype(dtype))
    samples = draw(npst.arrays(dtype, (channels, n), elements=kind, fill=kind))
    return Clip(
        draw(IDS),
        draw(ORIGINS),
        *(draw(st.text(max_size=9)) for _ in range(2)),
        draw(INT64),
        *(draw(st.floats()) for _ in range(2)),
        draw(st.text(max_size=9)),
        tuple(draw(st.lists(st.text(max_size=9), min_size=channels, max_size=channels))),
        draw(npst.arrays(np.float32, channels)),
        samples,
        draw(st.text(max_size=9)),
    )


@st.composite
def spectra(draw):
    """Spectra whose values are whole steps above the reference."""
    channels, lines = draw(st.integers(1, 3)), draw(st.integers(1, 500))
    codes = draw(npst.arrays(np.int16, (channels, lines), elements=st.integers(-1, 1180)))
    values = (1e-6 * 10.0 ** ((codes - 1) * 0.75 / 20.0)).astype(np.float32)
    values[codes == 0], values[codes < 0] = 0.0, NAN
    return Spectrum(
        draw(IDS),
        draw(ORIGINS),
        draw(st.text(max_size=9)),
        draw(INT64),
        *(draw(st.floats()) for _ in range(2)),
        draw(st.text(max_size=9)),
        tuple(draw(st.lists(st.text(max_size=9), min_size=channels, max_size=channels))),
        draw(st.integers(0, 2**31 - 1)),
        draw(st.floats()),
        values,
    )


@st.composite
def blocks(draw, content="sample"):
    rows = draw(st.integers(1, 300))
    names = draw(st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=4))
    counts = draw(st.lists(st.sampled_from("xyz"), unique=True, max_size=2))
    columns = keys(rows)
    for name in names:
        columns[name] = draw(npst.arrays(np.float32, rows, fill=FLOAT32))
    for name in counts:
        columns[name] = draw(npst.arrays(np.int64, rows, fill=INT64))
    # The wire keeps counts before values; the order of columns means nothing.
    columns = {k: columns[k] for k in (*keys(0), *counts, *names)}
    return block(content, draw(st.sampled_from(["fast", "long"])), "older", columns)


RECORDS = st.one_of(EVENTS, HEALTHS, LABELS, clips(), spectra(), blocks())
