"""TLS is verified, whatever a configuration, the environment or the code says."""

from __future__ import annotations

import logging
import re
import ssl
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path

import pytest
from kafka.net.transport import KafkaSSLTransport

from cloud_jobs import config as cloud
from cloud_jobs import exposure
from cloud_jobs.store import address
from edge_node import config as edge
from tests.security.hands import FalseBroker, authority, forged
from vibro.errors import BadInputError
from vibro.log.kafka.client import client_options, tls_context
from vibro.log.kafka.settings import KafkaSection
from vibro.log.kafka.transport import KafkaTransport
from vibro.log.port import Message, TransportError

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("vibro", "edge_node", "cloud_jobs", "dashboards")
OFF = re.compile(
    r"CERT_NONE|CERT_OPTIONAL|check_hostname['\"]?\s*[=:]\s*False|verify(_ssl)?\s*=\s*False"
    r"|_create_unverified_context|InsecureRequestWarning|tls_insecure_set|ssl_crlfile"
)


@pytest.fixture
def node(tmp_path):
    """Settings of a node, and a broker whose certificate is another authority's."""
    ca, other = authority(tmp_path / "ca"), authority(tmp_path / "other")
    pair = forged(tmp_path / "node.pem", ca, "plant-fan")
    settings = KafkaSection(
        servers=("127.0.0.1:9",), ca_file=str(ca / "ca.pem"), cert_file=str(pair),
        key_file=str(pair), request_timeout_s=5.0,
    )  # fmt: skip
    false = forged(tmp_path / "broker.pem", other, "broker", server="127.0.0.1")
    with closing(FalseBroker(false)) as broker:
        yield replace(settings, servers=(broker.servers,)), broker, other


def refused(settings, tmp_path, broker):
    wrong = pytest.raises(TransportError, match="its certificate is not to be trusted")
    with closing(KafkaTransport(settings, tmp_path, "test")) as transport, wrong:
        transport.send("vibro.v1.plant.events", [Message("plant/fan", b"x", "n", 0)])
    assert not broker.heard


def test_no_option_speaks_of_it():
    sections = [*cloud._SECTIONS.values(), *edge._SECTIONS.values()]
    names = {f.name for section in sections for f in fields(section)}
    assert "ca_file" in names
    assert not [n for n in names if re.search(r"verif|insecure|trust|skip|hostname|unsafe", n)]


@pytest.mark.parametrize("key", ["verify", "insecure", "check_hostname", "ssl_check_hostname"])
def test_an_option_that_would_is_refused(tmp_path, key):
    (tmp_path / "cloud.toml").write_text(f"[kafka]\n{key} = false\n")
    with pytest.raises(BadInputError, match=f"kafka.{key} is not known"):
        cloud.load(tmp_path)


def test_no_line_of_the_code_switches_it_off():
    found = [
        f"{file}: {line}"
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        for line in file.read_text().splitlines()
        if OFF.search(line)
    ]
    assert not found


def test_what_a_client_connects_with_verifies_authority_and_name(node, tmp_path):
    settings, _, _ = node
    options = client_options(settings, tmp_path, "test")
    given = {k: v for k, v in options.items() if k.startswith("ssl_")}
    config = KafkaSSLTransport.DEFAULT_CONFIG | given
    for context in (KafkaSSLTransport._build_ssl_context(config), tls_context(settings, tmp_path)):
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
        # Its own authority and no other: not those of the system.
        assert len(context.get_ca_certs()) == 1


def test_the_environment_changes_nothing(node, tmp_path, monkeypatch):
    settings, broker, other = node
    for name, value in {
        "SSL_CERT_FILE": str(other / "ca.pem"),
        "SSL_CERT_DIR": str(other),
        "REQUESTS_CA_BUNDLE": str(other / "ca.pem"),
        "CURL_CA_BUNDLE": "",
        "PYTHONHTTPSVERIFY": "0",
        "KAFKA_SSL_CHECK_HOSTNAME": "false",
        "INFLUXDB_V2_VERIFY_SSL": "false",
    }.items():
        monkeypatch.setenv(name, value)
    refused(settings, tmp_path, broker)


def test_plaintext_beyond_this_machine_must_be_asked_for_twice_and_is_told(tmp_path, caplog):
    plain = KafkaSection(servers=("kafka.example.org:9092",), security="plaintext")
    assert "security = 'tls'" in "; ".join(plain.problems())
    with pytest.raises(BadInputError, match="plaintext shows all to the network"):
        client_options(plain, tmp_path, "test")
    caplog.set_level(logging.WARNING)
    client_options(replace(plain, plaintext_beyond_loopback=True), tmp_path, "test")
    assert "everything sent can be read and changed on its way" in caplog.text


EXPOSED = {
    '[services]\ntimeseries = "influxdb"\n[influxdb]\nurl = "http://influx.example.org:8086"': (
        "reads the token"
    ),
    '[services]\nstore = "postgresql://v@db.example.org/v?sslmode=require"': "sslmode=require",
    '[services]\nstore = "postgresql://v@db.example.org/v?sslmode=disable"': "sslmode=disable",
}
SAFE = (
    '[services]\ntimeseries = "influxdb"\n[influxdb]\nurl = "https://influx.example.org"',
    '[services]\ntimeseries = "influxdb"\n[influxdb]\nurl = "http://127.0.0.1:8086"',
    '[influxdb]\nurl = "http://influx.example.org:8086"',
    '[services]\nstore = "postgresql://v@db.example.org/v"',
    '[services]\nstore = "postgresql://v@db.example.org/v?sslmode=verify-ca"',
    '[services]\nstore = "postgresql://v@127.0.0.1/v?sslmode=disable"',
    "",
)


@pytest.mark.parametrize("text", [*EXPOSED, *SAFE])
def test_a_way_that_is_not_verified_is_told_at_the_start_of_the_jobs(tmp_path, caplog, text):
    (tmp_path / "cloud.toml").write_text(text)
    exposure.warn(cloud.load(tmp_path))
    if text in EXPOSED:
        assert EXPOSED[text] in caplog.text
    else:
        assert not caplog.text


def test_postgresql_is_verified_unless_a_person_says_otherwise(tmp_path):
    (tmp_path / "cloud.toml").write_text(SAFE[3])
    assert address.of_home(tmp_path).query["sslmode"] == "verify-full"


def test_a_broker_without_tls_is_not_spoken_to_in_plain(node, tmp_path, kafka):
    settings, _, _ = node
    plain = replace(settings, servers=(kafka.servers,))
    wrong = pytest.raises(TransportError, match="does not speak TLS")
    with closing(KafkaTransport(plain, tmp_path, "test")) as transport, wrong:
        transport.send("vibro.v1.plant.events", [Message("plant/fan", b"x", "n", 0)])
