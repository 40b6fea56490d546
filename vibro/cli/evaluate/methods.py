"""Which detectors are measured: ours as it is shipped, and peers on the same windows."""

from __future__ import annotations

from vibro.cli.evaluate.ours import Ours
from vibro.cli.evaluate.peers import Level, PerChannel, isolation_forest, ledoit_wolf
from vibro.evaluation import Method


def all_methods() -> dict[str, Method]:
    """Fresh detectors by name, ours first."""
    return {
        "vibro": Ours(),
        "rms": Level("rms"),
        "kurtosis": Level("kurtosis"),
        "isolation_forest": PerChannel(isolation_forest, log=False),
        "mahalanobis": PerChannel(ledoit_wolf, log=True),
    }
