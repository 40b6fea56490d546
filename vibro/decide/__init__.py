"""Decision rules: when a run of windows is an event, how bad it is and when it is over."""

from vibro.decide.blocks import Block, BlockLevels
from vibro.decide.channel import Change, ChannelDecider, Window
from vibro.decide.rules import DecisionRules
from vibro.decide.suspects import FastSuspects

__all__ = [
    "Block",
    "BlockLevels",
    "Change",
    "ChannelDecider",
    "DecisionRules",
    "FastSuspects",
    "Window",
]
