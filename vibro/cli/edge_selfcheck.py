"""The self-check of `vibro edge init`: what a node needs on this computer, and if it is there."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_node.config import NodeConfig, load
from vibro.cli.nodes import check_node

SLOW_DISK_S = 0.5
"""A disk that takes longer to make one line durable delays every commit."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked for; ``ok`` is None where it cannot be known or may be so."""

    what: str
    ok: bool | None
    said: str

    def __str__(self) -> str:
        """One line."""
        mark = {True: "ok", False: "NO", None: "--"}[self.ok]
        return f"{mark}  {self.what}: {self.said}"

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"what": self.what, "ok": self.ok, "said": self.said}


def checks(path: Path) -> list[Check]:
    """Look for what the node of a configuration needs on this computer."""
    checked = check_node(path)
    mistakes = checked.mistakes
    found = [Check("configuration", False, m) for m in (*mistakes, *checked.cautions)] or [
        Check("configuration", True, f"{path.name} has no mistake")
    ]
    if not mistakes:
        config = load(path)
        found += [_measured(config), *(look(config) for look in _LOOKS)]
    return found


def _measured(config: NodeConfig) -> Check:
    if config.source.kind == "simulator":
        return Check("source", None, "simulator: made-up samples, nothing is measured")
    return Check("source", True, config.source.kind)


def _kernels(config: NodeConfig) -> Check:
    from vibro.jit import ahead  # noqa: PLC0415

    del config
    why = ahead.load(ahead.default_folder())
    if not why:
        return Check("kernels", True, f"compiled, in {ahead.default_folder()}")
    return Check("kernels", None, f"{why}; `vibro edge compile` makes starts fast and small")


def _disk(config: NodeConfig) -> Check:
    """Make one line durable, as every commit does."""
    probe = config.folder / ".vibro-probe"
    began = time.perf_counter()
    try:
        with probe.open("wb") as out:
            out.write(b"vibro\n")
            out.flush()
            os.fsync(out.fileno())
        probe.unlink()
    except OSError as error:
        return Check("disk", False, f"{config.folder} cannot be written ({error.strerror})")
    took = time.perf_counter() - began
    slow = "; slow, commits will wait" if took > SLOW_DISK_S else ""
    return Check("disk", None if slow else True, f"a line is durable in {took * 1e3:.1f} ms{slow}")


def _space(config: NodeConfig) -> Check:
    free, needed = shutil.disk_usage(config.folder).free * 1e-6, config.spool.max_mb
    said = f"{free:.0f} MB free, the spool may grow to {needed:.0f} MB"
    return Check("space", free > needed, said if free > needed else f"{said}: lower spool.max_mb")


def _clock(config: NodeConfig) -> Check:
    del config
    said = {
        True: "synchronised", None: "cannot be known here",
        False: "is not synchronised: set up NTP or PTP, else times of events drift",
    }  # fmt: skip
    # Whoever free runs still listens, alarms and ships.
    return Check("clock", clock_synchronised() or None, said[clock_synchronised()])


def clock_synchronised() -> bool | None:
    """Whether the kernel says that the clock is synchronised, None where it says nothing.

    adjtimex(2) with no mode set only reads; its answer 5 (TIME_ERROR) stands for a clock that
    nobody disciplines.
    """
    import ctypes  # noqa: PLC0415

    try:
        answer = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(1024))
    except (OSError, AttributeError):
        return None
    return None if answer < 0 else bool(answer != 5)


def _person(config: NodeConfig) -> Check:
    name = getpass.getuser()
    owner = config.folder.stat().st_uid
    if os.geteuid() == 0:
        return Check("user", None, "root: give the node a user of its own (User= in the unit)")
    mine = owner == os.geteuid()
    return Check("user", mine, name if mine else f"{config.folder} does not belong to {name}")


def _port(config: NodeConfig) -> Check:
    address, port = config.service.http_address, config.service.http_port
    if not port:
        return Check("port", None, "service.http_port = 0: nothing answers")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            taken = f"{port} on {address} cannot be had ({error.strerror}); choose another"
            return Check("port", False, taken)
    return Check("port", True, f"{port} on {address} is free")


def _manager(config: NodeConfig) -> Check:
    del config
    there = Path("/run/systemd/system").is_dir()
    return Check("systemd", True if there else None, "runs" if there else "does not run here")


_LOOKS: tuple[Callable[[NodeConfig], Check], ...] = (
    _kernels, _disk, _space, _clock, _person, _port, _manager,
)  # fmt: skip
