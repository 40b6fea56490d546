"""The demo's edge processes: started, watched, and started again when one dies.

It does what systemd does for a real node. A killed process loses nothing: its nodes go on from
their last checkpoint.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from vibro.errors import VibroError

MOST_RESTARTS = 20


class EdgeProcess:
    """One `vibro edge run` over several nodes, restarted when it dies before its end."""

    def __init__(self, configs: Sequence[Path], log_file: Path) -> None:
        self._configs, self._log_file = list(configs), log_file
        self.restarts = 0
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        verb = ["vibro", "edge", "run", f"--child-of={os.getpid()}"]
        command = [sys.executable, "-P", "-m", *verb, *map(str, self._configs)]
        with self._log_file.open("ab") as log:
            return subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )

    @property
    def pid(self) -> int:
        """Process id of the running process."""
        return self._process.pid

    def finished(self) -> bool:
        """Whether it ended well; a process that died is started again.

        Raises
        ------
        VibroError
            When it ends with an error, or dies again and again.
        """
        status = self._process.poll()
        if status is None:
            return False
        if status == 0:
            return True
        if status > 0 or self.restarts >= MOST_RESTARTS:
            raise VibroError(f"edge process ended with status {status}: {self._last_words()}")
        self.restarts += 1
        self._process = self._start()
        return False

    def kill(self) -> None:
        """Kill it as a power cut would: SIGKILL."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it in order; used when the demo itself is interrupted."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _last_words(self) -> str:
        lines = self._log_file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
