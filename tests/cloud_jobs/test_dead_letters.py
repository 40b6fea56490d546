"""What cannot be taken in is kept whole with origin and reason, and stops nobody."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_jobs.consume import DEAD, KINDS
from cloud_jobs.consume.letters import OWN
from cloud_jobs.lake import Lake
from cloud_jobs.store import Store
from tests.cloud_jobs.builders import Sender, block, clip, consuming, event, heartbeat
from vibro.log import Message
from vibro.wire import encode

pytestmark = pytest.mark.usefixtures("backend")


def poll(home: Path, sender: Sender):
    return consuming(home, sender.log).poll()


GARBAGE = {
    "nothing": (b"", "no_record", "marker C3 01 is missing"),
    "text": (b"<html>502 Bad Gateway</html>", "no_record", "marker C3 01 is missing"),
    "another schema": (
        b"\xc3\x01" + bytes(8) + b"abc",
        "unknown_schema",
        "schema fingerprint 0000000000000000",
    ),
    "a torn record": (encode(clip(1.0))[:500], "malformed", "clip: "),
    "bytes behind": (encode(clip(1.0)) + b"\x00", "malformed", "bytes follow the end of the body"),
    "another kind": (encode(event(1.0)), "refused", "a record of events does not belong on"),
    "another site": (
        encode(clip(1.0, site="b")),
        "refused",
        "a record of site 'b' does not belong on",
    ),
    "an impossible rate": (encode(replace(clip(1.0), rate_hz=0.0)), "refused", "rate of 0 Hz"),
}


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_is_kept_whole_with_where_it_came_from_and_why(tmp_path, what):
    value, kind, why = GARBAGE[what]
    sender = Sender(tmp_path)
    sender.send(clip(5.0))
    headers = (("trace", b"\x00\xff"),)
    sender.log.send("vibro.v1.a.clips", [Message("a/m9", value, "who", 0, headers)])
    sender.send(clip(6.0))
    counts = poll(tmp_path, sender)
    assert (counts.dead, counts.clips) == (1, 2)
    assert len(Store(tmp_path).clips("a/m1")) == 2
    (letter,) = sender.log.read(DEAD, 0, 10)
    assert (letter.key, letter.value) == ("a/m9", value)
    told = dict(letter.headers[: len(OWN)])
    assert (told["topic"], told["partition"], told["offset"]) == (b"vibro.v1.a.clips", b"0", b"2")
    assert why in told["reason"].decode()
    assert told["error"].decode() == kind
    assert (told["bytes"], told["tries"]) == (str(len(value)).encode(), b"0")
    assert letter.headers[len(OWN) :] == headers


def test_a_store_that_was_lost_is_filled_again_and_nothing_is_buried_twice(tmp_path):
    sender = Sender(tmp_path)
    sender.send(event(1.0), clip(2.0), block(), heartbeat(3.0))
    sender.send_raw("vibro.v1.a.events", b"rubbish")
    poll(tmp_path, sender)
    before = Store(tmp_path)
    kept = [r.thing for r in (*before.events(), *before.clips())]
    totals, received = before.totals(), before.received()
    before.close()
    for file in tmp_path.glob("store.db*"):
        file.unlink()
    poll(tmp_path, sender)
    after = Store(tmp_path)
    assert [r.thing for r in (*after.events(), *after.clips())] == kept
    assert (after.totals(), after.received()) == (totals, received)
    assert len(sender.log.read(DEAD, 0, 10)) == 1
    lake = Lake(tmp_path)
    assert (len(lake.table("features_fast")), len(lake.table("clips"))) == (2, 1)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.binary(max_size=40)), max_size=20))
def test_no_bytes_stop_the_consumer(letters):
    with TemporaryDirectory() as folder:
        sender = Sender(Path(folder))
        for kind, value in letters:
            sender.send_raw(f"vibro.v1.a.{kind}", value)
        sender.send(event(1.0))
        counts = poll(Path(folder), sender)
        assert (counts.dead, counts.events) == (len(letters), 1)
        buried = sender.log.read(DEAD, 0, 100)
        assert sorted(letter.value for letter in buried) == sorted(v for _, v in letters)
