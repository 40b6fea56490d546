"""Consuming: from the transport into lake and store, exactly once in effect."""

from __future__ import annotations

from cloud_jobs.consume.consumer import DEAD, KINDS, Consumer, Counts
from cloud_jobs.consume.tap import Tap

__all__ = ["DEAD", "KINDS", "Consumer", "Counts", "Tap"]
