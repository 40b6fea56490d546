"""Kernels compiled ahead of time: found, checked, and put in place without importing numba.

A library is a folder with a shared object and a stamp. It is used only if the stamp says that it
was made from these sources, for this interpreter and on this kind of processor; else the process
compiles as it goes, with the same results.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import os
import platform
import sys
from functools import cache
from pathlib import Path
from typing import Any

from vibro.jit.kernel import Kernel

STAMP, MODULE = "stamp.json", "vibro_kernels"
SOURCES = ("dsp", "features", "forest", "bundle", "jit")
"""Folders of the core from which the kernels' machine code follows."""


def default_folder() -> Path:
    """``$VIBRO_KERNELS``, else ``~/.cache/vibro/kernels``."""
    named = os.environ.get("VIBRO_KERNELS")
    return Path(named) if named else Path.home() / ".cache" / "vibro" / "kernels"


def fingerprint() -> dict[str, str]:
    """What a library must have been made from and for."""
    return {
        "sources": sources_digest(),
        "python": sys.implementation.cache_tag or platform.python_version(),
        "processor": _processor(),
    }


def load(folder: Path) -> str:
    """Put a library's code in place.

    Returns
    -------
    str
        Empty when it is used; else why not, for people.
    """
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        entries = stamp["entries"]
    except FileNotFoundError:
        return f"there is no library in {folder}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{folder / STAMP} cannot be read ({error})"
    here = fingerprint()
    changed = [what for what, value in here.items() if stamp.get(what) != value]
    if changed:
        return f"the library in {folder} was made for other {' and '.join(changed)}"
    try:
        file = folder / str(stamp["file"])
        if hashlib.sha256(file.read_bytes()).hexdigest() != stamp["sha256"]:
            return f"{file} is torn or altered"
        _place(_imported(file), entries)
    except (ImportError, OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        return f"the library in {folder} cannot be used ({error})"
    return ""


def kernel_named(name: str) -> Kernel:
    """Kernel by module and function, ``vibro.features.channel:feed``."""
    module, function = name.split(":")
    found = getattr(importlib.import_module(module), function)
    if not isinstance(found, Kernel):
        raise TypeError(f"{name} is no kernel")
    return found


def _imported(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location(MODULE, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no extension module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _place(library: Any, entries: list[dict[str, Any]]) -> None:
    """Hand each kernel its code; all or nothing."""
    ready = [
        (kernel_named(e["kernel"]), tuple(e["variant"]), getattr(library, e["symbol"]))
        for e in entries
    ]
    for kernel, variant, function in ready:
        kernel.compiled[variant] = function


@cache
def sources_digest() -> str:
    """SHA-256 over the kernels' sources."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for folder in SOURCES:
        for file in sorted((root / folder).glob("*.py")):
            digest.update(f"{folder}/{file.name}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _processor() -> str:
    """Name and instruction sets of the processor, as far as the system tells."""
    said = {platform.machine()}
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() in {"model name", "flags", "Features", "CPU part"}:
                said.add(" ".join(sorted(value.split())))
    except OSError:
        said.add(platform.processor())
    return hashlib.sha256("\n".join(sorted(said)).encode()).hexdigest()
