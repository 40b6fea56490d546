"""The transport between edge and cloud: a port, and the embedded log that needs no broker."""

from vibro.log.embedded import EmbeddedLog
from vibro.log.embedded_feed import EmbeddedFeed
from vibro.log.port import (
    Feed,
    Message,
    Place,
    Polled,
    Stored,
    TooLargeError,
    Transport,
    TransportError,
)

__all__ = [
    "EmbeddedFeed",
    "EmbeddedLog",
    "Feed",
    "Message",
    "Place",
    "Polled",
    "Stored",
    "TooLargeError",
    "Transport",
    "TransportError",
]
