"""Containers without an engine: what a container is to the kernel, made by `unshare` and `mount`.

A process gets a root of its own (this machine's programs, read-only, and nothing else of it), what
compose mounts into it, the user and the capabilities that compose gives it, and a network in which
the names of all services are this machine. What needs root is told as a missing service.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.services.kept import ServiceMissingError, need

HOST = ("/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", "/usr")
EMPTY = ("proc", "dev", "tmp", "run", "var", "mnt", "opt", "root", "home")


def need_namespaces() -> None:
    """Raise ServiceMissingError where no namespace can be made."""
    need("unshare", "util-linux")
    if os.geteuid():
        raise ServiceMissingError("containers without an engine need root")
    done = subprocess.run(["unshare", "-mn", "true"], capture_output=True, check=False)
    if done.returncode:
        raise ServiceMissingError("this machine lets nobody make namespaces (unshare -mn)")


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder that is seen at a place; ``source`` None is a tmpfs with options.

    What is of the ``image`` becomes read-only last, as places to mount on are made in it.
    """

    target: str
    source: Path | None = None
    read_only: bool = False
    options: str = ""
    image: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """What a process is put into.

    Attributes
    ----------
    etc : Path
        Folder seen as /etc.
    capabilities : sequence of str
        Names without ``CAP_``, in lower case; everything else is dropped.
    """

    etc: Path
    mounts: Sequence[Mount] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    user: tuple[int, int] = (0, 0)
    capabilities: Sequence[str] = ()
    folder: str = "/"
    read_only: bool = True
    no_new_privileges: bool = True


def command(box: Box, argv: Sequence[str], root: Path) -> list[str]:
    """Command that runs another one in a box, in a mount namespace of its own.

    Parameters
    ----------
    root : Path
        Empty folder that the root is mounted on.
    """
    lines = ["set -eu", _mount("tmpfs", "none", root, "mode=755")]
    for place in HOST:
        lines += _host(Path(place), root)
    lines.append(f"mkdir {' '.join(str(root / name) for name in EMPTY)} {root / 'etc'}")
    lines.append(f"mount -t proc none {root / 'proc'}; mount --rbind /dev {root / 'dev'}")
    mounts = sorted([Mount("/etc", box.etc, image=True), *box.mounts], key=_depth)
    for mount in mounts:
        lines += _bind(mount, root)
    if box.read_only:
        lines += [_sealed(root / m.target.lstrip("/")) for m in mounts if m.image]
        lines.append(f"mount -o remount,ro {root}")
    lines.append("exec " + shlex.join(["chroot", str(root), *_as_user(box), *argv]))
    # Processes have a space of their own, too: with the first of them all of them end. It ends
    # with `unshare`, for which a change of the user must not be the last word (see `_as_user`).
    spaces = ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
    return ["unshare", *spaces, "sh", "-c", "\n".join(lines)]


def _as_user(box: Box) -> list[str]:
    uid, gid = box.user
    kept = "".join(f",+{name}" for name in box.capabilities)
    nothing_new = ["--no-new-privs"] if box.no_new_privileges else []
    return [
        "setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--inh-caps=-all",
        f"--bounding-set=-all{kept}", "--pdeathsig=KILL", *nothing_new,
        "env", "-i", f"--chdir={box.folder}", *(f"{k}={v}" for k, v in box.environment.items()),
    ]  # fmt: skip


def _host(place: Path, root: Path) -> list[str]:
    """This machine's programs and libraries."""
    if place.is_symlink():
        return [f"cp -P {place} {root}{place}"]
    return _bind(Mount(str(place), place, read_only=True), root) if place.is_dir() else []


def _bind(mount: Mount, root: Path) -> list[str]:
    target, source = root / mount.target.lstrip("/"), mount.source
    if source is None:
        options = f"nosuid,nodev,{mount.options}"
        return [f"mkdir -p {target}", _mount("tmpfs", "none", target, options)]
    make = f"mkdir -p {target}"
    if not source.is_dir():
        make = f"mkdir -p {target.parent}; [ -e {target} ] || : > {target}"
    lines = [make, f"mount --bind {shlex.quote(str(source))} {target}"]
    return [*lines, _sealed(target)] if mount.read_only else lines


def _sealed(target: Path) -> str:
    return f"mount -o remount,bind,ro {target}"


def _depth(mount: Mount) -> int:
    return mount.target.count("/")


def _mount(kind: str, source: str, target: Path, options: str) -> str:
    return f"mount -t {kind} -o {options} {source} {target}"


def etc_of(folder: Path, users: Mapping[str, tuple[int, int]], names: Sequence[str]) -> Path:
    """Make a folder seen as /etc: this machine's, but for its users and the names of hosts."""
    shutil.copytree("/etc", folder, symlinks=True, ignore=shutil.ignore_patterns("*shadow*"))
    homes = "".join(f"{n}:x:{u}:{g}::/var/lib/{n}:/bin/sh\n" for n, (u, g) in users.items())
    (folder / "passwd").write_text(f"root:x:0:0::/root:/bin/sh\n{homes}")
    (folder / "group").write_text(
        "root:x:0:\n" + "".join(f"{n}:x:{g}:\n" for n, (_, g) in users.items() if g)
    )
    (folder / "hosts").write_text(f"127.0.0.1 localhost {platform.node()} {' '.join(names)}\n")
    return folder


class Network:
    """A network of which only loopback is there; it is gone with its context."""

    def __enter__(self) -> Network:
        """Make it, held by a process that waits."""
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"up\n", "no network namespace"
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of it."""
        self._holder.kill()
        self._holder.wait()

    def inside(self, argv: Sequence[str]) -> list[str]:
        """Command that runs another one in this network."""
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "--", *argv]
