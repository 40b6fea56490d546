"""The store's migrations, up and down, on each database, by one process or by several at once."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text

from cloud_jobs.store import Database, Store, address, ingest, progress
from cloud_jobs.store.books import OffsetRow, SequenceRow
from cloud_jobs.store.database import HEAD, MIGRATING_KEY, upgrade
from cloud_jobs.store.tables import Base
from tests.cloud_jobs.builders import case_row, clip, event, heartbeat, model_row
from tests.cloud_jobs.conftest import lay
from tests.services.process import wait_until

REVISIONS = ["base", *(f"{number:04}" for number in range(1, int(HEAD) + 1))]


@pytest.fixture(params=["sqlite", "postgres"])
def home(request, tmp_path):
    """A home whose store is an empty file, or an empty database on a server."""
    if request.param == "postgres":
        lay(tmp_path, request.getfixturevalue("postgres").new_database())
    return tmp_path


@pytest.fixture
def engine(home):
    engine = create_engine(address.of_home(home))
    yield engine
    engine.dispose()


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", "cloud_jobs.store:migrations")
    return made


def down(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        made = config()
        made.attributes["connection"] = connection
        command.downgrade(made, revision)


def asked(engine: Engine, query: str) -> list[tuple]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def fill(home) -> None:
    store = Store(home)
    with store.transaction() as session:
        ingest.keep_events(session, [event(float(i)) for i in range(300)])
        ingest.keep_clips(session, [clip(1.0)])
        ingest.keep_health(session, [heartbeat(2.0)])
        session.add_all([case_row("c"), model_row("a", "pump", "v1", 5)])
        session.add(OffsetRow(topic="t", partition=0, offset=41))
        session.add(SequenceRow(**SENDER, partition=0, first=3, last=9, missing=2))
    store.close()


SENDER = {"node": "n", "kind": "events", "lane": "live", "stream_epoch": 7}
KEPT = ("events", "clips", "nodes", "cases", "models", "offsets", "sequences")


def counts(engine: Engine) -> dict[str, int]:
    return {table: asked(engine, f"select count(*) from {table}")[0][0] for table in KEPT}  # noqa: S608


def shape(engine: Engine) -> dict[str, object]:
    """Columns, keys and indexes of all tables."""
    look = inspect(engine)
    return {
        table: (
            sorted(f"{c['name']} {c['type']!r} {c['nullable']}" for c in look.get_columns(table)),
            look.get_pk_constraint(table)["constrained_columns"],
            sorted((i["name"], i["column_names"]) for i in look.get_indexes(table)),
        )
        for table in sorted(set(look.get_table_names()) - {"alembic_version"})
    }


# -- up and down -----------------------------------------------------------------------------------


def test_the_newest_migration_is_the_one_the_code_expects():
    scripts = ScriptDirectory.from_config(config())
    assert scripts.get_heads() == [HEAD]
    assert len(list(scripts.walk_revisions())) == int(HEAD)


def test_the_migrations_make_the_tables_that_the_code_declares(engine, home, tmp_path, request):
    upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
    on_server = engine.dialect.name == "postgresql"
    url = request.getfixturevalue("postgres").new_database() if on_server else "sqlite://"
    direct = create_engine(url)
    Base.metadata.create_all(direct)
    assert shape(engine) == shape(direct)
    direct.dispose()


def test_every_step_leads_down_and_up_again(engine, home):
    shapes = {"base": {}}
    for revision in REVISIONS[1:]:
        upgrade(engine, revision)
        shapes[revision] = shape(engine)
    fill(home)
    before = counts(engine)
    assert before["events"] == 300
    for revision in reversed(REVISIONS[:-1]):
        down(engine, revision)
        assert shape(engine) == shapes[revision]
        if revision != "base":
            assert counts(engine) == before
            if revision == "0001":
                again = asked(engine, "select * from sequences")
    assert again == [("n", "events", "live", 7, 9, 2)]
    for revision in REVISIONS[1:]:
        upgrade(engine, revision)
        assert shape(engine) == shapes[revision]
    fill(home)
    assert counts(engine) == before


def test_a_store_that_went_down_and_up_keeps_its_rows(engine, home):
    fill(home)
    down(engine, "0001")
    store = Store(home)
    assert [e.t_onset_ns for e in store.events()] == [i * 10**9 for i in range(300)]
    assert [c.thing for c in store.clips()] == [clip(1.0).id.thing]
    with store.transaction() as session:
        assert progress.offsets(session) == {("t", 0): 41}
        assert progress.sequences(session) == {(*SENDER.values(), 0): (0, 9, 2)}
    store.close()


def test_a_store_of_the_first_release_keeps_its_rows(engine, home):
    upgrade(engine, "0001")
    with engine.begin() as connection:
        connection.execute(text("insert into offsets values ('t', 41)"))
        connection.execute(text("insert into sequences values ('n', 'events', 'live', 7, 9, 2)"))
    store = Store(home)
    with store.transaction() as session:
        assert progress.offsets(session) == {("t", 0): 41}
        assert progress.sequences(session) == {("n", "events", "live", 7, 0): (0, 9, 2)}
    assert store.received() == ({"events": 8}, 2)
    store.close()


def test_texts_of_a_server_are_compared_by_code_points(postgres):
    engine = create_engine(postgres.new_database())
    query = """select distinct collation_name from information_schema.columns
               where table_schema = 'public' and data_type = 'character varying'
               and table_name != 'alembic_version'"""
    upgrade(engine)
    assert asked(engine, query) == [("C",)]
    down(engine, "0004")
    assert asked(engine, query) == [(None,)]
    engine.dispose()


# -- killed, and several at once -------------------------------------------------------------------

DYING = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine
from cloud_jobs.store import Store

left = int(sys.argv[2])

@event.listens_for(Engine, "after_cursor_execute")
def die(connection, cursor, statement, *rest):
    global left
    if statement.strip().upper().startswith(("CREATE TABLE", "INSERT INTO ALEMBIC")):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

Store(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("statements", [1, 9, 17])
def test_a_process_killed_while_it_migrates_leaves_nothing(engine, home, statements):
    """Killed after the first table, midway, and between two migrations."""
    killed = subprocess.run(
        [sys.executable, "-c", DYING, str(home), str(statements)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert inspect(engine).get_table_names() == []
    fill(home)
    assert asked(engine, "select * from alembic_version") == [(HEAD,)]
    assert counts(engine)["events"] == 300


OPENING = """
import sys
from pathlib import Path
from cloud_jobs.store import Store
print("ready", flush=True)
sys.stdin.readline()
store = Store(Path(sys.argv[1]))
store.events()
store.close()
"""


def test_processes_that_open_a_new_home_at_once_all_find_it_whole(engine, home):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", OPENING, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    assert [p.stdout.readline() for p in started] == ["ready\n"] * 3
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in started:
        _, said = process.communicate()
        assert (process.returncode, said) == (0, "")
    assert asked(engine, "select * from alembic_version") == [(HEAD,)]


def test_who_finds_another_migrating_waits_for_it(postgres):
    url = postgres.new_database()
    waiting = text("select count(*) from pg_locks where locktype = 'advisory' and not granted")
    holder, opened = create_engine(url), []
    thread = threading.Thread(target=lambda: opened.append(Database(url)))
    with holder.begin() as connection:
        connection.exec_driver_sql(f"select pg_advisory_xact_lock({MIGRATING_KEY})")
        thread.start()
        wait_until("the other waits", lambda: connection.scalar(waiting) == 1)
        assert inspect(connection).get_table_names() == []
    thread.join()
    assert asked(holder, "select * from alembic_version") == [(HEAD,)]
    opened[0].close()
    holder.dispose()
