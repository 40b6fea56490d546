"""Long columns as bytes: pcodec packs, losslessly, and everything is checked.

A column says its dtype and number of rows before its data, so that a reader can refuse it before
it allocates anything.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pcodec import ChunkConfig, DeltaSpec, standalone

from vibro.errors import BadInputError

MOST_BYTES = 128_000_000
"""No sane message unpacks to more: 32 channels for 40 s at 51.2 kHz in 16 bit."""

_DTYPES = ("int16", "int32", "int64", "float32", "float64")
_SAMPLES = ("int16", "int32")
_LEVEL = ChunkConfig()
_BEFORE, _BATCH = 8, 512
_PREDICTED = ChunkConfig(delta_spec=DeltaSpec.try_conv1(_BEFORE))
"""Each sample from the eight before it: a tenth less of a sampled vibration. pcodec 1.1 panics
where its last batch holds fewer samples than that."""


def pack(name: str, values: NDArray[Any]) -> dict[str, Any]:
    """Pack a one-dimensional array as an Avro ``Column``, losslessly, the shortest way."""
    if values.dtype.name not in _DTYPES:
        raise BadInputError(f"column '{name}': dtype {values.dtype} is not one of {_DTYPES}")
    flat = np.ascontiguousarray(values)
    raw = flat.astype(flat.dtype.newbyteorder("<")).tobytes()
    tries = {"raw": raw}
    if len(raw) < 4096:
        tries["zlib"] = zlib.compress(raw, 9)
    if flat.size:
        predictable = flat.dtype.name in _SAMPLES and not 0 < flat.size % _BATCH < _BEFORE
        ways = (_LEVEL, _PREDICTED) if predictable else (_LEVEL,)
        packed = (bytes(standalone.simple_compress(flat, way)) for way in ways)
        tries["pco"] = min(packed, key=len)
    codec = min(tries, key=lambda c: len(tries[c]))
    return {
        "name": name,
        "dtype": flat.dtype.name,
        "rows": flat.size,
        "codec": codec,
        "data": tries[codec],
    }


def unpack(columns: Sequence[dict[str, Any]]) -> list[NDArray[Any]]:
    """Unpack the columns of one message, each the inverse of `pack`.

    Raises
    ------
    BadInputError
        If a column is not whole or not of the size it declares, or all of them together declare
        more than `MOST_BYTES`; that is found before anything is allocated.
    """
    total = 0
    for column in columns:
        if column["dtype"] not in _DTYPES:
            raise BadInputError(
                f"column '{column['name']}': dtype '{column['dtype']}' is not known"
            )
        if column["rows"] < 0:
            raise BadInputError(f"column '{column['name']}': declares {column['rows']} rows")
        total += column["rows"] * np.dtype(column["dtype"]).itemsize
    if total > MOST_BYTES:
        raise BadInputError(f"columns declare {total} bytes, more than {MOST_BYTES}")
    return [_unpack(column) for column in columns]


def _unpack(column: dict[str, Any]) -> NDArray[Any]:
    name, rows, data = column["name"], column["rows"], column["data"]
    dtype = np.dtype(column["dtype"])
    if column["codec"] == "pco":
        return _unpack_pco(name, dtype, rows, data)
    if column["codec"] == "zlib":
        data = _inflate(name, data, rows * dtype.itemsize)
    elif column["codec"] != "raw":
        raise BadInputError(f"column '{name}': codec '{column['codec']}' is not known")
    if len(data) != rows * dtype.itemsize:
        raise BadInputError(f"column '{name}': holds {len(data)} bytes for {rows} {dtype} values")
    return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype)


def _inflate(name: str, data: bytes, size: int) -> bytes:
    engine = zlib.decompressobj()
    try:
        out = engine.decompress(data, size + 1)
    except zlib.error as error:
        raise BadInputError(f"column '{name}': {error}") from None
    if not engine.eof:
        raise BadInputError(f"column '{name}': zlib data is torn or longer than declared")
    return out


def _unpack_pco(name: str, dtype: np.dtype[Any], rows: int, data: bytes) -> NDArray[Any]:
    # A constant packs into nothing, so only the bound on what is declared bounds this allocation.
    out = np.zeros(rows + 1, dtype)
    try:
        progress = standalone.simple_decompress_into(data, out)
    except (RuntimeError, TypeError, ValueError) as error:
        raise BadInputError(f"column '{name}': {str(error)[:120]}") from None
    if progress.n_processed != rows or not progress.finished:
        raise BadInputError(f"column '{name}': holds other than the {rows} values it declares")
    return out[:rows]
