"""Training one bundle: robust scaling, whitening, two isolation forests, honest calibration.

Statistics of held-out folds calibrate the p-values: a Mahalanobis radius fitted and judged on the
same few hundred vectors looks far smaller than it will on new ones. Folds are blocks of time,
because neighbours in time resemble each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.ensemble import IsolationForest

from vibro.bundle import Bundle, Geometry, Logs, PathModel, Scaling, levels
from vibro.errors import VibroError
from vibro.features.table import FAST_NAMES, LOG_NAMES, LONG_NAMES, SCHEMA_HASH
from vibro.forest import BLOCK, Lasting, fit_lasting, fit_tail, from_estimator, score
from vibro.records import ChannelPath

Floats = NDArray[np.float32]
Vectors = Mapping[tuple[ChannelPath, str], tuple[Floats, Floats]]
Blocks = Mapping[tuple[ChannelPath, str], tuple[NDArray[np.int64], NDArray[np.int64]]]

TREES, SUBSAMPLE, FOLD_TREES = 100, 256, 24
FOLDS = 5
LEAST_ROWS = 30
"""Fewest vectors a channel and state needs before it is given a baseline."""
GOLDEN = 16
LEAST_RADIUS = 1e-6


@dataclass(frozen=True, slots=True)
class Recipe:
    """Parts of training that can be left out, to measure what each is worth (docs/accuracy.md)."""

    logarithms: bool = True
    whitening: bool = True


SHIPPED = Recipe()


class NotEnoughDataError(VibroError):
    """No channel of a site and class has enough vectors in any state."""


@dataclass(frozen=True, slots=True)
class _Table:
    """Rows of one path, pooled over channels, with the channel-and-state key of each.

    ``blocks`` numbers stretches of time of a key, ``logs`` tells which features are logarithms.
    """

    rows: Floats
    keys: NDArray[np.int64]
    blocks: NDArray[np.int64]
    names: tuple[str, ...]
    logs: Logs
    whitened: bool

    def scaling(self, take: NDArray[np.bool_]) -> list[Scaling]:
        """Scaling of every key from the rows taken."""
        return [
            robust_scaling(self.rows[take & (self.keys == k)], self.logs)
            for k in range(len(self.names))
        ]

    def standardised(self, scaling: list[Scaling], take: NDArray[np.bool_]) -> Floats:
        """Rows taken, each by its key's scaling."""
        center = np.stack([s.center for s in scaling])[self.keys[take]]
        scale = np.stack([s.scale for s in scaling])[self.keys[take]]
        return Scaling(center, scale).deviations(self.rows[take], self.logs)


def robust_scaling(rows: Floats, logs: Logs) -> Scaling:
    """Median and spread of every feature's level, from the rows in which it is defined.

    The spread is 1.4826 times the median absolute deviation, but at least a quarter of the
    standard deviation and 1e-4 of the median's size: a feature that hardly ever moved is not
    made infinitely sensitive. A feature that never moved (undefined lines are constant) gets 1.
    """
    x = levels(rows, logs)
    x[:, np.isnan(x).all(axis=0)] = 0.0
    center = np.nanmedian(x, axis=0)
    mad = 1.4826 * np.nanmedian(np.abs(x - center), axis=0)
    spread = np.maximum(np.maximum(mad, 0.25 * np.nanstd(x, axis=0)), 1e-4 * np.abs(center))
    return Scaling(
        center.astype(np.float32), np.where(spread > 1e-12, spread, 1.0).astype(np.float32)
    )


def whitening(standardised: Floats, whitened: bool = True) -> Geometry:
    """Principal axes scaled to unit variance, with Ledoit-Wolf-like shrinkage to the diagonal.

    The covariance is shrunk by n_features / (n_features + rows) towards the identity, so that
    with few rows no direction is believed to be quieter than it may be. Without ``whitened`` the
    features only keep their own deviations.
    """
    x = np.clip(standardised.astype(np.float64), -8.0, 8.0)
    mean = x.mean(axis=0)
    n, d = x.shape
    weight = d / (d + n)
    cov = (1.0 - weight) * np.cov(x, rowvar=False) + weight * np.eye(d)
    values, axes = np.linalg.eigh(cov if whitened else np.diag(np.diag(cov)))
    matrix = axes / np.sqrt(np.maximum(values, 1e-6))
    return Geometry(mean.astype(np.float32), matrix.astype(np.float32))


def _forest(codes: Floats, trees: int, seed: int) -> IsolationForest:
    model = IsolationForest(
        n_estimators=trees, max_samples=min(SUBSAMPLE, len(codes)), random_state=seed, n_jobs=1
    )
    # Codes are finite and the arguments ours; per tree the checks cost as much as the tree.
    with config_context(assume_finite=True, skip_parameter_validation=True):
        return model.fit(codes)


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """Statistics of every row by a model that did not see the fold of time it stands in."""

    score: NDArray[np.float64]
    radius: NDArray[np.float64]

    def lasting(self, table: _Table) -> dict[str, Lasting]:
        """Levels of the blocks of every key that has enough of them."""
        log = np.log(np.maximum(self.radius, LEAST_RADIUS))
        found = {}
        for k, name in enumerate(table.names):
            mine = table.keys == k
            sums, counts = (np.bincount(table.blocks[mine], w) for w in (log[mine], None))
            lasting = fit_lasting(sums[counts > 0] / counts[counts > 0])
            if lasting is not None:
                found[name] = lasting
        return found


def _held_out(table: _Table, seed: int) -> _HeldOut:
    fold = np.zeros(len(table.rows), np.int64)
    for k in range(len(table.names)):
        mine = table.keys == k
        _, rank = np.unique(table.blocks[mine], return_inverse=True)
        fold[mine] = rank * FOLDS // (rank.max() + 1)
    scores, radii = np.zeros(len(fold)), np.zeros(len(fold))
    for f in range(FOLDS):
        test = fold == f
        scaling = table.scaling(~test)
        rows = table.standardised(scaling, ~test)
        geometry = whitening(rows, table.whitened)
        model = from_estimator(_forest(geometry.codes(rows), FOLD_TREES, seed + f))
        codes = geometry.codes(table.standardised(scaling, test))
        scores[test], radii[test] = score(model, codes), codes[:, -1]
    return _HeldOut(scores, radii)


def _fit_path(table: _Table, seed: int) -> tuple[PathModel, Floats]:
    everything = np.ones(len(table.rows), bool)
    scaling = table.scaling(everything)
    rows = table.standardised(scaling, everything)
    geometry = whitening(rows, table.whitened)
    codes = geometry.codes(rows)
    forest = from_estimator(_forest(codes, TREES, seed))
    held = _held_out(table, seed)
    blocks = table.keys * (table.blocks.max() + 1) + table.blocks
    model = PathModel(
        forest,
        geometry,
        fit_tail(held.score, blocks),
        fit_tail(held.radius, blocks),
        dict(zip(table.names, scaling, strict=True)),
        table.logs,
        held.lasting(table),
    )
    return model, codes[:: max(1, len(codes) // GOLDEN)][:GOLDEN]


def _pool(vectors: Vectors, blocks: Blocks, path: int, recipe: Recipe) -> _Table:
    chosen = [(k, v[path]) for k, v in vectors.items() if len(v[path]) >= LEAST_ROWS]
    if not chosen:
        raise NotEnoughDataError(
            f"no channel has {LEAST_ROWS} sampled vectors in one state yet: wait for more"
        )
    names = (FAST_NAMES, LONG_NAMES)[path]
    return _Table(
        np.concatenate([rows for _, rows in chosen]).astype(np.float32),
        np.repeat(np.arange(len(chosen)), [len(rows) for _, rows in chosen]),
        np.concatenate(
            [blocks[k][path] if k in blocks else np.arange(len(v)) // BLOCK for k, v in chosen]
        ),
        tuple(f"{channel}|{state}" for (channel, state), _ in chosen),
        np.array([recipe.logarithms and name in LOG_NAMES for name in names]),
        recipe.whitening,
    )


def train(
    site: str,
    machine_class: str,
    vectors: Vectors,
    *,
    seed: int,
    version: str,
    created_ns: int,
    blocks: Blocks | None = None,
    meta: Mapping[str, Any] | None = None,
    recipe: Recipe = SHIPPED,
) -> Bundle:
    """Train one bundle.

    Parameters
    ----------
    vectors : mapping of (ChannelPath, state) to (fast, long)
        Sampled healthy vectors in order of time, float32 of shapes (n, n_fast), (m, n_long).
    seed : int
        Fixes every random choice: the same vectors give the same bundle.
    version : str
        Name of the bundle, unique within its site and class.
    blocks : mapping of (ChannelPath, state) to (fast, long), optional
        Number of the block that each vector belongs to, rising from 0; default four in a row.
    meta : mapping, optional
        JSON-able facts kept in the bundle (training range, parent version).
    recipe : Recipe, optional
        Only evaluation asks for another than the shipped one.

    Raises
    ------
    NotEnoughDataError
        If no channel has enough vectors.
    """
    tables = {
        name: _pool(vectors, blocks or {}, i, recipe) for i, name in enumerate(("fast", "long"))
    }
    fitted = {name: _fit_path(table, seed) for name, table in tables.items()}
    codes = {name: golden for name, (_, golden) in fitted.items()}
    models = {name: model for name, (model, _) in fitted.items()}
    return Bundle(
        site=site,
        machine_class=machine_class,
        version=version,
        created_ns=created_ns,
        schema_hash=SCHEMA_HASH,
        fast=models["fast"],
        long=models["long"],
        golden_codes=codes,
        golden_scores={n: score(models[n].forest, c) for n, c in codes.items()},
        metrics={f"{n}_rows": len(t.rows) for n, t in tables.items()},
        lineage={"seed": seed, "trees": TREES, "subsample": SUBSAMPLE},
        meta=dict(meta or {}),
    )
