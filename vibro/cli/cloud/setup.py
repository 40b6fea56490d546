"""`vibro cloud setup` and `vibro cloud revoke`: what the services hold for the plant."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vibro.cli.assets import register_of
from vibro.cli.main import echo_json, home_option
from vibro.errors import BadInputError, VibroError

if TYPE_CHECKING:
    from cloud_jobs.config import CloudConfig
    from cloud_jobs.setup import Change
    from cloud_jobs.setup.broker import Broker
    from cloud_jobs.setup.plan import Plan, Plant
    from vibro.assets import Register

ADMIN = "secrets/admin.pem"
CERT = click.option(
    "--cert", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Key and certificate of a super user of the brokers.  "
    f"[default: HOME/{ADMIN} where it is, else kafka.cert_file]",
)  # fmt: skip
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.command()
@home_option
@click.option("--yes", is_flag=True, help="Make the changes without asking.")
@click.option("--dry-run", is_flag=True, help="Show the changes and make none.")
@CERT
@JSON
def setup(home: Path, yes: bool, dry_run: bool, cert: Path | None, as_json: bool) -> None:
    """Make topics, access rights and buckets for the plant of the register.

    What differs is shown first: + is added, ~ changed, - removed. No topic and no bucket is ever
    deleted. Nodes that are revoked or no longer in the register lose their access.
    """
    from cloud_jobs.setup import apply  # noqa: PLC0415

    if as_json and not (yes or dry_run):
        raise BadInputError("--json asks nobody: give --yes or --dry-run, too")
    with _planned(home, cert) as plan:
        made: list[Change] = []
        if not as_json:
            _show(plan)
        if plan.changes and not dry_run and (yes or _confirmed(len(plan.changes))):
            apply(plan.changes, made.append)
        if as_json:
            changes = [change.as_dict() for change in plan.changes]
            echo_json({"changes": changes, "made": len(made), "remarks": plan.remarks})
        elif made:
            click.echo(f"{len(made)} changes made")


def _show(plan: Plan) -> None:
    for change in plan.changes:
        click.echo(change.describe())
    for remark in plan.remarks:
        click.echo(f"# {remark}")
    if not plan.changes:
        click.echo("nothing to do")


def _confirmed(count: int) -> bool:
    if not sys.stdin.isatty():
        raise BadInputError("nothing was changed: there is nobody to ask; give --yes or --dry-run")
    return click.confirm(f"make these {count} changes?")


@contextmanager
def _planned(home: Path, cert: Path | None) -> Iterator[Plan]:
    """Everything that must change, while the connections that it is made with are open."""
    from cloud_jobs.config import load  # noqa: PLC0415
    from cloud_jobs.setup.plan import Plan, plan  # noqa: PLC0415

    config, register = load(home), register_of(home)
    with ExitStack() as held:
        changes: list[Change] = []
        remarks = ["transport = 'embedded': topics need no set-up"]
        if config.services.transport == "kafka":
            plant = _plant(config, register)
            broker = held.enter_context(_broker(config, cert))
            found = plan(broker, plant, config.topics, config.kafka.message_max_bytes)
            changes, remarks = found.changes, [*found.remarks, *_ending(config, plant)]
        if config.services.timeseries == "influxdb":
            from cloud_jobs.timeseries import setup as influx  # noqa: PLC0415

            changes = [*changes, *influx.plan(config)]
        yield Plan(changes, remarks)


def _ending(config: CloudConfig, plant: Plant) -> list[str]:
    """Say whose certificate is soon to be renewed; what ends ships nothing any more."""
    from cloud_jobs.authority import ledger_of  # noqa: PLC0415
    from vibro.log.kafka.certificates import WARN_DAYS  # noqa: PLC0415

    soon = datetime.now(UTC) + timedelta(days=WARN_DAYS)
    ending = ledger_of(config.home).ending({*plant.nodes, plant.cloud}, soon)
    return [
        f"the certificate of {name} ends on {end:%Y-%m-%d %H:%M} UTC: renew it (docs/security.md)"
        for name, end in ending.items()
    ]


def _plant(config: CloudConfig, register: Register) -> Plant:
    from cloud_jobs.authority import ledger_of  # noqa: PLC0415
    from cloud_jobs.setup.plan import Plant  # noqa: PLC0415

    ledger, cloud = ledger_of(config.home), _cloud_of(config)
    if cloud in ledger.revoked():
        raise BadInputError(f"kafka.cert_file is that of '{cloud}', which is revoked")
    return Plant(register, ledger.revoked(), ledger.clients(), cloud)


def _cloud_of(config: CloudConfig) -> str:
    """Principal of the cloud jobs: the name in their certificate."""
    if config.kafka.security == "plaintext":
        return ""
    from vibro.log.kafka.certificates import common_name, read_certificates  # noqa: PLC0415

    file = config.path(config.kafka.cert_file)
    if not (name := common_name(read_certificates(file)[0])):
        raise BadInputError(f"kafka.cert_file: {file} has no common name: it is nobody's")
    return name


def as_admin(config: CloudConfig, cert: Path | None) -> CloudConfig:
    """Return the configuration with the certificate of who may do more than the jobs."""
    admin = config.path(ADMIN)
    if not (chosen := cert or (admin if admin.exists() else None)):
        return config
    file = str(chosen.resolve())
    return replace(config, kafka=replace(config.kafka, cert_file=file, key_file=file))


@contextmanager
def _broker(config: CloudConfig, cert: Path | None) -> Iterator[Broker]:
    from cloud_jobs.setup.broker import Broker  # noqa: PLC0415

    broker = Broker(as_admin(config, cert).kafka, config.home)
    try:
        yield broker
    finally:
        broker.close()


@click.command()
@click.argument("name", metavar="NODE")
@home_option
@CERT
@JSON
def revoke(name: str, home: Path, cert: Path | None, as_json: bool) -> None:
    """Take a node's access away, at once and for good.

    It is written into HOME/authority/ledger.jsonl, so that neither `setup` nor `sign` gives it
    back; `sign --reinstate` does.
    """
    from cloud_jobs.authority import revoke as written_down  # noqa: PLC0415
    from cloud_jobs.config import load  # noqa: PLC0415

    config = load(home)
    new = written_down(home, name, register_of(home), datetime.now(UTC))
    removed = 0
    if config.services.transport == "kafka" and config.kafka.security == "tls":
        try:
            removed = _forgotten(config, cert, name)
        except VibroError as error:
            raise VibroError(
                f"'{name}' is written down as revoked, but HAS ACCESS until `vibro cloud setup` or "
                f"this has reached the broker: {error}"
            ) from None
    if as_json:
        echo_json({"name": name, "new": new, "rules_removed": removed})
        return
    click.echo(f"{name}: {'revoked' if new else 'was revoked before'}, {removed} ACLs removed")


def _forgotten(config: CloudConfig, cert: Path | None, name: str) -> int:
    """Remove all ACLs of a name; return how many there were."""
    with _broker(config, cert) as broker:
        rules = broker.rules(name) or set()
        broker.forget(rules)
    return len(rules)
