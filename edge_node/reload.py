"""SIGHUP: what of a changed configuration a running node takes over, and how.

Limits, intervals and the way out change between two blocks: no sample is passed over and none is
judged twice. Whatever makes another stream of it (the source, the machine, the lengths of windows
and clips) waits for the next start, and is named.
"""
# ruff: noqa: SLF001 (the parts of a node are changed here, together, and nowhere else)

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

from edge_node.blocks import STATUS_ROWS
from edge_node.config import NodeConfig, ReportingSection
from edge_node.node import Node
from edge_node.privacy import Privacy
from edge_node.reflex import Reflex

LIVE: dict[str, frozenset[str] | None] = {
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
    waits = [] if old.register == new.register else ["register"]
    sections: dict[str, Any] = {}
    for field in fields(NodeConfig):
        was, now = getattr(old, field.name), getattr(new, field.name)
        # Options of another kind of source: source.kind has changed as well, and is named.
        if not is_dataclass(now) or was == now or type(was) is not type(now):
            continue
        changed = [f.name for f in fields(now) if getattr(was, f.name) != getattr(now, f.name)]
        live = _live(field.name, changed)
        sections[field.name] = replace(was, **{name: getattr(now, name) for name in live})
        taken += [f"{field.name}.{name}" for name in live]
        waits += [f"{field.name}.{name}" for name in changed if name not in live]
    return replace(old, **sections), taken, waits


def _live(section: str, changed: list[str]) -> list[str]:
    allowed = LIVE.get(section, frozenset())
    return [name for name in changed if allowed is None or name in allowed]


def reflex_of(node: Node, config: NodeConfig) -> Reflex | None:
    """Return the reflex that a node goes on with: from the next block on, and none if idle.

    Raises
    ------
    BadInputError
        If the limits do not fit the channels.
    """
    if config.reflex == node.config.reflex:
        return node._reflex
    reflex = Reflex(config.reflex, node.source.info, node.source.next_sample)
    return reflex if reflex.armed else None


def apply(node: Node, config: NodeConfig, reflex: Reflex | None) -> None:
    """Let a node go on with another configuration, between two blocks."""
    _intervals(node, config.reporting)
    node._reflex = reflex
    privacy = Privacy(config.privacy, config.ship.region, node.machine.region)
    node._desk._privacy = node._outbox._privacy = privacy
    node.config = config


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
