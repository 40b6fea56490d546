"""`vibro cloud sign` and `revoke` as a person types them."""

from __future__ import annotations

import stat
from importlib.resources import files

import pytest

from tests.vibro.cli.commands import refused, vibro
from vibro.log.kafka.certificates import common_name, read_certificates, read_key

NODE = "hamburg-motor-1"


@pytest.fixture
def home(tmp_path):
    made = tmp_path / "home"
    made.mkdir()
    (made / "assets.csv").write_text(files("vibro.simulate").joinpath("plant.csv").read_text())
    first = vibro("cloud", "sign", "--init", "--home", made)
    assert first.status == 0, first.err
    return made


@pytest.fixture
def request_file(tmp_path):
    config = tmp_path / "node.toml"
    config.write_text('[node]\nid = "n"\nsite = "hamburg"\nmachine = "motor-1"\n')
    assert vibro("edge", "enroll", config).status == 0
    return tmp_path / "tls" / f"{NODE}.csr"


def sign(home, *argv):
    return vibro("cloud", "sign", *argv, "--home", home)


def test_a_request_is_signed_beside_itself_and_both_sides_tell_the_same_key(home, request_file):
    asked = vibro("edge", "enroll", request_file.parent.parent / "node.toml", "--json").json
    signed = sign(home, request_file, "--json").json
    assert signed["key"] == asked["key"]
    assert (signed["name"], signed["kind"], signed["renewed"]) == (NODE, "node", False)
    pem = request_file.with_suffix(".pem")
    assert signed["file"] == str(pem)
    assert common_name(read_certificates(pem)[0]) == NODE
    assert b"PRIVATE" not in pem.read_bytes()
    again = sign(home, request_file)
    assert "renewed" in again.out
    assert signed["authority"] in again.out


def test_a_server_and_a_service_get_their_key_in_the_same_file(home, tmp_path):
    for argv in (["--server", "kafka", "--server", "10.0.0.1"], ["--service", "cloud"]):
        out = tmp_path / "made" / "pair.pem"
        done = sign(home, *argv, "--out", out)
        assert done.status == 0, done.err
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
        assert read_key(out).public_key() == read_certificates(out)[0].public_key()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "give one of REQUEST, --init, --server or --service"),
        (["--server", "kafka", "--service", "cloud"], "give one of"),
        (["--server", "kafka"], "name the file for both with --out"),
        (["--server", "no host", "--out", "x.pem"], "neither a host name nor an address"),
        (["--service", "plant-fan", "--out", "x.pem"], "a service's name"),
        (["--service", "cloud", "--out", "x.pem", "--days", "91"], "at most 90 for a service"),
        (["--service", "cloud", "--out", "x.pem", "--days", "0"], "--days"),
        (["--init"], "nothing is written over"),
        (["none.csr"], "none.csr: cannot be read"),
    ],
)
def test_what_cannot_be_signed_is_one_line(home, tmp_path, monkeypatch, argv, words):
    monkeypatch.chdir(tmp_path)
    refused(sign(home, *argv), words)
    assert not (tmp_path / "x.pem").exists()


def test_a_request_is_never_written_over(home, request_file):
    before = request_file.read_bytes()
    refused(sign(home, request_file, "--out", request_file), "is the request itself")
    assert request_file.read_bytes() == before


def test_without_register_or_authority_the_remedy_is_told(home, tmp_path, request_file):
    refused(sign(tmp_path / "new", request_file), "vibro cloud sign --init")
    (home / "assets.csv").unlink()
    refused(sign(home, request_file), "vibro assets import")


def test_a_name_is_revoked_before_any_broker_is_asked(home, request_file):
    assert sign(home, request_file).status == 0
    done = vibro("cloud", "revoke", NODE, "--home", home)
    assert (done.status, done.out) == (0, f"{NODE}: revoked, 0 ACLs removed\n")
    refused(sign(home, request_file), "is revoked")
    # A broker that is away: it is written down, and the next `setup` takes the access away.
    (home / "cloud.toml").write_text(
        '[services]\ntransport = "kafka"\n[kafka]\nservers = ["127.0.0.1:9"]\n'
        'ca_file = "authority/ca.pem"\ncert_file = "c.pem"\nkey_file = "c.pem"\n'
        "request_timeout_s = 1.0\n"
    )
    assert sign(home, "--service", "cloud", "--out", home / "c.pem").status == 0
    away = vibro("cloud", "revoke", "hamburg-pump-1", "--home", home)
    assert away.status == 1
    assert "nothing listens there" in away.err
    assert "written down" in away.err
    assert "hamburg-pump-1" in (home / "authority" / "ledger.jsonl").read_text()
