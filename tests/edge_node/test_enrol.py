"""Enrolling a node: its key stays, its certificate is checked, both come into use at once."""

from __future__ import annotations

import os
import ssl
import stat
import threading
import tomllib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge_node.enrol import ask, take
from edge_node.enrol_config import set_entries
from tests.vibro.cli.commands import refused, vibro
from vibro.errors import BadInputError
from vibro.log.kafka.certificates import (
    certificate_pem,
    key_pem,
    new_key,
    read_certificates,
    read_key,
)

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
NAME = "harbour-motor-1"
CONFIG = """\
register = "assets.csv"  # as it was

[node]
id = "n1"
site = "harbour"
machine = "motor-1"
"""
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


class SmallAuthority:
    """Signs what a test wants, right or wrong."""

    def __init__(self, name="authority", above=None):
        self.key, self.above = new_key(), above
        above_name, signer = (above.name, above.key) if above else (named(name), self.key)
        self.name = named(name)
        self.certificate = built(self.name, above_name, self.key.public_key(), signer, ca=True)

    def sign(self, key, name=NAME, **how):
        return built(named(name), self.name, key, self.key, **how)


def named(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def built(name, issuer, key, signer, *, ca=False, begins=-1.0, ends=30.0, purpose=CLIENT):
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=begins))
        .not_valid_after(NOW + timedelta(days=ends))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if not ca and purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    return builder.sign(signer, hashes.SHA256())


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "node" / "node.toml"
    file.parent.mkdir()
    file.write_text(CONFIG)
    return file


@pytest.fixture(scope="module")
def authority():
    return SmallAuthority()


def requested_key(config):
    request = config.parent / "tls" / f"{NAME}.csr"
    return x509.load_pem_x509_csr(request.read_bytes()).public_key()


def handed(tmp_path, *certificates):
    file = tmp_path / "certificate.pem"
    file.write_bytes(certificate_pem(*certificates))
    return file


def enrolled(config, authority, tmp_path):
    ask(config)
    file = handed(tmp_path, authority.sign(requested_key(config)), authority.certificate)
    return take(config, file, None, NOW)


def everything(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_key_is_made_here_and_only_its_public_half_is_asked_for(config):
    asked = ask(config)
    folder = config.parent / "tls"
    key = read_key(folder / "next.key")
    request = x509.load_pem_x509_csr(asked.request.read_bytes())
    assert request.is_signature_valid
    assert request.public_key() == key.public_key()
    assert request.subject == named(NAME)
    assert b"PRIVATE" not in asked.request.read_bytes()
    assert stat.S_IMODE((folder / "next.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {p.name for p in folder.iterdir()} == {"next.key", f"{NAME}.csr"}


def test_asking_again_before_the_answer_keeps_the_key(config):
    first, again = ask(config), ask(config)
    assert (first.waiting, again.waiting) == (False, True)
    assert first.key == again.key


def test_a_certificate_comes_into_use_and_the_configuration_names_it(config, authority, tmp_path):
    taken = enrolled(config, authority, tmp_path)
    folder = config.parent / "tls"
    assert (taken.name, taken.configured) == (NAME, True)
    assert taken.ends == NOW + timedelta(days=30)
    text = config.read_text()
    assert text.startswith(CONFIG)
    assert tomllib.loads(text)["kafka"] == {
        "ca_file": "tls/ca.pem",
        "cert_file": "tls/node.pem",
        "key_file": "tls/node.pem",
    }
    assert stat.S_IMODE((folder / "node.pem").stat().st_mode) == 0o600
    assert {p.name for p in folder.iterdir()} == {"ca.pem", "node.pem"}
    assert read_certificates(folder / "ca.pem") == [authority.certificate]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(folder / "node.pem", folder / "node.pem")


def test_renewal_swaps_key_and_certificate_at_once(config, authority, tmp_path):
    enrolled(config, authority, tmp_path)
    pair = config.parent / "tls" / "node.pem"
    before, text = pair.read_bytes(), config.read_text()
    asked = ask(config)
    assert asked.renewal
    assert pair.read_bytes() == before
    # Whoever reads the file at any instant finds a pair that belongs together.
    stop, halves, reads = threading.Event(), [], []

    def read():
        while not stop.is_set():
            reads.append(pair.read_bytes())
            copy.write_bytes(reads[-1])
            if read_key(copy).public_key() != read_certificates(copy)[0].public_key():
                halves.append(reads[-1])

    copy = tmp_path / "copy.pem"
    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(20):
            ask(config)
            fresh = handed(tmp_path, authority.sign(requested_key(config)))
            taken = take(config, fresh, None, NOW)
            assert not taken.configured
    finally:
        stop.set()
        reader.join()
    assert not halves
    assert len(set(reads)) > 2
    assert read_key(pair).public_key() == read_certificates(pair)[0].public_key()
    assert pair.read_bytes() != before
    assert config.read_text() == text


def test_taking_it_twice_changes_nothing(config, authority, tmp_path):
    enrolled(config, authority, tmp_path)
    before = everything(config.parent)
    assert not take(config, tmp_path / "certificate.pem", None, NOW).configured
    assert everything(config.parent) == before


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": "harbour-motor-2"}, "is for 'harbour-motor-2', this node is 'harbour-motor-1'"),
        ({"begins": -30.0, "ends": -1.0}, "this computer's clock says 2026-07-01 12:00"),
        ({"begins": 1.0}, "is valid from 2026-07-02"),
        ({"purpose": SERVER}, "not meant for a client"),
    ],
    ids=["another node's", "expired", "not yet valid", "a server's"],
)
def test_a_wrong_certificate_changes_nothing(config, authority, tmp_path, wrong, words):
    ask(config)
    before = everything(config.parent)
    made = authority.sign(requested_key(config), **wrong)
    with pytest.raises(BadInputError, match=words):
        take(config, handed(tmp_path, made, authority.certificate), None, NOW)
    assert everything(config.parent) == before


def test_a_certificate_for_another_key_is_refused(config, authority, tmp_path):
    ask(config)
    made = authority.sign(new_key().public_key())
    with pytest.raises(BadInputError, match="is not for a key of this node"):
        take(config, handed(tmp_path, made, authority.certificate), None, NOW)


def test_another_authority_is_trusted_only_when_a_person_says_so(config, authority, tmp_path):
    enrolled(config, authority, tmp_path)
    other = SmallAuthority()  # of the same name
    ask(config)
    before = everything(config.parent)
    file = handed(tmp_path, other.sign(requested_key(config)), other.certificate)
    with pytest.raises(BadInputError, match="name its certificate with --ca"):
        take(config, file, None, NOW)
    assert everything(config.parent) == before
    both = tmp_path / "both.pem"
    both.write_bytes(certificate_pem(authority.certificate, other.certificate))
    take(config, file, both, NOW)
    assert len(read_certificates(config.parent / "tls" / "ca.pem")) == 2


def test_an_authority_in_between_is_kept_with_the_certificate(config, authority, tmp_path):
    between = SmallAuthority("plant", authority)
    ask(config)
    made = between.sign(requested_key(config))
    take(config, handed(tmp_path, made, between.certificate, authority.certificate), None, NOW)
    pair = config.parent / "tls" / "node.pem"
    assert read_certificates(pair) == [made, between.certificate]
    assert read_certificates(config.parent / "tls" / "ca.pem") == [authority.certificate]


def test_who_may_not_sign_is_no_authority(config, authority, tmp_path):
    """A node's certificate, shown as an authority's, vouches for nobody."""
    other_key = new_key()
    other_node = authority.sign(other_key.public_key(), "harbour-motor-2")
    ask(config)
    forged = built(named(NAME), other_node.subject, requested_key(config), other_key)
    with pytest.raises(BadInputError, match="an authority that this node trusts"):
        take(config, handed(tmp_path, forged, other_node, authority.certificate), None, NOW)


@pytest.mark.parametrize("content", [b"", b"\xff" * 99, b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_no_certificate_is_said_to_be_none(config, tmp_path, content):
    ask(config)
    file = tmp_path / "certificate.pem"
    file.write_bytes(content)
    with pytest.raises(BadInputError, match=r"certificate\.pem: holds no certificate"):
        take(config, file, None, NOW)


# -- the configuration's text ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[kafka]\n",
        "[kafka]\nservers = ['a:1']\n[spool]\nmax_mb = 5.0\n",
        "[spool]\nmax_mb = 5.0\n\n[kafka] # broker\n  cert_file='old'   # mine\nca_file = \"x\"\n",
        "[other]\ncert_file = 'not mine'\n",
        "[kafka]\nservers = [\n'a:1',\n]\n",
    ],
)
def test_entries_are_set_and_all_else_is_left(tmp_path, text):
    file = tmp_path / "c.toml"
    file.write_text(text)
    assert set_entries(file, "kafka", {"cert_file": "a", "ca_file": "b"})
    before, after = tomllib.loads(text), tomllib.loads(file.read_text())
    assert after == before | {"kafka": before.get("kafka", {}) | {"cert_file": "a", "ca_file": "b"}}
    comments = [line for line in text.split("\n") if line.startswith("#")]
    assert all(line in file.read_text() for line in comments)
    assert not set_entries(file, "kafka", {"cert_file": "a", "ca_file": "b"})


def test_what_cannot_be_edited_stays_and_the_lines_are_told(tmp_path):
    file = tmp_path / "c.toml"
    text = "kafka = { servers = ['a:1'] }\n"
    file.write_text(text)
    with pytest.raises(BadInputError, match='yourself: cert_file = "a"'):
        set_entries(file, "kafka", {"cert_file": "a"})
    assert file.read_text() == text


def test_a_link_to_the_configuration_stays_one_and_its_mode_too(tmp_path):
    real, link = tmp_path / "real.toml", tmp_path / "link.toml"
    real.write_text(CONFIG)
    real.chmod(0o640)
    link.symlink_to(real)
    set_entries(link, "kafka", {"cert_file": "a"})
    assert link.is_symlink()
    assert "cert_file" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_enrols_belongs_to_the_nodes_user(config, authority, tmp_path):
    os.chown(config.parent, 12_345, 54_321)
    enrolled(config, authority, tmp_path)
    folder = config.parent / "tls"
    for path in (folder, *folder.iterdir()):
        assert (path.stat().st_uid, path.stat().st_gid) == (12_345, 54_321), path


# -- the verb --------------------------------------------------------------------------------------


def test_the_verb_asks_takes_and_tells_no_key(config, tmp_path):
    asked = vibro("edge", "enroll", config)
    assert asked.status == 0, asked.err
    assert "vibro cloud sign harbour-motor-1.csr" in asked.out
    again = vibro("edge", "enroll", config, "--json").json
    assert (again["name"], again["waiting"], again["renewal"]) == (NAME, True, False)
    assert again["key"] in asked.out
    refused(vibro("edge", "enroll", config, "--ca", config), "--ca belongs to --certificate")
    refused(
        vibro("edge", "enroll", config, "--certificate", config), "node.toml: holds no certificate"
    )
    secret = key_pem(read_key(config.parent / "tls" / "next.key")).decode().splitlines()[1]
    for done in (asked, vibro("edge", "enroll", config, "--json")):
        assert secret not in done.out + done.err
        assert "PRIVATE KEY" not in done.out + done.err


def test_a_configuration_that_does_not_say_which_node_it_is(tmp_path):
    file = tmp_path / "node.toml"
    file.write_text("[node]\nid = 'n'\nsite = 'Not A Slug'\n")
    refused(vibro("edge", "enroll", file), "node.site", "node.machine is missing")
    file.write_text("not toml")
    refused(vibro("edge", "enroll", file), "cannot be read as TOML")
