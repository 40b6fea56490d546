"""Bundles as bytes: what is written comes back, and nothing else is ever accepted."""

from __future__ import annotations

import contextlib
import hashlib
import json
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vibro.bundle.bundles import bundle
from tests.vibro.wire.records import assert_same
from vibro.bundle import Scorer, check_golden, decode, encode
from vibro.errors import BadInputError
from vibro.forest import Lasting
from vibro.records import ChannelPath

GOOD = encode(bundle())
GOLDEN = {f: Path(__file__).with_name(f"golden_v{f}.vbundle").read_bytes() for f in (1, 2)}


def taken_apart() -> tuple[dict, bytes]:
    body = zlib.decompress(GOOD[40:])
    (length,) = struct.unpack_from("<I", body)
    return json.loads(body[4 : 4 + length]), body[4 + length :]


def sealed(body: bytes) -> bytes:
    """Packed with a true digest, as a careless or malicious sender would."""
    packed = zlib.compress(body)
    return b"VIBRO\x00B1" + hashlib.sha256(packed).digest() + packed


def forged(manifest, raw: bytes) -> bytes:
    head = json.dumps(manifest).encode()
    return sealed(struct.pack("<I", len(head)) + head + raw)


def refused(content: bytes) -> str:
    with pytest.raises(BadInputError) as caught:
        decode(content)
    told = str(caught.value)
    assert told.startswith("bundle: ")
    assert "\n" not in told
    return told


JUDGED = {
    1: (0.585354208946228, 0.2585831642150878, -1.6859157368081323),
    2: (0.5880557894706726, 0.2477768421173095, -0.24148201260030586),
}
"""Score, p-value and level that one row gets."""


def test_what_is_written_comes_back_bit_for_bit():
    assert_same(decode(GOOD), bundle())
    assert encode(decode(GOOD)) == GOOD
    check_golden(decode(GOOD))


@pytest.mark.parametrize("format_", GOLDEN)
def test_bundles_of_every_format_stay_readable(format_):
    """A change of the layout must be a new format, or nodes in the field go blind."""
    content = GOLDEN[format_]
    found = decode(content)
    check_golden(found)
    assert (found.site, found.machine_class, found.version) == ("harbour", "pump", "v1")
    assert (found.meta, found.lineage) == ({"training": [1, 2], "text": "Öl"}, {"parent": "v0"})
    assert [f.roots.size for f in (found.fast.forest, found.long.forest)] == [5, 5]
    assert content[8:40] == hashlib.sha256(content[40:]).digest()
    rows = np.abs(np.random.default_rng(0).standard_normal((1, 3))).astype(np.float32)
    here = Scorer(found, [ChannelPath("harbour", "pump-1", "de-h")]).judge("fast", rows, "running")
    assert [float(x[0]) for x in here] == pytest.approx(JUDGED[format_], rel=1e-5)


def test_the_golden_bytes_of_this_format_are_still_written():
    assert zlib.decompress(encode(decode(GOLDEN[2]))[40:]) == zlib.decompress(GOLDEN[2][40:])


def test_arrays_stand_in_the_manifests_order_without_gaps():
    manifest, raw = taken_apart()
    at = 0
    for name, dtype, shape in manifest["arrays"]:
        count = int(np.prod(shape))
        array = np.frombuffer(raw, dtype, count, at).reshape(shape)
        if name == "long.mean":
            assert (array == bundle().long.geometry.mean).all()
        at += array.nbytes
    assert at == len(raw)


@pytest.mark.parametrize("bit", [0, 7])
def test_any_flipped_bit_is_refused(bit):
    for at in range(len(GOOD)):
        content = bytearray(GOOD)
        content[at] ^= 1 << bit
        refused(bytes(content))


def test_any_truncation_is_refused():
    for length in range(len(GOOD)):
        refused(GOOD[:length])


def test_anything_that_follows_is_refused():
    assert "torn or altered" in refused(GOOD + b"\0")
    packed = GOOD[40:] + b"more"
    assert "torn or unpacks" in refused(GOOD[:8] + hashlib.sha256(packed).digest() + packed)
    manifest, raw = taken_apart()
    assert "bytes follow the last array" in refused(forged(manifest, raw + b"\0"))


@pytest.mark.parametrize("size", [4_000_000, 50_000_000])
def test_a_bundle_that_unpacks_to_too_much_is_refused(size):
    content = sealed(bytes(size + 1))
    assert len(content) < 100_000
    assert "unpacks to more than 4000000 bytes" in refused(content)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "malformed"),
        (b"\x05\0\0", "malformed"),
        (struct.pack("<I", 3) + b"{a}", "malformed"),
        (struct.pack("<I", 2**32 - 1) + b"{}", "format is not 2"),
        (struct.pack("<I", 2) + b"[]", "format is not 2"),
        (struct.pack("<I", 4) + b"\xff\xfe\x00\x00", "malformed"),
        (struct.pack("<I", 100_000) + b"[" * 100_000, "malformed"),
        (struct.pack("<I", 12) + b'{"format":3}', "a newer Vibro may have written it"),
        *((struct.pack("<I", 12) + b'{"format":%d}' % f, "manifest is malformed") for f in GOLDEN),
    ],
)
def test_bodies_that_are_no_manifest(body, said):
    assert said in refused(sealed(body))


TABLES = [
    ("arrays", 5),
    ("arrays", [["a", "float32"]]),
    ("arrays", [["a", "object", [1]]]),
    ("arrays", [["a", "float32", [-1]]]),
    ("arrays", [["a", "float32", [4_000_000, 4_000_000, 4_000_000]]]),
    ("arrays", [["a", "float32", [10**30]]]),
    ("arrays", [["a", "float32", ["x"]]]),
    ("arrays", [["a", ["float32"], [1]]]),
    ("paths", {}),
    ("paths", {"fast": 1, "long": 2}),
]


@pytest.mark.parametrize(("key", "value"), TABLES, ids=str)
def test_tables_that_make_no_sense(key, value):
    manifest, raw = taken_apart()
    refused(forged(manifest | {key: value}, raw))


def test_every_field_of_the_manifest_is_needed():
    manifest, raw = taken_apart()
    for key in manifest:
        refused(forged({k: v for k, v in manifest.items() if k != key}, raw))
    for path in ("fast", "long"):
        for key in manifest["paths"][path]:
            less = json.loads(json.dumps(manifest))
            del less["paths"][path][key]
            refused(forged(less, raw))
    for i in range(len(manifest["arrays"])):
        less = json.loads(json.dumps(manifest))
        less["arrays"][i][0] = "another"
        refused(forged(less, raw))


def altered(path: str = "long", **parts):
    """The good bundle with another forest, geometry, tail or scaling on one path."""
    good = bundle()
    return replace(good, **{path: replace(good.path(path), **parts)})


def spoilt_forest(**arrays):
    return altered(forest=replace(bundle().long.forest, **arrays))


def with_forest(**changed) -> bytes:
    """The good bundle's bytes with other arrays for the long forest, whatever they are."""
    manifest, raw = taken_apart()
    table, parts, at = [], [], 0
    for name, dtype, shape in manifest["arrays"]:
        array = np.frombuffer(raw, dtype, int(np.prod(shape)), at).reshape(shape)
        at += array.nbytes
        if name.startswith("long.forest."):
            array = changed.get(name.rsplit(".", 1)[1], array)
        table.append([name, array.dtype.name, list(array.shape)])
        parts.append(array.tobytes())
    return forged(manifest | {"arrays": table}, b"".join(parts))


def put(array, at, value):
    array = array.copy()
    array[at] = value
    return array


F = bundle().long.forest
NODE_ARRAYS = ("feature", "threshold", "length")
G = bundle().long.geometry
T = bundle().long.score_tail
S = next(iter(bundle().long.scaling.values()))
MISFITS = {
    "a tree cut short": with_forest(**{k: getattr(F, k)[:-2] for k in NODE_ARRAYS}),
    "a tree too many": with_forest(roots=np.append(F.roots, F.left.size - 1).astype(np.int32)),
    "root beyond the end": with_forest(roots=put(F.roots, 4, F.left.size)),
    "root before the start": with_forest(roots=put(F.roots, 1, -1)),
    "roots that fall": with_forest(roots=F.roots[::-1].copy()),
    "roots in the middle of trees": with_forest(roots=put(F.roots, 1, 7)),
    "a first root that is not the first node": with_forest(roots=put(F.roots, 0, 1)),
    "a leaf that lets through": with_forest(threshold=put(F.threshold, -1, 1.0)),
    "a threshold of NaN": with_forest(threshold=put(F.threshold, 0, np.nan)),
    "a feature too many": with_forest(feature=put(F.feature, 0, F.features)),
    "a negative feature": with_forest(feature=put(F.feature, 0, -1)),
    "arrays of two lengths": with_forest(length=F.length[:-1]),
    "no nodes": with_forest(roots=F.roots[:0]),
    "thresholds in float64": with_forest(threshold=F.threshold.astype(np.float64)),
    "a matrix for a vector": with_forest(feature=F.feature.reshape(5, -1)),
    "no depth": spoilt_forest(depth=0),
    "too deep": spoilt_forest(depth=65),
    "normaliser 0": spoilt_forest(normaliser=0.0),
    "other features": spoilt_forest(features=F.features + 1),
    "matrix of another width": altered(geometry=replace(G, matrix=G.matrix[:, :-1])),
    "mean of another width": altered(geometry=replace(G, mean=G.mean[:-1])),
    "a matrix in float64": altered(geometry=replace(G, matrix=G.matrix.astype(np.float64))),
    "knots in float32": altered(score_tail=replace(T, knots=T.knots.astype(np.float32))),
    "knots that fall": altered(score_tail=replace(T, knots=T.knots[::-1])),
    "knots of NaN": altered(radius_tail=replace(T, knots=put(T.knots, 1, np.nan))),
    "fewer p than knots": altered(score_tail=replace(T, p=T.p[:-1])),
    "scale 0": altered(radius_tail=replace(T, scale=0.0)),
    "scaling of another width": altered(
        scaling={"a|b": replace(S, center=S.center[:-1], scale=S.scale[:-1])}
    ),
    "scaling by 0": altered(scaling={"a|b": replace(S, scale=put(S.scale, 0, 0.0))}),
    "scaling by NaN": altered(scaling={"a|b": replace(S, scale=put(S.scale, 0, np.nan))}),
    "centre of NaN": altered(scaling={"a|b": replace(S, center=put(S.center, 0, np.nan))}),
    "blocks without a spread": altered(lasting={"a|b": Lasting(0.0, 0.0, 9.0)}),
    "blocks of NaN": altered(lasting={"a|b": Lasting(0.0, 0.1, 1.0)}),
    "matrix of NaN": altered(geometry=replace(G, matrix=put(G.matrix, 0, np.nan))),
    "golden codes of another width": replace(
        bundle(), golden_codes=bundle().golden_codes | {"long": np.zeros((4, 2), np.float32)}
    ),
    "fewer golden scores": replace(
        bundle(), golden_scores=bundle().golden_scores | {"long": np.zeros(3, np.float32)}
    ),
}


@pytest.mark.parametrize("what", MISFITS)
def test_parts_that_do_not_fit_each_other_are_refused(what):
    """Whatever the digest says: kernels walk these arrays without looking."""
    content = MISFITS[what]
    assert "the long " in refused(content if isinstance(content, bytes) else encode(content))


def test_a_forest_whose_children_stand_elsewhere_is_not_written():
    """Its children would not come back: the format keeps only which nodes are leaves."""
    for left in (put(F.left, 0, 3), put(F.left, 3, F.left.size)):
        with pytest.raises(ValueError, match="the long forest does not stand breadth first"):
            encode(spoilt_forest(left=left))


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf])
def test_golden_vectors_that_score_differently_are_refused(value):
    good = bundle()
    scores = good.golden_scores["fast"].copy()
    scores[2] = value
    spoilt = replace(good, golden_scores=good.golden_scores | {"fast": scores})
    with pytest.raises(BadInputError, match="golden vectors of the fast path score differently"):
        check_golden(decode(encode(spoilt)))


def test_what_json_cannot_hold_is_not_written():
    with pytest.raises(ValueError, match="JSON compliant"):
        encode(replace(bundle(), metrics={"share": float("nan")}))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_refused(content, seal):
    refused(sealed(content) if seal else content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_value_in_any_field_is_read_or_refused(data):
    """Never another error than BadInputError, and whatever is read can be scored safely."""
    manifest, raw = taken_apart()
    holder, key = manifest, data.draw(st.sampled_from(sorted(manifest)))
    while isinstance(holder[key], (dict, list)) and holder[key] and data.draw(st.booleans()):
        holder = holder[key]
        keys = sorted(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = data.draw(st.sampled_from(keys))
    holder[key] = data.draw(JSON)
    with contextlib.suppress(BadInputError):
        check_golden(decode(forged(manifest, raw)))
