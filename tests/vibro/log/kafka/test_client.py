"""From settings to a client: files are checked before they are shown, brokers always verified."""

from __future__ import annotations

import logging
import ssl
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as s

from tests.services.certificates import Authority
from vibro.errors import BadInputError
from vibro.log.kafka import client
from vibro.log.kafka.client import client_options, reader_options, tls_context
from vibro.log.kafka.settings import KafkaSection


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "ca")


@pytest.fixture
def settings(authority):
    cert, key = authority.credentials("node-1")
    return KafkaSection(
        servers=("broker:443",),
        ca_file=f"ca/{authority.certificate.name}",
        cert_file=f"ca/{cert.name}",
        key_file=f"ca/{key.name}",
    )


def test_tls_is_always_verified_by_authority_and_name(settings, tmp_path):
    options = client_options(settings, tmp_path, "n")
    assert options["security_protocol"] == "SSL"
    assert options["ssl_check_hostname"] is True
    assert "ssl_context" not in options  # so that each connection reads the files again
    context = tls_context(settings, tmp_path)
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_no_option_switches_verification_off():
    """Whoever adds one must look at the threat model first."""
    for name in KafkaSection.__dataclass_fields__:
        assert not {"verify", "insecure", "check", "skip"} & set(name.split("_")), name


def test_readers_begin_at_the_start_and_keep_their_places_elsewhere(settings, tmp_path):
    options = reader_options(settings, tmp_path, "n")
    assert options["auto_offset_reset"] == "earliest"
    assert options["enable_auto_commit"] is False
    assert options["metadata_max_age_ms"] <= 10_000


def test_plaintext_stays_on_this_machine_unless_that_is_said(tmp_path, caplog):
    near = KafkaSection(security="plaintext")
    assert client_options(near, tmp_path, "n")["security_protocol"] == "PLAINTEXT"
    far = replace(near, servers=("broker:9092",))
    with pytest.raises(BadInputError, match=r"kafka.servers = 'broker:9092' is not this machine"):
        client_options(far, tmp_path, "n")
    client._warn_of_plaintext.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            client_options(replace(far, plaintext_beyond_loopback=True), tmp_path, "n")
    (line,) = [r.getMessage() for r in caplog.records]
    assert line.startswith("kafka.security = 'plaintext' to broker:9092: everything sent can be")


def _missing(settings: KafkaSection, folder: Path) -> KafkaSection:
    (folder / settings.key_file).unlink()
    return settings


def _foreign(settings: KafkaSection, folder: Path) -> KafkaSection:
    _, key = Authority(folder / "other").credentials("node-1")
    return replace(settings, key_file=f"other/{key.name}")


def _no_ca(settings: KafkaSection, folder: Path) -> KafkaSection:
    (folder / "ca.pem").write_text("hello")
    return replace(settings, ca_file="ca.pem")


def _encrypted(settings: KafkaSection, folder: Path) -> KafkaSection:
    file = folder / settings.key_file
    key = s.load_pem_private_key(file.read_bytes(), None)
    hidden = s.BestAvailableEncryption(b"secret-word")
    file.write_bytes(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, hidden))
    return settings


def _swapped(settings: KafkaSection, folder: Path) -> KafkaSection:
    del folder
    return replace(settings, cert_file=settings.key_file)


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (_missing, r"kafka.key_file: .*node-1.key cannot be read \(No such file or directory\)"),
        (_foreign, "the key does not belong to the certificate"),
        (_no_ca, r"kafka.ca_file = 'ca.pem': .* holds no certificate; it must be PEM"),
        (_encrypted, "the key is encrypted"),
        (_swapped, "they are no certificate and key in PEM"),
        (lambda s, _: replace(s, ca_file=""), "kafka.ca_file is missing: security = 'tls' needs"),
    ],
)
def test_files_that_cannot_be_used_are_named_and_never_shown(settings, tmp_path, spoilt, said):
    wrong = spoilt(settings, tmp_path)
    with pytest.raises(BadInputError, match=said) as caught:
        client_options(wrong, tmp_path, "n")
    assert "PRIVATE" not in str(caught.value)
    assert "secret-word" not in str(caught.value)


def test_nothing_is_loaded_before_it_is_used():
    """A node with the embedded log pays neither for Kafka nor for TLS."""
    code = (
        "import sys, edge_node.hosted, edge_node.config;"
        "print([m for m in ('kafka', 'ssl', 'cryptography') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_client_that_cannot_be_had_leaves_no_thread(tmp_path):
    settings = KafkaSection(servers=("127.0.0.1:1",), security="plaintext", request_timeout_s=1.0)
    before = set(threading.enumerate())
    for kind, make in (("KafkaProducer", client_options), ("KafkaConsumer", reader_options)):
        options = make(settings, tmp_path, "n") | {"bootstrap_timeout_ms": 200}
        with pytest.raises(Exception, match="Unable to bootstrap"):
            client.opened(kind, options)
    for thread in set(threading.enumerate()) - before:
        thread.join(5.0)
        assert not thread.is_alive(), thread
