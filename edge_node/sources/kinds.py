"""Kinds of sources, found by the name of their entry point in the group ``vibro.sources``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_node.sources.device import Device
from vibro.assets import Machine
from vibro.errors import BadInputError, VibroError

if TYPE_CHECKING:
    from edge_node.config import NodeConfig
    from edge_node.sources.port import Source

GROUP = "vibro.sources"
REFLEX_BLOCK_S = 0.02


def no_mistakes(options: Any, folder: Path) -> list[str]:
    """Find nothing wrong beyond what the options' declarations say."""
    del options, folder
    return []


@dataclass(frozen=True, slots=True)
class RecordedKind:
    """A source that can be read again: it continues its stream epoch after a restart.

    Attributes
    ----------
    options : type
        Dataclass of the kind's own options (`vibro.options.option`).
    open_source : callable
        Takes configuration, machine and the time that dates a stream without a date.
    mistakes : callable
        Takes options and the configuration's folder; returns what is wrong, a sentence each.
    """

    options: type
    open_source: Callable[[NodeConfig, Machine, int], Source]
    mistakes: Callable[[Any, Path], list[str]] = no_mistakes
    block_s: float = 1.0
    live: bool = False


@dataclass(frozen=True, slots=True)
class LiveKind:
    """A source that cannot: a device, which acquisition reads on a thread of its own.

    Attributes
    ----------
    options, mistakes
        As of `RecordedKind`.
    open_device : callable
        Takes options, machine and the configuration's folder; what its extra brings is imported
        here and not before.
    exact : bool
        Whether the device always tells what was lost, so that late samples are only late.
    """

    options: type
    open_device: Callable[[Any, Machine, Path], Device]
    mistakes: Callable[[Any, Path], list[str]] = no_mistakes
    exact: bool = False
    block_s: float = REFLEX_BLOCK_S
    live: bool = True


Kind = RecordedKind | LiveKind


def kind_names() -> tuple[str, ...]:
    """Return the names of all installed kinds, sorted."""
    return tuple(sorted(_points()))


def kind_of(name: str) -> Kind:
    """Return an installed kind.

    Raises
    ------
    BadInputError
        Listing the kinds, if there is none of this name.
    VibroError
        If its module cannot be loaded or holds something else.
    """
    points = _points()
    if name not in points:
        raise BadInputError(f"source.kind = '{name}' is not one of {', '.join(sorted(points))}")
    point = points[name]
    try:
        kind = point.load()
    except (ImportError, AttributeError) as error:
        raise VibroError(f"source.kind = '{name}': {point.value} does not load ({error})") from None
    if not isinstance(kind, RecordedKind | LiveKind):
        raise VibroError(f"source.kind = '{name}': {point.value} is no kind of source")
    return kind


@cache
def _points() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        # Nobody replaces a kind of our own.
        if point.name not in found or point.value.startswith("edge_node."):
            found[point.name] = point
    if not found:
        raise VibroError(f"no source is installed (entry points '{GROUP}'): install vibro again")
    return found
