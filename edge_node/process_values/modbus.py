"""Process values over Modbus TCP, by pymodbus."""

from __future__ import annotations

import logging
import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge_node.library import library
from edge_node.process_values.options import ProcessValuesSection
from vibro.errors import BadInputError, VibroError

PORT = 502
REGISTER_TABLES, BIT_TABLES = ("holding", "input"), ("coil", "discrete")
_FORMATS = {"int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "float32": ">f"}
_ADDRESS = re.compile(r"(?P<host>\[[^\]]+\]|[^:\s]+)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Register:
    """Where a value stands and how it is to be read.

    Attributes
    ----------
    table : {'holding', 'input', 'coil', 'discrete'}
    address : int
        As in the protocol, from 0: register "40101" is ``holding 100``.
    type : str
        ``int16``, ``uint16``, ``int32``, ``uint32`` or ``float32``; empty for bits.
    """

    table: str
    address: int
    type: str

    @classmethod
    def parse(cls, text: str, key: str) -> Register:
        """Read ``TABLE ADDRESS TYPE`` or, of bits, ``TABLE ADDRESS``.

        Raises
        ------
        BadInputError
            Naming the key of the configuration.
        """
        words = text.split()
        bits = len(words) == 2 and words[0] in BIT_TABLES
        registers = len(words) == 3 and words[0] in REGISTER_TABLES and words[2] in _FORMATS
        if not (bits or registers):
            raise BadInputError(
                f"{key} = '{text}' is no register: write 'holding ADDRESS TYPE' or 'input ADDRESS "
                f"TYPE' (TYPE one of {', '.join(_FORMATS)}), 'coil ADDRESS' or 'discrete ADDRESS'"
            )
        register = cls(words[0], -1, words[2] if registers else "")
        address = int(words[1]) if re.fullmatch("[0-9]{1,5}", words[1]) else -1
        if not 0 <= address <= 65536 - register.count:
            raise BadInputError(f"{key} = '{text}': the address is not within 0 to 65535")
        return cls(register.table, address, register.type)

    @property
    def count(self) -> int:
        """Registers or bits to read."""
        return 2 if self.type.endswith("32") else 1

    def value(self, words: Sequence[int], *, low_first: bool) -> float:
        """Return the number that 16-bit words hold."""
        ordered = reversed(words) if low_first else words
        packed = b"".join(word.to_bytes(2, "big") for word in ordered)
        (number,) = struct.unpack(_FORMATS[self.type], packed)
        return float(number)


class ModbusReader:
    """One connection to a Modbus TCP server."""

    def __init__(self, section: ProcessValuesSection) -> None:
        self._pymodbus = library("pymodbus", "process_values.kind = 'modbus'", "modbus")
        self._tcp = library("pymodbus.client", "process_values.kind = 'modbus'", "modbus")
        # What it would log at every attempt is told by the poller, once and in one line.
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
        found = _ADDRESS.fullmatch(section.address)
        port = int(found["port"] or PORT) if found else 0
        if found is None or not 0 < port < 65536:
            raise BadInputError(
                f"process_values.address = '{section.address}' is not HOST or HOST:PORT"
            )
        self._host, self._port = found["host"].strip("[]"), port
        self._registers = {
            q: Register.parse(text, f"process_values.{q}") for q, text in section.mapped().items()
        }
        self._section = section
        self._client: Any = None

    def open(self) -> None:
        """Connect."""
        self.close()
        self._client = self._tcp.ModbusTcpClient(
            self._host, port=self._port, timeout=self._section.timeout_s, retries=0
        )
        if not self._client.connect():
            raise self._failed("does not answer")

    def read(self) -> Mapping[str, float]:
        """Ask for every value; one that the server refuses is NaN."""
        try:
            return {q: self._value(register) for q, register in self._registers.items()}
        except (OSError, self._pymodbus.ModbusException) as error:
            raise self._failed(str(error)) from None

    def _value(self, register: Register) -> float:
        ask = {
            "holding": self._client.read_holding_registers,
            "input": self._client.read_input_registers,
            "coil": self._client.read_coils,
            "discrete": self._client.read_discrete_inputs,
        }[register.table]
        answer = ask(register.address, count=register.count, device_id=self._section.device_id)
        if answer.isError():
            return math.nan
        if not register.type:
            return float(answer.bits[0])
        if len(answer.registers) != register.count:
            return math.nan
        return register.value(answer.registers, low_first=self._section.word_order == "little")

    def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _failed(self, why: str) -> VibroError:
        return VibroError(f"Modbus {self._host}:{self._port}: {' '.join(why.split())}")
