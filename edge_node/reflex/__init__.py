"""The reflex: blocks of 20 ms against limits on the node itself, and an action.

Advisory, not a safety function: API 670 (machinery protection) and SIL (IEC 61508) are out of its
scope, and nothing here replaces a trip system. Outputs are dry runs until ``armed = true`` says
otherwise. An action runs on a thread of its own behind a bounded queue, so that one that hangs
delays neither samples nor decisions; what did not fit in the queue is counted.
"""

from edge_node.reflex.actions import RunProgram, action_of, dry_run, mistakes
from edge_node.reflex.actuator import QUEUED, Action, Actuator, Later
from edge_node.reflex.blocks import Reflex, Trip

__all__ = [
    "QUEUED",
    "Action",
    "Actuator",
    "Later",
    "Reflex",
    "RunProgram",
    "Trip",
    "action_of",
    "dry_run",
    "mistakes",
]
