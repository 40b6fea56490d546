"""Who may do what: the rules (ACLs) of nodes and of the cloud, and which of those there are ours.

A node's rules name whole topics of its own site, each by its full name: a prefix would let it
write the notices that it is to obey. What reading and writing imply (describe) needs no rule, and
nobody may create or delete.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cloud_jobs.setup.topics import DEAD, NOTICES, RECORDS
from vibro.records import topic

ROOT = "vibro.v1."
GROUPS = "vibro-"
"""Consumer groups of the cloud begin so."""


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """One permission; what no rule allows is refused.

    Attributes
    ----------
    principal : str
        Common name of a certificate.
    operation : str
        ``READ``, ``WRITE`` or another that the broker knows.
    kind : str
        ``TOPIC``, ``GROUP`` or another that the broker knows.
    prefix : bool
        Whether ``name`` stands for all that begins with it.
    deny : bool
        Whether it forbids, as an administrator's may.
    """

    principal: str
    operation: str
    kind: str
    name: str
    prefix: bool = False
    deny: bool = False
    host: str = "*"


def node_rules(node: str, site: str) -> set[Rule]:
    """Return what a node of a site may do."""
    writes = {Rule(node, "WRITE", "TOPIC", topic(site, kind)) for kind in RECORDS}
    return writes | {Rule(node, "READ", "TOPIC", topic(site, kind)) for kind in NOTICES}


def cloud_rules(principal: str, sites: Iterable[str]) -> set[Rule]:
    """Return what the cloud jobs may do: read all, and write notices and dead letters."""
    notices = (topic(site, kind) for site in sites for kind in NOTICES)
    return {
        Rule(principal, "READ", "TOPIC", ROOT, prefix=True),
        Rule(principal, "READ", "GROUP", GROUPS, prefix=True),
        *(Rule(principal, "WRITE", "TOPIC", name) for name in (DEAD, *notices)),
    }


def wanted_rules(nodes: Mapping[str, str], cloud: str, sites: Iterable[str]) -> set[Rule]:
    """Return all rules of a plant.

    Parameters
    ----------
    nodes : mapping of str to str
        Site of each node that may speak; none that is revoked.
    cloud : str
        Principal of the cloud jobs.
    sites : iterable of str
        All sites, also those whose nodes are all revoked.
    """
    rules = cloud_rules(cloud, sites)
    for node, site in nodes.items():
        rules |= node_rules(node, site)
    return rules


def stale_rules(
    there: Iterable[Rule], wanted: set[Rule], ours: set[str]
) -> tuple[set[Rule], set[Rule]]:
    """Return the rules that must go, and those of others on our topics, which stay.

    Parameters
    ----------
    ours : set of str
        Names that are or were a node's or a service's of ours.
    """
    stale, foreign = set(), set()
    for rule in there:
        if rule in wanted or rule.deny:
            continue
        if rule.principal in ours or _looks_like_a_nodes(rule):
            stale.add(rule)
        elif _reaches_ours(rule):
            foreign.add(rule)
    return stale, foreign


def _looks_like_a_nodes(rule: Rule) -> bool:
    """Whether it is a node's that neither register nor ledger knows any more.

    Nodes are named ``SITE-MACHINE``, and have rules on whole topics of that site only.
    """
    site, dot, kind = rule.name.removeprefix(ROOT).partition(".")
    return (
        rule.name.startswith(ROOT)
        and not rule.prefix
        and bool(dot)
        and kind in RECORDS + NOTICES
        and rule.principal.startswith(f"{site}-")
    )


def _reaches_ours(rule: Rule) -> bool:
    if rule.kind not in {"TOPIC", "GROUP"}:
        return False
    root = ROOT if rule.kind == "TOPIC" else GROUPS
    if rule.prefix:
        return root.startswith(rule.name) or rule.name.startswith(root)
    return rule.name == "*" or rule.name.startswith(root)


def described(rules: Iterable[Rule]) -> str:
    """Return rules of one principal in words: ``write vibro.v1.plant.{clips,events}``."""
    kinds: dict[tuple[str, str], list[str]] = defaultdict(list)
    for rule in sorted(rules):
        head, _, last = rule.name.rpartition(".")
        if rule.prefix or rule.kind != "TOPIC" or not last:
            head, last = rule.name + ("*" if rule.prefix else ""), ""
        what = rule.operation.lower() if rule.kind == "TOPIC" else f"{rule.operation} {rule.kind}"
        kinds[what.lower(), head].append(last)
    return ", ".join(
        f"{what} {head}{'.' if lasts[0] else ''}{_braced(lasts)}"
        for (what, head), lasts in kinds.items()
    )


def _braced(lasts: list[str]) -> str:
    return lasts[0] if len(lasts) == 1 else "{" + ",".join(lasts) + "}"
