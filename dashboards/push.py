"""What a push would change, and the push itself: only what differs is saved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dashboards.board import FOLDER, FOLDER_UID
from dashboards.catalogue import Json
from dashboards.grafana import Grafana

SAME, NEW, CHANGED = "same", "new", "changed"
_OURS_NOT = ("id", "version")
"""Members of a saved dashboard that Grafana counts by itself."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is to be as the code says.

    Attributes
    ----------
    kind : str
        ``folder``, ``dashboard`` or ``rules``.
    change : str
        ``same``, ``new`` or ``changed``.
    differences : list of str
        What is other there: ``+`` added, ``-`` taken away, ``~`` changed.
    version : int or None
        Of the dashboard that was read.
    provisioned : bool
        Whether Grafana reads it from a file: then it cannot be pushed.
    """

    kind: str
    uid: str
    title: str
    change: str
    differences: list[str] = field(default_factory=list)
    version: int | None = None
    provisioned: bool = False
    content: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """The folder to push into."""

    uid: str = FOLDER_UID
    title: str = FOLDER


def plan(grafana: Grafana, boards: list[Json], group: Json | None, place: Place) -> list[Step]:
    """Compare what is there with what should be; nothing is changed."""
    folder = grafana.folder(place.uid)
    steps = [Step("folder", place.uid, place.title, SAME if folder else NEW)]
    steps += [_board(grafana, board, place) for board in boards]
    if group is not None:
        steps.append(_rules(grafana, _moved(group, place)))
    return steps


def _board(grafana: Grafana, board: Json, place: Place) -> Step:
    held = grafana.board(board["uid"])
    if held is None:
        return Step("dashboard", board["uid"], board["title"], NEW, content=board)
    found = list(differences(board, held["dashboard"]))
    elsewhere = held["meta"].get("folderUid", "")
    if elsewhere != place.uid:
        found.append(f"~ folder: {elsewhere or 'General'} -> {place.uid}")
    return Step(
        "dashboard",
        board["uid"],
        board["title"],
        CHANGED if found else SAME,
        found,
        held["dashboard"]["version"],
        bool(held["meta"].get("provisioned")),
        board,
    )


def _moved(group: Json, place: Place) -> Json:
    rules = [{**rule, "folderUID": place.uid} for rule in group["rules"]]
    return {**group, "folderUid": place.uid, "rules": rules}


def _rules(grafana: Grafana, group: Json) -> Step:
    title = group["title"]
    held = grafana.group(group["folderUid"], title)
    if held is None:
        return Step("rules", group["folderUid"], title, NEW, content=group)
    found = list(differences(group, held))
    change = CHANGED if found else SAME
    return Step("rules", group["folderUid"], title, change, found, content=group)


def push(grafana: Grafana, steps: list[Step]) -> Iterator[tuple[Step, int | None]]:
    """Make what differs as it should be, in the order of the steps; yield each with its version."""
    for step in steps:
        if step.change == SAME:
            continue
        version = None
        if step.kind == "folder":
            grafana.make_folder(step.uid, step.title)
        elif step.kind == "rules":
            grafana.save_group(step.content)
        else:
            version = grafana.save(step.content, steps[0].uid, step.version)
        yield step, version


# -- differences -----------------------------------------------------------------------------------


def differences(wanted: Any, held: Any, path: str = "") -> Iterator[str]:
    """Yield in which members two JSON values differ.

    Members that only ``held`` has are passed over where they are of Grafana's own making: it adds
    defaults. Items of lists are matched by their title, name, uid or refId, else by their place.
    """
    if isinstance(wanted, dict) and isinstance(held, dict):
        for key, value in wanted.items():
            if not path and key in _OURS_NOT:
                continue
            where = f"{path}.{key}" if path else key
            if key in held:
                yield from differences(value, held[key], where)
            elif value not in (None, {}, [], False):
                yield f"+ {where}"
    elif isinstance(wanted, list) and isinstance(held, list):
        yield from _items(wanted, held, path)
    elif not _equal(wanted, held):
        yield f"~ {path}{_shown(wanted, held)}"


def _items(wanted: list[Any], held: list[Any], path: str) -> Iterator[str]:
    ours, theirs = _named(wanted), _named(held)
    for name, value in ours.items():
        if name in theirs:
            yield from differences(value, theirs[name], f"{path}[{name}]")
        else:
            yield f"+ {path}[{name}]"
    yield from (f"- {path}[{name}]" for name in theirs if name not in ours)
    common = [n for n in ours if n in theirs]
    if common != [n for n in theirs if n in ours]:
        yield f"~ {path}: their order"


def _named(items: list[Any]) -> dict[str, Any]:
    """Return items by what they are called; of those called alike, the second is ``NAME (2)``."""
    found: dict[str, Any] = {}
    for place, item in enumerate(items):
        name = str(place)
        if isinstance(item, dict):
            keys = (k for k in ("title", "name", "uid", "refId") if isinstance(item.get(k), str))
            name = next((item[k] for k in keys), name)
        again = sum(k == name or k.startswith(f"{name} (") for k in found)
        found[f"{name} ({again + 1})" if again else name] = item
    return found


def _equal(wanted: Any, held: Any) -> bool:
    return bool(wanted == held) and isinstance(wanted, bool) == isinstance(held, bool)


def _shown(wanted: Any, held: Any) -> str:
    texts = [str(held), str(wanted)]
    short = all(len(t) <= 40 and "\n" not in t for t in texts)
    return f": {texts[0]} -> {texts[1]}" if short else ""
