"""Dead letters: what is not let in, kept whole with where it came from and why.

A letter is named after the place where it first stood, ``topic/partition/offset``, also when it was
sent back to its topic and came to nothing again. Only what an operator has registered may come back
under such a name, see `cloud_jobs.store.books.ReplayRow`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from vibro.errors import BadInputError
from vibro.log import Message, Stored, TooLargeError, Transport
from vibro.wire import decode
from vibro.wire.framing import MARKER, known_kind

DEAD = "vibro.v1.dead"
REPLAY = "replay"
"""Header of a value that was sent back: how often it was, and the letter that it was."""
OWN = ("topic", "partition", "offset", "reason", "error", "time_ns", "tries", "bytes", "sha256")
"""Headers that a letter adds before those that the message had."""
MOST_REASON = 1000


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that was not let in.

    Attributes
    ----------
    stored : Stored
        As it stood in its topic.
    reason : str
        Why, in one sentence.
    t_ns : int
        When.
    first : str
        Where it first stood, if it was sent back; else empty.
    tries : int
        How often it was sent back.
    """

    stored: Stored
    reason: str
    t_ns: int
    first: str = ""
    tries: int = 0

    @property
    def name(self) -> str:
        """``topic/partition/offset`` of where it first stood."""
        return self.first or f"{self.stored.topic}/{self.stored.partition}/{self.stored.offset}"


def bury(letters: Sequence[Letter], log: Transport) -> None:
    """Send letters to `DEAD`; a value that is too large for it is told by its size and digest."""
    waiting = [_message(letter, whole=True) for letter in letters]
    while waiting:
        try:
            log.send(DEAD, waiting)
        except TooLargeError as error:
            cut = letters[len(letters) - len(waiting) + error.at]
            if not cut.stored.value:
                raise
            log.send(DEAD, waiting[: error.at])
            log.send(DEAD, [_message(cut, whole=False)])
            waiting = waiting[error.at + 1 :]
        else:
            return


def _message(letter: Letter, *, whole: bool) -> Message:
    stored = letter.stored
    topic, partition, offset = letter.name.rsplit("/", 2)
    own = {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "reason": letter.reason[:MOST_REASON],
        "error": error_kind(stored.value),
        "time_ns": str(letter.t_ns),
        "tries": str(letter.tries),
        "bytes": str(len(stored.value)),
        "sha256": digest(stored.value),
    }
    given = [h for h in stored.headers if h[0] != REPLAY] if whole else []
    at = stored.topic if not stored.partition else f"{stored.topic}/{stored.partition}"
    return Message(
        key=stored.key,
        value=stored.value if whole else b"",
        headers=(*((k, v.encode()) for k, v in own.items()), *given),
        producer=f"dead:{at}",
        sequence=stored.offset,
    )


def error_kind(value: bytes) -> str:
    """Name what is wrong with a value that was not let in.

    Returns
    -------
    str
        ``no_record``, ``unknown_schema``, ``malformed``, or ``refused`` for a whole record that
        does not belong where it stood or that no table can hold.
    """
    if value[:2] != MARKER:
        return "no_record"
    try:
        known_kind(value)
    except BadInputError:
        return "unknown_schema"
    try:
        decode(value)
    except BadInputError:
        return "malformed"
    return "refused"


def sent_back(stored: Stored) -> tuple[str, int]:
    """Name of the letter that a message says it was, and how often that was sent back.

    Returns
    -------
    tuple of (str, int)
        An empty name for all other messages.
    """
    for key, value in stored.headers:
        tries, _, name = value.decode(errors="replace").partition(" ")
        if key == REPLAY and name and tries.isdecimal():
            return name, int(tries[:9])
    return "", 0


def digest(value: bytes) -> str:
    """Return a value's SHA-256 in hex."""
    return hashlib.sha256(value).hexdigest()


def facts_of(letter: Stored) -> dict[str, str]:
    """Return what a letter says of itself; an older one says only topic, offset and reason."""
    told = {k: v.decode(errors="replace") for k, v in letter.headers[: len(OWN)] if k in OWN}
    if set(told) >= set(OWN):
        return told
    missing = dict.fromkeys(("partition", "offset", "time_ns", "tries"), "0")
    missing |= {"topic": "", "reason": "", "error": error_kind(letter.value)}
    return missing | {"bytes": str(len(letter.value)), "sha256": digest(letter.value)} | told


def given_headers(letter: Stored) -> tuple[tuple[str, bytes], ...]:
    """Return the headers that the message had when it first stood in its topic."""
    own = sum(1 for k, _ in letter.headers[: len(OWN)] if k in OWN)
    return letter.headers[own:]
