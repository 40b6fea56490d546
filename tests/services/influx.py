"""An InfluxDB 2.7 server, built from its Go module: the API, tasks and Flux, without the web UI."""

from __future__ import annotations

import json
import os
import shutil
import urllib.request
from pathlib import Path

from tests.services.kept import kept, need, run
from tests.services.process import Server, free_port

MODULE = Path(__file__).parent / "influxd"


def influxd() -> Path:
    """Program of the server."""
    return kept("influxd", [MODULE / "go.mod", MODULE / "go.sum"], _make) / "influxd"


def _make(folder: Path) -> None:
    go = need("go", "Go 1.24 or newer")
    need("cargo", "Rust (cargo and rustc)")
    need("cc", "build-essential")
    need("pkg-config", "pkg-config")
    work = folder / "work"
    shutil.copytree(MODULE, work)
    # Part of the server is Rust of an old version, whose lints a newer compiler calls errors.
    lenient = work / "rustc"
    lenient.write_text('#!/bin/sh\nexec "$@" --cap-lints warn\n')
    lenient.chmod(0o755)
    environment = os.environ | {
        # Caches of their own, nearly 3 GB, go with the folder.
        "GOCACHE": str(work / "go-build"),
        "GOMODCACHE": str(work / "go-mod"),
        "GOFLAGS": f"{run([go, 'env', 'GOFLAGS']).strip()} -modcacherw -buildvcs=false".strip(),
        "CGO_ENABLED": "1",
        "PKG_CONFIG": str(work / "pkg-config"),
        "RUSTC_WRAPPER": str(lenient),
    }
    if shutil.which("rustup"):
        environment["RUSTUP_TOOLCHAIN"] = run(["rustup", "show", "active-toolchain"]).split()[0]
    options = (
        ["-o", work / "pkg-config"],
        ["-tags", "sqlite_foreign_keys,sqlite_json", "-ldflags", "-s -w", "-o", folder / "influxd"],
    )
    programs = ("github.com/influxdata/pkg-config", "github.com/influxdata/influxdb/v2/cmd/influxd")
    for option, program in zip(options, programs, strict=True):
        run([go, "build", *option, program], cwd=work, env=environment)
    shutil.rmtree(work)


class InfluxServer(Server):
    """A server with one organisation and its operator's token.

    Parameters
    ----------
    folder : Path
        For its data and log.
    """

    name = "influxd"
    org = "vibro"
    token = "operator-of-the-tests"  # noqa: S105 (a server of the tests alone)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._port = free_port()

    @property
    def url(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self._port}"

    def command(self) -> list[str]:
        """Everything in the folder, and no reports to its makers."""
        return [
            str(influxd()),
            f"--http-bind-address=127.0.0.1:{self._port}",
            f"--bolt-path={self.folder / 'influxd.bolt'}",
            f"--sqlite-path={self.folder / 'influxd.sqlite'}",
            f"--engine-path={self.folder / 'engine'}",
            "--reporting-disabled",
            "--log-level=warn",
        ]

    def start(self) -> None:
        """Start it, the first time with a user, the organisation and its token."""
        super().start()
        if self._answer("/api/v2/setup")["allowed"]:
            first = {"username": "operator", "password": "of-the-tests", "bucket": "first"}
            self._answer("/api/v2/setup", first | {"org": self.org, "token": self.token})

    def ready(self) -> bool:
        """Whether it calls itself healthy."""
        try:
            return bool(self._answer("/health")["status"] == "pass")
        except (OSError, ValueError):
            return False

    def _answer(self, path: str, body: object = None) -> dict[str, object]:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(self.url + path, data, 30) as answer:  # noqa: S310
            found: dict[str, object] = json.load(answer)
        return found
