"""What topics are like: the options under ``[topics]``."""

from __future__ import annotations

from dataclasses import dataclass

from vibro.options import option


@dataclass(frozen=True, slots=True)
class TopicsSection:
    """Topics, as `vibro cloud setup` makes them; nothing else reads this."""

    partitions: int = option(
        3, "", "Partitions of a site's topics of records; never changed afterwards.", low=1
    )
    replicas: int = option(
        0, "", "Brokers that hold each partition; 0 = as these are configured.", low=0
    )
    keep_days: float = option(30.0, "days", "Retention of records.", low=1)
    keep_clips_days: float = option(
        10.0, "days", "Retention of clips: longer than the cloud is ever away.", low=1
    )
    keep_requests_days: float = option(1.0, "days", "Retention of requests to nodes.", low=0.04)
    keep_dead_days: float = option(90.0, "days", "Retention of what was not let in.", low=1)
