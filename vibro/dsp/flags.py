"""How every numba kernel of Vibro is compiled."""

from __future__ import annotations

from typing import Any

FASTMATH = frozenset({"contract", "arcp", "nsz", "reassoc"})
"""Reassociation and fused multiply-add, but never the flags that assume NaN or infinity away."""

KERNEL: dict[str, Any] = {"cache": True, "fastmath": set(FASTMATH), "error_model": "numpy"}
"""An entry point: compiled once a machine, then loaded from numba's cache."""

INLINE: dict[str, Any] = {
    "cache": True,
    "fastmath": set(FASTMATH),
    "error_model": "numpy",
    "forceinline": True,
}
"""A piece of a kernel: inlined, so that sizes known to the caller are constants in it."""
