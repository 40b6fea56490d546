"""Small JSON objects as bytes: deflated with what such objects usually say known beforehand."""

from __future__ import annotations

import json
import zlib
from typing import Any

from vibro.errors import BadInputError

MOST_BYTES = 256_000
"""No sane object is longer."""
_USUAL = (
    b'{"reason":"","extent":{},"versions":[],"lag_s":0.,"latency_us_log20":{"30":1,"31":1,"32":10,'
    b'"33":10,"34":100,"35":100,"36":1000,"37":1000,"38":1000,"39":1000,"40":10000,"41":10000,'
    b'"42":10000,"43":10000,"44":1000,"45":1000,"46":1000,"47":1000,"48":100,"49":100,"50":100,'
    b'"51":100,"52":10,"53":10,"54":10,"55":10,"56":1,"57":1,"58":1,"59":1,"60":1},"end_ns":17'
    b',"spool_bytes":0,"finished":true},"spool_bytes":0,"finished":false}'
)
"""Part of the format: what was once written with it is read with it, so it never changes."""


def pack(facts: dict[str, Any]) -> bytes:
    """Write an object."""
    engine = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, _USUAL)
    text = json.dumps(facts, separators=(",", ":"))
    return engine.compress(text.encode()) + engine.flush()


def unpack(data: bytes) -> str:
    """Return the JSON text of an object.

    Raises
    ------
    BadInputError
        If it is torn, longer than `MOST_BYTES`, or no text.
    """
    engine = zlib.decompressobj(-15, _USUAL)
    try:
        text = engine.decompress(data, MOST_BYTES)
        if not engine.eof or engine.unused_data:
            raise BadInputError("detail is torn or too long")
        return text.decode()
    except (zlib.error, UnicodeDecodeError) as error:
        raise BadInputError(f"detail: {error}") from None
