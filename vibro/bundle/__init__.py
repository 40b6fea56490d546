"""The model bundle: everything an edge node needs to judge, in one verified file."""

from vibro.bundle.format import decode, encode
from vibro.bundle.model import Bundle, Geometry, PathModel, Scaling, check_golden
from vibro.bundle.scorer import Scorer

__all__ = [
    "Bundle",
    "Geometry",
    "PathModel",
    "Scaling",
    "Scorer",
    "check_golden",
    "decode",
    "encode",
]
