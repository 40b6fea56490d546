"""Where samples come from; every source is behind the small ports `port` and `device`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_node.sources.kinds import RecordedKind, kind_of
from edge_node.sources.port import Source

if TYPE_CHECKING:
    from edge_node.acquisition import Live
    from edge_node.config import NodeConfig
    from vibro.assets import Machine

__all__ = ["open_source"]


def open_source(config: NodeConfig, machine: Machine, now_ns: int) -> Source | Live:
    """Open the source that a configuration names; a live one has yet to be started.

    Parameters
    ----------
    now_ns : int
        Dates a recorded stream that has no date.

    Raises
    ------
    VibroError
        One line: what is missing or does not fit, and the remedy.
    """
    section, kind = config.source, kind_of(config.source.kind)
    if isinstance(kind, RecordedKind):
        return kind.open_source(config, machine, now_ns)
    from edge_node.acquisition import Live  # noqa: PLC0415 (recordings need none)
    from edge_node.process_values import open_process_values  # noqa: PLC0415 (likewise)
    from edge_node.process_values.device import WithSpeed  # noqa: PLC0415 (likewise)

    device = kind.open_device(config.source_options, machine, config.folder)
    values = open_process_values(config.process_values, config.folder, config.node.id)
    return Live(
        device if values is None else WithSpeed(device, values),
        machine.channels,
        config.acquisition,
        section.block_s,
        exact=kind.exact,
    )
