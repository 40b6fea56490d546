"""`vibro cloud sign`: certificates for nodes, brokers and the cloud's own services."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vibro.cli.assets import register_of
from vibro.cli.main import echo_json, home_option
from vibro.cli.values import Positive
from vibro.errors import BadInputError

if TYPE_CHECKING:
    from cloud_jobs.authority import Issued, Wish

DAYS = {"authority": 3650.0, "node": 30.0, "service": 90.0, "server": 365.0}
FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("request", required=False, metavar="[REQUEST]", type=FILE)
@home_option
@click.option("--init", is_flag=True, help="Make the authority itself, in HOME/authority.")
@click.option(
    "--server", "hosts", multiple=True, metavar="HOST",
    help="Make key and certificate of a broker for a host name or address; may be repeated.",
)  # fmt: skip
@click.option(
    "--service", metavar="NAME",
    help="Make key and certificate of one of the cloud's own: cloud (the jobs), admin (set-up).",
)  # fmt: skip
@click.option(
    "--days", type=Positive("days", least=0.001), metavar="DAYS",
    help="Term.  [default: 30 for a node, 90 for a service, 365 for a server]",
)  # fmt: skip
@click.option(
    "--out", type=FILE, metavar="FILE",
    help="File to write.  [default: beside the request, named .pem]",
)  # fmt: skip
@click.option(
    "--passphrase-file", type=FILE, metavar="FILE",
    help="File whose first line encrypts the authority's key.",
)  # fmt: skip
@click.option("--reinstate", is_flag=True, help="Sign for a name that was revoked.")
@click.option("--force", is_flag=True, help="Allow a term longer than 90 days (server: 400).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def sign(
    request: Path | None, home: Path, init: bool, hosts: tuple[str, ...], service: str | None,
    days: float | None, out: Path | None, passphrase_file: Path | None, reinstate: bool,
    force: bool, as_json: bool,
) -> None:  # fmt: skip
    """Sign a node's certificate, or make one for a broker or service.

    REQUEST is what `vibro edge enroll` wrote. The register says which nodes there are; whatever
    else a request asks for is passed over. Each certificate is written down in
    HOME/authority/ledger.jsonl before it is handed out.
    """
    kind = _kind(request, init, hosts, service)
    now, secret = datetime.now(UTC), _passphrase(passphrase_file)
    term = DAYS[kind] if days is None else days
    if kind == "authority":
        _init(home, now, term, secret, as_json)
        return
    from cloud_jobs.authority import Authority, Wish  # noqa: PLC0415

    authority = Authority(home, secret)
    wish = Wish(now, term, reinstate, force)
    if request is not None:
        target = out or request.with_suffix(".pem")
        _refuse_same(target, request)
        issued = authority.sign_node(request, register_of(home), wish)
        _write(target, issued.pem, private=False)
    else:
        if out is None:
            raise BadInputError(f"--{kind} makes a key, too: name the file for both with --out")
        issued, target = _with_key(authority, hosts, service, wish, out), out
    _tell(issued, target, authority.fingerprint, as_json)


def _kind(request: Path | None, init: bool, hosts: tuple[str, ...], service: str | None) -> str:
    wanted = [
        kind
        for kind, given in (
            ("authority", init), ("node", request), ("server", hosts), ("service", service),
        )
        if given
    ]  # fmt: skip
    if len(wanted) != 1:
        raise BadInputError("give one of REQUEST, --init, --server or --service")
    return wanted[0]


def _passphrase(file: Path | None) -> bytes:
    """First line of a file; it is never told."""
    if file is None:
        return b""
    try:
        first = file.read_bytes().split(b"\n")[0].strip()
    except OSError as error:
        raise BadInputError(
            f"--passphrase-file {file}: cannot be read ({error.strerror})"
        ) from None
    if not first:
        raise BadInputError(f"--passphrase-file {file}: its first line is empty")
    return first


def _init(home: Path, now: datetime, days: float, secret: bytes, as_json: bool) -> None:
    from cloud_jobs.authority import make  # noqa: PLC0415

    key = make(home, now, days, secret)
    folder = home / "authority"
    if as_json:
        echo_json({"authority": str(folder), "key": key, "encrypted": bool(secret)})
        return
    click.echo(f"made: {folder}, key {key}")
    click.echo(f"brokers and nodes trust {folder / 'ca.pem'}; keep {folder / 'ca.key'} secret")


def _refuse_same(target: Path, request: Path) -> None:
    if target.resolve() == request.resolve():
        raise BadInputError(f"--out {target}: is the request itself; name another file")


def _with_key(
    authority: Any, hosts: tuple[str, ...], service: str | None, wish: Wish, out: Path
) -> Issued:
    """Make a key and its certificate, in one file that this user alone may read."""
    from vibro.log.kafka.certificates import key_pem, new_key  # noqa: PLC0415

    key = new_key()
    issued: Issued = (
        authority.sign_service(service, key.public_key(), wish)
        if service
        else authority.sign_server(hosts, key.public_key(), wish)
    )
    _write(out, key_pem(key) + issued.pem, private=True)
    return issued


def _write(file: Path, data: bytes, *, private: bool) -> None:
    from vibro.log.kafka.certificates import PRIVATE, PUBLIC, write_whole  # noqa: PLC0415

    write_whole(file, data, PRIVATE if private else PUBLIC)


def _tell(issued: Issued, file: Path, authority: str, as_json: bool) -> None:
    if as_json:
        echo_json({
            "name": issued.name, "kind": issued.kind, "file": str(file), "serial": issued.serial,
            "ends": issued.ends.isoformat(), "key": issued.key, "authority": authority,
            "renewed": issued.renewed,
        })  # fmt: skip
        return
    again = "renewed" if issued.renewed else "first certificate of this name"
    click.echo(
        f"signed: {issued.kind} {issued.name}, until {issued.ends:%Y-%m-%d %H:%M} UTC, {again}"
    )
    click.echo(f"key        {issued.key}")
    click.echo(f"authority  {authority}")
    click.echo(f"written: {file}")
    if issued.kind == "node":
        click.echo(
            "compare the key with what `vibro edge enroll` said on the node; bring the file there,"
            f"\nthen: vibro edge enroll NODE.TOML --certificate {file.name}"
        )
