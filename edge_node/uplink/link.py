"""The state of the link to the transport, from what became of each attempt to ship."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from vibro.log import TransportError

SLOW_S = 5.0
"""A link on which an acknowledgement takes longer is slow."""
STATES = ("untried", "connected", "slow", "away", "refused", "full")
FAILING = ("away", "refused", "full")


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """How the link stands.

    Attributes
    ----------
    state : str
        One of `STATES`.
    for_s : float
        Since when, in seconds.
    error : str
        Why the last attempt failed; empty when it did not.
    """

    state: str
    for_s: float
    error: str


class Link:
    """Told by whoever ships; asked from any thread.

    Parameters
    ----------
    clock : callable
        Monotonic clock in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # In one piece: it is read on other threads.
        self._now = ("untried", clock(), "")
        self._began_s: float | None = None

    @property
    def error(self) -> str:
        """Why the last attempt failed; empty when it did not."""
        return self._now[2]

    def waiting_s(self, now_s: float) -> float:
        """How long an acknowledgement has been waited for; 0 while none is."""
        began = self._began_s
        return 0.0 if began is None else max(0.0, now_s - began)

    def began(self) -> None:
        """Something is being shipped."""
        self._began_s = self._clock()

    def acknowledged(self) -> float:
        """It has arrived; returns how long that took."""
        took_s = self.waiting_s(self._clock())
        self._turn("slow" if took_s > SLOW_S else "connected", "")
        return took_s

    def failed(self, error: Exception) -> None:
        """It has not, or nobody knows."""
        state = error.state if isinstance(error, TransportError) else "away"
        self._turn(state, str(error))

    def _turn(self, state: str, error: str) -> None:
        self._began_s = None
        was, since_s, _ = self._now
        self._now = (state, since_s if state == was else self._clock(), error)

    def facts(self) -> LinkFacts:
        """How the link stands; waiting for too long makes it slow, unless it fails already."""
        now_s = self._clock()
        state, since_s, error = self._now
        waiting_s = self.waiting_s(now_s)
        if waiting_s > SLOW_S and state not in (*FAILING, "slow"):
            return LinkFacts("slow", waiting_s - SLOW_S, error)
        return LinkFacts(state, now_s - since_s, error)
