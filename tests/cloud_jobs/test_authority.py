"""The authority: what it signs, for whom, for how long, and what it refuses."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloud_jobs.authority import Authority, Wish, ledger_of, make, revoke
from vibro.assets import Machine, Register
from vibro.errors import BadInputError
from vibro.log.kafka.certificates import new_key

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
PLANT = Register({m.path: m for m in (Machine("plant", "fan", "fan"), Machine("p2", "fan", "fan"))})
NODE = "plant-fan"
PEM, SHA256 = serialization.Encoding.PEM, hashes.SHA256()


@pytest.fixture
def home(tmp_path):
    make(tmp_path, NOW, 3650.0)
    return tmp_path


def request_of(tmp_path, key=None, name=NODE, digest=SHA256, extensions=()):
    key = key or new_key()
    names = [x509.NameAttribute(NameOID.COMMON_NAME, n) for n in ([name] if name else [])]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    file = tmp_path / "node.csr"
    file.write_bytes(builder.sign(key, digest).public_bytes(PEM))
    return file


def signed(home, file, **wish):
    return Authority(home).sign_node(file, PLANT, Wish(NOW, **{"days": 30.0, **wish}))


def leaf(issued):
    return x509.load_pem_x509_certificates(issued.pem)[0]


def test_a_node_gets_its_name_one_purpose_and_its_term(home, tmp_path):
    key = new_key()
    issued = signed(home, request_of(tmp_path, key))
    certificate, authority = x509.load_pem_x509_certificates(issued.pem)
    certificate.verify_directly_issued_by(authority)
    assert certificate.public_key() == key.public_key()
    assert certificate.subject.rfc4514_string() == "CN=plant-fan"
    assert certificate.not_valid_after_utc == NOW + timedelta(days=30)
    assert timedelta() < NOW - certificate.not_valid_before_utc < timedelta(hours=1)
    found = certificate.extensions
    purposes = found.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    limits = found.get_extension_for_class(x509.BasicConstraints)
    assert limits.critical
    assert not limits.value.ca
    assert not found.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    ca = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (ca.ca, ca.path_length) == (True, 0)


def test_what_a_request_asks_for_beyond_its_name_is_passed_over(home, tmp_path):
    file = request_of(
        tmp_path,
        extensions=(
            x509.BasicConstraints(ca=True, path_length=3),
            x509.SubjectAlternativeName([x509.DNSName("broker")]),
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
        ),
    )
    found = leaf(signed(home, file)).extensions
    assert not found.get_extension_for_class(x509.BasicConstraints).value.ca
    with pytest.raises(x509.ExtensionNotFound):
        found.get_extension_for_class(x509.SubjectAlternativeName)
    purposes = list(found.get_extension_for_class(x509.ExtendedKeyUsage).value)
    assert purposes == [ExtendedKeyUsageOID.CLIENT_AUTH]


@pytest.mark.parametrize("name", ["plant-pump", "admin", "cloud", "broker", "plant-fan,O=x", "*"])
def test_only_nodes_of_the_register_get_a_certificate(home, tmp_path, name):
    with pytest.raises(BadInputError, match="the register has no node"):
        signed(home, request_of(tmp_path, name=name))
    assert not any(e.kind == "node" for e in ledger_of(home).entries())


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
        rsa.generate_private_key(65537, 2048),
        dsa.generate_private_key(2048),
    ],
    ids=["P-384", "secp256k1", "RSA 2048", "DSA"],
)
def test_weak_and_unusual_keys_are_refused(home, tmp_path, key):
    with pytest.raises(BadInputError, match="ECDSA on P-256, Ed25519, or RSA from 3072 bits"):
        signed(home, request_of(tmp_path, key))


@pytest.mark.parametrize(
    ("key", "digest"),
    [
        (ed25519.Ed25519PrivateKey.generate(), None),
        (rsa.generate_private_key(65537, 3072), hashes.SHA384()),
    ],
    ids=["Ed25519", "RSA 3072"],
)
def test_other_good_keys_are_taken(home, tmp_path, key, digest):
    certificate = leaf(signed(home, request_of(tmp_path, key, digest=digest)))
    assert certificate.public_key() == key.public_key()


def test_a_request_must_prove_its_key(home, tmp_path):
    file = request_of(tmp_path)
    whole = x509.load_pem_x509_csr(file.read_bytes())
    der = bytearray(whole.public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    forged = x509.load_der_x509_csr(bytes(der))
    file.write_bytes(forged.public_bytes(PEM))
    with pytest.raises(BadInputError, match="not signed by its own key"):
        signed(home, file)


@pytest.mark.parametrize("data", [b"", b"\x00" * 100, b"-----BEGIN CERTIFICATE REQUEST-----\nAA\n"])
def test_what_is_no_request_is_said_to_be_none(home, tmp_path, data):
    file = tmp_path / "node.csr"
    file.write_bytes(data)
    with pytest.raises(BadInputError, match=r"node\.csr: is no certificate signing request"):
        signed(home, file)


def test_a_request_without_one_name_or_beyond_all_size_is_refused(home, tmp_path):
    with pytest.raises(BadInputError, match="one common name"):
        signed(home, request_of(tmp_path, name=""))
    huge = tmp_path / "huge.csr"
    huge.write_bytes(b"x" * 300_000)
    with pytest.raises(BadInputError, match="larger than"):
        signed(home, huge)


def test_terms_have_a_bound_and_end_before_the_authority(home, tmp_path):
    file = request_of(tmp_path)
    with pytest.raises(BadInputError, match="at most 90 for a node"):
        signed(home, file, days=91.0)
    assert leaf(signed(home, file, days=91.0, force=True))
    with pytest.raises(BadInputError, match="the authority itself ends on 2036-06-28"):
        signed(home, file, days=3651.0, force=True)


def test_a_revoked_name_is_signed_again_only_when_reinstated(home, tmp_path):
    file = request_of(tmp_path)
    assert not signed(home, file).renewed
    assert signed(home, file).renewed
    assert revoke(home, NODE, PLANT, NOW)
    assert not revoke(home, NODE, PLANT, NOW)
    assert ledger_of(home).revoked() == {NODE}
    with pytest.raises(BadInputError, match="'plant-fan' is revoked"):
        signed(home, file)
    signed(home, file, reinstate=True)
    assert ledger_of(home).revoked() == set()
    what = [e.what for e in ledger_of(home).entries()]
    assert what == ["issued", "issued", "issued", "revoked", "reinstated", "issued"]
    with pytest.raises(BadInputError, match="neither the register nor the ledger knows it"):
        revoke(home, "plant-fam", PLANT, NOW)


def test_serial_numbers_are_written_down_and_never_the_same(home, tmp_path):
    file = request_of(tmp_path)
    serials = {signed(home, file).serial for _ in range(20)}
    assert len(serials) == 20
    assert min(int(s, 16) for s in serials) > 2**100
    lines = (home / "authority" / "ledger.jsonl").read_text().splitlines()
    assert serials < {json.loads(line)["serial"] for line in lines}
    ends = {json.loads(line)["ends"] for line in lines[1:]}
    assert ends == {(NOW + timedelta(days=30)).isoformat()}


def test_without_its_ledger_nothing_is_handed_out(home, tmp_path):
    file = request_of(tmp_path)
    ledger = home / "authority" / "ledger.jsonl"
    ledger.write_text(ledger.read_text() + "{torn\n")
    with pytest.raises(BadInputError, match="line 2 is no entry"):
        signed(home, file)


def test_a_broker_is_good_for_its_hosts_and_always_called_broker(home):
    authority = Authority(home)
    hosts = ["kafka", "127.0.0.1", "a.example.org", "::1"]
    issued = authority.sign_server(hosts, new_key().public_key(), Wish(NOW, 365.0))
    certificate = leaf(issued)
    assert certificate.subject.rfc4514_string() == "CN=broker"
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["kafka", "a.example.org"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    for host in ("*", "*.example.org", "a b", "", "-a", "a..b", "bücher"):
        with pytest.raises(BadInputError, match="neither a host name nor an address"):
            authority.sign_server([host], new_key().public_key(), Wish(NOW, 365.0))


def test_no_service_is_called_like_a_node_or_a_broker(home):
    authority, key = Authority(home), new_key().public_key()
    assert leaf(authority.sign_service("cloud", key, Wish(NOW, 90.0)))
    for name in ("plant-fan", "broker", "", "x" * 33, "Cloud", "a,b", "cloud\n"):
        with pytest.raises(BadInputError, match="a service's name"):
            authority.sign_service(name, key, Wish(NOW, 90.0))


def test_the_key_is_the_users_alone_and_may_be_encrypted(tmp_path):
    make(tmp_path, NOW, 3650.0, b"a passphrase")
    folder = tmp_path / "authority"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "ca.key").stat().st_mode) == 0o600
    assert b"ENCRYPTED" in (folder / "ca.key").read_bytes()
    assert Authority(tmp_path, b"a passphrase").fingerprint
    with pytest.raises(BadInputError, match="is encrypted"):
        Authority(tmp_path)
    with pytest.raises(BadInputError, match="the passphrase is wrong") as wrong:
        Authority(tmp_path, b"another phrase")
    assert "another phrase" not in str(wrong.value)


def test_an_authority_is_never_written_over_and_its_key_is_guarded(home):
    with pytest.raises(BadInputError, match="nothing is written over"):
        make(home, NOW, 3650.0)
    key = home / "authority" / "ca.key"
    key.chmod(0o640)
    with pytest.raises(BadInputError, match="chmod 600"):
        Authority(home)
    other = home / "other"
    make(other, NOW, 3650.0)
    (other / "authority" / "ca.key").replace(key)
    with pytest.raises(BadInputError, match="does not belong to"):
        Authority(home)
    with pytest.raises(BadInputError, match="sign --init"):
        Authority(home / "nowhere")


def test_the_ledger_tells_whose_newest_certificate_ends_soon(home, tmp_path):
    file = request_of(tmp_path)
    signed(home, file, days=3.0)
    ledger, soon = ledger_of(home), NOW + timedelta(days=7)
    assert ledger.ending({NODE}, soon) == {NODE: NOW + timedelta(days=3)}
    assert ledger.ending({"p2-fan"}, soon) == {}
    signed(home, file, days=30.0)
    assert ledger.ending({NODE}, soon) == {}
