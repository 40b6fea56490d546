"""Source ``simulator``: one machine of the physics simulator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge_node.sources.kinds import RecordedKind
from edge_node.sources.pace import pace_of
from edge_node.sources.port import Pace, Seekable
from vibro.assets import Machine
from vibro.options import option
from vibro.records import SampleBlock, StreamInfo

if TYPE_CHECKING:
    from edge_node.config import NodeConfig
    from vibro.simulate import Scenario


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """One machine of the physics simulator, that gets a fault after a healthy start."""

    seed: int = option(0, "", "Seed of the simulated scenario.", low=0)
    duration_s: float = option(600.0, "s", "Length of the simulated scenario.", low=1)
    commissioning_s: float = option(240.0, "s", "Healthy start of the scenario.", low=0)


class SimulatorSource(Seekable):
    """Samples of a simulated machine; any stretch renders the same whenever it is asked for."""

    def __init__(
        self,
        machine: Machine,
        scenario: Scenario,
        *,
        t0_ns: int,
        block_s: float,
        pace: Pace,
    ) -> None:
        from vibro.simulate import SimulatedMachine  # noqa: PLC0415 (checks need only the options)

        self._machine = SimulatedMachine(machine, scenario)
        info: StreamInfo = replace(self._machine.info, stream_epoch=t0_ns)
        super().__init__(
            info,
            t0_ns,
            round(scenario.duration_s * info.rate_hz),
            max(1, round(block_s * info.rate_hz)),
            pace,
        )

    def _render(self, first: int, n: int) -> SampleBlock:
        counts, rpm = self._machine.render(first, n)
        return SampleBlock(first, self.time_of(first), counts, rpm)


def _open(config: NodeConfig, machine: Machine, now_ns: int) -> SimulatorSource:
    from vibro.simulate import demo_scenario  # noqa: PLC0415 (as above)

    section, options = config.source, config.source_options
    return SimulatorSource(
        machine,
        demo_scenario(options.seed, options.duration_s, options.commissioning_s),
        t0_ns=section.t0_ns or now_ns,
        block_s=section.block_s,
        pace=pace_of(config),
    )


def _mistakes(options: SimulatorOptions, folder: Path) -> list[str]:
    del folder
    if options.duration_s - options.commissioning_s >= 1.0:
        return []
    return [
        f"source.commissioning_s = {options.commissioning_s:g} s must end at least 1 s before "
        f"duration_s = {options.duration_s:g} s"
    ]


KIND = RecordedKind(SimulatorOptions, _open, _mistakes)
