"""From where a place is read, by what is kept of it and what the transport still has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Start:
    """Where reading begins.

    Attributes
    ----------
    after : int
        Offset behind which.
    expired : int
        Messages that the transport deleted before they were taken.
    anew : bool
        The place was made anew: what was kept of it came from another one of the same name.
    """

    after: int
    expired: int = 0
    anew: bool = False


def start_of(kept: int, held: range) -> Start:
    """Decide from where to read.

    Parameters
    ----------
    kept : int
        Offset up to which everything is kept; 0 = nothing was ever taken.
    held : range
        Offsets that the transport has.
    """
    if kept >= max(held.stop, 1):
        return Start(held.start - 1, anew=True)
    if kept + 1 < held.start:
        # Who begins later than the transport has missed nothing that it was there for.
        return Start(held.start - 1, expired=held.start - 1 - kept if kept else 0)
    return Start(kept)
