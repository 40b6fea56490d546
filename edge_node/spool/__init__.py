"""The durable, bounded buffer between deciding and shipping."""

from edge_node.spool.sqlite import Spool, Spooled

__all__ = ["Spool", "Spooled"]
