"""The machine code that a node's process runs: looked for at its start, or compiled ahead."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from vibro.bundle import Bundle, Geometry, PathModel, Scaling, Scorer, check_golden
from vibro.features.levels import exceed, levels_of
from vibro.features.setup import ChannelSetup
from vibro.features.stream import MachineFeatures
from vibro.features.table import FAST_NAMES, LONG_NAMES, SCHEMA_HASH
from vibro.forest import FlatForest, Tail, score
from vibro.jit.ahead import STAMP, default_folder, load
from vibro.jit.compiler import load_compiler

USUAL_RATE_HZ = 25600.0


def use_library() -> str:
    """Use the library of kernels if there is a fitting one; else load the compiler.

    ``VIBRO_KERNELS`` names its folder; the word ``jit`` goes without.

    Returns
    -------
    str
        Empty when it is used; else why not.
    """
    wanted = os.environ.get("VIBRO_KERNELS") != "jit"
    refused = load(default_folder()) if wanted else "VIBRO_KERNELS=jit"
    if refused:
        load_compiler()
    return refused


def refusal(why: str) -> str:
    """Say why a library that there is was not used, and what cures it; empty where there is none.

    Parameters
    ----------
    why : str
        What `use_library` returned.
    """
    if not (why and (default_folder() / STAMP).is_file()):
        return ""
    return f"kernels are compiled as they are called: {why}; `vibro edge compile` makes a new one"


def compile_library(rates_hz: Sequence[float], folder: Path | None = None) -> list[str]:
    """Compile a library for streams of some sampling rates; return what it holds.

    Raises
    ------
    VibroError
        If there is no C compiler.
    """
    from vibro.jit.build import build  # noqa: PLC0415 (numba)

    return build(folder or default_folder(), [_example(rate) for rate in rates_hz])


def first_score() -> float:
    """Score the first window of a stream with the library if it fits; what a start amounts to."""
    use_library()
    return warm_up()


def warm_up() -> float:
    """Score one window, so that the first one of a stream does not wait for machine code."""
    machine = MachineFeatures(USUAL_RATE_HZ, [ChannelSetup()])
    sweep = np.sin(1e-4 * np.arange(8192.0) ** 2).astype(np.float32)
    return _scored(machine.push(sweep[None], 1500.0).fast[0], None)


def _example(rate_hz: float) -> Callable[[], None]:
    """Run everything that a node with a stream of this rate calls."""

    def run() -> None:
        machine = MachineFeatures(rate_hz, [ChannelSetup()])
        second = np.random.default_rng(0).standard_normal((1, round(rate_hz))).astype(np.float32)
        for _ in range(8):
            batch = machine.push(second, 1500.0)
            if len(batch.fast):
                _scored(batch.fast[0], batch.long[0] if len(batch.long) else None)
                _decided(batch.fast[0])
                _reported(batch.fast[0])
        for kind in (np.int16, np.int32, np.float32):
            _heard(np.zeros((2, 8), kind), rate_hz)

    return run


def _reported(fast: np.ndarray) -> None:
    from edge_node.reporting.intervals import PathReporter, StatusReporter  # noqa: PLC0415 (no start needs it)

    PathReporter("fast", "node", 1, 1).window(0, 0, "running", fast)
    StatusReporter(1, 1).fast(0, 0, "running", True, ("score_fast",), fast[:, :1].T)


def _decided(fast: np.ndarray) -> None:
    from vibro.decide import BlockLevels, DecisionRules, FastSuspects  # noqa: PLC0415 (no start needs it)

    FastSuspects(DecisionRules(), [1.0]).of(fast, np.ones(1))
    BlockLevels("fast", 1).window(0, "running", np.ones(1))


def _heard(counts: np.ndarray, rate_hz: float) -> None:
    """Samples as a source gives them: in memory of their own, or a part of a longer stretch."""
    machine = MachineFeatures(rate_hz, [ChannelSetup()] * 2)
    levels = levels_of(np.ones(2), np.full((3, 2), np.inf))
    for block in (counts, counts[:, :4]):
        machine.push(block, 1500.0)
        exceed(block, 0, 4, True, 4, 50.0, levels)


def _scored(fast: np.ndarray, long: np.ndarray | None) -> float:
    channel = "site/machine/channel"
    bundle = _smallest(f"{channel}|running")
    check_golden(bundle)
    scorer = Scorer(bundle, [channel])
    if long is not None:
        scorer.judge("long", long, "running")
    return float(scorer.judge("fast", fast, "running")[0][0])


def _smallest(key: str) -> Bundle:
    """Smallest bundle there can be: one tree of one leaf a path."""
    models, codes = {}, {}
    for path, names in (("fast", FAST_NAMES), ("long", LONG_NAMES)):
        n = len(names)
        forest = FlatForest(
            feature=np.zeros(1, np.int16),
            threshold=np.full(1, np.inf, np.float32),
            left=np.zeros(1, np.int32),
            length=np.ones(1, np.float32),
            roots=np.zeros(1, np.int32),
            depth=1,
            features=n + 1,
            normaliser=1.0,
        )
        tail = Tail(np.array([0.0, 1.0]), np.array([1.0, 0.1]), 1.0, 10)
        zeros, ones = np.zeros(n, np.float32), np.ones(n, np.float32)
        geometry = Geometry(zeros, np.eye(n, dtype=np.float32))
        scaling, logs = {key: Scaling(zeros, ones)}, np.zeros(n, np.bool_)
        models[path] = PathModel(forest, geometry, tail, tail, scaling, logs=logs, lasting={})
        codes[path] = np.zeros((1, n + 1), np.float32)
    return Bundle(
        site="site",
        machine_class="class",
        version="example",
        created_ns=0,
        schema_hash=SCHEMA_HASH,
        fast=models["fast"],
        long=models["long"],
        golden_codes=codes,
        golden_scores={p: score(models[p].forest, c) for p, c in codes.items()},
    )
