"""Several consumers of one home: how the load of a backlog is shared, by the clock on the wall.

Processes are started as a user does, but with no hold, so that commits are small. What counts are
the rows that come into the lake after the first of them: joining a group, and loading libraries,
are once in a consumer's life.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from vibro.cli.bench.start import interpreter
from vibro.errors import VibroError

EVERY_S, WAIT_S = 0.2, 300.0


def rate(home: Path, consumers: int, rows: int, held: Callable[[Path], int]) -> float:
    """Rows a second that so many processes take into the lake of a home.

    Parameters
    ----------
    rows : int
        That wait in the broker.
    held : callable
        Counts the rows in the lake of a home.

    Raises
    ------
    VibroError
        If they do not all arrive, or one of the processes ends.
    """
    command = [interpreter(), "-m", "vibro", "cloud", "consume", "--home", str(home), "--hold", "0"]
    running = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # noqa: S603
        for _ in range(consumers)
    ]
    try:
        seen, until = [(time.monotonic(), 0)], time.monotonic() + WAIT_S
        while seen[-1][1] < rows:
            time.sleep(EVERY_S)
            ended = [process for process in running if process.poll() is not None]
            if ended or time.monotonic() > until:
                said = ended[0].communicate()[1].decode() if ended else "not done in time"
                raise VibroError(f"bench ingest: {seen[-1][1]} of {rows} rows: {said.strip()}")
            if (count := held(home)) != seen[-1][1]:
                seen.append((time.monotonic(), count))
    finally:
        for process in running:
            process.kill()
            process.communicate()
    (began, first), (ended_at, last) = seen[1], seen[-1]
    if last == first:
        raise VibroError("bench ingest: everything came in one commit: produce more")
    return (last - first) / (ended_at - began)
