"""The broker as set-up sees it: topics and rules read, made and removed; it decides nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloud_jobs.setup.access import Rule
from cloud_jobs.setup.topics import Topic
from vibro.errors import VibroError
from vibro.log.kafka.client import client_options, opened
from vibro.log.kafka.diagnosis import Diagnosis
from vibro.log.kafka.settings import KafkaSection

if TYPE_CHECKING:
    from kafka.admin import ACL

CLIENT = "vibro-setup"
_NOT_ADMINS = {"metrics_enabled", "allow_auto_create_topics"}
"""Options of clients that an administrator's has not."""


class Broker:
    """A connection to the brokers, with the rights to set them up.

    Parameters
    ----------
    settings : KafkaSection
    folder : Path
        What relative paths of the settings start from.

    Raises
    ------
    VibroError
        If no broker can be reached, or it takes our certificate for nobody's.
    """

    def __init__(self, settings: KafkaSection, folder: Path) -> None:
        self._who = f"'{settings.cert_file}'" if settings.cert_file else "anybody"
        self._why = Diagnosis(settings, folder, CLIENT)
        # Asked first: a client tries for long before it says less.
        self._why.require("write")
        options = client_options(settings, folder, CLIENT)
        with self._told("connect"):
            self._admin = opened(
                "KafkaAdminClient", {k: v for k, v in options.items() if k not in _NOT_ADMINS}
            )

    def close(self) -> None:
        """Let go of the connection."""
        self._admin.close()

    # -- topics ----------------------------------------------------------------------------------

    def topics(self, names: Collection[str], settings: Collection[str]) -> dict[str, Topic]:
        """Return those of the topics that there are, with these of their settings."""
        from kafka.admin import ConfigResource, ConfigResourceType  # noqa: PLC0415

        with self._told("list topics"):
            there = set(self._admin.list_topics()) & set(names)
            if not there:
                return {}
            counts = {
                t["name"]: len(t["partitions"]) for t in self._admin.describe_topics(sorted(there))
            }
            asked = [
                ConfigResource(ConfigResourceType.TOPIC, name, list(settings)) for name in counts
            ]
            found = self._admin.describe_configs(asked, config_filter="all")["topic"]
        return {
            name: Topic(count, {k: str(v["value"]) for k, v in found[name].items()})
            for name, count in counts.items()
        }

    def all_topics(self) -> set[str]:
        """Return the names of all topics that may be seen."""
        with self._told("list topics"):
            return set(self._admin.list_topics())

    def make_topic(self, name: str, topic: Topic) -> None:
        """Make a topic that is not there."""
        options = {
            "num_partitions": topic.partitions,
            "replication_factor": topic.replicas or -1,
            "configs": dict(topic.settings),
        }
        with self._told(f"make topic {name}"):
            self._admin.create_topics({name: options}, wait_for_metadata=True)

    def set_topic(self, name: str, settings: Mapping[str, str]) -> None:
        """Change settings of a topic; others stay."""
        from kafka.admin import ConfigResource, ConfigResourceType  # noqa: PLC0415

        asked = [ConfigResource(ConfigResourceType.TOPIC, name, dict(settings))]
        with self._told(f"change topic {name}"):
            said = self._admin.alter_configs(asked, raise_on_unknown=False)["topic"][name]
        # What the broker refuses is no exception here, but a text.
        if said != "OK":
            raise VibroError(f"the broker does not let {self._who} change topic {name}: {said}")

    # -- rules -----------------------------------------------------------------------------------

    def rules(self, principal: str | None = None) -> set[Rule] | None:
        """Return all rules, or those of one principal; None where the broker keeps none."""
        from kafka.errors import SecurityDisabledError  # noqa: PLC0415

        try:
            with self._told("read ACLs"):
                return {_rule(acl) for acl in self._admin.describe_acls(_any(principal))[0]}
        except SecurityDisabledError:
            return None

    def allow(self, rules: Iterable[Rule]) -> None:
        """Add rules."""
        acls = [_acl(rule) for rule in sorted(rules)]
        with self._told("add ACLs"):
            failed = self._admin.create_acls(acls)["failed"]
            if failed:
                raise failed[0]

    def forget(self, rules: Iterable[Rule]) -> None:
        """Remove rules; one that is gone already is no error."""
        from kafka.errors import NoError  # noqa: PLC0415

        acls = [_acl(rule) for rule in sorted(rules)]
        with self._told("remove ACLs"):
            for _, _, error in self._admin.delete_acls(acls):
                if error is not NoError:
                    raise error

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn the library's errors into one sentence."""
        from kafka.errors import (  # noqa: PLC0415
            AuthorizationError,
            KafkaError,
            SecurityDisabledError,
        )

        try:
            yield
        except SecurityDisabledError:
            raise
        except AuthorizationError:
            raise VibroError(
                f"the broker does not let {self._who} {what}: set up with the certificate of one "
                "of its super.users (--cert)"
            ) from None
        except KafkaError as error:
            raise VibroError(f"cannot {what}: {self._why.explained(error, 'write')}") from None


def _any(principal: str | None) -> Any:
    from kafka.admin import (  # noqa: PLC0415
        ACLFilter,
        ACLOperation,
        ACLPermissionType,
        ACLResourcePatternType,
        ResourcePatternFilter,
        ResourceType,
    )

    everything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    who = None if principal is None else f"User:{principal}"
    return ACLFilter(who, None, ACLOperation.ANY, ACLPermissionType.ANY, everything)


def _rule(acl: ACL) -> Rule:
    pattern = acl.resource_pattern
    return Rule(
        acl.principal.removeprefix("User:"),
        acl.operation.name,
        pattern.resource_type.name,
        pattern.resource_name,
        prefix=pattern.pattern_type.name == "PREFIXED",
        deny=acl.permission_type.name == "DENY",
        host=acl.host,
    )


def _acl(rule: Rule) -> ACL:
    from kafka.admin import (  # noqa: PLC0415
        ACL,
        ACLOperation,
        ACLPermissionType,
        ACLResourcePatternType,
        ResourcePattern,
        ResourceType,
    )

    shape = ACLResourcePatternType.PREFIXED if rule.prefix else ACLResourcePatternType.LITERAL
    return ACL(
        f"User:{rule.principal}",
        rule.host,
        ACLOperation[rule.operation],
        ACLPermissionType.DENY if rule.deny else ACLPermissionType.ALLOW,
        ResourcePattern(ResourceType[rule.kind], rule.name, shape),
    )
