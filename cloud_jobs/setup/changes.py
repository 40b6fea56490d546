"""A change to a service, shown before it is made.

Whoever sets up a service compares what is wanted with what is there and returns the changes in
the order in which they can be made; nothing to do is an empty list. A change tells no secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

MARKS = {"+": "add", "~": "change", "-": "remove"}


@dataclass(frozen=True, slots=True)
class Change:
    """One change.

    Attributes
    ----------
    mark : str
        ``+`` adds, ``~`` changes, ``-`` removes.
    thing : str
        What it is about, e.g. ``topic vibro.v1.plant.features``.
    how : str
        What it comes to, e.g. ``retention 7 days -> 14 days``.
    act : callable
        Makes it; raises VibroError with one line that names the thing where it cannot.
    """

    mark: str
    thing: str
    how: str
    act: Callable[[], None] = field(repr=False, compare=False)

    def describe(self) -> str:
        """One line of the difference."""
        return f"{self.mark} {self.thing}" + (f": {self.how}" if self.how else "")

    def apply(self) -> None:
        """Make it."""
        self.act()

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"do": MARKS[self.mark], "thing": self.thing, "how": self.how}


def apply(changes: Iterable[Change], told: Callable[[Change], None]) -> None:
    """Make changes in order; ``told`` hears of each when it is made.

    Raises
    ------
    VibroError
        At the first that cannot be made; those before it stay, and the next run goes on.
    """
    for change in changes:
        change.apply()
        told(change)
