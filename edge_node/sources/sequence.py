"""Numbers of messages or frames: what is missing before a message, and what came twice."""

from __future__ import annotations

from dataclasses import dataclass

from edge_node.sources.frame_clock import FrameClock

BEGAN_ANEW = -1
"""Instead of a number of lost frames: the sender has begun anew, and nobody knows."""


@dataclass(slots=True)
class Sequence:
    """Judges sequence numbers; the clock bounds what they may claim.

    Attributes
    ----------
    clock : FrameClock
    rate_hz : float
    per_frame : bool
        Numbers count frames (that of a message's first frame); else messages.
    modulus : int
        Where numbers begin again at 0; 0 = never.
    """

    clock: FrameClock
    rate_hz: float
    per_frame: bool
    modulus: int
    last: int | None = None
    _frames: int = 0

    def lost(self, number: int, frames: int, now_s: float) -> int | None:
        """Return the frames lost before a message.

        None for a repeat, which is to be dropped; `BEGAN_ANEW` where the number cannot follow from
        the last one: what it claims to be missing could not have happened meanwhile.

        Parameters
        ----------
        number : int
            Sequence number of the message.
        frames : int
            Frames in the message.
        now_s : float
            Monotonic time at which it came.
        """
        last, before = self.last, self._frames
        if number == last:
            return None
        self.last, self._frames = number, frames
        if last is None:
            return 0
        step = before if self.per_frame else 1
        ahead = number - (last + step)
        if self.modulus:
            ahead %= self.modulus
        claimed = ahead if self.per_frame else ahead * before
        by_clock = self.clock.missing(now_s - frames / self.rate_hz)
        if 0 <= claimed <= 2 * by_clock + self.rate_hz:
            return claimed
        return BEGAN_ANEW
