"""The store on a PostgreSQL server that is away, dies, refuses or was never installed."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, make_url, text

from cloud_jobs.lake import Lake
from cloud_jobs.store import Database, Store, ingest, progress
from tests.cloud_jobs.builders import S, Sender, block, clip, consuming, event, heartbeat
from tests.cloud_jobs.conftest import lay
from tests.services.postgres import PASSWORD
from vibro.errors import BadInputError, MissingExtraError, VibroError

LINE = r"^store postgresql://vibro@127\.0\.0\.1:\d+/vibro_\d+: [^\n]+$"


@pytest.fixture
def url(postgres):
    yield (made := postgres.new_database())
    postgres.start()
    postgres.drop_database(made)


@pytest.fixture
def store(url, tmp_path):
    lay(tmp_path, url)
    store = Store(tmp_path)
    yield store
    store.close()


def keep(store: Store, *events) -> None:
    with store.transaction() as session:
        ingest.keep_events(session, events)


def refused(act) -> str:
    """The one line that is said instead of acting; nothing in it or behind it is secret."""
    with pytest.raises(VibroError, match=LINE) as said:
        act()
    assert said.value.__cause__ is None
    assert said.value.__suppress_context__
    assert PASSWORD not in str(said.value)
    return str(said.value)


def test_a_database_without_an_encoding_keeps_words_as_they_are(url, postgres, tmp_path):
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as session:
        name = make_url(url).database + "_ascii"
        plain = "template template0 encoding 'SQL_ASCII' locale_provider libc locale 'C'"
        session.execute(text(f"create database {name} {plain}"))
    ascii_url = make_url(url).set(database=name).render_as_string(hide_password=False)
    lay(tmp_path, ascii_url)
    store = Store(tmp_path)
    keep(store, replace(event(1.0), state="größte Last, °C"))
    assert [e.state for e in store.events()] == ["größte Last, °C"]
    store.close()
    postgres.drop_database(ascii_url)


# -- a server that dies ----------------------------------------------------------------------------


def test_a_server_killed_in_a_transaction_leaves_nothing_of_it(store, postgres):
    keep(store, event(1.0))

    def half() -> None:
        with store.transaction() as session:
            ingest.keep_events(session, [event(2.0)])
            session.flush()
            postgres.kill()
            ingest.keep_events(session, [event(3.0)])

    refused(half)
    refused(store.events)
    postgres.start()
    assert [e.thing for e in store.events()] == [event(1.0).id.thing]
    keep(store, event(2.0), event(3.0))
    assert len(store.events()) == 3


def test_a_server_killed_before_the_commit_has_kept_nothing(store, postgres):
    def all_but_the_end() -> None:
        with store.transaction() as session:
            ingest.keep_events(session, [event(2.0)])
            session.flush()
            postgres.kill()

    refused(all_but_the_end)
    postgres.start()
    assert store.events() == []


def test_a_connection_that_was_lost_while_nobody_asked_is_made_anew(store, postgres):
    keep(store, event(1.0))
    postgres.kill()
    postgres.start()
    assert len(store.events()) == 1


def test_connections_that_an_administrator_ends_are_made_anew(store, url):
    keep(store, event(1.0))
    engine = create_engine(url)
    with engine.connect() as connection:
        ended = connection.scalars(
            text(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid != pg_backend_pid()"
            )
        )
        assert list(ended) == [True]
    engine.dispose()
    assert len(store.events()) == 1


@pytest.mark.parametrize("dies_at", ["move_offsets", "keep_sequences"])
def test_a_consumer_whose_store_dies_goes_on_where_it_stood(url, postgres, tmp_path, dies_at):
    """The server is killed inside the transaction of a poll, whose lake part is written already."""
    lay(tmp_path, url)
    sender = Sender(tmp_path)
    sender.send(block(), event(1.0), clip(2.0), heartbeat(3.0))
    jobs = consuming(tmp_path, sender.log)
    original = getattr(progress, dies_at)

    def dying(*arguments):
        if postgres.running:
            postgres.kill()
        return original(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, dies_at, dying)
        refused(jobs.poll)
    refused(jobs.poll)
    postgres.start()
    while jobs.poll().messages:
        pass
    lake, store = Lake(tmp_path), Store(tmp_path)
    assert store.received() == ({"clips": 1, "events": 1, "features": 1, "health": 1}, 0)
    assert [e.t_onset_ns // S for e in store.events()] == [1]
    assert len(lake.table("features_fast")) == 2
    assert len(lake.table("clips")) == 1
    store.close()


# -- a server that cannot be used ------------------------------------------------------------------


def test_a_server_that_is_away_is_told(url, postgres, tmp_path):
    lay(tmp_path, url)
    postgres.kill()
    assert "refused" in refused(lambda: Store(tmp_path))


def test_a_wrong_password_is_told_with_the_file_that_holds_it(url, tmp_path):
    lay(tmp_path, url)
    (tmp_path / "store.password").write_text("wrong\n")
    said = refused(lambda: Store(tmp_path))
    assert said.endswith("; services.store_password_file names the file with the password")


def test_a_database_that_is_not_there_is_told(url, tmp_path):
    other = make_url(url).set(database="vibro_0")
    assert "does not exist" in refused(lambda: Database(other))


def test_a_server_without_a_certificate_is_refused_where_one_is_asked_for(url):
    verified = make_url(url).update_query_dict({"sslmode": "verify-full", "sslrootcert": "system"})
    said = refused(lambda: Database(verified))
    assert said.endswith("; sslmode and sslrootcert in services.store say what is verified")


def test_a_user_who_may_make_no_tables_is_told(url):
    owner = create_engine(url)
    with owner.begin() as connection:
        connection.execute(text("drop role if exists reader"))
        connection.execute(text("create role reader login password 'reads'"))
    owner.dispose()
    reader = make_url(url).set(username="reader", password="reads")  # noqa: S106
    with pytest.raises(VibroError, match=r"permission denied .*; its user must own the database$"):
        Database(reader)


def test_a_store_of_a_newer_vibro_is_left_alone(store, url, tmp_path):
    with store.transaction() as session:
        session.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(BadInputError, match=r"^postgresql://[^\n]* holds a newer store than this"):
        Store(tmp_path)


def test_a_driver_that_is_not_installed_is_named_by_its_extra(url, tmp_path, monkeypatch):
    lay(tmp_path, url)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vibro\[postgres\]'$"):
        Store(tmp_path)


# -- what is never shown ---------------------------------------------------------------------------


def test_the_password_is_in_nothing_that_the_store_shows(store):
    engine = store.database.engine
    with store.transaction() as session:
        shown = [store.database, engine, engine.url, engine.pool, session, session.connection()]
        assert all(PASSWORD not in f"{thing} {thing!r}" for thing in shown)
        assert "***" in str(engine.url)
