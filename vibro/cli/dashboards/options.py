"""What the verbs have in common: token, certificates and address of a server; the page."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from vibro.errors import BadInputError

FILE = click.Path(dir_okay=False, path_type=Path)
PAGE = "http://127.0.0.1:8080"
"""Where `vibro serve` listens."""


def page_option(function: Any) -> Any:
    """Give a verb the option ``--page``."""
    return click.option(
        "--page", default=PAGE, show_default=True, metavar="URL",
        help="Address of the page, which events and machines are linked to.",
    )(function)  # fmt: skip


def ca_option(function: Any) -> Any:
    """Give a verb the option ``--ca-file``."""
    return click.option(
        "--ca-file", type=FILE, metavar="FILE",
        help="Certificates to trust instead of the system's.",
    )(function)  # fmt: skip


def page_of(url: str) -> str:
    """Return the page's address without a slash at its end.

    Raises
    ------
    BadInputError
        If it is no address of the web: it becomes a link that people click.
    """
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        right = False
    if not right or not url.isascii() or any(c in url for c in " \"'<>\\$`{}"):
        raise BadInputError(f"--page '{url}': is no http:// or https:// address")
    return url.rstrip("/")


def token_of(file: Path) -> str:
    """Return the first line of a file; it is never told.

    Raises
    ------
    BadInputError
        If the file cannot be read or holds no token.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "is no text"
        raise BadInputError(f"--token-file {file}: cannot be read ({why})") from None
    token = lines[0].strip() if lines else ""
    if not token or not token.isascii() or not token.isprintable():
        raise BadInputError(f"--token-file {file}: its first line is no token")
    return token


def ca_of(file: Path | None) -> Path | None:
    """Return the file of certificates, if there is one and one was named.

    Raises
    ------
    BadInputError
        If the named file is not there.
    """
    if file is not None and not file.is_file():
        raise BadInputError(f"--ca-file {file}: there is no such file")
    return file


def server_of(url: str) -> str:
    """Return a server's address; warn on stderr where a token would leave unencrypted.

    Raises
    ------
    BadInputError
        If it is none, or holds a password.
    """
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if "@" in url:
        raise BadInputError("--url holds a user or password: use --token-file")
    if not right:
        raise BadInputError(f"--url '{url}': is no http:// or https:// address")
    if parts.scheme == "http" and not _loopback(parts.hostname or ""):
        click.echo(
            f"vibro: warning: http://{parts.hostname} is not encrypted: whoever listens on the way "
            "reads the token; use https://",
            err=True,
        )
    return url.rstrip("/")


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
