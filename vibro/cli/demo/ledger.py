"""What the nodes produced against what the cloud stored: nothing lost, nothing doubled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloud_jobs.lake import Lake
    from vibro.cli.demo.result import Facts

# What makes a row of each table of the lake one of its kind.
_KEYS = {
    "status": ("site", "machine", "channel", "t0_ns"),
    "features_fast": ("site", "machine", "channel", "content", "first_sample"),
    "features_long": ("site", "machine", "channel", "content", "first_sample"),
    "clips": ("thing",),
}


def ledger(facts: Facts) -> dict[str, Any]:
    """Count records produced (from the nodes' spools) and stored, by kind.

    Returns
    -------
    dict
        ``produced`` and ``stored`` records by kind, ``missing`` (sequence numbers that never
        came), ``doubled`` (rows that the lake holds twice), ``repeats`` (records that came twice
        and were dropped), ``dead`` letters, and how often an edge process was started again.
    """
    from edge_node.config import load  # noqa: PLC0415
    from edge_node.service.facts import status  # noqa: PLC0415

    produced: dict[str, int] = {}
    for path in facts.configs:
        for lane, n in status(load(path))["produced"].items():
            kind = lane.split("/")[0]
            produced[kind] = produced.get(kind, 0) + n
    stored, missing = facts.jobs.store.received()
    return {
        "produced": dict(sorted(produced.items())),
        "stored": dict(sorted(stored.items())),
        "missing": missing,
        "doubled": sum(_doubled(facts.jobs.lake, name) for name in _KEYS),
        "repeats": facts.repeats,
        "dead": facts.dead,
        "restarts": facts.restarts,
    }


def _doubled(lake: Lake, name: str) -> int:
    keys = list(_KEYS[name])
    rows = lake.table(name, columns=keys)
    return len(rows) - len(rows.group_by(keys).aggregate([]))
