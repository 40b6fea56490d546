"""What is fetched and built for the services, made once and kept for the next run."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class ServiceMissingError(Exception):
    """A service cannot be had here; the one line says what to install."""


def folder() -> Path:
    """Where things are kept: ``VIBRO_SERVICES_CACHE``, else ``~/.cache/vibro/services``."""
    named = os.environ.get("VIBRO_SERVICES_CACHE")
    kept = Path(named) if named else Path.home() / ".cache" / "vibro" / "services"
    kept.mkdir(parents=True, exist_ok=True)
    return kept


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Let one process at a time make a thing; the lock of a dead one is free."""
    with (folder() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def kept(name: str, definition: Sequence[Path], make: Callable[[Path], None]) -> Path:
    """Folder of a made thing, made now if it is not there.

    Parameters
    ----------
    name : str
        What it is.
    definition : sequence of Path
        Files that say what is made; other content is another thing.
    make : callable
        Fills an empty folder, which gets its final name only when it is complete.
    """
    digest = hashlib.sha256(b"\0".join(p.read_bytes() for p in definition)).hexdigest()
    done = folder() / f"{name}-{digest[:12]}"
    if done.is_dir():
        return done
    with locked(name):
        if done.is_dir():
            return done
        for left in folder().glob(f"{name}-*.part"):
            shutil.rmtree(left, ignore_errors=True)
        part = Path(tempfile.mkdtemp(prefix=f"{name}-", suffix=".part", dir=folder()))
        try:
            make(part)
            part.rename(done)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return done


def need(program: str, packages: str) -> str:
    """Path of a program.

    Raises
    ------
    ServiceMissingError
        Naming the packages to install.
    """
    found = shutil.which(program)
    if found is None:
        raise ServiceMissingError(f"{program} is not there: install {packages}")
    return found


def run(command: Sequence[str | Path], **options: object) -> str:
    """Output of a command that makes something.

    Raises
    ------
    ServiceMissingError
        With the last line that it said, if it fails.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()
        raise ServiceMissingError(f"{Path(command[0]).name} failed: {' | '.join(said[-3:])}")
    return done.stdout
