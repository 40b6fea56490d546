"""How every numba kernel of Vibro is compiled."""

from __future__ import annotations

from typing import Any

FASTMATH = frozenset({"contract", "arcp", "nsz", "reassoc"})
"""Reassociation and fused multiply-add, but never the flags that assume NaN or infinity away."""

KERNEL: dict[str, Any] = {"cache": True, "fastmath": set(FASTMATH), "error_model": "numpy"}
"""An entry point: compiled once a machine, then loaded from numba's cache."""

EXACT: dict[str, Any] = {"cache": True, "error_model": "numpy"}
"""An entry point that adds in the order in which it is written, whatever the number of values."""

INLINE: dict[str, Any] = {
    "fastmath": set(FASTMATH),
    "error_model": "numpy",
    "forceinline": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
"""A piece of a kernel: inlined, so that sizes known to the caller are constants in it.

It has no entry from Python and no cache of its own: its callers carry it.
"""

CALLED: dict[str, Any] = {
    "fastmath": set(FASTMATH),
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
"""A piece of a kernel that is called from several places: compiled once instead of inlined."""
