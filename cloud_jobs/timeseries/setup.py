"""What InfluxDB must hold: buckets, tasks that sum up, and tokens that may do one thing only.

Made with a token that may do everything, which nothing else reads. The jobs' token may write the
bucket of full resolution and read nothing; Grafana's may read and write nothing. Both go into files
that only their owner may read, and are never shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from cloud_jobs.config import CloudConfig
from cloud_jobs.setup.changes import Change
from cloud_jobs.timeseries.rollup import Rollup, rollups
from cloud_jobs.timeseries.server import INFLUX, client, message, silence
from vibro.errors import BadInputError, VibroError

SETUP_TOKEN = "secrets/influx-setup.token"  # noqa: S105 (a file)
"""File, under the home, of the token that set-up itself uses."""
GRAFANA_TOKEN = "secrets/grafana-influx.token"  # noqa: S105 (a file)
"""File that Grafana's token is written to."""
DAY_S = 86_400
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Token:
    """A token that there must be: its name at the server, its file, and what it may do."""

    name: str
    file: Path
    action: str
    buckets: tuple[str, ...]


def wanted_buckets(config: CloudConfig) -> dict[str, int]:
    """Buckets by name, each with its retention in seconds; 0 = for ever."""
    section = config.influxdb
    return {
        section.bucket: round(section.keep_days * DAY_S),
        f"{section.bucket}_1h": round(section.keep_hours_days * DAY_S),
        f"{section.bucket}_1d": 0,
    }


def wanted_tokens(config: CloudConfig) -> tuple[Token, ...]:
    """Tokens of the jobs and of Grafana.

    Raises
    ------
    BadInputError
        If the jobs' file is the one of set-up.
    """
    section = config.influxdb
    own = config.path(section.token_file)
    if own == config.path(SETUP_TOKEN):
        raise BadInputError(
            f"influxdb.token_file = '{section.token_file}' is the file of set-up: name another"
        )
    everything = tuple(wanted_buckets(config))
    return (
        Token(f"{section.bucket} jobs", own, "write", (section.bucket,)),
        Token(f"{section.bucket} grafana", config.path(GRAFANA_TOKEN), "read", everything),
    )


def plan(config: CloudConfig) -> list[Change]:
    """Compare the server with what is wanted; the changes in the order to make them.

    Raises
    ------
    BadInputError
        If the file of set-up's token is not there.
    VibroError
        If the server is away, or does not let the token do this.
    """
    setup = _Setup(config)
    return [
        *setup.organisation(),
        *setup.buckets(wanted_buckets(config)),
        *setup.tasks(rollups(config.influxdb)),
        *setup.tokens(wanted_tokens(config)),
    ]


class _Setup:
    """The server as set-up sees it."""

    def __init__(self, config: CloudConfig) -> None:
        self._config, self._org = config, config.influxdb.org
        self._token = config.secret(SETUP_TOKEN, "token of `vibro cloud setup`")

    @contextmanager
    def _open(self, what: str) -> Iterator[Any]:
        """A connection; what goes wrong is one sentence."""
        url = self._config.influxdb.url
        try:
            with client(self._config, self._token) as opened:
                yield opened
        except ApiException as error:
            remedy = ""
            if error.status in (401, 403):
                remedy = f": {SETUP_TOKEN} must hold a token that may do everything"
            raise VibroError(f"InfluxDB {url} cannot {what}: {message(error)}{remedy}") from None
        except (HTTPError, OSError) as error:
            raise VibroError(silence(self._config.influxdb, error)) from None

    # -- organisation and buckets --------------------------------------------------------------

    def _org_id(self, opened: Any) -> str | None:
        try:
            found = opened.organizations_api().find_organizations(org=self._org)
        except ApiException as error:
            if error.status != 404:
                raise
            return None
        return str(found[0].id) if found else None

    def organisation(self) -> list[Change]:
        with self._open("list organisations") as opened:
            if self._org_id(opened) is not None:
                return []

        def make() -> None:
            with self._open(f"make organisation {self._org}") as opened:
                opened.organizations_api().create_organization(name=self._org)

        return [Change("+", f"organisation {self._org}", "", make)]

    def _buckets(self, opened: Any) -> dict[str, Any]:
        if (org := self._org_id(opened)) is None:
            return {}
        return {b.name: b for b in opened.buckets_api().find_buckets_iter(org_id=org)}

    def buckets(self, wanted: dict[str, int]) -> list[Change]:
        with self._open("list buckets") as opened:
            there = self._buckets(opened)
        changes = []
        for name, keep_s in wanted.items():
            if name not in there:
                make = partial(self._make_bucket, name, keep_s)
                changes.append(Change("+", f"bucket {name}", _kept(keep_s), make))
            elif (is_s := _keep_s(there[name])) != keep_s:
                how = f"{_kept(is_s)} -> {_kept(keep_s)}"
                make = partial(self._keep_bucket, name, keep_s)
                changes.append(Change("~", f"bucket {name}", how, make))
        return changes

    def _make_bucket(self, name: str, keep_s: int) -> None:
        with self._open(f"make bucket {name}") as opened:
            opened.buckets_api().create_bucket(
                bucket_name=name, org=self._org, retention_rules=_rules(keep_s)
            )

    def _keep_bucket(self, name: str, keep_s: int) -> None:
        with self._open(f"change bucket {name}") as opened:
            bucket = self._buckets(opened)[name]
            bucket.retention_rules = _rules(keep_s)
            opened.buckets_api().update_bucket(bucket)

    # -- tasks -----------------------------------------------------------------------------------

    def _tasks(self, opened: Any) -> dict[str, Any]:
        if (org := self._org_id(opened)) is None:
            return {}
        return {t.name: t for t in opened.tasks_api().find_tasks_iter(org_id=org)}

    def tasks(self, wanted: tuple[Rollup, ...]) -> list[Change]:
        with self._open("list tasks") as opened:
            there = self._tasks(opened)
        changes = []
        for task in wanted:
            how = f"{task.source} -> {task.target}, every {task.every}"
            put = partial(self._put_task, task)
            if task.target not in there:
                changes.append(Change("+", f"task {task.target}", how, put))
            elif (there[task.target].flux, there[task.target].status) != (task.flux(), "active"):
                changes.append(Change("~", f"task {task.target}", how, put))
        return changes

    def _put_task(self, task: Rollup) -> None:
        with self._open(f"set up task {task.target}") as opened:
            there = self._tasks(opened).get(task.target)
            if there is None:
                request = INFLUX.TaskCreateRequest(
                    org_id=self._org_id(opened), flux=task.flux(), status="active"
                )
                opened.tasks_api().create_task(task_create_request=request)
            else:
                update = INFLUX.TaskUpdateRequest(flux=task.flux(), status="active")
                opened.tasks_api().update_task_request(there.id, update)

    # -- tokens ----------------------------------------------------------------------------------

    def tokens(self, wanted: tuple[Token, ...]) -> list[Change]:
        with self._open("list tokens") as opened:
            there = [(token, self._valid(opened, token)) for token in wanted]
        return [
            Change(
                "~" if token.file.exists() else "+",
                f"token {token.name}",
                f"may {token.action} {', '.join(token.buckets)} and nothing else, in {token.file}",
                partial(self._make_token, token),
            )
            for token, valid in there
            if not valid
        ]

    def _authorisations(self, opened: Any, name: str) -> list[Any]:
        if (org := self._org_id(opened)) is None:
            return []
        found = opened.authorizations_api().find_authorizations(org_id=org)
        return [a for a in found if a.description == name]

    def _permissions(self, opened: Any, token: Token) -> list[Any]:
        org, there = self._org_id(opened), self._buckets(opened)
        return [
            INFLUX.Permission(
                token.action, INFLUX.PermissionResource("buckets", id=there[b].id, org_id=org)
            )
            for b in token.buckets
            if b in there
        ]

    def _valid(self, opened: Any, token: Token) -> bool:
        """Whether the file holds a token of this name that may do just this."""
        try:
            held = token.file.read_text(encoding="utf-8").strip()
        except OSError:
            return False
        wanted = {(p.action, p.resource.id) for p in self._permissions(opened, token)}
        return len(wanted) == len(token.buckets) and any(
            a.token == held
            and a.status == "active"
            and {(p.action, p.resource.id) for p in a.permissions} == wanted
            for a in self._authorisations(opened, token.name)
        )

    def _make_token(self, token: Token) -> None:
        """Make a token, write its file, and only then remove what it replaces."""
        with self._open(f"make token {token.name}") as opened:
            old = self._authorisations(opened, token.name)
            request = INFLUX.Authorization(
                org_id=self._org_id(opened),
                description=token.name,
                permissions=self._permissions(opened, token),
            )
            made = opened.authorizations_api().create_authorization(authorization=request)
            _write_secret(token.file, made.token)
            for each in old:
                opened.authorizations_api().delete_authorization(each)


def _rules(keep_s: int) -> list[Any]:
    return [INFLUX.BucketRetentionRules(type="expire", every_seconds=keep_s)]


def _keep_s(bucket: Any) -> int:
    return int(bucket.retention_rules[0].every_seconds) if bucket.retention_rules else 0


def _kept(keep_s: int) -> str:
    return f"kept {keep_s / DAY_S:g} days" if keep_s else "kept for ever"


def _write_secret(file: Path, secret: str) -> None:
    """Write a file that only its owner may read, never half."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(f"{secret}\n")
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)
