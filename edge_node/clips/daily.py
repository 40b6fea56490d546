"""Once a day, and once in every operating state: a spectrum and a waveform of all channels.

A person compares them with those of other days. They look back over a stretch in which the machine
stood in one state throughout, so that no spectrum is smeared by a change of speed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from edge_node.clips.cutter import Cut
from vibro.dsp.spectrum import SPAN, averages, rms_spectrum
from vibro.records import Origin, RecordId, Spectrum, StreamInfo

WAVEFORM = 8192
"""Samples of the waveform."""
NOT_RUNNING = ("stopped", "transient")
MOST_STATES = 16
"""States that get a spectrum of their own; whoever has more is told the daily one only."""


class DailyRules:
    """Decides when a machine's spectrum and waveform are due.

    Parameters
    ----------
    every_ns : int
        Period; 0 = never.
    length_ns : int
        Stretch that is looked back on.
    phase_ns : int
        Begin of a period after UTC midnight, so that a fleet does not speak at once.
    """

    def __init__(self, every_ns: int, length_ns: int, phase_ns: int = 0) -> None:
        self._every_ns, self._length_ns, self._phase_ns = every_ns, length_ns, phase_ns
        self._seen: list[str] = []
        self._period: int | None = None
        self.interrupt()

    def interrupt(self) -> None:
        """Samples are missing: the stretch begins anew."""
        self._state, self._since_ns = "", 0

    def due(self, now_ns: int, state: str) -> str:
        """Take note of the state in which a window has ended; return why a spectrum is due.

        Returns
        -------
        {'', 'commissioning', 'daily'}
            ``commissioning`` for the first in a state.
        """
        if state != self._state:
            self._state, self._since_ns = state, now_ns
        steady = now_ns - self._since_ns >= self._length_ns
        if not self._every_ns or not steady or state in NOT_RUNNING:
            return ""
        period = (now_ns - self._phase_ns) // self._every_ns
        first = state not in self._seen and len(self._seen) < MOST_STATES
        if not first and period == self._period:
            return ""
        self._period = period
        if first:
            self._seen.append(state)
        return "commissioning" if first else "daily"

    def snapshot(self) -> dict[str, Any]:
        """JSON-able state."""
        return {
            "seen": list(self._seen),
            "period": self._period,
            "state": self._state,
            "since_ns": self._since_ns,
        }

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Continue from a snapshot; a checkpoint from before there were any has none."""
        if state is not None:
            self._seen, self._period = list(state["seen"]), state["period"]
            self._state, self._since_ns = state["state"], state["since_ns"]


def phase_of(node: str, every_ns: int) -> int:
    """Begin of a node's period: anywhere in it, and always the same for one name."""
    digest = hashlib.blake2b(node.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") * every_ns >> 64


def spectrum_of(cut: Cut, info: StreamInfo, origin: Origin) -> Spectrum | None:
    """Return the spectrum of a cut; None of one that is shorter than a window.

    Takes a millisecond a channel and second of signal: not for the thread that decides.
    """
    if not averages(cut.samples):
        return None
    request, source = cut.request, info.channels[0].machine_path
    values = rms_spectrum(cut.counts()) * info.scale[:, None].astype(np.float32)
    return Spectrum(
        id=RecordId("spectrum", source, info.stream_epoch, request.first_sample),
        origin=origin,
        reason=request.spectrum,
        t0_ns=cut.t0_ns,
        rate_hz=info.rate_hz,
        rpm=cut.rpm,
        state=request.state,
        channels=tuple(c.channel for c in info.channels),
        averages=averages(cut.samples),
        step_hz=info.rate_hz / SPAN,
        values=values,
    )
