"""Consuming: from a feed into lake and store, exactly once in effect."""

from __future__ import annotations

from cloud_jobs.consume.batch import Counts
from cloud_jobs.consume.consumer import KINDS, PATTERNS, Consumer, Holding
from cloud_jobs.consume.letters import DEAD
from cloud_jobs.consume.tap import Tap

__all__ = ["DEAD", "KINDS", "PATTERNS", "Consumer", "Counts", "Holding", "Tap"]
