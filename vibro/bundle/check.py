"""What arrays of a bundle must be to each other before any kernel may walk them.

The kernels test no bounds, so a forest that points outside itself must never reach them.
"""

from __future__ import annotations

import numpy as np

from vibro.bundle.model import Bundle, PathModel
from vibro.errors import BadInputError
from vibro.forest import FlatForest, Tail

MOST_DEPTH = 64
_FOREST_TYPES = {
    "feature": np.int16,
    "threshold": np.float32,
    "left": np.int32,
    "length": np.float32,
    "roots": np.int32,
}


def check_bundle(bundle: Bundle) -> None:
    """Hold a bundle's arrays against each other.

    Raises
    ------
    BadInputError
        Naming the path and what does not fit.
    """
    for name in ("fast", "long"):
        model = bundle.path(name)
        problem = (
            _forest_problem(model.forest)
            or _model_problem(model)
            or _golden_problem(bundle, name, model.forest.features)
        )
        if problem:
            raise BadInputError(f"bundle: the {name} {problem}")


def _forest_problem(forest: FlatForest) -> str:
    for name, dtype in _FOREST_TYPES.items():
        array = getattr(forest, name)
        if array.dtype != dtype or array.ndim != 1 or array.size == 0:
            return f"forest's {name} is not a vector of {np.dtype(dtype)}"
    nodes = forest.left.size
    if {forest.feature.size, forest.threshold.size, forest.length.size} != {nodes}:
        return "forest's arrays are not of one length"
    # A walk goes to ``left`` or the node after it; a threshold of +inf is never exceeded.
    reach = forest.left.astype(np.int64) + (forest.threshold < np.inf)
    lowest = min(forest.left.min(), forest.roots.min())
    if lowest < 0 or max(reach.max(), forest.roots.max()) >= nodes:
        return "forest points outside itself"
    if not 0 <= forest.feature.min() <= forest.feature.max() < forest.features:
        return "forest reads features that do not exist"
    if not (1 <= forest.depth <= MOST_DEPTH and 0.0 < forest.normaliser < np.inf):
        return f"forest has depth {forest.depth} and normaliser {forest.normaliser:g}"
    return ""


def _model_problem(model: PathModel) -> str:
    mean, matrix = model.geometry.mean, model.geometry.matrix
    width = mean.size
    if mean.shape != (width,) or matrix.shape != (width, model.forest.features - 1):
        return f"geometry of {mean.shape} and {matrix.shape} does not fit its forest"
    arrays = {"mean": mean, "matrix": matrix}
    if odd := [name for name, a in arrays.items() if a.dtype != np.float32]:
        return f"geometry's {odd[0]} is not float32"
    if not (np.isfinite(mean).all() and np.isfinite(matrix).all()):
        return "geometry is not finite"
    if not (_is_tail(model.score_tail) and _is_tail(model.radius_tail)):
        return "calibration does not rise"
    return _channel_problem(model, width)


def _channel_problem(model: PathModel, width: int) -> str:
    for name, scaling in model.scaling.items():
        if scaling.center.shape != (width,) or not (scaling.scale > 0.0).all():
            return f"scaling of '{name}' does not fit its geometry"
        if not (np.isfinite(scaling.center).all() and np.isfinite(scaling.scale).all()):
            return f"scaling of '{name}' is not finite"
    for name, lasting in model.lasting.items():
        values = (lasting.center, lasting.scale, lasting.effective_n)
        if not np.isfinite(values).all() or lasting.scale <= 0.0 or lasting.effective_n < 2.0:
            return f"calibration of blocks of '{name}' is not one"
    return ""


def _is_tail(tail: Tail) -> bool:
    rising = tail.knots.ndim == 1 and tail.knots.size > 1 and (np.diff(tail.knots) >= 0.0).all()
    floats = tail.knots.dtype == tail.p.dtype == np.float64
    return bool(
        rising and floats and tail.p.shape == tail.knots.shape and 0.0 < tail.scale < np.inf
    )


def _golden_problem(bundle: Bundle, name: str, features: int) -> str:
    codes, scores = bundle.golden_codes[name], bundle.golden_scores[name]
    if codes.ndim != 2 or codes.shape[1] != features or scores.shape != codes.shape[:1]:
        return f"golden vectors of {codes.shape} and {scores.shape} do not fit its forest"
    return ""
