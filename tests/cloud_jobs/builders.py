"""Records as a node would send them and facts as the rules see them, for the tests of the cloud."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cloud_jobs.cases import DiagnosisFact
from cloud_jobs.consume import PATTERNS, Consumer
from cloud_jobs.lake import Lake
from cloud_jobs.store import Store
from cloud_jobs.store.tables import CaseRow, ModelRow
from vibro.correlation import COMMON_CAUSE, EventFact, Group
from vibro.faults import Fault, Severity
from vibro.features.table import FAST_NAMES, LONG_NAMES, SCHEMA_HASH
from vibro.log import EmbeddedFeed, EmbeddedLog, Message, Transport
from vibro.records import (
    TOPIC_OF,
    Clip,
    Event,
    FeatureBlock,
    Health,
    Origin,
    RecordId,
    Spectrum,
    topic,
)
from vibro.wire import encode

S = 10**9
NAMES = {"fast": FAST_NAMES, "long": LONG_NAMES, "": ("score_fast", "p_fast", "severity")}


def origin(machine: str = "m1", sequence: int = 1, site: str = "a", epoch: int = 7) -> Origin:
    return Origin(f"{site}-{machine}", site, machine, "live", sequence, epoch)


def block(
    content: str = "sample", path: str = "fast", t0_ns: int = 0, rows: int = 2, **where
) -> FeatureBlock:
    n = np.arange(rows)
    columns = {
        "channel": (n % 2).astype(np.int16),
        "first_sample": 2048 * n,
        "t0_ns": t0_ns + n * S,
        "state": np.zeros(rows, np.int16),
    }
    for i, name in enumerate(NAMES[path]):
        columns[name] = (n + 0.01 * i + t0_ns / S).astype(np.float32)
    return FeatureBlock(
        origin(**where), content, path, SCHEMA_HASH, "v1", ("de-h", "de-v"), ("run",), columns
    )


def event(
    onset_s: float,
    lasted_s: float = 3.0,
    revision: int = 0,
    *,
    cleared: bool = False,
    severity: Severity = Severity.ALERT,
    channel: str = "de-h",
    sensor_fault=None,
    **where,
) -> Event:
    who = origin(**where)
    onset = round(onset_s * S)
    last = onset + round(lasted_s * S)
    return Event(
        id=RecordId("event", f"{who.machine_path}/{channel}", who.stream_epoch, onset, revision),
        origin=who,
        channel=channel,
        t_onset_ns=onset,
        t_last_ns=last,
        t_clear_ns=last + S if cleared else None,
        t_decided_ns=onset + S,
        severity=severity,
        causes=("forest_fast",),
        state="run",
        score=0.7,
        p_value=1e-5,
        velocity_rms_mm_s=float("nan"),
        rpm=1500.0,
        bundle="v1",
        contributions=(("kurtosis", 6.5),),
        sensor_fault=sensor_fault,
    )


def clip(t0_s: float = 0.0, reason: str = "event", of: str = "", **where) -> Clip:
    who = origin(**where)
    rng = np.random.default_rng(round(t0_s))
    return Clip(
        id=RecordId("clip", who.machine_path, who.stream_epoch, round(t0_s * 25600)),
        origin=who,
        reason=reason,
        event=of,
        t0_ns=round(t0_s * S),
        rate_hz=25600.0,
        rpm=1500.0,
        state="run",
        channels=("de-h", "de-v"),
        scale=np.full(2, 0.01, np.float32),
        samples=rng.integers(-300, 300, (2, 25600)).astype(np.int16),
    )


def spectrum(t0_s: float = 0.0, reason: str = "daily", level: float = 1e-2, **where) -> Spectrum:
    """Noise of a level with the shaft's line in it."""
    who = origin(**where)
    rng = np.random.default_rng(round(t0_s))
    values = level * np.sqrt(rng.gamma(60.0, 1 / 60.0, (2, 3200)))
    values[:, 7] = 1.0
    return Spectrum(
        id=RecordId("spectrum", who.machine_path, who.stream_epoch, round(t0_s * 25600)),
        origin=who,
        reason=reason,
        t0_ns=round(t0_s * S),
        rate_hz=25600.0,
        rpm=1500.0,
        state="run",
        channels=("de-h", "de-v"),
        averages=61,
        step_hz=3.125,
        values=values.astype(np.float32),
    )


def heartbeat(t_s: float, seen: int = 1000, **where) -> Health:
    who = origin(**where)
    return Health(
        id=RecordId("health", who.node, who.stream_epoch, round(t_s * 25600)),
        origin=who,
        content="heartbeat",
        t0_ns=round(t_s * S),
        seen=seen,
        processed=seen,
        lost=0,
        raw_bytes=2 * seen,
        bundle="v1",
    )


class Sender:
    """Sends records in order, each with the next sequence of its node and kind."""

    def __init__(self, home: Path, log: Transport | None = None) -> None:
        self.log = log or EmbeddedLog(home / "log")
        self._next: dict[tuple[str, str], int] = {}
        self._message = 0

    def send(self, *records, again: bool = False) -> None:
        by_topic: dict[str, list[Message]] = {}
        for record in records:
            kind, who = TOPIC_OF[type(record)], record.origin
            sequence = self._next.get((who.node, kind), -1) + (0 if again else 1)
            self._next[who.node, kind] = sequence
            value = encode(_numbered(record, sequence))
            by_topic.setdefault(topic(who.site, kind), []).append(
                self._message_of(value, who.machine_path)
            )
        for name, messages in by_topic.items():
            self.log.send(name, messages)

    def send_raw(self, name: str, value: bytes, key: str = "a/m1") -> None:
        self.log.send(name, [self._message_of(value, key)])

    def _message_of(self, value: bytes, key: str) -> Message:
        # Another producer each time: the log itself does not see that it is a repeat.
        self._message += 1
        return Message(key, value, f"p{self._message}", 0)


def consuming(home: Path, log: EmbeddedLog, most: int = 2000, **options) -> Consumer:
    """Start a consumer of an embedded log into the lake and store of a home."""
    return Consumer(EmbeddedFeed(log, PATTERNS, most=most), log, Lake(home), Store(home), **options)


def _numbered(record, sequence: int):
    return replace(record, origin=replace(record.origin, sequence=sequence))


def case_row(name: str, **facts) -> CaseRow:
    """A case of machine a/m1 that is open since second 0."""
    plain = {
        "id": name,
        "site": "a",
        "machine": "m1",
        "fault": "bearing_outer",
        "probability": 0.9,
        "severity": int(Severity.ALERT),
        "state": "open",
        **dict.fromkeys(("t_onset_ns", "t_detected_ns", "t_opened_ns", "t_last_ns"), 0),
        "growing": False,
        "clip": "",
        "note": "",
    }
    return CaseRow(**plain | facts)


def model_row(site: str, machine_class: str, version: str, created_ns: int, **facts) -> ModelRow:
    plain = {
        "file": f"{site}/{machine_class}/{version}.vbundle",
        "sha256": "0" * 64,
        "bytes": 100,
        "metrics": {},
    }
    where = {"site": site, "machine_class": machine_class, "version": version}
    return ModelRow(**where, created_ns=created_ns, **plain | facts)


# -- facts of one machine, times in seconds --------------------------------------------------------

M = "a/m1"


def event_fact(
    onset_s: float,
    lasted_s: float = 60.0,
    severity: Severity = Severity.ALERT,
    *,
    standing: bool = False,
    sensor: Fault | None = None,
    delay_s: float = 1.0,
    channel: str = "de-h",
) -> EventFact:
    """An event; ``standing`` = not cleared yet, detected ``delay_s`` after its onset."""
    onset = round(onset_s * S)
    last = onset + round(lasted_s * S)
    return EventFact(
        thing=f"event:{M}/{channel}:7:{onset}",
        machine=M,
        channel=channel,
        t_onset_ns=onset,
        t_last_ns=last,
        t_clear_ns=None if standing else last + S,
        t_detected_ns=onset + round(delay_s * S),
        severity=severity,
        sensor_fault=sensor,
    )


def diagnosis_fact(
    end_s: float,
    fault: Fault = Fault.BEARING_OUTER,
    probability: float = 0.9,
    of: EventFact | None = None,
    *,
    strength_db: float = 12.0,
    severity: Severity = Severity.ALERT,
    clip: str = "",
    seconds: float = 10.0,
) -> DiagnosisFact:
    """A ranked fault of a clip that ends at ``end_s``; ``of`` is the event that asked for it."""
    return DiagnosisFact(
        machine=M,
        clip=clip or f"clip:{M}:7:{round(end_s * S)}",
        event=of.thing if of else "",
        t_start_ns=round((end_s - seconds) * S),
        t_ns=round(end_s * S),
        fault=fault,
        probability=probability,
        severity=severity,
        strength_db=strength_db,
    )


def shock(at_s: float, end_s: float, *events: EventFact) -> dict[str, Group]:
    """What a common cause explains, in the shape that the rules of cases take."""
    things = tuple(e.thing for e in events)
    evidence = {"site": "a", "t_end_ns": round(end_s * S)}
    group = Group(COMMON_CAUSE, round(at_s * S), (M, "a/m2", "a/m3"), evidence, things)
    return dict.fromkeys(things, group)
