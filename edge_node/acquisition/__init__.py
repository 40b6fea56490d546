"""Acquisition of live sources: a ring, a disciplined clock, accounts, and the thread that reads."""

from __future__ import annotations

from edge_node.acquisition.live import Live
from edge_node.acquisition.source import Ended, LiveSource

__all__ = ["Ended", "Live", "LiveSource"]
