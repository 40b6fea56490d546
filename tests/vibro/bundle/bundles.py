"""Small bundles made without any training."""

from __future__ import annotations

import numpy as np

from vibro.bundle import Bundle, Geometry, PathModel, Scaling
from vibro.forest import FlatForest, Lasting, Tail, average_path, score

WIDTH = {"fast": 3, "long": 2}


def forest(seed: int, features: int, trees: int = 5, depth: int = 3) -> FlatForest:
    """Full binary trees with hashed splits, breadth first."""
    rng = np.random.default_rng(seed)
    size, inner = 2 ** (depth + 1) - 1, 2**depth - 1
    k = np.arange(size)
    left = np.where(k < inner, 2 * k + 1, k)
    base = size * np.arange(trees)
    return FlatForest(
        feature=np.where(k < inner, rng.integers(0, features, (trees, size)), 0)
        .astype(np.int16)
        .ravel(),
        threshold=np.where(k < inner, rng.standard_normal((trees, size)), np.inf)
        .astype(np.float32)
        .ravel(),
        left=(left + base[:, None]).astype(np.int32).ravel(),
        length=np.where(k < inner, 0.0, depth + rng.uniform(0, 3, (trees, size)))
        .astype(np.float32)
        .ravel(),
        roots=base.astype(np.int32),
        depth=depth,
        features=features,
        normaliser=float(trees * average_path(32.0)),
    )


def path_model(seed: int, width: int, keys: tuple[str, ...]) -> PathModel:
    rng = np.random.default_rng(seed)
    tail = Tail(np.linspace(0.3, 0.6, 4), np.array([1.0, 0.6, 0.3, 0.1]), 0.02, 100)
    radius = Tail(np.linspace(0.2, 1.5, 4), np.array([1.0, 0.6, 0.3, 0.1]), 0.1, 100)
    scaling = {
        key: Scaling(
            rng.standard_normal(width).astype(np.float32),
            rng.uniform(0.5, 2.0, width).astype(np.float32),
        )
        for key in keys
    }
    geometry = Geometry(
        rng.standard_normal(width).astype(np.float32) * 0.1,
        (np.eye(width) + 0.2 * rng.standard_normal((width, width))).astype(np.float32),
    )
    logs = np.arange(width) == 1
    lasting = {keys[0]: Lasting(-0.1, 0.2, 20.0)}
    return PathModel(forest(seed, width + 1), geometry, tail, radius, scaling, logs, lasting)


def bundle(
    *,
    width: dict[str, int] | None = None,
    keys: tuple[str, ...] = ("harbour/pump-1/de-h|running", "harbour/pump-1/de-v|running"),
    seed: int = 0,
    **facts,
) -> Bundle:
    """A bundle that is right in itself."""
    width = width or WIDTH
    models = {n: path_model(seed + i, width[n], keys) for i, n in enumerate(("fast", "long"))}
    rng = np.random.default_rng(seed)
    codes = {
        n: rng.standard_normal((4, w + 1)).astype(np.float32) for n, w in sorted(width.items())
    }
    plain = {
        "site": "harbour",
        "machine_class": "pump",
        "version": "v1",
        "created_ns": 1_700_000_000_000_000_000,
        "schema_hash": "0123456789abcdef",
    }
    return Bundle(
        **plain | facts,
        fast=models["fast"],
        long=models["long"],
        golden_codes=codes,
        golden_scores={n: score(models[n].forest, codes[n]) for n in codes},
        metrics={"fast_rows": 120},
        lineage={"parent": "v0"},
        meta={"training": [1, 2], "text": "Öl"},
    )
