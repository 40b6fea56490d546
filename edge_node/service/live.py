"""What a running process knows of its nodes, and whether all is well.

Whether it is well is judged by what happened: when the loop last went round, when a source last
said something, until when samples were judged, how long a commit has been waiting for the disk.
A link that is down for days is no illness: it is what the spool is for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edge_node.service.facts import status
from vibro.errors import VibroError

if TYPE_CHECKING:
    from edge_node.host import Host
    from edge_node.hosted import HostedNode

LOOP_S = 5.0
"""A turn of the loop that takes longer hangs."""
SILENT_S = 5.0
"""Time beyond two blocks for which a source in real time may say nothing, or its samples wait."""
COMMIT_S = 10.0
"""A commit that waits longer for the disk hangs."""


def process_facts(host: Host, now_s: float, now_ns: int) -> dict[str, Any]:
    """Facts of a process and its nodes; may be asked for from any thread.

    Parameters
    ----------
    now_s : float
        Monotonic time.
    now_ns : int
        Time of day, UTC.

    Returns
    -------
    dict
        ``pid``, ``t_ns``, ``up_s``, ``loop_age_s`` (since the loop went round), ``nodes``,
        ``ill`` (sentences; empty when all is well).
    """
    since_s = host.looped_s
    nodes = [
        _from_files(hosted) | node_facts(hosted, since_s, now_s, now_ns) for hosted in host.nodes
    ]
    loop_age_s = now_s - host.turned_s
    return {
        "pid": os.getpid(),
        "t_ns": now_ns,
        "up_s": now_s - host.began_s,
        "loop_age_s": loop_age_s,
        "nodes": nodes,
        "ill": list(ailments(loop_age_s, nodes).values()),
    }


def _from_files(hosted: HostedNode) -> dict[str, Any]:
    try:
        return status(hosted.config) | {"unread": ""}
    except VibroError as error:
        return {"unread": str(error)}


def node_facts(hosted: HostedNode, since_s: float, now_s: float, now_ns: int) -> dict[str, Any]:
    """Facts of one node that only its process knows; cheap, no file is read.

    Parameters
    ----------
    since_s, now_s : float
        Monotonic time when the loop began, and now.
    now_ns : int
        Time of day, UTC.
    """
    node, shipper = hosted.node, hosted.shipper
    link = shipper.link.facts()
    begun, real = node.now_ns > 0, hosted.real and not hosted.closed
    return {
        "node": hosted.config.node.id,
        "machine": hosted.machine.path,
        "finished": hosted.closed,
        "bundle": node.bundle_version,
        "bundles_refused": len(hosted.refused),
        "until_ns": node.now_ns if begun else None,
        "lag_s": max(0.0, (now_ns - node.now_ns) * 1e-9) if real and begun else None,
        "quiet_s": min(hosted.quiet_s(now_s), now_s - since_s) if real else None,
        "patience_s": 2.0 * hosted.config.source.block_s + SILENT_S,
        "committing_s": hosted.held_up_s(now_s),
        "spool_trouble": hosted.trouble,
        "latency_us_log20": node.latencies(),
        "shipped_records": shipper.records,
        "shipped_bytes": dict(shipper.bytes_by_kind),
        "last_error": link.error,
        "link": {"state": link.state, "for_s": round(link.for_s, 1), "deaf": hosted.uplink.deaf},
        "reflex": {"trips": hosted.actuator.trips, "dropped": hosted.actuator.dropped},
        "source": node.source.facts(),
    }


def ailments(loop_age_s: float, nodes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return what is wrong with a process: a sentence for each matter."""
    if loop_age_s > LOOP_S:
        # Whatever else is old is old because of this.
        return {"loop": f"the loop has not gone round for {loop_age_s:.1f} s"}
    return {
        f"{n['node']}: {matter}": f"{n['node']}: {told}"
        for n in nodes
        for matter, told in _of_node(n)
    }


def _of_node(n: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if n["quiet_s"] is not None and n["quiet_s"] > n["patience_s"]:
        yield "source", f"the source has said nothing for {n['quiet_s']:.1f} s"
    elif n["lag_s"] is not None and n["lag_s"] > n["patience_s"]:
        yield "lag", f"samples are judged {n['lag_s']:.1f} s after they happened"
    if n["committing_s"] > COMMIT_S:
        yield "disk", f"a commit has been waiting for the disk for {n['committing_s']:.1f} s"
    if n["spool_trouble"]:
        yield "spool", f"the spool refuses writes, memory stands in: {n['spool_trouble']}"
    elif n.get("unread"):
        yield "spool", n["unread"]
