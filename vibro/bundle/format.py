"""A bundle as bytes: magic, SHA-256, and a zlib-packed body of a JSON manifest and raw arrays.

There is no pickle and no code in it: every array says its name, type and shape in the manifest,
and every size is checked before anything is allocated.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.bundle.check import check_bundle
from vibro.bundle.model import Bundle, Geometry, PathModel, Scaling
from vibro.errors import BadInputError
from vibro.forest import FlatForest, Lasting, Tail
from vibro.forest.flat import left_children

MAGIC = b"VIBRO\x00B1"
FORMAT = 2
_READ = (1, 2)
"""Formats that are read: 1 knew neither logarithms nor blocks."""
MOST_BYTES = 4_000_000
_TYPES = ("float32", "float64", "int16", "int32")
_HEAD = struct.Struct("<8s32s")


def encode(bundle: Bundle) -> bytes:
    """Serialise a bundle."""
    arrays: dict[str, NDArray[Any]] = {}
    manifest: dict[str, Any] = {
        k: getattr(bundle, k)
        for k in ("site", "machine_class", "version", "created_ns", "schema_hash")
    }
    manifest |= {k: getattr(bundle, k) for k in ("metrics", "lineage", "meta")}
    manifest["paths"] = {n: _write_path(n, bundle.path(n), arrays) for n in ("fast", "long")}
    for name in ("fast", "long"):
        arrays[f"{name}.golden_codes"] = bundle.golden_codes[name]
        arrays[f"{name}.golden_scores"] = bundle.golden_scores[name]
    table = [[n, a.dtype.name, list(a.shape)] for n, a in arrays.items()]
    head = json.dumps({"format": FORMAT, "arrays": table, **manifest}, allow_nan=False).encode()
    raw = b"".join(np.ascontiguousarray(a).tobytes() for a in arrays.values())
    body = zlib.compress(struct.pack("<I", len(head)) + head + raw, 9)
    return _HEAD.pack(MAGIC, hashlib.sha256(body).digest()) + body


def _write_path(name: str, model: PathModel, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    f = model.forest
    if not np.array_equal(f.left, left_children(f.threshold, f.roots)):
        raise ValueError(f"the {name} forest does not stand breadth first")
    # Where children stand follows from which nodes are leaves.
    for key in ("feature", "threshold", "length", "roots"):
        arrays[f"{name}.forest.{key}"] = getattr(f, key)
    arrays[f"{name}.mean"], arrays[f"{name}.matrix"] = model.geometry.mean, model.geometry.matrix
    for key, tail in (("score", model.score_tail), ("radius", model.radius_tail)):
        arrays[f"{name}.{key}.knots"], arrays[f"{name}.{key}.p"] = tail.knots, tail.p
    for key, scaling in model.scaling.items():
        arrays[f"{name}.scaling.{key}"] = np.stack([scaling.center, scaling.scale])
    return {
        "logs": np.flatnonzero(model.logs).tolist(),
        "lasting": {k: [v.center, v.scale, v.effective_n] for k, v in model.lasting.items()},
        "depth": f.depth,
        "features": f.features,
        "normaliser": f.normaliser,
        "score": [model.score_tail.scale, model.score_tail.effective_n],
        "radius": [model.radius_tail.scale, model.radius_tail.effective_n],
        "scaling": list(model.scaling),
    }


def decode(content: bytes) -> Bundle:
    """Read a bundle.

    Raises
    ------
    BadInputError
        For anything but a whole, unaltered bundle of a known format.
    """
    manifest, raw = _open(content)
    try:
        bundle = _bundle(manifest, _arrays(manifest["arrays"], raw))
        check_bundle(bundle)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        if isinstance(error, BadInputError):
            raise
        raise BadInputError(f"bundle: its manifest is malformed ({error})") from None
    return bundle


def _open(content: bytes) -> tuple[dict[str, Any], bytes]:
    if len(content) < _HEAD.size or content[:8] != MAGIC:
        raise BadInputError("bundle: this is not a Vibro bundle (its magic is missing)")
    _, digest = _HEAD.unpack_from(content)
    packed = content[_HEAD.size :]
    if hashlib.sha256(packed).digest() != digest:
        raise BadInputError("bundle: its content does not match its SHA-256; it is torn or altered")
    engine = zlib.decompressobj()
    try:
        body = engine.decompress(packed, MOST_BYTES)
        if not engine.eof or engine.unused_data:
            raise BadInputError(f"bundle: it is torn or unpacks to more than {MOST_BYTES} bytes")
        (length,) = struct.unpack_from("<I", body)
        manifest = json.loads(body[4 : 4 + length])
    except (zlib.error, struct.error, ValueError, RecursionError) as error:
        if isinstance(error, BadInputError):
            raise
        raise BadInputError(f"bundle: its body is malformed ({error})") from None
    if not isinstance(manifest, dict) or manifest.get("format") not in _READ:
        raise BadInputError(
            f"bundle: its format is not {FORMAT}; a newer Vibro may have written it"
        )
    return manifest, body[4 + length :]


def _arrays(table: list[Any], raw: bytes) -> dict[str, NDArray[Any]]:
    arrays, at = {}, 0
    for name, dtype, shape in table:
        if dtype not in _TYPES or any(not 0 <= int(s) <= MOST_BYTES for s in shape):
            raise BadInputError(f"bundle: array '{name}' has type {dtype} and shape {shape}")
        count = math.prod(int(s) for s in shape)
        size = count * np.dtype(dtype).itemsize
        if at + size > len(raw):
            raise BadInputError(f"bundle: array '{name}' reaches beyond the end")
        arrays[name] = np.frombuffer(raw, dtype, count, at).reshape(shape).copy()
        at += size
    if at != len(raw):
        raise BadInputError("bundle: bytes follow the last array")
    return arrays


def _bundle(manifest: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Bundle:
    paths = manifest["paths"]
    if manifest["format"] == 1:
        paths = {n: {**paths[n], "logs": [], "lasting": {}} for n in ("fast", "long")}
    plain = ("site", "machine_class", "version", "created_ns", "schema_hash")
    return Bundle(
        **{k: manifest[k] for k in (*plain, "metrics", "lineage", "meta")},
        fast=_path("fast", paths["fast"], arrays),
        long=_path("long", paths["long"], arrays),
        golden_codes={n: arrays[f"{n}.golden_codes"] for n in ("fast", "long")},
        golden_scores={n: arrays[f"{n}.golden_scores"] for n in ("fast", "long")},
    )


def _path(name: str, facts: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> PathModel:
    threshold, roots = arrays[f"{name}.forest.threshold"], arrays[f"{name}.forest.roots"]
    try:
        left = left_children(threshold, roots)
    except (ValueError, IndexError) as error:
        raise BadInputError(f"bundle: the {name} forest is no forest: {error}") from None
    forest = FlatForest(
        feature=arrays[f"{name}.forest.feature"],
        threshold=threshold,
        left=left,
        length=arrays[f"{name}.forest.length"],
        roots=roots,
        depth=int(facts["depth"]),
        features=int(facts["features"]),
        normaliser=float(facts["normaliser"]),
    )
    tails = {
        key: Tail(arrays[f"{name}.{key}.knots"], arrays[f"{name}.{key}.p"], *facts[key])
        for key in ("score", "radius")
    }
    width = arrays[f"{name}.mean"].size
    logs = np.isin(np.arange(width), np.array(facts["logs"], np.intp))
    return PathModel(
        forest,
        Geometry(arrays[f"{name}.mean"], arrays[f"{name}.matrix"]),
        tails["score"],
        tails["radius"],
        {k: Scaling(*arrays[f"{name}.scaling.{k}"]) for k in facts["scaling"]},
        logs,
        {k: Lasting(*map(float, v)) for k, v in dict(facts["lasting"]).items()},
    )
