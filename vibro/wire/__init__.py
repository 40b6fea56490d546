"""Records as bytes: Avro single objects that hold error-bounded, packed columns."""

from vibro.wire.codec import decode, encode
from vibro.wire.numbering import renumber

__all__ = ["decode", "encode", "renumber"]
