"""The durable, bounded buffer between deciding and shipping."""

from edge_node.spool.enduring import EnduringSpool
from edge_node.spool.entry import PRIORITY, DiskError, Entry, Spooled, TornError
from edge_node.spool.sqlite import Spool
from edge_node.spool.writer import SpoolWriter

__all__ = [
    "PRIORITY",
    "DiskError",
    "EnduringSpool",
    "Entry",
    "Spool",
    "SpoolWriter",
    "Spooled",
    "TornError",
]
