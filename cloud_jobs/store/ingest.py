"""What the consumer writes: records into rows, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud_jobs.store.books import NewsRow
from cloud_jobs.store.database import measured, upsert
from cloud_jobs.store.progress import chunks
from cloud_jobs.store.tables import (
    ClipRow,
    CommissioningRow,
    EventRow,
    GapRow,
    NodeRow,
)
from vibro.records import BACKFILL, Clip, Event, Health

LATE_S = 600.0
"""Age from which what arrives is history, unless it goes on."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """When records arrived, and whether that was too late for a live alarm.

    Attributes
    ----------
    now_ns : int or None
        None where time is not that of a clock (a simulated plant): what is told happened just now.
    late_s : float
        Age from which on what is told is history, whatever its lane.
    """

    now_ns: int | None = None
    late_s: float = LATE_S

    def at(self, told_ns: int) -> int:
        """When (ns) something arrived that was told at a time."""
        return told_ns if self.now_ns is None else self.now_ns

    def is_late(self, lane: str, told_ns: int) -> bool:
        """Whether it was backfill, or too old by then."""
        return lane == BACKFILL or self.at(told_ns) - told_ns > round(self.late_s * 1e9)


IN_TIME = Arrival()


def keep_events(session: Session, events: Sequence[Event], arrival: Arrival = IN_TIME) -> set[str]:
    """Keep the highest revision of each event; return the machines that changed."""
    held = {row.thing: row for row in _held(session, EventRow, {e.id.thing for e in events})}
    changed: set[str] = set()
    for event in events:
        row = held.get(event.id.thing)
        late = arrival.is_late(event.origin.lane, event.t_decided_ns)
        grown = set(row.grown_ns) if row else set()
        if event.id.revision > 0 and event.t_clear_ns is None:
            grown.add(event.t_decided_ns)
        if row is None:
            row = held[event.id.thing] = EventRow(
                thing=event.id.thing, t_detected_ns=event.t_decided_ns, revision=-1, late=True
            )
            session.add(row)
        row.t_detected_ns = min(row.t_detected_ns, event.t_decided_ns)
        row.grown_ns = sorted(grown)
        row.late = row.late and late
        if event.id.revision > row.revision:
            for name, value in _event_facts(event).items():
                setattr(row, name, value)
            row.t_arrived_ns = arrival.at(event.t_decided_ns)
            changed.add(event.origin.machine_path)
    session.flush()
    return changed


def _held(session: Session, row: type[Any], things: set[str]) -> Iterable[Any]:
    for some in chunks(sorted(things)):
        yield from session.scalars(select(row).where(row.thing.in_(some)))


def _event_facts(event: Event) -> dict[str, Any]:
    return {
        "revision": event.id.revision,
        "node": event.origin.node,
        "site": event.origin.site,
        "machine": event.origin.machine,
        "channel": event.channel,
        "lane": event.origin.lane,
        "t_onset_ns": event.t_onset_ns,
        "t_last_ns": event.t_last_ns,
        "t_clear_ns": event.t_clear_ns,
        "t_decided_ns": event.t_decided_ns,
        "severity": int(event.severity),
        "causes": list(event.causes),
        "state": event.state,
        "score": measured(event.score),
        "p_value": measured(event.p_value),
        "velocity_rms_mm_s": measured(event.velocity_rms_mm_s),
        "rpm": measured(event.rpm),
        "bundle": event.bundle,
        "contributions": [list(c) for c in event.contributions],
        "sensor_fault": event.sensor_fault,
    }


def keep_clips(session: Session, clips: Sequence[Clip], arrival: Arrival = IN_TIME) -> set[str]:
    """Index clips; return the machines that have new ones.

    The first clip taken at commissioning becomes the machine's reference.
    """
    held = {row.thing for row in _held(session, ClipRow, {c.id.thing for c in clips})}
    changed: set[str] = set()
    for clip in clips:
        if clip.id.thing in held:
            continue
        held.add(clip.id.thing)
        changed.add(clip.origin.machine_path)
        session.add(_clip_row(clip, arrival))
        if clip.reason == "commissioning":
            _refer(session, clip)
    session.flush()
    return changed


def _clip_row(clip: Clip, arrival: Arrival) -> ClipRow:
    t_end_ns = clip.t0_ns + round(clip.samples.shape[1] / clip.rate_hz * 1e9)
    return ClipRow(
        thing=clip.id.thing,
        site=clip.origin.site,
        machine=clip.origin.machine,
        t0_ns=clip.t0_ns,
        t_end_ns=t_end_ns,
        rate_hz=clip.rate_hz,
        rpm=measured(clip.rpm),
        state=clip.state,
        reason=clip.reason,
        event=clip.event,
        # A third of a second is for the eye: its spectrum of ten seconds says more.
        diagnosed=clip.reason == "daily",
        late=arrival.is_late(clip.origin.lane, t_end_ns),
        t_arrived_ns=arrival.at(t_end_ns),
    )


def _refer(session: Session, clip: Clip) -> None:
    site, machine = clip.origin.site, clip.origin.machine
    if session.get(CommissioningRow, (site, machine)) is None:
        session.add(CommissioningRow(site=site, machine=machine, clip=clip.id.thing))


def keep_health(session: Session, beats: Iterable[Health]) -> None:
    """Keep the newest heartbeat of each node and epoch, and every gap.

    A heartbeat tells only the facts that have changed, None for those that there are no more; all
    others still hold.
    """
    gaps: dict[str, dict[str, Any]] = {}
    told: dict[tuple[str, int], list[Health]] = {}
    for beat in beats:
        if beat.content == "gap":
            gaps[beat.id.thing] = {
                "thing": beat.id.thing,
                "node": beat.origin.node,
                "t0_ns": beat.t0_ns,
                "detail": beat.detail,
            }
        else:
            told.setdefault((beat.origin.node, beat.origin.stream_epoch), []).append(beat)
    upsert(session, GapRow, list(gaps.values()))
    held = _nodes(session, told)
    rows = [_newest(held.get(key), found) for key, found in told.items()]
    upsert(session, NodeRow, [_node_facts(beat) for beat in rows if beat is not None])


def _nodes(
    session: Session, keys: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], tuple[int, dict[str, Any]]]:
    """Time and facts of the last heartbeat of some nodes' epochs."""
    wanted = set(keys)
    query = select(NodeRow.node, NodeRow.stream_epoch, NodeRow.t0_ns, NodeRow.detail)
    return {
        (node, epoch): (t0_ns, detail)
        for nodes in chunks(sorted({node for node, _ in wanted}))
        for node, epoch, t0_ns, detail in session.execute(query.where(NodeRow.node.in_(nodes)))
        if (node, epoch) in wanted
    }


def _newest(held: tuple[int, dict[str, Any]] | None, told: Sequence[Health]) -> Health | None:
    """Return the newest heartbeat with all facts that hold, or None if what is held is newer."""
    fresh = [b for b in told if held is None or b.t0_ns >= held[0]]
    facts = dict(held[1]) if held else {}
    for beat in sorted(fresh, key=lambda b: b.t0_ns):
        facts = {k: v for k, v in (facts | beat.detail).items() if v is not None}
    return replace(max(fresh, key=lambda b: b.t0_ns), detail=facts) if fresh else None


def _node_facts(beat: Health) -> dict[str, Any]:
    return {
        "node": beat.origin.node,
        "stream_epoch": beat.origin.stream_epoch,
        "site": beat.origin.site,
        "machine": beat.origin.machine,
        "t0_ns": beat.t0_ns,
        "seen": beat.seen,
        "processed": beat.processed,
        "lost": beat.lost,
        "raw_bytes": beat.raw_bytes,
        "bundle": beat.bundle,
        "detail": beat.detail,
    }


def keep_news(session: Session, machines: Iterable[str], stamp: str) -> None:
    """Remember that the correlation has not seen yet what came of some machines.

    Parameters
    ----------
    machines : iterable of str
        ``site/machine``.
    stamp : str
        Another one each time.
    """
    paths = (path.split("/") for path in sorted(machines))
    upsert(session, NewsRow, [{"site": s, "machine": m, "stamp": stamp} for s, m in paths])
