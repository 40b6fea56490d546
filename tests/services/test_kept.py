"""What is made for the services is made once and whole, and no server outlives its tests."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.services import debian
from tests.services.kept import ServiceMissingError, kept, need, run
from tests.services.process import DEADLINE_S, lives, wait_until


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VIBRO_SERVICES_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def definition(tmp_path):
    file = tmp_path / "definition"
    file.write_text("1")
    return file


def test_a_thing_is_made_once_for_all_and_anew_when_its_definition_changes(cache, definition):
    made, together = [], threading.Barrier(5)

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "thing").write_text(definition.read_text())

    def get() -> None:
        together.wait()
        assert (kept("thing", [definition], make) / "thing").read_text() == "1"

    threads = [threading.Thread(target=get) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    definition.write_text("2")
    assert (kept("thing", [definition], make) / "thing").read_text() == "2"
    assert len(made) == 2


def test_what_was_made_in_part_is_never_used(cache, definition):
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise InterruptedError

    with pytest.raises(InterruptedError):
        kept("thing", [definition], fail)
    assert sorted(p.name for p in cache.iterdir()) == ["thing.lock"]
    (cache / "thing-left.part").mkdir()
    done = kept("thing", [definition], lambda folder: (folder / "whole").touch())
    assert [p.name for p in done.iterdir()] == ["whole"]
    assert sorted(p.name for p in cache.iterdir()) == sorted(["thing.lock", done.name])


def test_what_cannot_be_had_is_one_line_that_says_what_to_install(monkeypatch):
    with pytest.raises(ServiceMissingError, match=r"^vibro-none is not there: install none$"):
        need("vibro-none", "none")
    with pytest.raises(ServiceMissingError, match=r"^sh failed: no network$"):
        run(["sh", "-c", "echo no network >&2; exit 3"])
    monkeypatch.setenv(debian.MAY_INSTALL, "")
    with pytest.raises(ServiceMissingError, match=r"^install a, b, or run `make services` as root"):
        debian.installed(lambda: None, "a", "b")


STARTING = """
import signal, sys
from pathlib import Path
from tests.services.postgres import PostgresServer

# Ctrl-C is ignored by whatever a shell has put into the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
server = PostgresServer(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("ending", ["SIGKILL", "SIGINT", "SIGTERM"])
def test_no_server_outlives_the_process_that_started_it(postgres, ending):
    """Its second server is in a folder of the first, which its user may enter."""
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTING, str(postgres.folder / ending)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    server = int(starter.stdout.readline())
    assert lives(server)
    starter.send_signal(signal.Signals[ending])
    starter.wait(DEADLINE_S)
    wait_until("the server gone", lambda: not lives(server))
