"""Where samples come from; every source is behind the small ports `port` and `device`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_node.sources.kinds import RecordedKind, kind_of
from edge_node.sources.port import Source

if TYPE_CHECKING:
    from edge_node.config import NodeConfig
    from vibro.assets import Machine

__all__ = ["open_source"]


def open_source(config: NodeConfig, machine: Machine, now_ns: int) -> Source | None:
    """Open the recorded source that a configuration names; None where the source is live.

    Parameters
    ----------
    now_ns : int
        Dates a stream that has no date.
    """
    kind = kind_of(config.source.kind)
    if not isinstance(kind, RecordedKind):
        return None
    return kind.open_source(config, machine, now_ns)
