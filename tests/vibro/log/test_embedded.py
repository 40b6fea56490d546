"""What every transport promises, held against the embedded log."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibro.errors import BadInputError, VibroError
from vibro.log import EmbeddedLog, Message

TOPIC = "vibro.v1.a.events"


@pytest.fixture
def log(tmp_path):
    found = EmbeddedLog(tmp_path / "log")
    yield found
    found.close()


def messages(producer: str, *sequences: int, key: str = "a/m1") -> list[Message]:
    return [Message(key, f"{producer}:{s}".encode(), producer, s) for s in sequences]


def values(log, topic: str = TOPIC, after: int = 0, limit: int = 10_000) -> list[str]:
    return [s.value.decode() for s in log.read(topic, after, limit)]


def test_what_is_sent_is_read_whole_and_in_order(log):
    headers = (("reason", b"\x00\xff"), ("reason", b""), ("gr\u00fc\u00df", b"x"))
    sent = [
        Message("a/m1", b"\x00\xc3\x01", "n", 0, headers),
        Message("", b"", "n", 1),
        Message("\u00e9/\U0001f600", bytes(range(256)) * 100, "n", 2),
    ]
    log.send(TOPIC, sent)
    got = log.read(TOPIC, 0, 10)
    assert [(s.key, s.value, s.headers) for s in got] == [(m.key, m.value, m.headers) for m in sent]
    assert [s.offset for s in got] == [1, 2, 3]
    assert {s.topic for s in got} == {TOPIC}
    assert sent[0].size == 4 + 3 + (6 + 2) + 6 + (6 + 1)


def test_a_topic_that_is_not_there_is_empty_and_stays_so(log, tmp_path):
    assert log.read(TOPIC, 0, 10) == []
    assert log.committed("g", TOPIC) == log.end_offset(TOPIC) == log.size_bytes(TOPIC) == 0
    assert list((tmp_path / "log").iterdir()) == []


def test_reading_from_an_offset_and_no_more_than_the_limit(log):
    log.send(TOPIC, messages("n", *range(10)))
    assert values(log, after=3, limit=4) == ["n:3", "n:4", "n:5", "n:6"]
    assert values(log, after=10) == []
    assert log.end_offset(TOPIC) == 10


def test_a_repeat_is_taken_as_sent_and_stored_once(log):
    log.send(TOPIC, messages("n", 0, 1, 2))
    log.send(TOPIC, messages("n", 1, 2, 3))
    log.send(TOPIC, messages("n", 0))
    log.send(TOPIC, messages("n", 7, 7, 5, 8))
    assert values(log) == ["n:0", "n:1", "n:2", "n:3", "n:7", "n:8"]


def test_producers_and_topics_count_for_themselves(log):
    log.send(TOPIC, messages("n", 5))
    log.send(TOPIC, messages("m", 0))
    log.send("vibro.v1.a.health", messages("n", 0))
    assert values(log) == ["n:5", "m:0"]
    assert values(log, "vibro.v1.a.health") == ["n:0"]


BATCHES = st.lists(
    st.tuples(
        st.sampled_from(["x.events", "x.models"]),
        st.lists(
            st.tuples(st.sampled_from("pq"), st.integers(0, 6), st.sampled_from("ab")), max_size=5
        ),
        st.booleans(),
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=25)
@given(batches=BATCHES)
def test_against_a_plain_list(tmp_path_factory, batches):
    """Any mixture of producers, repeats, topics and reopening, against lists and dictionaries."""
    folder = tmp_path_factory.mktemp("log")
    log = EmbeddedLog(folder)
    stored: dict[str, list] = {"x.events": [], "x.models": []}
    taken: dict[tuple[str, str], int] = {}
    ends = dict.fromkeys(stored, 0)
    for topic, drawn, reopen in batches:
        log.send(topic, [Message(k, f"{p}{s}{k}".encode(), p, s) for p, s, k in drawn])
        for producer, sequence, key in drawn:
            if sequence > taken.get((topic, producer), -1):
                taken[topic, producer] = sequence
                ends[topic] += 1
                row = (ends[topic], key, f"{producer}{sequence}{key}".encode())
                kept = [r for r in stored[topic] if topic != "x.models" or r[1] != key]
                stored[topic] = [*kept, row]
        if reopen:
            log.close()
            log = EmbeddedLog(folder)
        for name, rows in stored.items():
            assert [(s.offset, s.key, s.value) for s in log.read(name, 0, 99)] == rows
            assert log.end_offset(name) == ends[name]
            assert log.size_bytes(name) == sum(len(k) + len(v) for _, k, v in rows)
    log.close()


def test_a_models_topic_keeps_the_newest_of_a_key_and_uses_no_offset_twice(log):
    topic = "vibro.v1.a.models"
    for sequence, key in enumerate(["pump", "fan", "pump", "pump"]):
        log.send(topic, messages("cloud", sequence, key=key))
    assert [(s.offset, s.key) for s in log.read(topic, 0, 9)] == [(2, "fan"), (4, "pump")]
    log.close()
    log.send(topic, messages("cloud", 4, key="fan"))
    assert [(s.offset, s.key) for s in log.read(topic, 2, 9)] == [(4, "pump"), (5, "fan")]


def test_groups_remember_how_far_they_are(log, tmp_path):
    log.send(TOPIC, messages("n", 0, 1, 2))
    log.commit("store", TOPIC, 2)
    log.commit("page", TOPIC, 3)
    log.commit("page", TOPIC, 1)
    with_another = EmbeddedLog(tmp_path / "log")
    assert with_another.committed("store", TOPIC) == 2
    assert with_another.committed("page", TOPIC) == 1
    assert with_another.committed("nobody", TOPIC) == 0
    with_another.close()


def test_topics_of_a_pattern(log):
    for name in ("vibro.v1.b.events", "vibro.v1.a.events", "vibro.v1.a.health", "vibro.v1.dead"):
        log.send(name, messages("n", 0))
    assert log.topics("vibro.v1.*.events") == ["vibro.v1.a.events", "vibro.v1.b.events"]
    assert log.topics("vibro.v1.a.*") == ["vibro.v1.a.events", "vibro.v1.a.health"]
    assert log.topics("*.clips") == []
    assert len(log.topics("*")) == 4


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A", ".hidden", "a b", "a\n", "x" * 300])
def test_a_topic_must_be_a_name(log, name):
    with pytest.raises(BadInputError, match="is not a name"):
        log.send(name, messages("n", 0))


WRITER = """
import sys
from pathlib import Path
from vibro.log import EmbeddedLog, Message
log = EmbeddedLog(Path(sys.argv[1]))
for first in range(0, 60, 3):
    log.send(sys.argv[2], [Message("k", f"{sys.argv[3]}:{s}".encode(), sys.argv[3], s)
                           for s in range(first, first + 3)])
"""


def start(code: str, *arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stderr=subprocess.PIPE, text=True
    )


def test_processes_write_at_once_while_another_reads(log, tmp_path):
    """Two producers, and a third that sends what the first does, as a node does after a crash."""
    writers = [start(WRITER, tmp_path / "log", TOPIC, name) for name in ("n", "m", "n")]
    seen: list = []
    while any(w.poll() is None for w in writers):
        seen += log.read(TOPIC, seen[-1].offset if seen else 0, 7)
    assert [w.communicate()[1] for w in writers] == ["", "", ""]
    seen += log.read(TOPIC, seen[-1].offset if seen else 0, 10_000)
    assert [s.offset for s in seen] == list(range(1, 121))
    for name in ("n", "m"):
        mine = [s.value.decode() for s in seen if s.value.decode()[0] == name]
        assert mine == [f"{name}:{i}" for i in range(60)]


KILLED = """
import os, signal, sys
from pathlib import Path
from vibro.log import EmbeddedLog, Message
def batch(sequences):
    for s in sequences:
        if s == 6:
            os.kill(os.getpid(), signal.SIGKILL)
        yield Message("k", f"n:{s}".encode(), "n", s)
class Deadly(list):
    def __iter__(self): return batch(range(3, 9))
log = EmbeddedLog(Path(sys.argv[1]))
log.send(sys.argv[2], list(batch(range(3))))
log.send(sys.argv[2], Deadly())
"""


def test_a_batch_cut_off_by_a_kill_was_never_there(log, tmp_path):
    killed = start(KILLED, tmp_path / "log", TOPIC)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert values(log) == ["n:0", "n:1", "n:2"]
    log.send(TOPIC, messages("n", *range(3, 9)))
    assert values(log) == [f"n:{s}" for s in range(9)]


def test_a_full_disk_keeps_what_was_there_and_takes_the_rest_later(log):
    log.send(TOPIC, messages("n", 0))
    db = log._open[TOPIC]
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count={pages + 2}")
    large = [Message("k", bytes(20_000), "n", 1), *messages("n", 2)]
    with pytest.raises(VibroError, match=f"log topic {TOPIC}: database or disk is full"):
        log.send(TOPIC, large)
    assert values(log) == ["n:0"]
    db.execute("PRAGMA max_page_count=1000000")
    log.send(TOPIC, large)
    assert [len(s.value) for s in log.read(TOPIC, 0, 9)] == [3, 20_000, 3]


@pytest.mark.parametrize("content", [b"not a database " * 100, b"SQLite format 3\x00" + bytes(84)])
def test_a_file_that_is_no_topic_is_one_clear_error(log, tmp_path, content):
    Path(tmp_path, "log", f"{TOPIC}.db").write_bytes(content)
    for use in (
        lambda: log.read(TOPIC, 0, 1),
        lambda: log.send(TOPIC, messages("n", 0)),
        lambda: log.commit("g", TOPIC, 0),
        lambda: log.committed("g", TOPIC),
        lambda: log.end_offset(TOPIC),
    ):
        with pytest.raises(VibroError, match=f"^log topic {TOPIC}: [^\n]+$"):
            use()
