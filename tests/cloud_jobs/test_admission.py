"""What is let in can be kept; what cannot be kept is refused with its reason."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_jobs.admission import admit
from cloud_jobs.columns import block_rows, clip_rows, spectrum_rows, table_name
from cloud_jobs.store import Database, ingest
from tests.cloud_jobs.builders import S, block, clip, event, heartbeat, spectrum
from tests.vibro.wire.records import RECORDS
from vibro.errors import BadInputError
from vibro.records import TOPIC_OF, Clip, Event, FeatureBlock, Health, Label, Spectrum, topic
from vibro.wire import encode


def enter(record, site: str = "a"):
    kind = TOPIC_OF[type(record)]
    return admit(topic(site, kind), kind, encode(record))


@pytest.mark.parametrize(
    "record",
    [
        block("status", ""),
        block("mean", "fast"),
        block("sample", "long", rows=0),
        event(10.0),
        event(10.0, revision=3, cleared=True),
        clip(9.0),
        heartbeat(11.0),
        spectrum(12.0),
    ],
)
def test_what_a_node_sends_is_let_in(record):
    assert enter(record).origin == record.origin


def elsewhere(record, **origin):
    return replace(record, origin=replace(record.origin, **origin))


def with_columns(made: FeatureBlock, **columns) -> FeatureBlock:
    return replace(made, schema_hash="another", columns={**made.columns, **columns})


def named(record, source: str):
    return replace(record, id=replace(record.id, source=source))


REFUSED = {
    "a record of site 'b' does not belong on vibro.v1.a.health": heartbeat(1.0, site="b"),
    "machine 'm/1' is not a slug": elsewhere(event(1.0), machine="m/1"),
    "node '' is not a slug": elsewhere(heartbeat(1.0), node=""),
    "channel 'DE H' is not a slug": event(1.0, channel="DE H"),
    "channel 'x/y' is not a slug": replace(clip(), channels=("de-h", "x/y")),
    "channel 'é' is not a slug": replace(block(), channels=("de-h", "é")),
    "a spectrum's lines reach beyond half": replace(spectrum(), step_hz=4.5),
    "a spectrum's rate of 0 Hz": replace(spectrum(), rate_hz=0.0),
    "lane 'express' is none of live, backfill": elsewhere(event(1.0), lane="express"),
    "'state' holds a NUL": replace(event(1.0), state="ru\0n"),
    "'causes' holds a NUL": replace(event(1.0), causes=("forest_fast", "\0")),
    "'contributions' holds a NUL": replace(event(1.0), contributions=(("kurt\0", 1.0),)),
    "'states' holds a NUL": replace(block(), states=("\0",)),
    "'detail' holds a NUL": replace(heartbeat(1.0), detail={"a": [{"b": ["c", {"\0": 1}]}]}),
    "is none of a-m1's or a/m1's": named(event(1.0), "a/m10/de-h"),
    r"id 'event:a/m2\\n:7:1000000000:0' is none of": named(event(1.0), "a/m2\n"),
    r"an id has \d+ characters, of at most 512": named(clip(), "a/m1/" + "x" * 1000),
    "sequence -1 is not within": elsewhere(event(1.0), sequence=-1),
    "revision 18446744073709551616 is not within": event(1.0, revision=2**64),
    "t_last_ns 9223372036854775807 is not": replace(event(1.0), t_last_ns=2**63 - 1),
    "t_clear_ns -5 is not within": replace(event(1.0), t_clear_ns=-5),
    "an event ends before its onset": event(1.0, lasted_s=-0.5),
    "a clip's rate of 0 Hz is not one of a sensor": replace(clip(), rate_hz=0.0),
    "a clip's rate of nan Hz is not one": replace(clip(), rate_hz=float("nan")),
    "a clip's rate of 1e-300 Hz is not": replace(clip(), rate_hz=1e-300),
    "a clip's scale is not finite": replace(clip(), scale=np.array([1, np.inf], np.float32)),
    "seen -1 is not within": heartbeat(1.0, seen=-1),
    "t0_ns -1000000000 is not within": block(t0_ns=-S),
    "a feature block of path 'slow' belongs to no table": replace(block(), path="slow"),
    "column 'rms' is int64, not float": with_columns(block(rows=2), rms=np.array([1, 2**60])),
    "column 'seen' is float32, not int64": with_columns(
        block("status", ""), seen=np.array([0.5, np.nan], np.float32)
    ),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_no_table_can_hold_is_refused_with_its_reason(said):
    with pytest.raises(BadInputError, match=f"^[^\n]*{said}[^\n]*$"):
        enter(REFUSED[said])


def test_a_kind_on_another_kinds_topic_is_refused():
    with pytest.raises(BadInputError, match=r"a record of events does not belong on vibro\.v1\.a"):
        admit("vibro.v1.a.clips", "clips", encode(event(1.0)))


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database(request):
    on_server = request.param == "postgres"
    url = request.getfixturevalue("postgres").new_database() if on_server else "sqlite://"
    database = Database(url)
    yield database
    database.close()


def _without_nul(value):
    if type(value) is str:
        return value.replace("\0", "")
    if isinstance(value, dict):
        return {_without_nul(k): _without_nul(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(map(_without_nul, value))
    if is_dataclass(value):
        return replace(
            value, **{f.name: _without_nul(getattr(value, f.name)) for f in fields(value)}
        )
    return value


def tamed(record):
    """The record with names, times and counts as a node would have them."""
    origin = replace(record.origin, sequence=abs(record.origin.sequence) % 1000)
    plain = {
        f.name: abs(value) % 2**50
        for f in fields(record)
        if type(value := getattr(record, f.name)) is int
    }
    record = replace(_without_nul(record), origin=replace(origin, lane="live"), **plain)
    if not isinstance(record, FeatureBlock | Label):
        source = f"{origin.site}/{origin.machine}"
        record = replace(record, id=replace(record.id, kind="drawn", source=source))
    if isinstance(record, Event):
        number = replace(record.id, revision=abs(record.id.revision) % 100)
        last = max(record.t_last_ns, record.t_onset_ns)
        record = replace(record, id=number, channel="de-h", t_last_ns=last)
    if isinstance(record, Clip):
        names = tuple(f"c{i}" for i in range(len(record.channels)))
        scale = np.ones(len(names), np.float32)
        record = replace(record, channels=names, scale=scale, rate_hz=25600.0)
    if isinstance(record, Spectrum):
        names = tuple(f"c{i}" for i in range(len(record.channels)))
        record = replace(record, channels=names, rate_hz=25600.0, step_hz=3.125)
    return record


def keep(session, record) -> None:
    if isinstance(record, FeatureBlock):
        rows = block_rows(table_name(record), [record])
        assert rows["t0_ns"].to_pylist() == record.columns["t0_ns"].tolist()
    elif isinstance(record, Clip):
        ingest.keep_clips(session, [record])
        assert clip_rows([(record, b"")])["t0_ns"].to_pylist() == [record.t0_ns]
    elif isinstance(record, Spectrum):
        assert spectrum_rows([(record, b"")])["t0_ns"].to_pylist() == [record.t0_ns]
    elif isinstance(record, Event):
        assert ingest.keep_events(session, [record]) == {record.origin.machine_path}
    elif isinstance(record, Health):
        ingest.keep_health(session, [record])
    else:
        assert isinstance(record, Label)


@settings(deadline=None)
@given(RECORDS, st.booleans())
def test_whatever_is_let_in_can_be_kept(database, record, tame):
    record = replace(record, origin=replace(record.origin, site="a"))
    try:
        record = enter(tamed(record) if tame else record)
    except BadInputError:
        assert not tame
        return
    with database.transaction() as session:
        keep(session, record)
        session.flush()
        session.rollback()
