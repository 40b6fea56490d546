"""What lies among the dead letters, and sending it back to where it came from.

A letter is sent back with its name, registered in the store beforehand together with its digest:
the consumer lets in nothing else under that name, and each letter once. What comes to nothing again
returns as the same letter, one try older.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import update

from cloud_jobs.consume.letters import DEAD, REPLAY, facts_of, given_headers
from cloud_jobs.store import Store, progress
from cloud_jobs.store.books import ReplayRow
from vibro.errors import BadInputError
from vibro.log import Message, Stored, Transport

CHUNK = 100


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A letter that waits for a person.

    Attributes
    ----------
    id : str
        ``topic/partition/offset`` of where it first stood.
    machine : str
        Key of the message, ``site/machine``.
    error : str
        See `cloud_jobs.consume.letters.error_kind`.
    tries : int
        How often it was sent back.
    bytes : int
        Of its value.
    whole : bool
        Whether the value is kept; one that was too large is not.
    """

    id: str
    topic: str
    machine: str
    reason: str
    error: str
    time_ns: int
    tries: int
    bytes: int
    sha256: str
    whole: bool
    offset: int

    @property
    def site(self) -> str:
        """Site of the topic."""
        return self.topic.removeprefix("vibro.v1.").rpartition(".")[0]


def waiting(log: Transport, store: Store) -> list[DeadLetter]:
    """Letters that were not sent back, or came to nothing again, in the order of their coming."""
    found: dict[str, DeadLetter] = {}
    for stored in _all(log):
        letter = _letter(stored)
        held = found.pop(letter.id, letter)
        # A letter may be buried twice, by a consumer that died in between.
        found[letter.id] = letter if letter.tries > held.tries else held
    with store.transaction() as session:
        replays = progress.replays(session, found)
    return [letter for letter in found.values() if _waits(letter, replays.get(letter.id))]


def _waits(letter: DeadLetter, row: ReplayRow | None) -> bool:
    return row is None or not (row.taken or row.sent > letter.tries)


def _all(log: Transport) -> Iterator[Stored]:
    after = 0
    while found := log.read(DEAD, after, CHUNK):
        yield from found
        after = found[-1].offset


def _letter(stored: Stored) -> DeadLetter:
    told = facts_of(stored)
    size = _whole(told["bytes"])
    return DeadLetter(
        id=f"{told['topic']}/{told['partition']}/{told['offset']}",
        topic=told["topic"],
        machine=stored.key,
        reason=told["reason"],
        error=told["error"],
        time_ns=_whole(told["time_ns"]),
        tries=_whole(told["tries"]),
        bytes=size,
        sha256=told["sha256"],
        whole=size == len(stored.value),
        offset=stored.offset,
    )


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def chosen(letters: Iterable[DeadLetter], ids: Iterable[str]) -> list[DeadLetter]:
    """Those of some letters that are named.

    Raises
    ------
    BadInputError
        If one is not among them.
    """
    by_id = {letter.id: letter for letter in letters}
    for name in ids:
        if name not in by_id:
            raise BadInputError(
                f"dead letter '{name}' is not waiting: vibro cloud dead list shows those that are"
            )
    return [by_id[name] for name in dict.fromkeys(ids)]


def send_back(letter: DeadLetter, log: Transport, store: Store) -> None:
    """Send a letter's value back to its topic.

    Raises
    ------
    BadInputError
        If its value was too large to be kept.
    VibroError
        If it could not be sent: it stays.
    """
    if not letter.whole:
        raise BadInputError(
            f"dead letter '{letter.id}' is kept without its value of {letter.bytes} bytes, which "
            "was too large for the topic of dead letters"
        )
    (stored,) = log.read(DEAD, letter.offset - 1, 1)
    tries = letter.tries + 1
    with store.transaction() as session:
        if session.get(ReplayRow, letter.id) is None:
            row = ReplayRow(letter=letter.id, sha256=letter.sha256, sent=0, taken=False)
            session.add(row)
    message = Message(
        key=stored.key,
        value=stored.value,
        headers=(*given_headers(stored), (REPLAY, f"{tries} {letter.id}".encode())),
        producer=f"replay:{letter.id}",
        sequence=tries,
    )
    log.send(letter.topic, [message])
    sent = update(ReplayRow).where(ReplayRow.letter == letter.id)
    with store.transaction() as session:
        session.execute(sent.values(sent=tries))
