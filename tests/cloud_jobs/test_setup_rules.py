"""Which topics and rules a plant needs, and which of those there are must go."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from cloud_jobs.config import sample_config
from cloud_jobs.setup.access import (
    Rule,
    cloud_rules,
    described,
    node_rules,
    stale_rules,
    wanted_rules,
)
from cloud_jobs.setup.changes import Change, apply
from cloud_jobs.setup.options import TopicsSection
from cloud_jobs.setup.topics import Topic, differing, wanted_topics
from cloud_jobs.setup.topics import described as topic_described
from vibro.errors import VibroError
from vibro.records import TOPIC_OF

SIZE = 16_000_000


def allows(rules, who, operation, topic):
    """What a broker does with rules, in a line."""
    return any(
        (r.principal, r.operation, r.kind) == (who, operation, "TOPIC")
        and (topic.startswith(r.name) if r.prefix else topic == r.name)
        for r in rules
    )


def test_topics_of_a_site_and_what_they_keep():
    topics = wanted_topics(["plant"], TopicsSection(), SIZE)
    assert set(topics) == {"vibro.v1.dead"} | {
        f"vibro.v1.plant.{kind}" for kind in (*TOPIC_OF.values(), "models", "requests")
    }
    features, clips = topics["vibro.v1.plant.features"], topics["vibro.v1.plant.clips"]
    assert int(clips.settings["retention.ms"]) < int(features.settings["retention.ms"])
    models = topics["vibro.v1.plant.models"]
    assert (models.partitions, models.settings["cleanup.policy"]) == (1, "compact")
    assert topics["vibro.v1.plant.requests"].partitions == 1
    assert features.settings["max.message.bytes"] == str(SIZE)
    # What is buried comes with its reason.
    assert int(topics["vibro.v1.dead"].settings["max.message.bytes"]) > SIZE
    assert topic_described(clips) == "3 partitions, kept 10 days, messages to 16 MB"


def test_with_three_replicas_two_must_have_it():
    topics = wanted_topics(["plant"], TopicsSection(replicas=3), SIZE)
    assert {t.settings["min.insync.replicas"] for t in topics.values()} == {"2"}
    assert (
        "min.insync.replicas"
        not in wanted_topics([], TopicsSection(replicas=2), SIZE)["vibro.v1.dead"].settings
    )


def test_only_our_settings_are_compared():
    wanted = Topic(3, {"retention.ms": "5", "cleanup.policy": "delete"})
    there = Topic(1, {"retention.ms": "7", "cleanup.policy": "delete", "segment.ms": "9"})
    assert differing(wanted, there) == {"retention.ms": ("7", "5")}
    assert differing(wanted, wanted) == {}


SITES = ("plant", "plant-2", "plan", "vibro", "dead", "x")
KINDS = ("features", "events", "clips", "health", "labels", "models", "requests")


@pytest.mark.parametrize("operation", ["READ", "WRITE"])
def test_a_node_writes_records_and_reads_notices_of_its_own_site_only(operation):
    rules = wanted_rules(
        {"plant-fan": "plant", "plant-2-fan": "plant-2"}, "cloud", ["plant", "plant-2"]
    )
    for site, kind in product(SITES, KINDS):
        may = site == "plant" and (operation == "READ") == (kind in {"models", "requests"})
        assert allows(rules, "plant-fan", operation, f"vibro.v1.{site}.{kind}") == may
    for name in ("vibro.v1.plant", "vibro.v1.plant.", "vibro.v1.plant.x.features", "vibro.v1.dead"):
        assert not allows(rules, "plant-fan", operation, name)


def test_the_cloud_reads_all_and_writes_notices_and_dead_letters():
    rules = cloud_rules("cloud", ["plant"])
    for kind in KINDS:
        name = f"vibro.v1.plant.{kind}"
        assert allows(rules, "cloud", "READ", name)
        assert allows(rules, "cloud", "WRITE", name) == (kind in {"models", "requests"})
    assert allows(rules, "cloud", "WRITE", "vibro.v1.dead")
    assert not allows(rules, "cloud", "READ", "vibro.v2.plant.features")


def test_a_rule_that_should_not_be_goes_whoever_of_ours_has_it():
    wanted = wanted_rules({"plant-fan": "plant"}, "cloud", ["plant"])
    right = Rule("plant-fan", "WRITE", "TOPIC", "vibro.v1.plant.features")
    wrong = [
        replace(right, name="vibro.v1.other.features"),
        replace(right, name="vibro.v1.plant.", prefix=True),
        replace(right, name="*"),
        replace(right, operation="READ"),
        replace(right, host="10.0.0.1"),
        Rule("plant-fan", "ALTER", "CLUSTER", "kafka-cluster"),
        Rule("cloud", "WRITE", "TOPIC", "vibro.v1.gone.models"),
    ]
    removed = list(node_rules("plant-old", "plant")) + list(node_rules("gone-fan", "gone"))
    stale, foreign = stale_rules([right, *wrong, *removed], wanted, {"plant-fan", "cloud"})
    assert stale == {*wrong, *removed}
    assert not foreign


def test_rules_of_others_and_what_forbids_stay():
    wanted = wanted_rules({"plant-fan": "plant"}, "cloud", ["plant"])
    analyst = Rule("analyst", "READ", "TOPIC", "vibro.v1.plant.features")
    everything = Rule("backup", "READ", "TOPIC", "*")
    prefix = Rule("backup", "READ", "TOPIC", "vib", prefix=True)
    elsewhere = Rule("shop", "WRITE", "TOPIC", "orders")
    wide = Rule("shop", "WRITE", "TOPIC", "orders", prefix=True)
    forbids = Rule("plant-fan", "WRITE", "TOPIC", "vibro.v1.plant.clips", deny=True)
    there = [analyst, everything, prefix, elsewhere, wide, forbids]
    stale, foreign = stale_rules(there, wanted, {"plant-fan"})
    assert (stale, foreign) == (set(), {analyst, everything, prefix})


def test_rules_in_words():
    assert described(node_rules("plant-fan", "plant")) == (
        "read vibro.v1.plant.{models,requests}, "
        "write vibro.v1.plant.{clips,events,features,health,labels}"
    )
    assert described(cloud_rules("cloud", [])) == (
        "read group vibro-*, read vibro.v1.*, write vibro.v1.dead"
    )


def test_changes_are_made_in_order_up_to_the_first_that_cannot_be():
    made = []

    def fail():
        raise VibroError("no")

    changes = [
        Change("+", "topic a", "1 partition", lambda: made.append("a")),
        Change("~", "topic b", "", fail),
        Change("-", "topic c", "", lambda: made.append("c")),
    ]
    told = []
    with pytest.raises(VibroError):
        apply(changes, told.append)
    assert (made, told) == (["a"], changes[:1])
    assert [c.describe() for c in changes[:2]] == ["+ topic a: 1 partition", "~ topic b"]
    assert changes[2].as_dict() == {"do": "remove", "thing": "topic c", "how": ""}


def test_the_sample_configuration_shows_the_topics_options():
    assert "[topics]" in sample_config()
    assert "keep_clips_days = 10.0" in sample_config()
