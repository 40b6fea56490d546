"""What a bundle holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.errors import BadInputError
from vibro.forest import FlatForest, Lasting, Tail, score

Floats = NDArray[np.float32]
Logs = NDArray[np.bool_]


def levels(rows: Floats, logs: Logs) -> Floats:
    """Values as they are standardised: logarithms where features span decades.

    Parameters
    ----------
    rows : ndarray of float32, shape (..., features)
    logs : ndarray of bool, shape (features,)
        Columns of which the logarithm counts. What is not positive there is a feature that is not
        defined (see `vibro.features.table`) and becomes NaN.
    """
    return np.where(logs & (rows <= 0.0), np.nan, np.where(logs, _ln(rows), rows))


def _ln(rows: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(rows, np.finfo(np.float32).tiny)), np.float32)


EVERY = "*/*/*"
"""Channel path that stands for every channel of a class, in a prior of the fleet."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """Centre and robust scale of every feature's level for one channel in one state, float32."""

    center: Floats
    scale: Floats

    def deviations(self, rows: Floats, logs: Logs) -> Floats:
        """Deviations of rows in robust standard deviations; 0 for what is not defined."""
        z = (levels(rows, logs) - self.center) / self.scale
        return np.asarray(np.nan_to_num(z, nan=0.0, posinf=np.inf, neginf=-np.inf), np.float32)

    def usual(self, logs: Logs) -> Floats:
        """Usual value of every feature, in its own unit."""
        return np.where(logs, np.exp(self.center), self.center)


@dataclass(frozen=True, slots=True)
class Geometry:
    """Whitening: standardised features -> ``(x - mean) @ matrix``, then their norm appended.

    An isolation forest cuts along axes and sees nothing beyond its training box; on whitened
    coordinates correlated features lose their shadow, and the norm (a Mahalanobis distance) keeps
    telling how far out a point is.
    """

    mean: Floats
    matrix: Floats

    def codes(self, standardised: Floats) -> Floats:
        """Feature codes that the forest reads, shape (n, features + 1), float32."""
        z = (standardised - self.mean) @ self.matrix
        radius = np.sqrt((z.astype(np.float64) ** 2).mean(axis=1, keepdims=True))
        return np.concatenate([z, radius.astype(np.float32)], axis=1)


@dataclass(frozen=True, slots=True)
class PathModel:
    """One path's forest with its geometry, calibration and scaling.

    ``scaling`` and ``lasting`` are by ``channel path|state``: a pair that training never saw is
    not judged, and blocks only where training saw enough of them. ``logs`` (bool, one a feature)
    tells which features are standardised by their logarithm.
    """

    forest: FlatForest
    geometry: Geometry
    score_tail: Tail
    radius_tail: Tail
    scaling: dict[str, Scaling]
    logs: Logs
    lasting: dict[str, Lasting]


@dataclass(frozen=True, slots=True)
class Bundle:
    """One model of one site and machine class.

    Attributes
    ----------
    schema_hash : str
        Feature schema it was trained on.
    golden_codes, golden_scores : dict of path to ndarray
        Feature codes and the scores that every CPU must give them.
    metrics, lineage, meta : dict
        JSON-able facts: training range and rows, gate figures, parent version, kinematics.
    """

    site: str
    machine_class: str
    version: str
    created_ns: int
    schema_hash: str
    fast: PathModel
    long: PathModel
    golden_codes: dict[str, Floats]
    golden_scores: dict[str, Floats]
    metrics: dict[str, Any] = field(default_factory=dict)
    lineage: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def is_prior(self) -> bool:
        """Whether it was trained on a fleet as if it were one channel, see `EVERY`."""
        return any(key.startswith(f"{EVERY}|") for key in self.fast.scaling)

    @property
    def unproven(self) -> dict[str, list[str]]:
        """Why the baseline of a ``channel path|state`` is not trusted yet."""
        held = self.meta.get("unproven", {})
        return held if isinstance(held, dict) else {}

    def path(self, name: str) -> PathModel:
        """Model of the ``fast`` or the ``long`` path."""
        return self.fast if name == "fast" else self.long


def check_golden(bundle: Bundle) -> None:
    """Score the golden vectors here and compare.

    Raises
    ------
    BadInputError
        If a score differs by more than 1e-6: this CPU or build must not run the bundle.
    """
    for name, codes in bundle.golden_codes.items():
        here = score(bundle.path(name).forest, codes)
        # Written so that a NaN on either side is a difference.
        if not (np.abs(here - bundle.golden_scores[name]) <= 1e-6).all():
            raise BadInputError(
                f"bundle {bundle.version}: golden vectors of the {name} path score differently here"
            )
