"""What `docker build` makes of our Dockerfile, its steps run in boxes on top of this machine.

The base image is this machine's own system and Python; everything that the Dockerfile does itself
is done, by its own commands and at its own paths.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.deploy.namespaces import Box, Mount, command, etc_of
from tests.deploy.tools import DEPLOY, ROOT

CHANGED = ("/dist", "/etc", "/opt", "/root", "/src", "/usr/local", "/var/lib")
"""What a build changes."""
PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
PYTHON = Path(sys.base_prefix)
"""This machine's Python, outside of any environment."""
CACHE = re.compile(r"--mount=type=cache,target=(\S+)\s+")


@dataclass(frozen=True, slots=True)
class Image:
    """A stage of the Dockerfile, built; ``layers`` says where each changed folder lies."""

    layers: Mapping[str, Path]
    environment: Mapping[str, str] = field(default_factory=lambda: {"PATH": PATH})
    user: str = "0:0"
    folder: str = "/"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    def mounts(self) -> list[Mount]:
        """Its folders, and the Python of the base image; /etc is the box's own."""
        layers = [Mount(to, at, image=True) for to, at in self.layers.items() if to != "/etc"]
        python = [] if PYTHON.is_relative_to("/usr") else [Mount(str(PYTHON), PYTHON, True)]
        return [*layers, *python]

    def host_path(self, path: str) -> Path | None:
        """Where a path of the image lies, if a stage made it."""
        for top, folder in self.layers.items():
            if path.startswith(f"{top}/"):
                return folder / path.removeprefix(f"{top}/")
        return None


class Builder:
    """Builds stages below a folder, each once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stages = stages((DEPLOY / "Dockerfile").read_text())
        self._built: dict[str, Image] = {}

    def build(self, target: str) -> Image:
        """Return a stage, built after those that it needs."""
        if target not in self._built:
            base, steps = self._stages[target]
            image = self._begun(target, base)
            for word, rest in steps:
                image = self._step(target, image, word, rest)
            self._built[target] = image
        return self._built[target]

    def _begun(self, target: str, base: str) -> Image:
        place = self._folder / target
        layers = {top: place / top.lstrip("/").replace("/", "-") for top in CHANGED}
        if base in self._stages:
            below = self.build(base)
            place.mkdir(parents=True)
            for top, folder in layers.items():
                subprocess.run(["cp", "-a", below.layers[top], folder], check=True)
            return replace(below, layers=layers)
        place.mkdir(parents=True)
        for top, folder in layers.items():
            if top != "/etc":
                folder.mkdir()
        etc_of(layers["/etc"], {}, [])
        image = Image(layers)
        if (place_of_python := image.host_path(str(PYTHON))) is not None:
            place_of_python.mkdir(parents=True)
        python = PYTHON / "bin" / f"python3.{sys.version_info.minor}"
        self._run(target, image, f"{python} -m venv /usr/local")
        return image

    def _step(self, target: str, image: Image, word: str, rest: str) -> Image:
        if word == "RUN":
            self._run(target, image, rest)
        elif word == "COPY":
            self._copy(image, rest)
        elif word == "ENV":
            pairs = dict(p.split("=", 1) for p in shlex.split(rest))
            pairs = {k: v.replace("$PATH", image.environment["PATH"]) for k, v in pairs.items()}
            return replace(image, environment={**image.environment, **pairs})
        elif word == "WORKDIR":
            return replace(image, folder=rest)
        elif word == "USER":
            return replace(image, user=rest)
        elif word == "ENTRYPOINT":
            return replace(image, entrypoint=tuple(json.loads(rest)))
        elif word == "CMD":
            return replace(image, command=tuple(json.loads(rest)))
        else:
            raise AssertionError(f"{word} {rest}: the tests know nothing of it")
        return image

    def _run(self, target: str, image: Image, line: str) -> None:
        caches = [Mount(to, _cache()) for to in CACHE.findall(line)]
        # How packages are reached is this machine's business.
        ours = {k: v for k, v in os.environ.items() if k.startswith(("UV_", "PIP_", "SSL_"))}
        tmp = Mount("/tmp", options="mode=1777")  # noqa: S108 (of the box)
        box = Box(
            etc=image.layers["/etc"],
            mounts=[*image.mounts(), *caches, tmp],
            environment={"HOME": "/root"} | ours | dict(image.environment),
            capabilities=("chown", "dac_override", "fowner", "setuid", "setgid"),
            folder=image.folder,
            read_only=False,
        )  # fmt: skip
        root = self._folder / target / "mounted"
        root.mkdir(exist_ok=True)
        argv = command(box, ["sh", "-ec", CACHE.sub("", line)], root)
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{target}: RUN {line}\n{done.stdout}{done.stderr}"

    def _copy(self, image: Image, rest: str) -> None:
        words = rest.split()
        stage = self.build(words.pop(0).removeprefix("--from=")) if words[0][0] == "-" else None
        *sources, to = words
        place = image.host_path(to if to.startswith("/") else f"{image.folder}/{to}")
        assert place is not None, rest
        for name in sources:
            source = stage.host_path(name) if stage else ROOT / name
            assert source is not None, rest
            if source.is_dir():
                _copy_folder(source, place)
            else:
                file = place / source.name if to.endswith("/") or to == "./" else place
                file.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, file)


def _copy_folder(source: Path, target: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source, target, symlinks=True, ignore=ignored, dirs_exist_ok=True)


def stages(text: str) -> dict[str, tuple[str, list[tuple[str, str]]]]:
    """Return base and steps of every stage of a Dockerfile, by its name."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines)).splitlines()
    arguments: dict[str, str] = {}
    found: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    steps: list[tuple[str, str]] = []
    for line in joined:
        word, rest = line.split(None, 1)
        if word == "ARG":
            name, _, value = rest.partition("=")
            arguments[name] = value
        elif word == "FROM":
            base, _, name = rest.split()
            steps = []
            base = re.sub(r"\$\{(\w+)\}", lambda m: arguments[m[1]], base)
            found[name] = (base, steps)
        else:
            steps.append((word, " ".join(rest.split())))
    return found


def _cache() -> Path:
    """This machine's cache of packages."""
    uv = Path(sys.executable).with_name("uv")
    told = subprocess.run([uv, "cache", "dir"], capture_output=True, text=True, check=True)
    folder = Path(told.stdout.strip())
    folder.mkdir(parents=True, exist_ok=True)
    return folder
