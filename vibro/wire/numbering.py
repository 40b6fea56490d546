"""A record's lane and sequence, written into bytes that are already encoded.

Which number a record takes is known only at the moment of its append, when a clip of megabytes has
long been packed. In every schema the origin follows on nothing but texts, so it is found without
decoding the rest.
"""

from __future__ import annotations

from vibro.errors import BadInputError
from vibro.wire.framing import known_kind, schemas

_HEADER = 10
"""Marker and fingerprint."""


def renumber(value: bytes, lane: str, sequence: int) -> bytes:
    """Return the same record under another lane and sequence.

    Raises
    ------
    BadInputError
        If the value is no record of the present schemas.
    """
    fields = [f["name"] for f in schemas()[known_kind(value)]["fields"]]
    try:
        at = _HEADER
        for _ in range(fields.index("origin") + _TEXTS):
            at = _after_text(value, at)
        end = _after_number(value, _after_text(value, at))
    except IndexError:
        raise BadInputError("value is not one whole record") from None
    text = lane.encode()
    return b"".join((value[:at], _number(len(text)), text, _number(sequence), value[end:]))


_TEXTS = 3
"""Node, site and machine stand before the lane."""


def _number(value: int) -> bytes:
    """Avro's long: zigzag, then seven bits a byte, the lowest first."""
    rest, out = (value << 1) ^ (value >> 63), bytearray()
    while rest > 0x7F:
        out.append(0x80 | (rest & 0x7F))
        rest >>= 7
    out.append(rest)
    return bytes(out)


def _after_number(value: bytes, at: int) -> int:
    while value[at] & 0x80:
        at += 1
    return at + 1


def _after_text(value: bytes, at: int) -> int:
    end = _after_number(value, at)
    folded = 0
    for i, byte in enumerate(value[at:end]):
        folded |= (byte & 0x7F) << (7 * i)
    after = end + (folded >> 1)
    if folded & 1 or after > len(value):
        raise IndexError
    return after
