"""The lake: Delta tables in a folder, and what is asked of them."""

from cloud_jobs.lake.lake import Lake
from cloud_jobs.lake.tables import TABLES

__all__ = ["TABLES", "Lake"]
