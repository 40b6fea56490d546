"""Everything that Grafana is given, as JSON objects."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.alerts import group
from dashboards.bearings import bearings
from dashboards.fleet import fleet
from dashboards.machine import machine
from dashboards.models import models
from dashboards.nodes import nodes

Json = dict[str, Any]

BUILDERS: tuple[Callable[[str], model.Dashboard], ...] = (fleet, machine, bearings, nodes, models)


def boards(page: str) -> list[Json]:
    """Return the dashboards, linked to the page at this address (no slash at its end)."""
    return [plain(build(page)) for build in BUILDERS]


def rule_group(page: str) -> Json:
    """Return the group of alert rules, as Grafana's provisioning API takes it."""
    numbers = {
        (board["uid"], panel["title"]): panel["id"]
        for board in boards(page)
        for panel in board["panels"]
    }
    return plain(group(page, numbers))


def plain(built: object) -> Json:
    """Return what the SDK built as plain JSON."""
    made: Json = json.loads(json.dumps(built, cls=JSONEncoder))
    return made
