"""`vibro edge init`: what it writes is valid as written, locked in, and never written over."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from importlib.resources import files

import pytest

from edge_node.config import load
from edge_node.hosted import machine_of
from tests.vibro.cli.commands import refused, vibro
from vibro.cli import edge_selfcheck
from vibro.cli.edge_unit import unit_text

MACHINE = "austin/fan-1"


@pytest.fixture
def register(tmp_path):
    path = tmp_path / "plant.csv"
    path.write_text(files("vibro.simulate").joinpath("plant.csv").read_text())
    return path


def init(register, folder, *more, machine=MACHINE):
    return vibro("edge", "init", machine, "--register", register, "--to", folder, *more)


def test_what_it_writes_is_valid_as_written(tmp_path, register):
    done = init(register, tmp_path / "n1")
    assert (done.status, done.err) == (0, "")
    node = tmp_path / "n1" / "node.toml"
    assert vibro("edge", "check", node).out == f"{node}: ok, node austin-fan-1, machine {MACHINE}\n"
    config = load(node)
    assert config.path(config.ship.log) == tmp_path / "n1" / "log"
    assert (config.service.http_port, config.service.http_address) == (9464, "127.0.0.1")


def test_the_register_holds_the_one_machine_as_it_was(tmp_path, register):
    init(register, tmp_path / "n1")
    mine = machine_of(load(tmp_path / "n1" / "node.toml"))
    rows = (tmp_path / "n1" / "assets.csv").read_text().splitlines()
    assert mine.path == MACHINE
    assert len(rows) == 1 + len(mine.points)
    assert set(rows[1:]) <= set(register.read_text().splitlines())


def test_it_says_what_was_written_what_it_found_and_what_comes_next(tmp_path, register):
    lines = init(register, tmp_path / "n1").out.splitlines()
    assert [line.split("/")[-1] for line in lines if line.startswith("written: ")] == [
        "node.toml", "assets.csv", "vibro-edge-austin-fan-1.service",
    ]  # fmt: skip
    found = [line.split(":")[0].split() for line in lines if line[:4] in {"  ok", "  --", "  NO"}]
    assert [what for _, what in found] == [
        "configuration", "source", "kernels", "disk", "space", "clock", "user", "port", "systemd",
    ]  # fmt: skip
    assert dict(reversed(f) for f in found)["configuration"] == "ok"
    assert any("nothing is measured" in line for line in lines)
    assert lines[-3] == f"next: vibro edge check {tmp_path / 'n1' / 'node.toml'}"


def test_it_says_so_as_json(tmp_path, register):
    said = init(register, tmp_path / "n1", "--json").json
    assert (said["node"], said["machine"]) == ("austin-fan-1", MACHINE)
    assert said["config"] == str(tmp_path / "n1" / "node.toml")
    assert {c["what"] for c in said["checks"]} >= {"disk", "space", "clock", "user"}
    assert all(c["ok"] in {True, None} for c in said["checks"])


def test_nothing_is_written_over(tmp_path, register):
    init(register, tmp_path / "n1")
    node = tmp_path / "n1" / "node.toml"
    node.write_text(node.read_text() + "# mine\n")
    before = {p: p.read_bytes() for p in (tmp_path / "n1").iterdir() if p.is_file()}
    refused(init(register, tmp_path / "n1"), "node.toml", "nothing is written over", "--to")
    assert {p: p.read_bytes() for p in (tmp_path / "n1").iterdir() if p.is_file()} == before


@pytest.mark.parametrize(
    ("more", "machine", "words"),
    [
        ((), "austin/fan-9", ("'austin/fan-9' is not in the asset register", "austin/fan-1")),
        (("--source", "magic"), MACHINE, ("source.kind = 'magic'", "simulator")),
        (("--source", "replay"), MACHINE, ("--file",)),
    ],
)
def test_what_cannot_be_is_one_line_and_nothing_is_written(
    tmp_path, register, more, machine, words
):
    refused(init(register, tmp_path / "n1", *more, machine=machine), *words)
    assert not (tmp_path / "n1").exists()


def test_recordings_are_replayed_and_other_sources_show_their_options(tmp_path, register):
    recording = tmp_path / "a b.npy"
    recording.write_bytes(b"")
    made = init(register, tmp_path / "n1", "--file", recording)
    assert made.status == 1
    assert "NO  configuration: source: " in made.out
    assert load(tmp_path / "n1" / "node.toml").source_options.files == (str(recording),)
    init(register, tmp_path / "n2", "--source", "tcp")
    raw = tomllib.loads((tmp_path / "n2" / "node.toml").read_text())
    assert raw["source"]["kind"] == "tcp"
    assert raw["source"]["tcp"]


def test_the_log_may_lie_elsewhere_and_the_service_may_write_there(tmp_path, register):
    init(register, tmp_path / "n1", "--log", tmp_path / "home" / "log")
    config = load(tmp_path / "n1" / "node.toml")
    assert config.path(config.ship.log) == tmp_path / "home" / "log"
    assert config.path(config.ship.bundles) == tmp_path / "home" / "bundles"
    unit = (tmp_path / "n1" / "vibro-edge-austin-fan-1.service").read_text()
    assert f'ReadWritePaths="{tmp_path / "n1"}" "{tmp_path / "home" / "log"}"' in unit


def test_the_unit_restarts_watches_and_locks_in(tmp_path, register):
    init(register, tmp_path / "n1")
    lines = (tmp_path / "n1" / "vibro-edge-austin-fan-1.service").read_text().splitlines()
    for line in (
        "Type=notify", "WatchdogSec=30", "Restart=always", "StartLimitIntervalSec=0",
        "ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "PrivateTmp=yes",
        "StateDirectory=vibro", "TimeoutStopSec=10", "ExecReload=/bin/kill -HUP $MAINPID",
    ):  # fmt: skip
        assert line in lines


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_finds_nothing_wrong_with_the_unit_and_little_exposed(tmp_path, register):
    folder = tmp_path / "a 100 % node"
    init(register, folder)
    unit = folder / "vibro-edge-austin-fan-1.service"
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    mine = [line for line in done.stderr.splitlines() if unit.name in line]
    assert mine == []


def test_what_systemd_would_read_otherwise_is_escaped(tmp_path, register):
    init(register, tmp_path / "n1")
    machine = machine_of(load(tmp_path / "n1" / "node.toml"))
    folder = tmp_path / 'a "100 %" $HOME'
    unit = unit_text(machine, folder, folder / "log")
    assert 'a \\"100 %%\\" $$HOME/node.toml"' in unit


# -- self-check ------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path, register):
    init(register, tmp_path / "n1", "--http-port", 0)
    return load(tmp_path / "n1" / "node.toml")


def test_a_disk_that_is_too_small_for_the_spool_is_told(config, monkeypatch):
    usage = shutil._ntuple_diskusage(10**9, 9 * 10**8, 10**8)
    monkeypatch.setattr(edge_selfcheck.shutil, "disk_usage", lambda _: usage)
    check = edge_selfcheck._space(config)
    assert check.ok is False
    assert check.said == "100 MB free, the spool may grow to 512 MB: lower spool.max_mb"


def test_a_folder_that_cannot_be_written_is_told(config, monkeypatch):
    def read_only(self, *_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.open", read_only)
    check = edge_selfcheck._disk(config)
    assert (check.ok, check.said.split("(")[1]) == (False, "Read-only file system)")


@pytest.mark.parametrize(("answer", "known"), [(0, True), (5, False), (-1, None)])
def test_the_clock_is_what_the_kernel_says_of_it(monkeypatch, answer, known):
    class Kernel:
        def adjtimex(self, _: object) -> int:
            return answer

    monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: Kernel())
    assert edge_selfcheck.clock_synchronised() is known


def test_a_probe_leaves_nothing_behind(config):
    assert edge_selfcheck._disk(config).ok is not False
    assert [p.name for p in config.folder.iterdir() if p.name.startswith(".")] == []
