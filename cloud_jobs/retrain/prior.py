"""The fleet's prior of a machine class: what judges a machine before it has a baseline of its own.

All machines are trained on as if they were one channel: the scale of every feature holds their
differences, the whitening their correlations, and folds are machines, so that a p-value is what a
machine gets that training has not seen. It is coarse, and meant to be: see
`edge_node/judging/learning.py`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cloud_jobs.retrain.train import FOLDS, LEAST_ROWS, NotEnoughDataError, Vectors, train
from vibro.bundle import EVERY, Bundle
from vibro.decide import UNJUDGED
from vibro.records import ChannelPath

Floats = NDArray[np.float32]
LEAST_MACHINES = FOLDS
"""Every fold must hold a machine that the others do not."""
MOST_ROWS = 120
"""Vectors of one channel: none is heard more than others because it has run longer."""


def train_prior(
    machine_class: str, vectors: Vectors, *, seed: int, version: str, created_ns: int
) -> Bundle:
    """Train the prior of a class on the vectors of its machines at all sites.

    Parameters
    ----------
    vectors : mapping of (ChannelPath, state) to (fast, long)
        Trusted vectors only, see `cloud_jobs.retrain.trust`.

    Raises
    ------
    NotEnoughDataError
        If no state was seen at `LEAST_MACHINES` machines.
    """
    everyone = ChannelPath(*EVERY.split("/"))
    pooled, blocks = {}, {}
    for state in sorted({s for _, s in vectors} - UNJUDGED):
        mine = [(c, v) for (c, s), v in sorted(vectors.items()) if s == state]
        mine = [(c, v) for c, v in mine if min(map(len, v)) >= LEAST_ROWS]
        machines = sorted({c.machine_path for c, _ in mine})
        if len(machines) < LEAST_MACHINES:
            continue
        parts = [(machines.index(c.machine_path), [_thinned(rows) for rows in v]) for c, v in mine]
        key = (everyone, state)
        fast, long = (np.concatenate([v[i] for _, v in parts]) for i in (0, 1))
        pooled[key] = (fast, long)
        of_fast, of_long = (
            np.repeat([m for m, _ in parts], [len(v[i]) for _, v in parts]) for i in (0, 1)
        )
        blocks[key] = (of_fast, of_long)
    if not pooled:
        raise NotEnoughDataError(
            f"no state of class {machine_class} was seen at {LEAST_MACHINES} machines yet"
        )
    return train(
        "*",
        machine_class,
        pooled,
        seed=seed,
        version=version,
        created_ns=created_ns,
        blocks=blocks,
    )


def _thinned(rows: Floats) -> Floats:
    """At most `MOST_ROWS` rows, evenly over time."""
    if len(rows) <= MOST_ROWS:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MOST_ROWS).astype(np.int64)]
