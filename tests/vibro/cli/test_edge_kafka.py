"""`vibro edge check` and `run` over a broker: what is a mistake, and what still runs."""

from __future__ import annotations

import datetime as dt
import signal
import tomllib

import pytest

from edge_node.config import load, parse, sample_config
from edge_node.service.facts import status
from tests.services import certificates
from tests.services.certificates import Authority
from tests.vibro.cli.commands import vibro
from tests.vibro.cli.homes import laid_out
from tests.vibro.cli.test_edge_run import DEADLINE_S, Process, service
from vibro.cli.nodes import check_node, require_sound
from vibro.log.kafka.check import file_mistakes
from vibro.log.kafka.settings import KafkaSection

KAFKA = """
[kafka]
servers = ["127.0.0.1:1"]
ca_file = "ca/ca.pem"
cert_file = "ca/node-1.pem"
key_file = "ca/node-1.key"
request_timeout_s = 1.0
"""


@pytest.fixture
def node(tmp_path):
    """A node with a certificate, whose broker is not there."""
    path = laid_out(tmp_path)
    Authority(path.parent / "ca").credentials("node-1")
    text = path.read_text()
    assert "[ship]" not in text or "transport" not in text
    shipping = '[ship]\ntransport = "kafka"\n'
    text = text.replace("[ship]\n", shipping) if "[ship]" in text else f"{text}\n{shipping}"
    path.write_text(text + KAFKA)
    return path


def edited(path, old: str, new: str):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def test_the_sample_shows_every_option_and_is_sound():
    sections, mistakes = parse(tomllib.loads(sample_config()))
    assert mistakes == []
    assert sections["kafka"] == KafkaSection()
    assert sections["ship"].transport == "embedded"


def test_a_sound_node_over_kafka(node):
    assert check_node(node).mistakes == check_node(node).cautions == ()
    done = vibro("edge", "check", node)
    assert (done.status, done.err) == (0, "")
    assert load(node).kafka.servers == ("127.0.0.1:1",)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"127.0.0.1:1"', '"127.0.0.1"', "kafka.servers = '127.0.0.1' is not HOST:PORT"),
        ('["127.0.0.1:1"]', "[]", "kafka.servers is empty: name at least one broker"),
        ('cert_file = "ca/node-1.pem"\n', "", "kafka.cert_file is missing: security = 'tls' need"),
        ('ca_file = "ca/ca.pem"', 'security = "none"', "kafka.security = 'none' is not one of tls"),
        ("= 1.0", "= 0.1", "kafka.request_timeout_s = 0.1 is too small: at least 1 s"),
        ("[kafka]", "[kafka]\nverify = false", "kafka.verify is not known"),
        (
            '["127.0.0.1:1"]',
            '["broker:1"]\nsecurity = "plaintext"',
            "kafka.servers = 'broker:1' is not this machine: plaintext shows all to the network",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(node, old, new, said):
    (mistake,) = check_node(edited(node, old, new)).mistakes
    assert mistake.startswith(said)
    done = vibro("edge", "run", node)
    assert done.status == 2
    assert said in done.err


def test_nothing_of_it_is_looked_at_while_the_log_is_embedded(node):
    edited(node, 'transport = "kafka"', 'transport = "embedded"')
    edited(node, "ca/ca.pem", "nowhere.pem")
    assert check_node(node).mistakes == check_node(node).cautions == ()


def _missing(path) -> str:
    (path.parent / "ca" / "node-1.pem").unlink()
    return "kafka.cert_file: "


def _unreadable(path) -> str:
    (path.parent / "ca" / "ca.pem").write_text("nothing")
    return "kafka.ca_file = 'ca/ca.pem': "


def _exposed(path) -> str:
    (path.parent / "ca" / "node-1.key").chmod(0o644)
    return "kafka.key_file = 'ca/node-1.key': every user of this machine can read "


def _foreign(path) -> str:
    Authority(path.parent / "ca2").credentials("node-1")
    edited(path, "ca/node-1.key", "ca2/node-1.key")
    return "kafka.cert_file = 'ca/node-1.pem', kafka.key_file = 'ca2/node-1.key': the key does not"


def _expired(path) -> str:
    Authority(path.parent / "ca").credentials("node-2")
    edited(path, "node-1", "node-2")
    return "kafka.cert_file = 'ca/node-2.pem': has expired on "


@pytest.mark.parametrize("spoil", [_missing, _unreadable, _exposed, _foreign, _expired])
def test_files_are_checked_and_keep_no_node_from_running(node, spoil, monkeypatch):
    """A reboot on the day after the certificate's last must not end the monitoring."""
    if spoil is _expired:
        monkeypatch.setattr(certificates, "VALID", dt.timedelta(minutes=-5))
    said = spoil(node)
    checked = check_node(node)
    assert checked.mistakes == ()
    (caution,) = checked.cautions
    assert caution.startswith(said)
    assert "PRIVATE" not in caution
    done = vibro("edge", "check", node)
    assert done.status == 2
    assert caution in done.out
    (told,) = vibro("edge", "check", node, "--json").json
    assert (told["ok"], told["mistakes"]) == (False, [caution])
    (warned,) = require_sound([node])
    assert warned.endswith(caution)


def test_what_the_time_of_day_says_of_a_certificate(node):
    settings, folder = load(node).kafka, node.parent
    now_s = dt.datetime.now(dt.UTC).timestamp()
    assert file_mistakes(settings, folder, now_s) == []
    (late,) = file_mistakes(settings, folder, now_s + 10 * 86_400)
    assert "has expired on " in late
    (early,) = file_mistakes(settings, folder, now_s - 10 * 86_400)
    assert "is not valid before " in early
    assert "set this machine's clock" in early


def test_a_node_whose_broker_is_away_runs_says_so_once_and_ends_in_order(tmp_path):
    """What is not shipped is in the spool; the process ends with 0 and in time."""
    path = service(tmp_path, more='[ship]\ntransport = "kafka"\n' + KAFKA)
    Authority(path.parent / "ca").credentials("node-1")
    process = Process(path, tmp_path)
    try:
        process.told(b"READY=1")
        down = process.line("the link is down")
        assert "(away): broker 127.0.0.1:1: nothing listens there (connection refused)" in down
        process.child.send_signal(signal.SIGTERM)
        ended = process.line("ended in order")
        assert "nothing listens there" in ended
        assert process.child.wait(DEADLINE_S) == 0
        assert process.child.stderr.read().count("the link is down") == 0
    finally:
        process.end()
    facts = status(load(path))
    assert sum(facts["waiting"].values()) == sum(facts["produced"].values()) > 0
