"""What the consumer writes: records into rows, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud_jobs.store.database import measured, upsert
from cloud_jobs.store.tables import (
    ClipRow,
    CommissioningRow,
    EventRow,
    GapRow,
    NodeRow,
    OffsetRow,
    SequenceRow,
)
from vibro.records import Clip, Event, Health

Sender = tuple[str, str, str, int]
"""(node, kind, lane, stream epoch): within it sequences only rise."""


class Taken(NamedTuple):
    """First and last sequence taken from a sender, and how many between them never came."""

    first: int
    last: int
    missing: int


def keep_events(session: Session, events: Iterable[Event]) -> set[str]:
    """Keep the highest revision of each event; return the machines that changed."""
    changed: set[str] = set()
    for event in events:
        held = session.get(EventRow, event.id.thing)
        grown = set(held.grown_ns) if held else set()
        if event.id.revision > 0 and event.t_clear_ns is None:
            grown.add(event.t_decided_ns)
        first = min(held.t_detected_ns if held else event.t_decided_ns, event.t_decided_ns)
        if held is not None and held.revision >= event.id.revision:
            held.t_detected_ns, held.grown_ns = first, sorted(grown)
            continue
        session.merge(_event_row(event, first, sorted(grown)))
        changed.add(event.origin.machine_path)
    return changed


def _event_row(event: Event, t_detected_ns: int, grown_ns: list[int]) -> EventRow:
    return EventRow(
        thing=event.id.thing,
        revision=event.id.revision,
        node=event.origin.node,
        site=event.origin.site,
        machine=event.origin.machine,
        channel=event.channel,
        lane=event.origin.lane,
        t_onset_ns=event.t_onset_ns,
        t_last_ns=event.t_last_ns,
        t_clear_ns=event.t_clear_ns,
        t_decided_ns=event.t_decided_ns,
        t_detected_ns=t_detected_ns,
        grown_ns=grown_ns,
        severity=int(event.severity),
        causes=list(event.causes),
        state=event.state,
        score=measured(event.score),
        p_value=measured(event.p_value),
        velocity_rms_mm_s=measured(event.velocity_rms_mm_s),
        rpm=measured(event.rpm),
        bundle=event.bundle,
        contributions=[list(c) for c in event.contributions],
        sensor_fault=event.sensor_fault,
    )


def keep_clips(session: Session, clips: Iterable[Clip]) -> None:
    """Index clips; the first clip taken at commissioning becomes the machine's reference."""
    for clip in clips:
        if session.get(ClipRow, clip.id.thing) is not None:
            continue
        seconds = clip.samples.shape[1] / clip.rate_hz
        site, machine = clip.origin.site, clip.origin.machine
        session.add(
            ClipRow(
                thing=clip.id.thing,
                site=site,
                machine=machine,
                t0_ns=clip.t0_ns,
                t_end_ns=clip.t0_ns + round(seconds * 1e9),
                rate_hz=clip.rate_hz,
                rpm=measured(clip.rpm),
                state=clip.state,
                reason=clip.reason,
                event=clip.event,
                # A third of a second is for the eye: its spectrum of ten seconds says more.
                diagnosed=clip.reason == "daily",
            )
        )
        held = session.get(CommissioningRow, (site, machine))
        if clip.reason == "commissioning" and held is None:
            session.add(CommissioningRow(site=site, machine=machine, clip=clip.id.thing))
        session.flush()


def keep_health(session: Session, beats: Iterable[Health]) -> None:
    """Keep the newest heartbeat of each node and epoch, and every gap.

    A heartbeat tells only the facts that have changed, None for those that there are no more; all
    others still hold.
    """
    by_node: dict[tuple[str, int], list[Health]] = {}
    for beat in beats:
        if beat.content == "gap":
            session.merge(
                GapRow(
                    thing=beat.id.thing, node=beat.origin.node, t0_ns=beat.t0_ns, detail=beat.detail
                )
            )
        else:
            by_node.setdefault((beat.origin.node, beat.origin.stream_epoch), []).append(beat)
    for key, told in by_node.items():
        held = session.get(NodeRow, key)
        facts = dict(held.detail) if held else {}
        fresh = [b for b in told if held is None or b.t0_ns >= held.t0_ns]
        for beat in sorted(fresh, key=lambda b: b.t0_ns):
            facts = {k: v for k, v in (facts | beat.detail).items() if v is not None}
        if fresh:
            newest = max(fresh, key=lambda b: b.t0_ns)
            session.merge(_node_row(replace(newest, detail=facts)))


def _node_row(beat: Health) -> NodeRow:
    return NodeRow(
        node=beat.origin.node,
        stream_epoch=beat.origin.stream_epoch,
        site=beat.origin.site,
        machine=beat.origin.machine,
        t0_ns=beat.t0_ns,
        seen=beat.seen,
        processed=beat.processed,
        lost=beat.lost,
        raw_bytes=beat.raw_bytes,
        bundle=beat.bundle,
        detail=beat.detail,
    )


def offsets(session: Session) -> dict[str, int]:
    """Return the offset of each topic up to which everything is kept."""
    return {row.topic: row.offset for row in session.scalars(select(OffsetRow))}


def keep_offsets(session: Session, positions: dict[str, int]) -> None:
    """Move the offsets of some topics."""
    upsert(session, OffsetRow, [{"topic": t, "offset": o} for t, o in positions.items()])


def sequences(session: Session) -> dict[Sender, Taken]:
    """Return what has been taken from each sender."""
    return {
        (row.node, row.kind, row.lane, row.stream_epoch): Taken(row.first, row.last, row.missing)
        for row in session.scalars(select(SequenceRow))
    }


def keep_sequences(session: Session, taken: dict[Sender, Taken]) -> None:
    """Keep what has been taken from some senders."""
    names = ("node", "kind", "lane", "stream_epoch", *Taken._fields)
    rows = [dict(zip(names, (*sender, *held), strict=True)) for sender, held in taken.items()]
    upsert(session, SequenceRow, rows)
