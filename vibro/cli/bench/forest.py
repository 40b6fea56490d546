"""Scoring by an isolation forest: one row, a thousand, and the first one of a process."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.cli.bench import start
from vibro.cli.bench.measure import Contender, agree, case, race, repeated, target
from vibro.forest import FlatForest, from_estimator, score
from vibro.forest.score import as_score, total_length
from vibro.jit import njit

TREES, SUBSAMPLE, FEATURES, TRAIN, ROWS = 100, 256, 32, 5000, 1000
F32 = NDArray[np.float32]
Call = Callable[[F32], Callable[[], Any]]


@njit(cache=True, error_model="numpy")
def _again(row, forest, times):  # type: ignore[no-untyped-def] # as a kernel would call it
    words, floats, length, roots, depth, normaliser = forest
    found = np.float32(0.0)
    for _ in range(times):
        total = total_length(row, words, floats, length, roots, depth)
        found += as_score(total, normaliser)
    return found


def run(rounds: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """Race one row and a batch; return cases, targets and the peers that are not installed."""
    model, rows = _fitted()
    forest, truth = from_estimator(model), -model.score_samples(rows)
    agree("vibro's scores", score(forest, rows), truth, 1e-6)
    peers = {n: make for n, make in PEERS.items() if _installed(n)}
    with tempfile.TemporaryDirectory(prefix="vibro-bench-") as folder:
        calls = {name: make(model, Path(folder)) for name, make in peers.items()}
        one = _one_row(forest, calls, rows, rounds)
        batch = _batch(forest, calls, rows, rounds)
    one_us = one["vibro"]["median"]
    fastest = max(p["ratio"] for p in batch["peers"].values())
    targets = [
        target("forest_row_us", one_us, "<=", 1.5),
        target("forest_row_vs_sklearn", one["peers"]["sklearn"]["ratio"], "<=", 1 / 2000),
        target("forest_batch_vs_fastest_peer", fastest, "<=", 0.3),
        *_bundle_targets(),
    ]
    started, start_targets = start.run(rounds)
    absent = [p for p in PEERS if p not in peers]
    return [one, batch, *started], [*targets, *start_targets], absent


def _fitted() -> tuple[Any, F32]:
    """Fit on correlated Gaussian rows; a tenth of the rows to score lie three times as far out."""
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415

    rng = np.random.default_rng(0)
    mix = rng.standard_normal((FEATURES, FEATURES))
    train = (rng.standard_normal((TRAIN, FEATURES)) @ mix).astype(np.float32)
    rows = (rng.standard_normal((ROWS, FEATURES)) @ mix).astype(np.float32)
    rows[::10] *= 3.0
    model = IsolationForest(n_estimators=TREES, max_samples=SUBSAMPLE, random_state=0, n_jobs=1)
    return model.fit(train), rows


def _one_row(forest: FlatForest, calls: dict[str, Call], rows: F32, rounds: int) -> dict[str, Any]:
    row, arrays = rows[0], forest.arrays
    contenders = [Contender("vibro", lambda times: _again(row, arrays, times))]
    contenders += [Contender(n, repeated(call(rows[:1]))) for n, call in calls.items()]
    return case("one row", race(contenders, rounds))


def _batch(forest: FlatForest, calls: dict[str, Call], rows: F32, rounds: int) -> dict[str, Any]:
    contenders = [Contender("vibro", repeated(lambda: score(forest, rows)), ROWS)]
    contenders += [Contender(n, repeated(call(rows)), ROWS) for n, call in calls.items()]
    return case(f"{ROWS} rows, a row", race(contenders, rounds))


def _bundle_targets() -> list[dict[str, Any]]:
    """Size of a bundle as the nightly job makes it, on made-up vectors of four channels."""
    from cloud_jobs.retrain.train import train  # noqa: PLC0415
    from vibro.bundle import encode  # noqa: PLC0415
    from vibro.features.table import FAST_NAMES, LONG_NAMES  # noqa: PLC0415
    from vibro.records import ChannelPath  # noqa: PLC0415

    rng = np.random.default_rng(1)

    def drawn(names: tuple[str, ...]) -> F32:
        return rng.standard_normal((400, len(names))).astype(np.float32)

    vectors = {
        (ChannelPath("site", "machine", f"c{i}"), "running"): (drawn(FAST_NAMES), drawn(LONG_NAMES))
        for i in range(4)
    }
    bundle = train("site", "class", vectors, seed=0, version="bench", created_ns=0)
    return [target("bundle_bytes", float(len(encode(bundle))), "<=", 120_000)]


def _sklearn(model: Any, folder: Path) -> Call:
    del folder
    return lambda rows: lambda: model.score_samples(rows)


def _onnxruntime(model: Any, folder: Path) -> Call:
    import onnxruntime  # noqa: PLC0415
    from skl2onnx import to_onnx  # noqa: PLC0415

    del folder
    first = np.zeros((1, FEATURES), np.float32)
    content = to_onnx(model, first, target_opset={"": 18, "ai.onnx.ml": 3}).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda rows: lambda: session.run(None, {"X": rows})


def _treelite(model: Any, folder: Path) -> Call:
    import treelite  # noqa: PLC0415

    del folder
    held = treelite.sklearn.import_model(model)
    return lambda rows: lambda: treelite.gtil.predict(held, rows, nthread=1)


@contextmanager
def _chatter_to_stderr() -> Iterator[None]:
    """What native code prints to standard output goes to standard error: output may be JSON."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _tl2cgen(model: Any, folder: Path) -> Call:
    import tl2cgen  # noqa: PLC0415
    import treelite  # noqa: PLC0415

    held = treelite.sklearn.import_model(model)
    library = folder / "forest.so"
    with _chatter_to_stderr():
        tl2cgen.export_lib(held, toolchain="gcc", libpath=str(library), verbose=False)
    predictor = tl2cgen.Predictor(str(library), nthread=1)

    def ready(rows: F32) -> Callable[[], Any]:
        matrix = tl2cgen.DMatrix(rows)
        return lambda: predictor.predict(matrix)

    return ready


def _isotree(model: Any, folder: Path) -> Call:
    """Another isolation forest of the same size: its scores are its own."""
    from isotree import IsolationForest  # noqa: PLC0415

    del folder
    rng = np.random.default_rng(0)
    forest = IsolationForest(
        ntrees=model.n_estimators, sample_size=SUBSAMPLE, ndim=1, missing_action="fail",
        penalize_range=False, nthreads=1, random_seed=1,
    ).fit(rng.standard_normal((TRAIN, FEATURES)))  # fmt: skip

    def ready(rows: F32) -> Callable[[], Any]:
        wide = rows.astype(np.float64)
        return lambda: forest.predict(wide)

    return ready


PEERS = {
    "sklearn": _sklearn,
    "onnxruntime": _onnxruntime,
    "treelite": _treelite,
    "tl2cgen": _tl2cgen,
    "isotree": _isotree,
}
_NEEDS = {"onnxruntime": "skl2onnx"}


def _installed(name: str) -> bool:
    return all(importlib.util.find_spec(n) for n in (name, _NEEDS.get(name, name)))
