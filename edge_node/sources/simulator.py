"""Source ``simulator``: one machine of the physics simulator."""

from __future__ import annotations

from dataclasses import replace

from edge_node.sources.port import Pace, Seekable
from vibro.assets import Machine
from vibro.records import SampleBlock, StreamInfo
from vibro.simulate import Scenario, SimulatedMachine


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
