"""A server as a process of the tests: started, paused, killed and started again."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.services.kept import need

DEADLINE_S = 90.0
"""Longest wait for a server to be ready or gone; the machine may be busy."""

# A server dies with the *thread* that made it, so one thread that lives as long as the process
# makes them all, whichever thread of a test asks.
_SPAWNER = ThreadPoolExecutor(1, "services")


def wait_until(
    what: str,
    condition: Callable[[], object],
    deadline_s: float = DEADLINE_S,
    *,
    every_s: float = 0.02,
    said: Callable[[], str] = str,
) -> None:
    """Ask again and again until the condition holds; less often where the answer costs much.

    ``said`` tells what is known when it does not come to hold.

    Raises
    ------
    TimeoutError
        Saying what did not come.
    """
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {deadline_s:g} s {said()}".rstrip())
        time.sleep(every_s)


def free_port() -> int:
    """Port on 127.0.0.1 that nobody uses and that the system gives to no outgoing connection."""
    while True:
        port = random.SystemRandom().randrange(10_240, 32_000)
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


class Server(ABC):
    """One server; as a context manager it is started and, at the end, killed.

    It is killed too when the process that started it ends in whatever way.

    Parameters
    ----------
    folder : Path
        For its data, settings and log; what is there already is used again.
    """

    name = "server"

    user: Sequence[str] = ()
    """Arguments of ``setpriv`` that make it run as another user."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.log = folder / f"{self.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Program and arguments."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether it answers."""

    @property
    def running(self) -> bool:
        """Whether the process lives, paused or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Id of the server's process."""
        assert self._process is not None
        return self._process.pid

    def as_user(self) -> list[str]:
        """Return the beginning of a command that runs as the server's user."""
        return [need("setpriv", "util-linux"), *self.user]

    def start(self) -> None:
        """Start it, again with the same data and port, and wait until it answers."""
        if self.running:
            return
        with self.log.open("ab") as log:
            self._process = _SPAWNER.submit(
                subprocess.Popen,
                [*self.as_user(), "--pdeathsig", "KILL", *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            ).result()
        wait_until(f"{self.name} ready", lambda: not self.running or self.ready())
        if not self.running:
            raise RuntimeError(f"{self.name} ended at its start: {self.last_lines()}")

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        self.resume()
        self._signal(signal.SIGTERM, [self.pid] if self.running else [])
        self._gone()

    def kill(self) -> None:
        """End it and its children at once, as a power cut does."""
        family = self._family()
        self._signal(signal.SIGKILL, family)
        self._gone()
        wait_until(f"{self.name} gone", lambda: not any(map(lives, family)))

    def pause(self) -> None:
        """Let it and its children hang: connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP, self._family())

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT, self._family())

    def last_lines(self, count: int = 5) -> str:
        """Return the end of its log."""
        return " | ".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def _family(self) -> list[int]:
        """Process ids of the server and of its children, the server first."""
        if not self.running:
            return []
        found = [self.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in _read(children).split()]
        return found

    @staticmethod
    def _signal(number: signal.Signals, pids: Sequence[int]) -> None:
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def _gone(self) -> None:
        if self._process is not None:
            self._process.wait(DEADLINE_S)


def lives(pid: int) -> bool:
    """Whether there is a process with this id that has not ended."""
    state = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return bool(state) and state[0] != "Z"


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:  # It ended meanwhile.
        return ""
