"""What is done about a trip: nothing but a line in the log, or an output that was armed."""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from edge_node.config import ReflexSection
from edge_node.password import read_password
from edge_node.reflex.actuator import Action, Later
from edge_node.reflex.blocks import LIMITS, Trip, limit_mistake
from vibro.errors import BadInputError, VibroError

LOG = logging.getLogger("vibro.reflex")


def dry_run(trip: Trip) -> None:
    """Log what would be acted on."""
    LOG.warning("reflex (dry run): %s", trip)


class RunProgram:
    """Runs a program with the trip in its arguments; it is killed when it takes too long.

    Parameters
    ----------
    program : sequence of str
        Program and arguments; channel, quantity, value and limit are appended.
    timeout_s : float
    """

    def __init__(self, program: Sequence[str], timeout_s: float) -> None:
        self._program, self._timeout_s = tuple(program), timeout_s

    def __call__(self, trip: Trip) -> None:
        """Run it.

        Raises
        ------
        VibroError
            If it cannot be run, takes too long, or says that it failed.
        """
        told = (trip.channel, trip.quantity, f"{trip.value:.6g}", f"{trip.limit:.6g}")
        name = self._program[0]
        try:
            done = subprocess.run(  # noqa: S603 (the operator's own program)
                [*self._program, *told], timeout=self._timeout_s, check=False,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise VibroError(f"{name} was killed after {self._timeout_s:g} s") from None
        except OSError as error:
            raise VibroError(f"{name} cannot be run ({error.strerror})") from None
        if done.returncode:
            raise VibroError(f"{name} ended with {done.returncode}")


Maker = Callable[[ReflexSection, str | None, Path], Action]
Finder = Callable[[ReflexSection], Iterable[str]]


def _output_of(action: str) -> tuple[Maker, Finder]:
    """What makes an output and what finds its mistakes; only the one asked for is loaded."""
    match action:
        case "mqtt":
            from edge_node.reflex import mqtt  # noqa: PLC0415

            return mqtt.MqttPublish, mqtt.mistakes
        case "webhook":
            from edge_node.reflex import webhook  # noqa: PLC0415 (HTTP and TLS)

            return webhook.Webhook, webhook.mistakes
        case "modbus":
            from edge_node.reflex import modbus  # noqa: PLC0415

            return modbus.ModbusCoil, modbus.mistakes
        case "program":
            return (
                lambda section, _password, _folder: RunProgram(section.program, section.timeout_s),
                lambda section: _program_mistakes(section.program),
            )
    return lambda _section, _password, _folder: dry_run, lambda _section: ()


def action_of(section: ReflexSection, folder: Path) -> Action:
    """Return the configured action: a dry run until it is armed.

    Parameters
    ----------
    section : ReflexSection
    folder : Path
        The configuration's own, for the files that it names.

    Raises
    ------
    BadInputError
        With every mistake of the output's options.
    """
    if found := _output_mistakes(section, folder):
        raise BadInputError("; ".join(found))
    if not section.armed or section.action == "dry-run":
        return dry_run
    password = read_password(folder, section.password_file, "reflex.password_file")
    make, _ = _output_of(section.action)
    output = make(section, password, folder)

    def act(trip: Trip) -> Later | None:
        LOG.warning("reflex: %s", trip)
        return output(trip)

    return act


def mistakes(section: ReflexSection, channels: int | None, folder: Path) -> list[str]:
    """Return every mistake of the section, one line each, with key and remedy.

    Parameters
    ----------
    section : ReflexSection
    channels : int or None
        Of the machine; None where it is not known.
    folder : Path
        The configuration's own, for the files that it names.
    """
    counted = [limit_mistake(k, getattr(section, k), channels) for k in LIMITS if channels]
    return [*filter(None, counted), *_output_mistakes(section, folder)]


def _output_mistakes(section: ReflexSection, folder: Path) -> list[str]:
    _, find = _output_of(section.action)
    found = list(find(section))
    try:
        read_password(folder, section.password_file, "reflex.password_file")
    except BadInputError as error:
        found.append(str(error))
    except ValueError:  # A name that no file can have.
        found.append("reflex.password_file cannot be read: name a file")
    if section.ca_file and not (folder / section.ca_file).is_file():
        found.append(f"reflex.ca_file = '{section.ca_file}' is no file: name the certificates")
    return found


def _program_mistakes(program: Sequence[str]) -> Iterator[str]:
    if not program:
        yield "reflex.program is empty: name the program that reflex.action runs"
    elif "\0" in program[0] or shutil.which(program[0]) is None:
        yield f"reflex.program = '{program[0]}' cannot be run: name a program by its full path"
