"""What people and models say to a node over a broker, read on a thread of its own.

A broker that is away or hangs holds up this thread and nothing else: the node takes what has come,
and never waits. Few messages wait to be taken, as each may hold a bundle.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vibro.errors import VibroError
from vibro.log import Stored

if TYPE_CHECKING:
    from vibro.log.kafka.follower import Follower
    from vibro.log.kafka.settings import KafkaSection

NEWEST_ONLY = ".models"
POLL_S = 1.0
MOST_WAITING = 40
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0


class Listener:
    """Follows topics until it is closed.

    Of a site's models only the newest word on each class counts, and no word before all that was
    there has been read: a broker takes its time to forget what was said before.

    Parameters
    ----------
    settings : KafkaSection
    folder : Path
        What relative paths of the settings start from.
    client_id : str
    topics : tuple of str

    Attributes
    ----------
    trouble : str
        Why nothing can be read; empty while it can.
    """

    def __init__(
        self, settings: KafkaSection, folder: Path, client_id: str, topics: tuple[str, ...]
    ) -> None:
        self._settings, self._folder = settings, folder
        self._name, self._topics = client_id, topics
        self._came: dict[str, dict[str, Stored]] = {topic: {} for topic in topics}
        self._read: dict[str, int] = {}
        self._lock = threading.Lock()
        self._caught_up = self._renew = False
        self._over = threading.Event()
        self.trouble = ""
        self._rng = random.Random(client_id)  # noqa: S311 (jitter, not a secret)
        threading.Thread(target=self._listen, name="listener", daemon=True).start()

    def received(self, topic: str) -> list[Stored]:
        """Return what has come of a topic since it was last asked for; never waits."""
        with self._lock:
            if not self._caught_up and topic.endswith(NEWEST_ONLY):
                return []
            came, self._came[topic] = self._came[topic], {}
        return list(came.values())

    def use(self, settings: KafkaSection) -> None:
        """Connect again, with other settings or with the certificates that lie there now."""
        if settings.servers != self._settings.servers:
            self._read = {}
        self._settings = settings
        self._renew = True

    def close(self) -> None:
        """Listen no more; the thread ends by itself."""
        self._over.set()

    def _listen(self) -> None:
        wait_s = 0.0
        while not self._over.is_set():
            self._renew = False
            try:
                follower = self._follower()
            except VibroError as error:
                self.trouble = str(error)
            else:
                wait_s = self._follow(follower, wait_s)
            wait_s = min(max(FIRST_WAIT_S, 2 * wait_s), LONGEST_WAIT_S)
            if not self._renew:
                self._over.wait(wait_s * (0.5 + 0.5 * self._rng.random()))

    def _follower(self) -> Follower:
        from vibro.log.kafka.follower import Follower  # noqa: PLC0415 (only with Kafka)

        topics = self._topics
        return Follower(self._settings, self._folder, self._name, topics, self._read, "edge")

    def _follow(self, follower: Follower, wait_s: float) -> float:
        """Take what comes until that fails; return how long was waited before this time."""
        try:
            while not (self._over.is_set() or self._renew):
                if sum(map(len, self._came.values())) >= MOST_WAITING:
                    self._over.wait(POLL_S)
                    continue
                self._take(follower.poll(POLL_S))
                wait_s, self.trouble = 0.0, ""
        except VibroError as error:
            self.trouble = str(error)
        finally:
            follower.close()
        return wait_s

    def _take(self, messages: Sequence[Stored]) -> None:
        with self._lock:
            for message in messages:
                newest_only = message.topic.endswith(NEWEST_ONLY)
                key = message.key if newest_only else str(message.offset)
                self._came[message.topic][key] = message
                self._read[message.topic] = message.offset
            self._caught_up |= not messages
