"""`vibro cloud setup` and `revoke` on a real broker: shown first, made once, nothing lost."""

from __future__ import annotations

import secrets

import pytest

from cloud_jobs.setup.access import Rule, node_rules
from cloud_jobs.setup.broker import Broker
from tests.security.plants import done, plant_on
from tests.vibro.cli.commands import refused, vibro
from vibro.errors import VibroError

KINDS = ("features", "events", "clips", "health", "labels", "models", "requests")


@pytest.fixture
def site():
    """A name that no other test has used on this broker."""
    return f"s{secrets.token_hex(4)}"


@pytest.fixture
def plant(tmp_path, kafka_secure, site):
    return plant_on(tmp_path, kafka_secure, f"{site}/fan")


@pytest.fixture
def broker(plant):
    admin = Broker(plant.settings(plant.home / "secrets/admin.pem"), plant.home)
    yield admin
    admin.close()


def setup(plant, *argv):
    return done(plant.cloud("setup", *argv, "--json")).json


def test_the_difference_is_shown_then_made_then_there_is_nothing_to_do(plant, site, broker):
    shown = done(plant.cloud("setup", "--dry-run"))
    assert f"+ topic vibro.v1.{site}.clips: 3 partitions, kept 10 days" in shown.out
    assert f"+ access of {site}-fan: read vibro.v1.{site}.{{models,requests}}, write" in shown.out
    names = [f"vibro.v1.{site}.{kind}" for kind in KINDS]
    assert not broker.topics(names, ["retention.ms"])
    assert not broker.rules(f"{site}-fan")

    asked = setup(plant, "--dry-run")
    made = setup(plant, "--yes")
    assert made["made"] == len(made["changes"]) == len(asked["changes"]) >= 9
    topics = broker.topics(names, ["retention.ms", "cleanup.policy", "max.message.bytes"])
    assert {n.rpartition(".")[2]: t.partitions for n, t in topics.items()} == {
        **dict.fromkeys(KINDS[:5], 3), "models": 1, "requests": 1,
    }  # fmt: skip
    assert topics[f"vibro.v1.{site}.models"].settings["cleanup.policy"] == "compact"
    assert topics[f"vibro.v1.{site}.clips"].settings["retention.ms"] == str(10 * 86_400_000)
    assert broker.rules(f"{site}-fan") == node_rules(f"{site}-fan", site)

    again = setup(plant, "--yes")
    assert (again["changes"], again["made"]) == ([], 0)
    assert "nothing to do" in done(plant.cloud("setup")).out


def test_what_a_person_changed_is_put_right_and_partitions_are_left(plant, site, broker):
    setup(plant, "--yes")
    clips = f"vibro.v1.{site}.clips"
    broker.set_topic(clips, {"retention.ms": "1000", "segment.ms": "600000"})
    (plant.home / "cloud.toml").write_text(
        (plant.home / "cloud.toml").read_text() + "[topics]\npartitions = 5\nkeep_days = 40.0\n"
    )
    found = setup(plant, "--yes")
    how = {c["thing"]: (c["do"], c["how"]) for c in found["changes"]}
    assert how[f"topic {clips}"] == ("change", f"retention.ms 1000 -> {10 * 86_400_000}")
    assert how[f"topic vibro.v1.{site}.events"][0] == "change"
    assert any(f"topic {clips} has 3 partitions, not 5: left" in r for r in found["remarks"])
    topics = broker.topics([clips], ["retention.ms", "segment.ms"])
    assert topics[clips].partitions == 3
    assert topics[clips].settings == {
        "retention.ms": str(10 * 86_400_000), "segment.ms": "600000",
    }  # fmt: skip
    assert not setup(plant, "--yes")["changes"]


def test_a_machine_that_is_gone_loses_its_access_and_its_topics_stay(plant, site, broker):
    plant.register(f"{site}/fan", f"{site}/pump", f"{site}-2/fan")
    setup(plant, "--yes")
    plant.register(f"{site}/fan")
    found = setup(plant, "--yes")
    # Removed first: what fails later leaves no right to who has lost it.
    gone = {f"access of {site}-pump", f"access of {site}-2-fan"}
    assert {c["thing"] for c in found["changes"] if c["do"] == "remove"} == gone | {
        "access of cloud"
    }
    assert [c["do"] for c in found["changes"]] == ["remove"] * 3
    assert not broker.rules(f"{site}-pump")
    assert not broker.rules(f"{site}-2-fan")
    assert broker.rules(f"{site}-fan") == node_rules(f"{site}-fan", site)
    assert f"vibro.v1.{site}-2.clips" in broker.all_topics()
    assert f"site {site}-2 is not in the register: its topics are kept" in found["remarks"]
    assert not setup(plant, "--yes")["changes"]


def test_rights_beyond_a_nodes_own_are_taken_away_and_others_are_named(plant, site, broker):
    setup(plant, "--yes")
    wide = Rule(f"{site}-fan", "WRITE", "TOPIC", "vibro.v1.", prefix=True)
    other = Rule("analyst", "READ", "TOPIC", f"vibro.v1.{site}.features")
    broker.allow([wide, other])
    try:
        found = setup(plant, "--yes")
        assert [(c["do"], c["thing"], c["how"]) for c in found["changes"]] == [
            ("remove", f"access of {site}-fan", "write vibro.v1.*")
        ]
        assert any("analyst: read" in r for r in found["remarks"])
        assert broker.rules("analyst") == {other}
    finally:
        broker.forget([other])


def test_a_revoked_node_loses_its_access_until_it_is_reinstated(plant, site, broker):
    node = f"{site}-fan"
    config = plant.enrolled(f"{site}/fan")
    setup(plant, "--yes")
    revoked = done(plant.cloud("revoke", node, "--json")).json
    assert revoked == {"name": node, "new": True, "rules_removed": 7}
    assert not broker.rules(node)
    assert not setup(plant, "--yes")["changes"]
    assert not done(plant.cloud("revoke", node, "--json")).json["new"]
    done(vibro("edge", "enroll", config))
    request = config.parent / "tls" / f"{node}.csr"
    refused(plant.cloud("sign", request, "--days", 1), f"'{node}' is revoked", "--reinstate")
    done(plant.cloud("sign", request, "--reinstate", "--days", 1))
    assert setup(plant, "--yes")["changes"]
    assert broker.rules(node) == node_rules(node, site)
    refused(plant.cloud("revoke", "nobody"), "neither the register nor the ledger knows it")


def test_who_is_no_super_user_is_told_so(plant):
    cloud = plant.home / "secrets/cloud.pem"
    said = plant.cloud("setup", "--dry-run", "--cert", cloud)
    assert said.status == 1
    assert len(said.err.splitlines()) == 1
    assert "cloud.pem' read ACLs: set up with the certificate of one of its super.users" in said.err


def test_nobody_is_asked_where_nobody_is(plant, monkeypatch):
    refused(plant.cloud("setup", "--json"), "--json asks nobody")
    done(plant.cloud("setup", "--dry-run"))
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: PTH123, SIM115
    said = plant.cloud("setup")
    assert said.status == 2
    assert "nothing was changed" in said.err


def test_embedded_needs_no_setup(plant):
    (plant.home / "cloud.toml").write_text("")
    assert "topics need no set-up" in done(plant.cloud("setup")).out


def test_on_plaintext_there_are_topics_and_no_rules(plant, site, kafka):
    (plant.home / "cloud.toml").write_text(
        '[services]\ntransport = "kafka"\n'
        f'[kafka]\nservers = ["{kafka.servers}"]\nsecurity = "plaintext"\n'
    )
    (plant.home / "secrets" / "admin.pem").unlink()
    found = setup(plant, "--yes")
    assert {c["thing"].split()[0] for c in found["changes"]} == {"topic"}
    assert any("nobody is told apart" in r for r in found["remarks"])
    assert not setup(plant, "--yes")["changes"]


def test_a_broker_that_is_away_is_said_to_be(plant):
    (plant.home / "cloud.toml").write_text(
        '[services]\ntransport = "kafka"\n'
        '[kafka]\nservers = ["127.0.0.1:9"]\nsecurity = "plaintext"\nrequest_timeout_s = 1.0\n'
    )
    (plant.home / "secrets" / "admin.pem").unlink()
    said = plant.cloud("setup", "--dry-run")
    assert said.status == 1
    assert len(said.err.splitlines()) == 1
    assert "127.0.0.1:9" in said.err
    with pytest.raises(VibroError):
        Broker(plant.settings(plant.home / "none.pem"), plant.home)
