"""The nightly job of one site and machine class, from the lake to a gated bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloud_jobs.retrain.gate import GateResult, gate
from cloud_jobs.retrain.train import LEAST_ROWS, Vectors, train
from vibro.bundle import Bundle

HOLDOUT_SHARE = 0.2


def split(vectors: Vectors, share: float = HOLDOUT_SHARE) -> tuple[Vectors, Vectors]:
    """Keep the newest share of every channel's vectors back for the gate."""
    older: dict[Any, Any] = {}
    newer: dict[Any, Any] = {}
    for key, paths in vectors.items():
        cuts = [round(len(rows) * (1.0 - share)) for rows in paths]
        older[key] = tuple(rows[:cut] for rows, cut in zip(paths, cuts, strict=True))
        newer[key] = tuple(rows[cut:] for rows, cut in zip(paths, cuts, strict=True))
    return older, newer


def retrain(
    site: str,
    machine_class: str,
    vectors: Vectors,
    *,
    seed: int,
    version: str,
    created_ns: int,
    meta: Mapping[str, Any] | None = None,
) -> tuple[Bundle, GateResult]:
    """Train on the older vectors, gate on the newest, then train on all of them.

    The bundle that is published has seen everything; the gate judged its twin that had not seen
    the newest vectors, which is the honest question.
    """
    older, newer = split(vectors)
    options: dict[str, Any] = {"seed": seed, "version": version, "created_ns": created_ns}
    verdict = gate(train(site, machine_class, older, **options), newer)
    bundle = train(
        site,
        machine_class,
        vectors,
        **options,
        meta={**(meta or {}), "gate": verdict.metrics},
    )
    return bundle, verdict


def enough(vectors: Vectors) -> Sequence[str]:
    """Channel-and-state pairs that have enough vectors for a baseline."""
    return [f"{c}|{s}" for (c, s), paths in vectors.items() if min(map(len, paths)) >= LEAST_ROWS]
