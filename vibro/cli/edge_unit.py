"""The systemd unit of an edge node: started again whatever ends it, and locked in."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

from vibro.assets import Machine
from vibro.jit.ahead import default_folder

MEMORY_MB = 768
"""Bound of the whole service; a node of 32 channels with compiled kernels needs a seventh."""

_UNIT = """\
# Written by `vibro edge init`. Install it with
#   sudo systemctl link {unit} && sudo systemctl enable --now {name}
# `systemctl reload` takes over limits and intervals; `systemctl restart` everything.
[Unit]
Description=Vibro edge node of {machine}
After=network.target time-sync.target
# A machine is worth listening to however often this has failed.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
{user}WorkingDirectory={folder}
Environment=OMP_NUM_THREADS=1 NUMBA_CACHE_DIR=%S/vibro/numba {kernels}
ExecStart={python} -P -m vibro edge run --log-format human {config}
ExecReload=/bin/kill -HUP $MAINPID
# The loop tells that it goes round every 15 s; when it hangs the node is started again.
WatchdogSec=30
TimeoutStartSec=120
# It ends within 5 s, and cuts short what hangs.
TimeoutStopSec=10
Restart=always
RestartSec=2

# What it may take.
MemoryMax={memory}M
TasksMax=64
LimitNOFILE=1024
OOMPolicy=stop

# What it may touch: the whole disk is read-only but for these.
ProtectSystem=strict
ReadWritePaths={writable}
StateDirectory=vibro
ProtectHome=read-only
PrivateTmp=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectHostname=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
LockPersonality=yes
SystemCallArchitectures=native
UMask=0027

[Install]
WantedBy=multi-user.target
"""


def unit_text(machine: Machine, folder: Path, log: Path) -> str:
    """Return the unit of a node whose configuration lies in a folder.

    Parameters
    ----------
    folder, log : Path
        Where the node writes.
    """
    name = f"vibro-edge-{machine.node_id}.service"
    places = [folder] if log.is_relative_to(folder) else [folder, log]
    root = os.geteuid() == 0
    return _UNIT.format(
        unit=folder / name, name=name, machine=machine.path,
        user="# User=vibro\n" if root else f"User={getpass.getuser()}\n",
        folder=_escaped(folder), kernels=_quoted(f"VIBRO_KERNELS={default_folder()}"),
        python=_quoted(sys.executable), config=_quoted(str(folder / "node.toml")),
        memory=MEMORY_MB, writable=" ".join(_quoted(str(p)) for p in places),
    )  # fmt: skip


def _escaped(text: object) -> str:
    """Systemd reads a percent sign as the beginning of a specifier."""
    return str(text).replace("%", "%%")


def _quoted(text: str) -> str:
    escaped = _escaped(text).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"'
