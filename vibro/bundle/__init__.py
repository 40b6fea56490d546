"""The model bundle: everything an edge node needs to judge, in one verified file."""

from vibro.bundle.format import decode, encode
from vibro.bundle.model import (
    EVERY,
    Bundle,
    Geometry,
    Logs,
    PathModel,
    Scaling,
    check_golden,
    levels,
)
from vibro.bundle.scorer import Judged, Scorer

__all__ = [
    "EVERY",
    "Bundle",
    "Geometry",
    "Judged",
    "Logs",
    "PathModel",
    "Scaling",
    "Scorer",
    "check_golden",
    "decode",
    "encode",
    "levels",
]
