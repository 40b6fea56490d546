"""Captures that people ask for: `vibro capture` writes a request, the node answers or refuses.

A request is a JSON message on ``vibro.v1.<site>.requests`` with the machine as its key. Whoever can
write there must not be able to fill the spool: captures have a longest length and a sum of lengths
a day, one is taken at a time, a refusal is told a bounded number of times a day, and what is
malformed or has expired is passed over. The topic is read from its start after a restart; a
request that was answered is known until it expires.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from vibro.errors import BadInputError
from vibro.records import Health, RecordId

DAY_NS = 86_400 * 10**9
LONGEST_NS = 7 * DAY_NS
"""No request is kept longer, whatever it says."""
REFUSALS_PER_DAY = 50
MOST_KNOWN = 300
"""Requests that are remembered; while there are so many, all others are passed over."""
_ID = re.compile(r"[a-z0-9-]{1,63}\Z")


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """What a person asks for.

    Attributes
    ----------
    id : str
        Unique; asking again with the same one changes nothing.
    seconds : float
        Length of the capture; 0 = as long as the node's clips are.
    expires_ns : int
        Time of day, ns UTC, after which nobody waits for it any more.
    """

    id: str
    seconds: float
    expires_ns: int

    def value(self) -> bytes:
        """Value of the message."""
        body = {"id": self.id, "seconds": self.seconds, "expires_ns": self.expires_ns}
        return json.dumps(body).encode()

    @classmethod
    def parse(cls, value: bytes) -> CaptureRequest:
        """Parse the value of a message.

        Raises
        ------
        BadInputError
            If it is not a request.
        """
        try:
            body = json.loads(value)
            found = cls(body["id"], float(body["seconds"]), int(body["expires_ns"]))
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
            raise BadInputError(f"capture request: {error!r}"[:200]) from None
        if not (isinstance(found.id, str) and _ID.match(found.id) and 0.0 <= found.seconds < 1e6):
            raise BadInputError("capture request: id or seconds are impossible")
        return found


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that is to be answered: with a capture, or with a refusal and its reason."""

    id: str
    seconds: float
    refused: str = ""


class CaptureRequests:
    """Decides which requests one machine's node answers, and how.

    Parameters
    ----------
    day_s : float
        Most seconds of captures within a day.
    usual_s, most_s : float
        Length of a capture that says none, and of the longest.
    """

    def __init__(self, day_s: float, usual_s: float, most_s: float) -> None:
        self._day_s, self._usual_s, self._most_s = day_s, min(usual_s, most_s), most_s
        self._known: dict[str, int] = {}
        self._now_ns = 0
        self._taken: list[tuple[int, float]] = []
        self._refused: list[int] = []

    def take(self, value: bytes, now_ns: int, *, forbidden: str, busy: bool) -> Ask | None:
        """Take a message; return what is to be answered, or None where nothing is.

        Parameters
        ----------
        now_ns : int
            Time of day, as the asker's.
        forbidden : str
            Why no capture may leave; empty when one may.
        busy : bool
            Another capture is under way.
        """
        self._now_ns = max(self._now_ns, now_ns)
        try:
            request = CaptureRequest.parse(value)
        except BadInputError:
            return None
        known = self._known.get(request.id, 0) > now_ns or len(self._known) >= MOST_KNOWN
        if request.expires_ns <= now_ns or known:
            return None
        self._known[request.id] = min(request.expires_ns, now_ns + LONGEST_NS)
        self._taken = [t for t in self._taken if now_ns - t[0] < DAY_NS]
        seconds = request.seconds or self._usual_s
        if refused := forbidden or self._refusal(seconds, busy):
            return self._refuse(request, refused, now_ns)
        self._taken.append((now_ns, seconds))
        return Ask(request.id, seconds)

    def _refusal(self, seconds: float, busy: bool) -> str:
        left = self._day_s - sum(s for _, s in self._taken)
        if seconds > self._most_s:
            return f"{seconds:g} s are more than reporting.capture_max_s = {self._most_s:g}"
        if busy:
            return "another capture is under way"
        if seconds > left:
            return f"{left:g} s are left of reporting.captures_s_per_day = {self._day_s:g}"
        return ""

    def _refuse(self, request: CaptureRequest, why: str, now_ns: int) -> Ask | None:
        self._refused = [t for t in self._refused if now_ns - t < DAY_NS]
        if len(self._refused) >= REFUSALS_PER_DAY:
            return None
        self._refused.append(now_ns)
        return Ask(request.id, request.seconds, why)

    def snapshot(self) -> dict[str, Any]:
        """JSON-able state; what has expired is forgotten by the way."""
        self._known = {k: t for k, t in self._known.items() if t > self._now_ns}
        return {"known": self._known, "taken": self._taken, "refused": self._refused}

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Continue from a snapshot; a checkpoint from before there were any has none."""
        if state is not None:
            self._known = dict(state["known"])
            self._taken = [(t, s) for t, s in state["taken"]]
            self._refused = list(state["refused"])


def refusal(ask: Ask, note: Health) -> Health:
    """Return a node's note of this instant as the record that tells a refusal."""
    # Several may be refused at one sample.
    source = f"{note.origin.node}/{ask.id}"
    return replace(
        note,
        id=RecordId("refusal", source, note.id.stream_epoch, note.id.first_sample),
        detail={"reason": f"capture refused: {ask.refused}", "request": ask.id},
    )
