"""The relational store: assets, events, cases, models, nodes and the consumer's offsets."""

from __future__ import annotations

from cloud_jobs.store.database import Database, finite, measured, upsert
from cloud_jobs.store.store import Store, existing

__all__ = ["Database", "Store", "existing", "finite", "measured", "upsert"]
