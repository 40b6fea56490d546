"""Every failure is one sentence with a state and a remedy, whatever kafka-python calls it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kafka import errors as kafka_errors

from vibro.log.kafka.errors import (
    _ANSWERS,
    _CAUSES,
    _SLOW,
    Circumstances,
    explained,
    needs_probe,
    told,
)
from vibro.log.kafka.probe import Cause
from vibro.log.kafka.settings import KafkaSection

ROOT = Path(__file__).parents[4]
SETTINGS = KafkaSection(
    servers=("broker.plant:443",), ca_file="ca.pem", cert_file="node.pem", key_file="node.pem"
)
WRITING = Circumstances("write", "vibro.v1.harbour.events", "harbour.n1", "", 30.0)
STATES = {"away", "refused", "slow", "full"}


@pytest.mark.parametrize("name", sorted(_ANSWERS))
def test_what_a_broker_answered_needs_no_probe(name):
    """Every name is one of kafka-python's: a new version that renames it is found here."""
    error = getattr(kafka_errors, name)("as the broker says")
    assert not needs_probe(error)
    said = explained(error, None, SETTINGS, WRITING)
    assert said.state in STATES
    _one_clear_sentence(str(said))


@pytest.mark.parametrize("kind", sorted(_CAUSES))
def test_every_cause_is_a_sentence(kind):
    for by in ("", "relay.plant:443"):
        cause = Cause(kind, "broker.plant:443", "in its own {words}", by)
        said = told(cause, SETTINGS, WRITING)
        assert said.state in STATES
        _one_clear_sentence(str(said))


def _one_clear_sentence(text: str) -> None:
    assert "\n" not in text
    assert "<" not in text, "a blank was left open"
    assert len(text) < 400
    assert "bootstrap" not in text
    assert text[0].islower() or text.startswith("TLS")


def test_which_topic_and_as_whom():
    said = explained(kafka_errors.TopicAuthorizationFailedError(), None, SETTINGS, WRITING)
    assert str(said) == (
        "not allowed to write topic vibro.v1.harbour.events as 'harbour.n1': run 'vibro cloud "
        "setup', or this node was removed from the plant"
    )
    assert said.state == "refused"


@pytest.mark.parametrize(
    ("validity", "remedy"),
    [
        ("expired on 2026-01-31 12:00 UTC", "it has expired on 2026-01-31 12:00 UTC: renew it"),
        (
            "not valid before 2030-01-01 00:00 UTC",
            "it is not valid before 2030-01-01 00:00",
        ),
        ("", "it was signed by an authority that the broker does not trust, or withdrawn"),
    ],
)
def test_a_certificate_that_is_refused_says_what_is_wrong_with_it(validity, remedy):
    cause = Cause("refuses_us", "broker.plant:443", "certificate unknown")
    about = Circumstances("write", validity=validity)
    said = str(told(cause, SETTINGS, about))
    assert "refuses our certificate kafka.cert_file = 'node.pem' (certificate unknown); " in said
    assert remedy in said


def test_a_timeout_says_what_a_connection_of_our_own_found():
    timeout = kafka_errors.KafkaTimeoutError("Unable to bootstrap from ['broker.plant:443']")
    assert needs_probe(timeout)
    dead = explained(timeout, Cause("nobody", "broker.plant:443"), SETTINGS, WRITING)
    assert (dead.state, str(dead).split(";")[0]) == (
        "away",
        "broker broker.plant:443: nothing listens there (connection refused)",
    )
    fine = explained(timeout, None, SETTINGS, WRITING)
    assert fine.state == "slow"
    assert "did not acknowledge within 30 s" in str(fine)


def test_what_nobody_thought_of_is_still_one_line():
    said = explained(kafka_errors.UnknownError("a\nb"), None, SETTINGS, WRITING)
    assert str(said).endswith("broker.plant:443 refuses: [Error -1] UnknownError: a b")


def test_words_of_others_fill_no_blanks():
    cause = Cause("tls", "broker.plant:443", "<cert> <renew> {0}")
    assert "<cert> <renew> {0}" in str(told(cause, SETTINGS, WRITING))


def test_the_documentation_lists_every_sentence_with_its_state():
    page = (ROOT / "docs" / "kafka-edge.md").read_text()
    rows = [row.split(" | ") for row in page.splitlines() if row.startswith("| ")]
    for state, sentence in {*_ANSWERS.values(), *_CAUSES.values(), _SLOW}:
        clause = sentence.split(";")[0]
        fragment = max(re.split(r"<\w+>", clause), key=len).strip(" :'(")
        if fragment:
            assert [row[1] for row in rows if fragment in row[0]] == [state], fragment
