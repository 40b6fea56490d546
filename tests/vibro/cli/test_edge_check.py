"""`vibro edge check`: what once showed only at the start of a node is told before it."""

from __future__ import annotations

import os

import pytest

from tests.vibro.cli.commands import vibro
from tests.vibro.cli.homes import laid_out
from vibro.cli import nodes

pytestmark = pytest.mark.slow_nojit


def mistakes(node, *pairs: tuple[str, str], more: str = "") -> list[str]:
    text = node.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    node.write_text(text + more)
    (said,) = vibro("edge", "check", node, "--json").json
    return said["mistakes"]


def test_limits_that_do_not_fit_the_channels_are_told(tmp_path):
    told = mistakes(laid_out(tmp_path), more="[reflex]\npeak_m_s2 = [1, 2, 3]\nrms_m_s2 = [1, 2]\n")
    (mistake,) = told
    assert mistake.startswith("reflex.peak_m_s2 has 3 limits, the machine 2 channels")


def test_a_limit_of_a_channel_that_is_not_there_is_told_once(tmp_path):
    limit = '[[limits]]\nfeature = "velocity_rms_mm_s"\nchannel = "nde-a"\nalert = 4.5\n'
    (mistake,) = mistakes(laid_out(tmp_path), more=limit)
    assert "limit nde-a/velocity_rms_mm_s: channel is not one of *, de-h, de-v" in mistake
    (mistake,) = mistakes(laid_out(tmp_path / "b"), more=limit.replace("alert = 4.5", ""))
    assert "neither alert nor danger is given" in mistake


@pytest.mark.parametrize(
    ("program", "word"), [("[]", "is empty"), ('["/no/such/program", "-x"]', "cannot be run")]
)
def test_a_program_that_cannot_be_run_is_told(tmp_path, program, word):
    more = f'[reflex]\npeak_m_s2 = [9]\naction = "program"\nprogram = {program}\n'
    (mistake,) = mistakes(laid_out(tmp_path), more=more)
    assert mistake.startswith("reflex.program")
    assert word in mistake


def test_a_recording_that_does_not_fit_is_told(tmp_path):
    node = laid_out(tmp_path)
    (node.parent / "a.npy").write_bytes(b"no recording")
    pairs = (
        ('kind = "simulator"', 'kind = "replay"\nfiles = ["a.npy"]'),
        ("duration_s = 6.0\n", ""), ("commissioning_s = 3.0\n", ""),
    )  # fmt: skip
    (mistake,) = mistakes(node, *pairs)
    assert mistake.startswith("source: ")
    assert "a.npy" in mistake


@pytest.mark.parametrize("what", ["node's folder", "ship.log"])
def test_a_folder_that_cannot_be_written_is_told(tmp_path, monkeypatch, what):
    """Root may write anywhere, so the system's own answer is put in its place."""
    node = laid_out(tmp_path)
    (tmp_path / "log").mkdir()
    closed = node.parent if what == "node's folder" else tmp_path / "log"
    access = os.access
    monkeypatch.setattr(
        nodes.os, "access", lambda path, mode: path != closed.resolve() and access(path, mode)
    )
    (mistake,) = mistakes(node)
    assert what in mistake
    assert f"{closed} cannot be written by this user" in mistake


def test_a_log_that_is_a_file_is_told(tmp_path):
    (tmp_path / "log").write_text("")
    (mistake,) = mistakes(laid_out(tmp_path))
    assert mistake == f"ship.log: {tmp_path / 'log'} is no folder"


@pytest.mark.parametrize("name", ["x" * 9000, "a\\u0000b", "y/" * 3000])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('register = "../../assets.csv"', 'register = "{}"'),
        ("[reporting]", '[ship]\nlog = "{}"\n[reporting]'),
        ("[reporting]", '[reflex]\nca_file = "{}"\n[reporting]'),
        ('kind = "simulator"', 'kind = "replay"\nfiles = ["{}"]'),
    ],
)
def test_names_that_no_file_can_have_are_told(tmp_path, name, old, new):
    told = mistakes(laid_out(tmp_path), (old, new.format(name)))
    assert told
    assert all(len(m) < 1100 and m.isprintable() for m in told)


def test_an_extra_that_is_missing_is_told(tmp_path, monkeypatch):
    find = nodes.importlib.util.find_spec
    monkeypatch.setattr(
        nodes.importlib.util, "find_spec",
        lambda name: None if name == "prometheus_client" else find(name),
    )  # fmt: skip
    (mistake,) = mistakes(laid_out(tmp_path), more="[service]\nhttp_port = 9464\n")
    assert mistake == ("service.http_port = 9464 needs the 'edge' extra: pip install 'vibro[edge]'")


def test_a_port_that_does_not_exist_is_told(tmp_path):
    (mistake,) = mistakes(laid_out(tmp_path), more="[service]\nhttp_port = 70000\n")
    assert mistake == "service.http_port = 70000 is too large: at most 65535"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("inf", "reporting.status_s = inf is too large, or not finite"),
        ("nan", "reporting.status_s = nan is too large, or not finite"),
        ("0x" + "f" * 5000, "reporting.status_s = a number of thousands of digits is too large"),
        ("9" * 5000, "is not TOML"),
        ("[" * 2000 + "]" * 2000, "is not TOML"),
        ('"' + "x" * 500 + '"', "... is not a number (s)"),
    ],
)
def test_numbers_that_no_one_means_are_one_line(tmp_path, value, told):
    (mistake,) = mistakes(laid_out(tmp_path), ("status_s = 10", f"status_s = {value}"))
    assert told in mistake
    assert len(mistake) < 300
    assert mistake.isprintable()
