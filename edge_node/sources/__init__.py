"""Where samples come from; every source is behind the small port in `edge_node.sources.port`."""

from __future__ import annotations

from edge_node.config import NodeConfig
from edge_node.sources.port import AsFastAsPossible, Pace, PlantClock, Source, WallClock
from vibro.assets import Machine

__all__ = ["open_source"]


def open_source(config: NodeConfig, machine: Machine, now_ns: int) -> Source:
    """Open the source that a configuration names; ``now_ns`` dates a stream that has no date."""
    section = config.source
    paces: dict[str, Pace] = {
        "fast": AsFastAsPossible(),
        "real": WallClock(),
        "clock": PlantClock(config.path(section.clock)),
    }
    pace, t0_ns = paces[section.pace], section.t0_ns or now_ns
    if section.kind == "simulator":
        from edge_node.sources.simulator import SimulatorSource  # noqa: PLC0415 (loads numba)
        from vibro.simulate import demo_scenario  # noqa: PLC0415

        scenario = demo_scenario(section.seed, section.duration_s, section.commissioning_s)
        return SimulatorSource(machine, scenario, t0_ns=t0_ns, block_s=section.block_s, pace=pace)
    from edge_node.sources.replay import ReplaySource  # noqa: PLC0415 (readers load when needed)

    files = [config.path(f) for f in section.files]
    return ReplaySource(
        machine, files, rate_hz=section.rate_hz, t0_ns=t0_ns, block_s=section.block_s, pace=pace
    )
