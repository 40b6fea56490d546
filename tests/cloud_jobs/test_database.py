"""The store's file, whatever has become of it."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import IntegrityError

from cloud_jobs.store import Store, ingest
from cloud_jobs.store.books import OffsetRow
from cloud_jobs.store.database import _sqlite_settings, upgrade
from tests.cloud_jobs.builders import event
from vibro.errors import BadInputError, VibroError


def asked(home, query: str) -> list:
    with closing(sqlite3.connect(home / "store.db")) as db:
        return db.execute(query).fetchall()


def done(home, statement: str) -> None:
    with closing(sqlite3.connect(home / "store.db")) as db:
        db.execute(statement)
        db.commit()


def fill(home) -> None:
    store = Store(home)
    with store.transaction() as session:
        ingest.keep_events(session, [event(float(i)) for i in range(300)])
    store.close()


def test_a_migration_that_fails_leaves_the_store_as_it_was(tmp_path, monkeypatch):
    engine = create_engine(f"sqlite:///{tmp_path / 'store.db'}")
    upgrade(engine, "0001")
    engine.dispose()
    before = asked(tmp_path, "select name, sql from sqlite_master")
    done(tmp_path, "create table _alembic_tmp_sequences (in_the_way integer)")
    with pytest.raises(VibroError, match=r"store\.db: table _alembic_tmp_sequences already exists"):
        Store(tmp_path)
    done(tmp_path, "drop table _alembic_tmp_sequences")
    assert asked(tmp_path, "select name, sql from sqlite_master") == before
    assert asked(tmp_path, "select * from alembic_version") == [("0001",)]
    Store(tmp_path).close()


# -- several at once -------------------------------------------------------------------------------


def together(n: int, act) -> list[Exception]:
    """Act in several threads at once; return what they raised."""
    barrier, failed = threading.Barrier(n), []

    def run() -> None:
        barrier.wait()
        try:
            act()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def test_a_new_files_journal_is_changed_by_many_at_once(tmp_path):
    """SQLite fails one in some hundred of these at once, whatever the busy timeout."""
    for i in range(80):

        def connect(file=tmp_path / f"{i}.db") -> None:
            with closing(sqlite3.connect(file)) as db:
                _sqlite_settings(db, None)
                assert db.execute("pragma journal_mode").fetchone() == ("wal",)

        assert together(8, connect) == []


def test_threads_that_open_a_new_home_at_once_all_find_it_whole(tmp_path):
    assert together(6, lambda: Store(tmp_path).close()) == []


# -- files that are no store -----------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"hi", b"site,machine\n" * 500, b"\x89PNG\r\n" * 900])
def test_another_file_in_its_place_is_named_with_the_remedy(tmp_path, content):
    (tmp_path / "store.db").write_bytes(content)
    with pytest.raises(
        BadInputError, match=r"store\.db is damaged or no store \([^\n]*\): move it"
    ):
        Store(tmp_path)
    assert (tmp_path / "store.db").read_bytes() == content


@pytest.mark.parametrize("place", ["head", "middle", "tail"])
def test_a_damaged_file_is_named_with_the_remedy(tmp_path, place):
    fill(tmp_path)
    file = tmp_path / "store.db"
    content = bytearray(file.read_bytes())
    if place == "tail":
        del content[len(content) // 2 :]
    else:
        start, end = (100, 4096) if place == "head" else (4096, len(content))
        content[start:end] = b"\xa5" * (end - start)
    file.write_bytes(content)
    with pytest.raises(
        BadInputError, match=r"store\.db is damaged or no store \([^\n]*\): move it"
    ):
        Store(tmp_path).events()


def test_an_empty_file_is_a_new_store(tmp_path):
    (tmp_path / "store.db").touch()
    fill(tmp_path)
    assert asked(tmp_path, "select count(*) from events") == [(300,)]


def test_a_store_of_a_newer_vibro_is_left_alone(tmp_path):
    fill(tmp_path)
    done(tmp_path, "update alembic_version set version_num = '9999'")
    with pytest.raises(BadInputError, match=r"holds a newer store than this Vibro knows .*9999"):
        Store(tmp_path)
    assert asked(tmp_path, "select * from alembic_version") == [("9999",)]
    assert asked(tmp_path, "select count(*) from events") == [(300,)]


def test_what_cannot_be_opened_is_one_clear_line(tmp_path):
    (tmp_path / "store.db").mkdir()
    with pytest.raises(VibroError, match=r"^store [^\n]*store\.db: unable to open database file$"):
        Store(tmp_path)


def test_a_fault_of_ours_is_not_taken_for_a_damaged_file(tmp_path):
    with pytest.raises(IntegrityError), Store(tmp_path).transaction() as session:
        session.add(OffsetRow(topic="a", partition=0))


def test_a_store_with_no_version_beside_its_tables_is_not_touched(tmp_path):
    fill(tmp_path)
    done(tmp_path, "delete from alembic_version")
    with pytest.raises(VibroError, match="already exists"):
        Store(tmp_path)
    assert asked(tmp_path, "select count(*) from events") == [(300,)]
