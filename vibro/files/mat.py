"""MATLAB v5 files: vectors and tables of numbers, and the structs that publishers use."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibro.errors import BadInputError
from vibro.files.raw import Raw

_CWRU = re.compile(r"X\d+_(DE|FE|BA)_time\Z")
LEAST_SAMPLES = 64


def read_mat(path: Path) -> Raw:
    """Read a .mat file; CWRU keys become DE, FE and BA, MFPT structs bring their own rate."""
    from scipy.io import loadmat  # noqa: PLC0415 (the edge never needs it)

    try:
        content = loadmat(path, squeeze_me=True, struct_as_record=False)
    except NotImplementedError:
        raise BadInputError(
            f"{path}: is a MATLAB v7.3 (HDF5) file; save it as v5 (save -v7)"
        ) from None
    except Exception:
        raise BadInputError(
            f"{path}: is not a whole MATLAB v5 file; copy it again or save it with save -v7"
        ) from None
    values = {k: v for k, v in content.items() if not k.startswith("__")}
    flat = _flatten(values)
    signals = {k: v for k, v in flat.items() if _is_signal(v)}
    if not signals:
        raise BadInputError(f"{path}: holds no vector of at least {LEAST_SAMPLES} numbers")
    length = max(max(np.shape(v)) for v in signals.values())
    names: list[str] = []
    rows: list[NDArray[np.float64]] = []
    for key, value in signals.items():
        table = np.atleast_2d(np.asarray(value, np.float64))
        table = table if table.shape[1] >= table.shape[0] else table.T
        if table.shape[1] != length:
            continue
        found = _CWRU.search(key)
        base = found.group(1) if found else key.split(".")[-1]
        names += [base] if len(table) == 1 else [f"{base}{i + 1}" for i in range(len(table))]
        rows.append(table)
    lines = {k: _scalar(flat, k) for k in flat if k.upper() in {"BPFO", "BPFI", "BSF", "FTF"}}
    lines = {k: hz for k, hz in lines.items() if hz == hz}
    return Raw(np.concatenate(rows), tuple(names), _scalar(flat, "sr"), _rpm(flat), "", lines)


def _flatten(values: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if hasattr(value, "_fieldnames"):
            flat |= {f"{key}.{f}": getattr(value, f) for f in value._fieldnames}  # noqa: SLF001
        else:
            flat[key] = value
    return flat


def _is_signal(value: Any) -> bool:
    array = np.asarray(value)
    return array.dtype.kind in "fiu" and array.ndim in (1, 2) and max(array.shape) >= LEAST_SAMPLES


def _scalar(flat: dict[str, Any], name: str) -> float:
    for key, value in flat.items():
        if key.split(".")[-1] == name and np.ndim(value) == 0:
            try:
                return float(value)
            except (TypeError, ValueError):
                break
    return float("nan")


def _rpm(flat: dict[str, Any]) -> float:
    """CWRU's X...RPM, or a struct's shaft rate in Hz."""
    for key, value in flat.items():
        if key.upper().endswith("RPM") and np.ndim(value) == 0:
            return _scalar({key: value}, key.split(".")[-1])
    return 60.0 * _scalar(flat, "rate")
