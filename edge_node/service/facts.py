"""What a node's files say of it: read without a lock, a write, or a word to the node itself.

The node commits what it found together with a checkpoint every few seconds, so that its files are
never far behind. Facts that only the running process knows are in `edge_node.service.live`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from edge_node.config import NodeConfig
from vibro.assets import parse_register, register_text
from vibro.errors import VibroError
from vibro.faults import Severity

BUSY_S = 5.0
"""How long a reader waits while the file is being made or moved along."""


def status(config: NodeConfig) -> dict[str, Any]:
    """What a node's files say of it.

    Returns
    -------
    dict
        ``samples`` (seen, processed, lost), ``state``, ``rpm``, ``channels`` (channel, severity,
        score of each path, velocity in mm/s, ``judged_by`` and ``judged_share`` of the running
        time; None where there is none), ``bundle``, ``until_ns``
        (stream time of the newest committed sample), ``written_ns`` (when the files were last
        written), ``spool_bytes``, ``spool_max_bytes``, ``spool_headroom`` (share that is free),
        ``waiting`` (records by kind), ``oldest_ns`` (of what waits), ``produced`` and ``given_up``.

    Raises
    ------
    VibroError
        If the node has never run, or its spool cannot be read.
    """
    file = config.folder / "spool.db"
    if not file.exists():
        raise VibroError(f"node {config.node.id} has never run: {file} does not exist")
    with _reading(file) as db:
        found = _spool(db)
        rows = db.execute("SELECT content FROM checkpoint").fetchall()
    checkpoint = json.loads(rows[0][0]) if rows else {}
    most = round(config.spool.max_mb * 1e6)
    return {
        "node": config.node.id,
        "machine": f"{config.node.site}/{config.node.machine}",
        **_checkpoint(checkpoint, _channels(config)),
        "written_ns": _written_ns(file),
        "spool_max_bytes": most,
        "spool_headroom": round(max(0.0, 1.0 - found["spool_bytes"] / most), 6),
        **found,
    }


@contextmanager
def _reading(file: Path) -> Iterator[sqlite3.Connection]:
    """Open a spool to read; nothing of it is made, changed or held up."""
    # Without a write-ahead file nobody writes, and SQLite need not (and on a read-only disk could
    # not) make the shared memory that readers beside a writer need.
    alone = not file.with_name(file.name + "-wal").exists()
    uri = f"{file.absolute().as_uri()}?mode=ro" + ("&immutable=1" if alone else "")
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_S)) as db:
            yield db
    except sqlite3.Error as error:
        raise VibroError(f"spool {file}: cannot be read ({error})") from None


def _spool(db: sqlite3.Connection) -> dict[str, Any]:
    held = db.execute("SELECT bytes FROM held").fetchone()
    kinds = db.execute(
        "SELECT kind, COUNT(*), MIN(t0_ns) FROM record GROUP BY kind ORDER BY kind"
    ).fetchall()
    lanes = db.execute("SELECT kind, lane, sequence FROM lane ORDER BY kind, lane")
    lost = db.execute("SELECT kind, records, bytes FROM given_up ORDER BY kind")
    return {
        "spool_bytes": int(held[0]),
        "waiting": {kind: n for kind, n, _ in kinds},
        "oldest_ns": min((oldest for _, _, oldest in kinds), default=None),
        "produced": {f"{kind}/{lane}": sequence + 1 for kind, lane, sequence in lanes},
        "given_up": {kind: {"records": n, "bytes": size} for kind, n, size in lost},
    }


def _checkpoint(state: dict[str, Any], channels: tuple[str, ...]) -> dict[str, Any]:
    counters, judge = state.get("counters", {}), state.get("judge", {})
    last = _last_window(state)
    rpm = last.get("rpm", [])
    return {
        "samples": {k: counters.get(k, 0) for k in ("seen", "processed", "lost")},
        "state": judge.get("state"),
        "rpm": _number(rpm, 0),
        "bundle": judge.get("levels_of", ""),
        "until_ns": state.get("last_commit_ns"),
        "channels": [
            {"channel": name, "severity": _severity(judge, c), **_standing(judge, c)}
            | {k: _number(last.get(k, []), c) for k in _TOLD}
            for c, name in enumerate(channels)
        ],
    }


_TOLD = ("score_fast", "score_long", "velocity_rms_mm_s")


def _last_window(state: dict[str, Any]) -> dict[str, list[float]]:
    """Values of the newest fast window of every channel, by name."""
    held = state.get("status")
    newest = dict(zip(held["names"], held["last"], strict=True)) if held else {}
    return {**state.get("judge", {}).get("last", {}), **newest}


def _severity(judge: dict[str, Any], channel: int) -> str | None:
    """Severity of the channel's open event; ok without one, None before anything was judged."""
    deciders = judge.get("deciders", [])
    if channel >= len(deciders):
        return None
    event = deciders[channel].get("event") or {}
    return Severity(int(event.get("severity", 0))).word


def _standing(judge: dict[str, Any], channel: int) -> dict[str, Any]:
    """What judges a channel, and the share of running time in which something did."""
    standing, judged = judge.get("standing", []), judge.get("judged", [])
    if channel >= min(len(standing), len(judged)):
        return {"judged_by": None, "judged_share": None}
    running = judge.get("running", 0)
    share = round(judged[channel] / running, 4) if running else None
    return {"judged_by": standing[channel], "judged_share": share}


def _number(values: list[float], at: int) -> float | None:
    """Return a value if there is one and it is one."""
    return values[at] if at < len(values) and values[at] == values[at] else None


def _channels(config: NodeConfig) -> tuple[str, ...]:
    """Names of the machine's channels; none if the register cannot be read just now."""
    path = config.path(config.register)
    try:
        register = parse_register(register_text(path), str(path))
        machine = register.machine(f"{config.node.site}/{config.node.machine}")
    except VibroError:
        return ()
    return tuple(p.channel for p in machine.points)


def _written_ns(file: Path) -> int:
    files = [file, file.with_name(file.name + "-wal")]
    return max(f.stat().st_mtime_ns for f in files if f.exists())
