"""Which topics a plant needs, and how each differs from what is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cloud_jobs.setup.options import TopicsSection
from vibro.records import topic

RECORDS = ("features", "events", "clips", "health", "labels")
"""Kinds that a site's nodes write."""
NOTICES = ("models", "requests")
"""Kinds that a site's nodes read."""
DEAD = "vibro.v1.dead"
BURIED_BYTES = 1_000_000
"""What a dead letter may be larger than the message that it holds."""
TWO_IN_SYNC = 3
"""Brokers a partition from which a write must have reached two."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic: its partitions, and those of its settings that are ours, as the broker words them.

    Attributes
    ----------
    replicas : int
        0 = as the brokers are configured; not compared, as it is not changed.
    """

    partitions: int
    settings: Mapping[str, str] = field(default_factory=dict)
    replicas: int = 0


def wanted_topics(
    sites: Iterable[str], options: TopicsSection, message_bytes: int
) -> dict[str, Topic]:
    """Return all topics of some sites, by name.

    Parameters
    ----------
    sites : iterable of str
    options : TopicsSection
    message_bytes : int
        Largest message that nodes send.
    """
    found = {DEAD: _topic(options, 1, options.keep_dead_days, message_bytes + BURIED_BYTES)}
    for site in sites:
        for kind in RECORDS:
            keep = options.keep_clips_days if kind == "clips" else options.keep_days
            found[topic(site, kind)] = _topic(options, options.partitions, keep, message_bytes)
        found[topic(site, "models")] = _topic(options, 1, None, message_bytes)
        found[topic(site, "requests")] = _topic(
            options, 1, options.keep_requests_days, message_bytes
        )
    return found


def _topic(options: TopicsSection, partitions: int, keep_days: float | None, size: int) -> Topic:
    settings = {"cleanup.policy": "compact"}
    if keep_days is not None:
        settings = {"cleanup.policy": "delete", "retention.ms": str(round(keep_days * 86_400_000))}
    settings["max.message.bytes"] = str(size)
    if options.replicas >= TWO_IN_SYNC:
        settings["min.insync.replicas"] = "2"
    return Topic(partitions, settings, options.replicas)


def differing(wanted: Topic, there: Topic) -> dict[str, tuple[str, str]]:
    """Return the settings that differ: what each is, and what it should be."""
    return {
        name: (there.settings.get(name, ""), value)
        for name, value in wanted.settings.items()
        if there.settings.get(name) != value
    }


def described(found: Topic) -> str:
    """Return a topic in words."""
    settings = found.settings
    keep = "the newest of each key kept"
    if "retention.ms" in settings:
        keep = f"kept {int(settings['retention.ms']) / 86_400_000:g} days"
    count = f"{found.partitions} partition{'s' if found.partitions > 1 else ''}"
    return f"{count}, {keep}, messages to {int(settings['max.message.bytes']) * 1e-6:g} MB"
