"""One process a node: a lock on the node's folder that lives as long as the process does.

The kernel lets go of it when the process ends, however it ends, so that no lock is ever stale.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

from vibro.errors import VibroError

LOCK = "node.lock"
PATIENCE_S, PAUSE_S = 0.5, 0.02
"""`holder` takes the lock for a moment to see whether it is free: who starts waits that long."""


class FolderLock:
    """Holds a node's folder against every other process until `release`.

    Parameters
    ----------
    folder : Path
        Of the node's configuration and spool.

    Raises
    ------
    VibroError
        If another process, which the message names, holds it, or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise VibroError(
                f"{path}: cannot be written ({error.strerror}); the node must own its folder"
            ) from None
        try:
            self._take(folder)
        except BaseException:
            os.close(self._handle)
            raise

    def _take(self, folder: Path) -> None:
        until = time.monotonic() + PATIENCE_S
        while not _taken(self._handle, fcntl.LOCK_EX):
            if time.monotonic() >= until:
                raise VibroError(
                    f"{folder}: process {_pid(self._handle)} runs the node of this folder; stop it "
                    "first: two would spoil each other's spool"
                )
            time.sleep(PAUSE_S)
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Let go; safe to call twice."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)


def holder(folder: Path) -> int | None:
    """Return the id of the process that runs the node of a folder, or None when none does."""
    try:
        handle = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return None if _taken(handle, fcntl.LOCK_SH) else _pid(handle)
    finally:
        os.close(handle)


def _taken(handle: int, kind: int) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
        return True
    return False


def _pid(handle: int) -> int:
    """Process that wrote itself into the lock; 0 while it has not yet."""
    written = os.pread(handle, 20, 0)
    return int(written) if written.isdigit() else 0
