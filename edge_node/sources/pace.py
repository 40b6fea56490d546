"""The pace that a configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_node.sources.port import AsFastAsPossible, Pace, PlantClock, WallClock

if TYPE_CHECKING:
    from edge_node.config import NodeConfig


def pace_of(config: NodeConfig) -> Pace:
    """Return how fast a recorded source may go."""
    if config.source.pace == "clock":
        return PlantClock(config.path(config.source.clock))
    return WallClock() if config.source.pace == "real" else AsFastAsPossible()
