"""Records as bytes: Avro single objects that hold error-bounded, packed columns."""

from vibro.wire.codec import decode, encode
from vibro.wire.columns import MANTISSA_BITS, round_mantissa

__all__ = ["MANTISSA_BITS", "decode", "encode", "round_mantissa"]
