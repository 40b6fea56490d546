"""SIGHUP: what of a changed configuration a running node takes over, and how.

Limits, intervals and the way out change between two blocks: no sample is passed over and none is
judged twice. Whatever makes another stream of it (the source, the machine, the lengths of windows
and clips) waits for the next start, and is named.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from edge_node.config import NodeConfig
from edge_node.judging.judge import Judge
from edge_node.node import Node
from edge_node.reflex import Reflex, action_of
from edge_node.uplink.uplink import over_kafka
from vibro.forest import BLOCK

if TYPE_CHECKING:
    from edge_node.hosted import HostedNode

LIVE: dict[str, frozenset[str] | None] = {
    "limits": None,
    "reflex": None,
    "privacy": None,
    "kafka": None,
    "ship": frozenset({"transport", "log", "bundles", "region", "budget_mb_day"}),
    "reporting": frozenset({
        "status_s", "summary_s", "heartbeat_s", "clip_spacing_s", "clips_per_day", "commit_s",
    }),
}  # fmt: skip
"""Options that a running node takes over, by section; None stands for all of a section."""


def merged(old: NodeConfig, new: NodeConfig) -> tuple[NodeConfig, list[str], list[str]]:
    """Return the configuration to go on with, the options taken over, and those that must wait."""
    taken: list[str] = []
    waits: list[str] = []
    sections: dict[str, Any] = {}
    for field in fields(NodeConfig):
        name, was, now = field.name, getattr(old, field.name), getattr(new, field.name)
        if was == now:
            continue
        if not is_dataclass(now) or isinstance(now, type) or type(was) is not type(now):
            (taken if name in LIVE else waits).append(name)
            sections |= {name: now} if name in LIVE else {}
            continue
        changed = [f.name for f in fields(now) if getattr(was, f.name) != getattr(now, f.name)]
        live = _live(name, changed)
        sections[name] = replace(was, **{option: getattr(now, option) for option in live})
        told = "source" if name == "source_options" else name
        taken += [f"{told}.{option}" for option in live]
        waits += [f"{told}.{option}" for option in changed if option not in live]
    return replace(old, **sections), taken, waits


def _live(section: str, changed: list[str]) -> list[str]:
    allowed = LIVE.get(section, frozenset())
    return [name for name in changed if allowed is None or name in allowed]


@dataclass(frozen=True, slots=True)
class Changes:
    """What a node goes on with: None where it stays as it is."""

    reflex: Reflex | None
    judge: Judge | None


def prepared(node: Node, config: NodeConfig) -> Changes:
    """Make what is to be changed, so that nothing can fail half-way.

    Raises
    ------
    BadInputError
        If limits do not fit the channels.
    """
    reflex = judge = None
    if config.reflex != node.config.reflex:
        reflex = Reflex(config.reflex, node.source.info, node.source.next_sample)
    if config.limits != node.config.limits:
        block_ns = BLOCK * round(config.reporting.sample_s * 1e9)
        limits = [section.limit for section in config.limits]
        judge = Judge(node.machine, node.source.info, block_ns, limits=limits)
    return Changes(reflex, judge)


def reconfigure(hosted: HostedNode, config: NodeConfig) -> None:
    """Let a node go on with other limits, intervals and ways out, between two blocks.

    Raises
    ------
    BadInputError
        If limits do not fit the channels, or there is no action; then nothing has changed.
    """
    old = hosted.config
    hosted.settle()
    changes, action = prepared(hosted.node, config), action_of(config.reflex, config.folder)
    if config.ship != old.ship or over_kafka(config):
        # Over a broker always: the certificates may be others.
        hosted.uplink.use(config)
    if config.reflex != old.reflex:
        hosted.actuator.use(action)
    hosted.node.reconfigure(config, changes.reflex, changes.judge)
    hosted.config = config
