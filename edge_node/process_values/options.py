"""The table [process_values] of a node's configuration."""

from __future__ import annotations

from dataclasses import dataclass

from vibro.options import option

QUANTITIES = ("rpm", "load", "running", "temperature")
MOST_DEVICE_ID = 255


@dataclass(frozen=True, slots=True)
class ProcessValuesSection:
    """Speed, load, running and temperature as the plant's control system knows them."""

    kind: str = option(
        "none", "word", "Protocol: none, opcua or modbus.", words=("none", "opcua", "modbus")
    )
    address: str = option(
        "",
        "text",
        "Server: 'opc.tcp://HOST:4840/PATH' for OPC UA, 'HOST' or 'HOST:502' for Modbus.",
    )
    poll_s: float = option(1.0, "s", "Time between two polls.", low=0.05)
    timeout_s: float = option(2.0, "s", "Time after which a request has failed.", low=0.05)
    stale_s: float = option(
        5.0, "s", "Age at which a value is no longer known; at least poll_s + timeout_s.", low=0.1
    )
    rpm: str = option(
        "",
        "text",
        "Speed of the reference shaft: OPC UA node such as 'ns=2;s=Motor.Speed', or Modbus table, "
        "address from 0 and type, such as 'holding 100 float32'; empty = not known.",
    )
    rpm_scale: float = option(1.0, "rpm", "Speed that one unit of the value is.")
    rpm_offset: float = option(0.0, "rpm", "Speed at the value 0; the sign of a speed is dropped.")
    load: str = option("", "text", "Load, likewise.")
    load_scale: float = option(1.0, "%", "Load that one unit of the value is.")
    load_offset: float = option(0.0, "%", "Load at the value 0.")
    running: str = option("", "text", "Running, likewise; also Modbus 'coil 3' or 'discrete 3'.")
    running_scale: float = option(
        1.0, "", "What one unit of the value is; from 0.5 on the machine runs."
    )
    running_offset: float = option(0.0, "", "Added to the scaled value.")
    temperature: str = option("", "text", "Temperature, likewise.")
    temperature_scale: float = option(1.0, "degC", "Difference that one unit of the value is.")
    temperature_offset: float = option(0.0, "degC", "Temperature at the value 0.")
    word_order: str = option(
        "big",
        "word",
        "Modbus: which word of a 32-bit value comes first, the high (big) or the low one (little).",
        words=("big", "little"),
    )
    device_id: int = option(1, "", "Modbus: number of the device behind the address.", low=0)
    user: str = option("", "text", "OPC UA: user name; empty = anonymous.")
    password_file: str = option("", "path", "OPC UA: file with the password, in its first line.")
    security: str = option(
        "none",
        "word",
        "OPC UA: messages plain, signed, or signed and encrypted (Basic256Sha256).",
        words=("none", "sign", "encrypt"),
    )
    certificate_file: str = option(
        "", "path", "OPC UA: the node's certificate, PEM if its name ends in .pem, else DER."
    )
    key_file: str = option("", "path", "OPC UA: its private key, likewise.")
    server_certificate_file: str = option(
        "", "path", "OPC UA: the only server to trust; empty = whichever answers."
    )

    def mapped(self) -> dict[str, str]:
        """Return what is to be read: quantity and where it stands."""
        return {q: getattr(self, q) for q in QUANTITIES if getattr(self, q)}

    def conversion(self, quantity: str) -> tuple[float, float]:
        """Return scale and offset of a quantity."""
        return getattr(self, f"{quantity}_scale"), getattr(self, f"{quantity}_offset")


def mistakes_in(section: ProcessValuesSection) -> list[str]:
    """Return what is wrong with checked options beside their declarations; a sentence each."""
    if section.kind == "none":
        return []
    found = []
    if not section.address:
        found.append("process_values.address is empty: name the server")
    if not section.mapped():
        found.append(f"process_values maps nothing: give at least one of {', '.join(QUANTITIES)}")
    if section.device_id > MOST_DEVICE_ID:
        found.append(
            f"process_values.device_id = {section.device_id} is too large: at most {MOST_DEVICE_ID}"
        )
    if section.stale_s < section.poll_s + section.timeout_s:
        found.append(
            f"process_values.stale_s = {section.stale_s:g} is too short: at least poll_s + "
            f"timeout_s = {section.poll_s + section.timeout_s:g} s"
        )
    return found
