"""The gate: a bundle is published only if its alarms, golden vectors and size are right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cloud_jobs.retrain.train import Vectors
from vibro.bundle import Bundle, Scorer, check_golden, decode, encode
from vibro.errors import BadInputError

MOST_BYTES = 250_000
P_JUDGED = 0.01
MOST_SHARE = 0.06
"""Share of healthy held-out vectors that may fall below p = 0.01; six times the nominal."""
MOST_OUTRIGHT = 0.002
"""Share that may fall below p = 1e-6: persistence over windows guards against the rest."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """Whether a bundle may be published, why not, and the figures."""

    passed: bool
    reasons: tuple[str, ...]
    metrics: dict[str, float]


def gate(candidate: Bundle, holdout: Vectors) -> GateResult:
    """Judge a candidate on healthy vectors that it was not trained on.

    Parameters
    ----------
    holdout : mapping of (ChannelPath, state) to (fast, long)
        The newest healthy vectors, kept back from training.
    """
    reasons: list[str] = []
    content = encode(candidate)
    metrics = {"bytes": float(len(content))}
    if len(content) > MOST_BYTES:
        reasons.append(f"{len(content)} bytes are more than {MOST_BYTES}")
    try:
        check_golden(decode(content))
    except BadInputError as error:
        reasons.append(str(error))
    for i, path in enumerate(("fast", "long")):
        p = _p_values(candidate, path, i, holdout)
        if not p.size:
            reasons.append(f"there are no held-out {path} vectors to judge it on")
            continue
        share, outright = float((p < P_JUDGED).mean()), float((p < 1e-6).mean())
        metrics |= {f"{path}_share_p01": share, f"{path}_share_p1e-6": outright}
        # With few vectors one or two may fall below by chance.
        if share > MOST_SHARE + 2.0 / p.size:
            reasons.append(f"{share:.1%} of healthy {path} vectors fall below p = 0.01")
        if outright > MOST_OUTRIGHT + 1.0 / p.size:
            reasons.append(f"{outright:.1%} of healthy {path} vectors fall below p = 1e-6")
    return GateResult(not reasons, tuple(reasons), metrics)


def _p_values(bundle: Bundle, path: str, index: int, holdout: Vectors) -> np.ndarray:
    found = []
    for (channel, state), rows in holdout.items():
        scorer = Scorer(bundle, [channel])
        for row in rows[index]:
            p = scorer.judge(path, row[None], state)[1][0]
            if p == p:
                found.append(p)
    return np.array(found)
