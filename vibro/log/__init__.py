"""The transport between edge and cloud: a port, and the embedded log that needs no broker."""

from vibro.log.embedded import EmbeddedLog
from vibro.log.port import Feed, Message, Place, Starts, Stored, Transport

__all__ = ["EmbeddedLog", "Feed", "Message", "Place", "Starts", "Stored", "Transport"]
