"""What must change at the brokers so that the plant of the register can run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from cloud_jobs.setup import access
from cloud_jobs.setup.access import Rule, stale_rules, wanted_rules
from cloud_jobs.setup.broker import Broker
from cloud_jobs.setup.changes import Change
from cloud_jobs.setup.options import TopicsSection
from cloud_jobs.setup.topics import Topic, described, differing, wanted_topics
from vibro.assets import Register


@dataclass(frozen=True, slots=True)
class Plant:
    """Who there is.

    Attributes
    ----------
    register : Register
    revoked : set of str
        Names that lost their rights.
    once : set of str
        Names that ever had a certificate.
    cloud : str
        Principal of the cloud jobs; empty where nobody is told apart (plaintext).
    """

    register: Register
    revoked: set[str]
    once: set[str]
    cloud: str

    @property
    def sites(self) -> list[str]:
        """All sites, sorted."""
        return sorted({machine.site for machine in self.register})

    @property
    def nodes(self) -> dict[str, str]:
        """Site of each node that may speak."""
        return {
            machine.node_id: machine.site
            for machine in self.register
            if machine.node_id not in self.revoked
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes in the order in which they can be made, and what a person should know."""

    changes: list[Change]
    remarks: list[str]


def plan(broker: Broker, plant: Plant, options: TopicsSection, message_bytes: int) -> Plan:
    """Compare the brokers with the plant.

    Parameters
    ----------
    message_bytes : int
        Largest message that nodes send.

    Raises
    ------
    VibroError
        If the brokers cannot be asked, or do not let us.
    """
    rules = broker.rules() if plant.cloud else set()
    topics = _topics(broker, wanted_topics(plant.sites, options, message_bytes))
    kept = _kept(broker.all_topics(), plant.sites)
    if not plant.cloud:
        said = "security = 'plaintext': nobody is told apart, so there are no ACLs"
        return Plan(topics.changes, [*topics.remarks, *kept, said])
    if rules is None:
        said = (
            "NO ACLs: the brokers have no authorizer, so whoever has a certificate may do "
            "everything; set authorizer.class.name (docs/security.md)"
        )
        return Plan(topics.changes, [*topics.remarks, *kept, said])
    stale, foreign, missing = _compared(plant, rules)
    changes = [
        # What goes comes first: a failure later must not leave a right to who has lost it.
        *_each("-", stale, broker.forget),
        *topics.changes,
        *_each("+", missing, broker.allow),
    ]
    others = [
        f"others have access, which is left: {who}: {access.described(rules)}"
        for who, rules in _by_principal(foreign)
    ]
    return Plan(changes, [*topics.remarks, *kept, *others])


# -- topics ----------------------------------------------------------------------------------------


def _topics(broker: Broker, wanted: dict[str, Topic]) -> Plan:
    names = {name for topic in wanted.values() for name in topic.settings}
    there = broker.topics(wanted, names)
    changes: list[Change] = []
    remarks: list[str] = []
    for name, topic in wanted.items():
        if name not in there:
            make = partial(broker.make_topic, name, topic)
            changes.append(Change("+", f"topic {name}", described(topic), make))
            continue
        differs = differing(topic, there[name])
        if differs:
            how = ", ".join(f"{key} {was} -> {now}" for key, (was, now) in differs.items())
            act = partial(broker.set_topic, name, {key: now for key, (_, now) in differs.items()})
            changes.append(Change("~", f"topic {name}", how, act))
        if there[name].partitions != topic.partitions:
            remarks.append(
                f"topic {name} has {there[name].partitions} partitions, not {topic.partitions}: "
                "left, as a machine's records would change places and overtake each other"
            )
    return Plan(changes, remarks)


def _kept(there: set[str], sites: list[str]) -> list[str]:
    """Say which sites have topics, but no machine in the register."""
    names = {name.removeprefix(access.ROOT) for name in there if name.startswith(access.ROOT)}
    gone = sorted({name.partition(".")[0] for name in names if "." in name} - set(sites))
    return [f"site {site} is not in the register: its topics are kept" for site in gone]


# -- rules -----------------------------------------------------------------------------------------


def _compared(plant: Plant, there: set[Rule]) -> tuple[set[Rule], set[Rule], set[Rule]]:
    """Return the rules that must go, those of others, and those that are missing."""
    wanted = wanted_rules(plant.nodes, plant.cloud, plant.sites)
    ours = plant.once | plant.revoked | {plant.cloud}
    ours |= {machine.node_id for machine in plant.register}
    return *stale_rules(there, wanted, ours), wanted - there


def _each(
    mark: str, rules: Iterable[Rule], act: Callable[[Iterable[Rule]], None]
) -> Iterable[Change]:
    for who, mine in _by_principal(rules):
        yield Change(mark, f"access of {who}", access.described(mine), partial(act, mine))


def _by_principal(rules: Iterable[Rule]) -> list[tuple[str, list[Rule]]]:
    found: dict[str, list[Rule]] = defaultdict(list)
    for rule in sorted(rules):
        found[rule.principal].append(rule)
    return sorted(found.items())
