"""Which records were taken before: by the numbers that each sender gives to its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy.orm import Session

from cloud_jobs.store.progress import Sender, Taken, sequences

MOST = 200_000
"""Senders whose numbers are at hand; the others' are asked for when they send again."""


def after(held: Taken | None, number: int, *, sent_back: bool = False) -> Taken | None:
    """Numbers taken from a sender after one more, or None if it is a repeat.

    Parameters
    ----------
    held : Taken or None
        None for a sender that was never heard of.
    number : int
        Its record's.
    sent_back : bool
        Whether an operator sent it back: it had been counted as one that never came.
    """
    if held is None:
        return Taken(number, number, 0)
    first, last, missing = held
    if number > last:
        return Taken(first, number, missing + number - last - 1)
    if not sent_back:
        return None
    if number < first:
        return Taken(number, last, missing + first - number - 1)
    return Taken(first, last, max(0, missing - 1))


class Sequences:
    """What was taken from each sender, as far as this consumer has asked for it."""

    def __init__(self) -> None:
        self._held: dict[Sender, Taken | None] = {}

    def load(self, session: Session, senders: Iterable[Sender]) -> None:
        """Ask for those senders that are not at hand."""
        wanted = {s for s in senders if s not in self._held}
        if wanted:
            self._held |= dict.fromkeys(wanted) | sequences(session, wanted)

    def missing(self, senders: Iterable[Sender]) -> bool:
        """Whether some senders are not at hand."""
        return any(s not in self._held for s in senders)

    def __getitem__(self, sender: Sender) -> Taken | None:
        return self._held[sender]

    def keep(self, taken: Mapping[Sender, Taken]) -> None:
        """Take over what has been kept."""
        self._held |= taken
        if len(self._held) > MOST:
            self.forget()

    def forget(self) -> None:
        """Forget everything: others may have gone on with it."""
        self._held.clear()
