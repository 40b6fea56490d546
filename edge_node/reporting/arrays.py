"""Arrays of a checkpoint as text: bit for bit, without writing out every number's digits.

A commit comes every few seconds and takes thousands of sums with it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def packed(values: NDArray[np.floating]) -> dict[str, Any]:
    """JSON-able form of an array."""
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return {
        "shape": list(values.shape),
        "type": little.dtype.str,
        "base64": base64.b64encode(little.tobytes()).decode(),
    }


def unpacked(held: Mapping[str, Any] | Sequence[Any], kind: DTypeLike) -> NDArray[Any]:
    """Array of a type again; an older checkpoint has lists of numbers."""
    if not isinstance(held, Mapping):
        return np.array(held, kind)
    values = np.frombuffer(base64.b64decode(held["base64"]), held["type"])
    return values.astype(kind).reshape(held["shape"])
