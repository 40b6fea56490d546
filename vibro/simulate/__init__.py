"""A physics simulator of rotating machines whose every scenario carries its truth."""

from vibro.simulate.condition import Condition
from vibro.simulate.machine import SimulatedMachine
from vibro.simulate.scenario import CommonCause, Scenario, Truth, demo_scenario, plant

__all__ = [
    "CommonCause",
    "Condition",
    "Scenario",
    "SimulatedMachine",
    "Truth",
    "demo_scenario",
    "plant",
]
