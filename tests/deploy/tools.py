"""The programs that docker itself checks with, built from their Go modules: no engine is needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.services.kept import kept, need, run

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"


def compose_spec() -> Path:
    """The reference parser of compose files, which `docker compose config` is made of."""
    return _built("compose_spec")


def dockerfile_check() -> Path:
    """The checks of `docker build --check`."""
    return _built("dockerfile_check")


def compose_model(folder: Path = DEPLOY, **environment: str) -> dict[str, Any]:
    """Return a compose file as compose understands it, with all profiles.

    Parameters
    ----------
    folder : Path
        Where ``compose.yaml`` lies.
    environment
        Variables that the file may use.
    """
    done = subprocess.run(
        [compose_spec(), COMPOSE.name],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    model: dict[str, Any] = json.loads(done.stdout)
    return model


def _built(name: str) -> Path:
    definition = sorted(p for p in (HERE / name).iterdir() if p.is_file())

    def make(folder: Path) -> None:
        go = need("go", "Go 1.24 or newer")
        work = folder / "work"
        shutil.copytree(HERE / name, work)
        environment = os.environ | {
            "GOCACHE": str(work / "go-build"),
            "GOMODCACHE": str(work / "go-mod"),
            "GOFLAGS": "-modcacherw -buildvcs=false",
        }
        run([go, "build", "-o", folder / name, "."], cwd=work, env=environment)
        shutil.rmtree(work)

    return kept(name, definition, make) / name
