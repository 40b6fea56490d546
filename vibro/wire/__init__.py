"""Records as bytes: Avro single objects that hold error-bounded, packed columns."""

from vibro.wire.codec import decode, encode

__all__ = ["decode", "encode"]
