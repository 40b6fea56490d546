"""Output ``modbus``: a coil that is set over Modbus TCP, and reset after a while if wanted."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edge_node.config import ReflexSection
from edge_node.library import library
from edge_node.reflex.actuator import LOG, Later
from edge_node.reflex.blocks import Trip
from vibro.errors import MissingExtraError, VibroError

WHAT = "reflex.action = 'modbus'"
PORT = 502
AGAIN_S = 1.0
"""A reset that failed is tried again after so long, until it succeeds or the process ends."""


class ModbusCoil:
    """Sets one coil at each trip.

    With ``reset_s`` it is reset so long after the last trip, and when the process ends in order; a
    process that is killed leaves it set, which is for the controller to watch over.
    """

    def __init__(self, section: ReflexSection, password: str | None, folder: Path) -> None:
        del password, folder  # Modbus TCP knows neither passwords nor certificates.
        self._pymodbus = library("pymodbus", WHAT, "modbus")
        self._tcp = library("pymodbus.client", WHAT, "modbus")
        self._section, self._port = section, section.port or PORT

    def __call__(self, trip: Trip) -> Later | None:
        """Set it.

        Raises
        ------
        VibroError
            If the server does not answer or refuses.
        """
        del trip
        self._write(True)
        return Later(self._section.reset_s, self._reset) if self._section.reset_s else None

    def _reset(self) -> Later | None:
        try:
            self._write(False)
        except VibroError as error:
            LOG.warning("reflex: the coil is not reset yet: %s", error)
            return Later(AGAIN_S, self._reset)
        LOG.warning("reflex: the coil is reset")
        return None

    def _write(self, value: bool) -> None:
        section = self._section
        client = self._tcp.ModbusTcpClient(
            section.host, port=self._port, timeout=section.timeout_s, retries=0
        )
        try:
            if not client.connect():
                raise self._failed("cannot be reached")
            answer: Any = client.write_coil(section.coil, value, device_id=section.unit)
            if answer.isError():
                raise self._failed(f"refused coil {section.coil} ({answer})")
        except (OSError, self._pymodbus.ModbusException) as error:
            raise self._failed(f"did not answer ({error})") from None
        finally:
            client.close()

    def _failed(self, said: str) -> VibroError:
        return VibroError(f"Modbus server {self._section.host}:{self._port} {said}")


def mistakes(section: ReflexSection) -> Iterator[str]:
    """Yield what is wrong with the options of a Modbus output."""
    if find_spec("pymodbus") is None:
        yield str(MissingExtraError(WHAT, "modbus"))
    if not section.host:
        yield "reflex.host is empty: name the host of the Modbus server"
    for key, most in (("port", 65_535), ("coil", 65_535), ("unit", 255)):
        if getattr(section, key) > most:
            yield f"reflex.{key} = {getattr(section, key)} is too large: at most {most}"
    if section.user or section.password_file or section.ca_file:
        yield "reflex.user, password_file and ca_file mean nothing to Modbus TCP: leave them empty"
