"""Decision rules: when a run of windows is an event, how bad it is and when it is over."""

from vibro.decide.blocks import Block, BlockLevels
from vibro.decide.channel import Change, ChannelDecider
from vibro.decide.limits import Limit, limits_by_channel
from vibro.decide.rules import DecisionRules
from vibro.decide.signs import Window
from vibro.decide.states import (
    RUNNING,
    STOPPED,
    TRANSIENT,
    UNJUDGED,
    OperatingStates,
    StateRules,
)
from vibro.decide.suspects import FastSuspects, most_crest

__all__ = [
    "RUNNING",
    "STOPPED",
    "TRANSIENT",
    "UNJUDGED",
    "Block",
    "BlockLevels",
    "Change",
    "ChannelDecider",
    "DecisionRules",
    "FastSuspects",
    "Limit",
    "OperatingStates",
    "StateRules",
    "Window",
    "limits_by_channel",
    "most_crest",
]
