"""`vibro capture`: ask a machine's node for a clip and a spectrum now."""

from __future__ import annotations

import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vibro.cli.main import echo_json, home_option

if TYPE_CHECKING:
    from vibro.log import EmbeddedLog

LOOK_AGAIN_S = 0.2
KINDS = ("clips", "health")
"""Topics on which an answer comes: a clip, or a refusal."""


@dataclass(slots=True)
class Asked:
    """A request that was sent, and up to where its answer has been looked for."""

    id: str
    site: str
    positions: dict[str, int]


@click.command(name="capture")
@click.argument("machine", metavar="SITE/MACHINE")
@home_option
@click.option(
    "--seconds", type=click.FloatRange(0.0, 1e5), default=0.0,
    show_default="as long as the node's clips",
    help="Length of the capture.",
)  # fmt: skip
@click.option("--wait", is_flag=True, help="Wait for the answer and print the clip's id.")
@click.option(
    "--expires", "expires_s", type=click.FloatRange(1.0, 604_800.0), default=600.0,
    show_default=True, help="Seconds after which the node need not answer any more.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    machine: str, home: Path, seconds: float, wait: bool, expires_s: float, as_json: bool
) -> None:
    """Ask a machine's node for a clip and a spectrum now.

    Both are of all channels, from now on. The node answers over the log when it next looks, or
    refuses and says why: where privacy forbids clips, where the day's captures are used up, or
    while another is taken. With --wait the command ends with 1 when it was refused or nothing
    came in time.
    """
    from vibro.errors import BadInputError  # noqa: PLC0415
    from vibro.log import EmbeddedLog  # noqa: PLC0415

    if not (home / "log").is_dir():
        raise BadInputError(f"{home} holds no log: name the home of the node with --home")
    log = EmbeddedLog(home / "log")
    try:
        asked = ask(log, machine, seconds, time.time_ns(), expires_s)
        clip = _waited(log, asked, machine, expires_s) if wait else None
    finally:
        log.close()
    if as_json:
        echo_json({"request": asked.id, "machine": machine, "clip": clip})
    else:
        click.echo(clip or f"asked {machine} for a capture: request {asked.id}")


def ask(log: EmbeddedLog, machine: str, seconds: float, now_ns: int, expires_s: float) -> Asked:
    """Send a request.

    Raises
    ------
    BadInputError
        If the machine is not ``site/machine``.
    """
    from edge_node.clips.requests import CaptureRequest  # noqa: PLC0415
    from vibro.errors import BadInputError  # noqa: PLC0415
    from vibro.log import Message  # noqa: PLC0415
    from vibro.records import SLUG, topic  # noqa: PLC0415

    parts = machine.split("/")
    if len(parts) != 2 or not all(SLUG.match(p) for p in parts):
        raise BadInputError(f"'{machine}' is not SITE/MACHINE, as in harbour/pump-1")
    request = CaptureRequest(uuid.uuid4().hex, seconds, now_ns + round(expires_s * 1e9))
    positions = {kind: log.end_offset(topic(parts[0], kind)) for kind in KINDS}
    message = Message(machine, request.value(), f"capture/{request.id}", 0)
    log.send(topic(parts[0], "requests"), [message])
    return Asked(request.id, parts[0], positions)


def answer(log: EmbeddedLog, asked: Asked) -> str | None:
    """Look for the answer: the clip's id, or None while there is none.

    Raises
    ------
    VibroError
        If the node has refused.
    """
    from vibro.errors import VibroError  # noqa: PLC0415
    from vibro.records import Clip, Health, topic  # noqa: PLC0415

    for kind in KINDS:
        for stored in log.read(topic(asked.site, kind), asked.positions[kind], 100):
            asked.positions[kind] = stored.offset
            record = _decoded(stored.value)
            if isinstance(record, Clip) and record.request == asked.id:
                return record.id.thing
            if isinstance(record, Health) and record.detail.get("request") == asked.id:
                raise VibroError(f"{record.origin.machine_path}: {record.detail.get('reason')}")
    return None


def _decoded(value: bytes) -> Any:
    from vibro.errors import BadInputError  # noqa: PLC0415
    from vibro.wire import decode  # noqa: PLC0415

    try:
        return decode(value)
    except BadInputError:
        return None


def _waited(log: EmbeddedLog, asked: Asked, machine: str, most_s: float) -> str:
    from vibro.errors import VibroError  # noqa: PLC0415

    began = time.monotonic()
    while (passed_s := time.monotonic() - began) < most_s:
        if (clip := answer(log, asked)) is not None:
            _progress("")
            return clip
        _progress(f"waiting for {machine}: {passed_s:.0f} s of at most {most_s:.0f} s")
        time.sleep(LOOK_AGAIN_S)
    _progress("")
    raise VibroError(f"{machine} has not answered within {most_s:g} s: does its node run?")


def _progress(text: str) -> None:
    """Say how long it takes, on a terminal only."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", nl=False, err=True)
