"""Which detectors are measured: ours as it is shipped, and peers on the same windows."""

from __future__ import annotations

from vibro.cli.evaluate.ours import Ours
from vibro.cli.evaluate.peers import all_peers
from vibro.evaluation import Method


def all_methods() -> dict[str, Method]:
    """Fresh detectors by name, ours first."""
    return {"vibro": Ours(), **all_peers()}
