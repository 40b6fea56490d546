"""What `vibro edge status` shows: files first, and the running process where it answers."""

from __future__ import annotations

import http.client
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_node.config import NodeConfig, load
from edge_node.service.facts import status
from edge_node.service.lock import holder
from edge_node.uplink.link import SLOW_S
from vibro.errors import VibroError
from vibro.faults import Severity
from vibro.text import stamp

ANSWER_S = 1.0
"""A process that takes longer to answer is not waited for."""
STALE_S = 60.0
"""Files of a running node that are older are said to be."""


def found(paths: Sequence[Path], now_ns: int) -> list[dict[str, Any]]:
    """Return the facts of nodes.

    Beside those of `edge_node.service.facts.status` and, where the process answers,
    `edge_node.service.live.node_facts`: ``running`` (process id or None), ``answers``, ``age_s``
    (of the facts), ``ill`` (sentences) and ``never`` (why there are none).

    Raises
    ------
    VibroError
        If none of the nodes has ever run.
    """
    nodes = [_node(load(path), now_ns) for path in paths]
    if all(n["never"] for n in nodes):
        raise VibroError("; ".join(n["never"] for n in nodes))
    return nodes


def _node(config: NodeConfig, now_ns: int) -> dict[str, Any]:
    running = holder(config.folder)
    process = {} if running is None else _asked(config)
    mine = [n for n in process.get("nodes", []) if n["node"] == config.node.id]
    try:
        facts, never = status(config), ""
    except VibroError as error:
        name = {"node": config.node.id, "machine": f"{config.node.site}/{config.node.machine}"}
        facts, never = name, "" if mine else str(error)
    age_s = 0.0 if mine else (now_ns - facts.get("written_ns", now_ns)) * 1e-9
    return {
        **facts,
        **(mine[0] if mine else {}),
        "running": running,
        "answers": bool(mine),
        "age_s": round(max(0.0, age_s), 1),
        "ill": process.get("ill", []),
        "never": never,
    }


def _asked(config: NodeConfig) -> dict[str, Any]:
    """What the process that runs a node answers; nothing where it does not."""
    port, address = config.service.http_port, config.service.http_address
    if not port:
        return {}
    host = "127.0.0.1" if address in {"", "0.0.0.0", "::"} else address  # noqa: S104 (no binding)
    asked = http.client.HTTPConnection(host, port, timeout=ANSWER_S)
    try:
        asked.request("GET", "/status")
        answer: dict[str, Any] = json.loads(asked.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        asked.close()
    return answer


# -- for people ------------------------------------------------------------------------------------

_HEAD = (
    "NODE", "MACHINE", "PROCESS", "STATE", "RPM", "WORST", "SCORE", "LAG", "SPOOL", "FREE", "LINK",
    "MODEL",
)  # fmt: skip
_CHANNEL = ("CHANNEL", "SEVERITY", "SCORE FAST", "LONG", "VELOCITY", "JUDGED BY", "OF ITS TIME")


def table(nodes: Sequence[dict[str, Any]]) -> str:
    """Return the nodes as a table, the channels of a single one, and what there is to say."""
    lines = _aligned([_HEAD, *(_row(n) for n in nodes)])
    if len(nodes) == 1 and nodes[0].get("channels"):
        lines += ["", *_aligned([_CHANNEL, *(_channel(c) for c in nodes[0]["channels"])])]
    said = [text for n in nodes for text in _remarks(n)]
    return "\n".join([*lines, *([""] if said else []), *dict.fromkeys(said)])


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _row(n: dict[str, Any]) -> list[str]:
    process = "not running" if n["running"] is None else f"runs, {n['running']}"
    if n["never"]:
        return [n["node"], n["machine"], process, "never ran", *["-"] * (len(_HEAD) - 4)]
    channels = n.get("channels", [])
    worst = max(channels, key=_rank, default={"channel": "", "severity": None})
    where = f" {worst['channel']}" if _rank(worst) > Severity.OK else ""
    scores = [c[k] for c in channels for k in ("score_fast", "score_long") if c[k] is not None]
    return [
        n["node"],
        n["machine"],
        process,
        n.get("state") or "-",
        _figure(n.get("rpm"), ".0f"),
        f"{worst['severity'] or '-'}{where}",
        _figure(max(scores, default=None), ".2f"),
        _span(n["lag_s"]) if n.get("lag_s") is not None else "-",
        _megabytes(n.get("spool_bytes")),
        _figure(n.get("spool_headroom"), ".0%"),
        n["link"]["state"] if "link" in n else "-",
        n.get("bundle") or "learning",
    ]


def _rank(channel: dict[str, Any]) -> int:
    word = channel["severity"]
    return -1 if word is None else int(Severity[word.upper()])


def _channel(c: dict[str, Any]) -> list[str]:
    velocity = c["velocity_rms_mm_s"]
    return [
        c["channel"],
        c["severity"] or "-",
        _figure(c["score_fast"], ".3f"),
        _figure(c["score_long"], ".3f"),
        "-" if velocity is None else f"{velocity:.2f} mm/s",
        c.get("judged_by") or "-",
        _figure(c.get("judged_share"), ".1%"),
    ]


def _remarks(n: dict[str, Any]) -> list[str]:
    """What a row has no room for."""
    if n["never"]:
        return [n["never"]]
    samples = n.get("samples", {"seen": 0, "processed": 0, "lost": 0})
    said = [
        f"{n['node']}: samples {samples['seen']} seen = {samples['processed']} processed "
        f"+ {samples['lost']} lost; {_dated(n)}"
    ]
    given_up = sum(k["records"] for k in n.get("given_up", {}).values())
    if given_up:
        said.append(f"{n['node']}: gave up {given_up} records, too many or too large")
    said += _link(n)
    return said + list(n["ill"])


def _link(n: dict[str, Any]) -> list[str]:
    """What is wrong with the link, and since when, where the process says so."""
    link = n.get("link", {"state": "untried", "for_s": 0.0, "deaf": ""})
    said = []
    if n.get("last_error"):
        since = f"{link['state']} for {_span(link['for_s'])}"
        said.append(f"{n['node']}: the link is down ({since}): {n['last_error']}")
    elif link["state"] == "slow":
        said.append(f"{n['node']}: the link is slow: an answer takes more than {SLOW_S:g} s")
    if link["deaf"] not in {"", n.get("last_error")}:
        said.append(f"{n['node']}: neither models nor requests can be read: {link['deaf']}")
    return said


def _dated(n: dict[str, Any]) -> str:
    """From when the facts are."""
    if n["answers"]:
        return "samples as last committed, all else as the process says now"
    at = f"{stamp(n['written_ns'])} UTC"
    old = f"as its files said {_span(n['age_s'])} ago, {at}"
    stale = n["running"] is not None and n["age_s"] > STALE_S
    return f"{old}: it runs, but writes nothing" if stale else old


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _megabytes(size: int | None) -> str:
    return "-" if size is None else f"{size * 1e-6:.1f} MB"


def _span(seconds: float) -> str:
    for length, unit in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2.0 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s"
