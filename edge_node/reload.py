"""SIGHUP: what of a changed configuration a running node takes over, and how.

Limits, intervals and the way out change between two blocks: no sample is passed over and none is
judged twice. Whatever makes another stream of it (the source, the machine, the lengths of windows
and clips) waits for the next start, and is named.
"""
# ruff: noqa: SLF001 (the parts of a node are changed here, together, and nowhere else)

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from edge_node.blocks import STATUS_ROWS
from edge_node.config import NodeConfig, ReportingSection
from edge_node.judge import Judge
from edge_node.node import Node
from edge_node.privacy import Privacy
from edge_node.reflex import Reflex, action_of
from vibro.forest import BLOCK
from vibro.log import EmbeddedLog

if TYPE_CHECKING:
    from edge_node.hosted import HostedNode

LIVE: dict[str, frozenset[str] | None] = {
    "limits": None,
    "reflex": None,
    "privacy": None,
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
    if config.ship != old.ship:
        _ship_to(hosted, config)
    if config.reflex != old.reflex:
        hosted.actuator.use(action)
    _apply(hosted.node, config, changes)
    hosted.config = config


def _ship_to(hosted: HostedNode, config: NodeConfig) -> None:
    """Ship to another log, and listen to it; what was shipped stays counted."""
    hosted._log = EmbeddedLog(config.path(config.ship.log))
    hosted._notices_read = hosted._requests_read = 0
    shipped, sizes = hosted.shipper.records, hosted.shipper.bytes_by_kind
    hosted.shipper = hosted._connected(config)
    hosted.shipper.records, hosted.shipper.bytes_by_kind = shipped, sizes
    hosted._shipped = -1


def _apply(node: Node, config: NodeConfig, changes: Changes) -> None:
    """Let a node go on with another configuration, between two blocks."""
    _intervals(node, config.reporting)
    if changes.reflex is not None:
        node._reflex = changes.reflex if changes.reflex.armed else None
    if changes.judge is not None:
        _judge_by(node._pipeline.judge, changes.judge)
    privacy = Privacy(config.privacy, config.ship.region, node.machine.region)
    node._desk._privacy = node._outbox._privacy = privacy
    node.config = config


def _judge_by(judge: Judge, other: Judge) -> None:
    """Take over another judge's limits; events that are open stay so until they clear."""
    for new, held in zip(other._deciders, judge._deciders, strict=True):
        new.restore(held.snapshot())
    judge._deciders, judge._screen = other._deciders, other._screen


def _intervals(node: Node, reporting: ReportingSection) -> None:
    """Intervals stand on the UTC grid: one that is open closes where the new grid has a line."""
    status_ns = round(reporting.status_s * 1e9)
    for path in node._pipeline._paths.values():
        path._lengths["summary"] = round(reporting.summary_s * 1e9)
    node._pipeline._status._interval_ns = status_ns
    node._outbox.waiting._patience[True] = STATUS_ROWS * status_ns
    node._accounts._heartbeat_s = reporting.heartbeat_s
    node._accounts._pulse._every_ns = round(reporting.heartbeat_s * 1e9)
    node._desk._reporting = reporting
    node._desk._rules._spacing_ns = round(reporting.clip_spacing_s * 1e9)
    node._desk._rules._per_day = reporting.clips_per_day
