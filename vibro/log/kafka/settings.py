"""How a broker is reached: the options under ``[kafka]``, the same at the edge and in the cloud."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vibro.options import option

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class KafkaSection:
    """The broker, and how this process proves who it is."""

    servers: tuple[str, ...] = option(
        ("127.0.0.1:9092",), "texts", "Brokers to ask first, each HOST:PORT."
    )
    security: str = option(
        "tls",
        "word",
        "Security: tls (both sides show certificates), or plaintext (loopback only).",
        words=("tls", "plaintext"),
    )
    plaintext_beyond_loopback: bool = option(
        False, "", "Whether plaintext may leave this machine; warned of at every start."
    )
    ca_file: str = option("", "path", "Certificates of the authority that signs brokers.")
    cert_file: str = option("", "path", "This principal's certificate, as PEM.")
    key_file: str = option("", "path", "Its private key, as PEM; readable by this user alone.")
    request_timeout_s: float = option(
        30.0, "s", "Time after which a broker that does not answer is given up.", low=1
    )
    message_max_mb: float = option(
        16.0, "MB", "Largest message; topics are set up for it, and larger clips cut short.", low=1
    )

    @property
    def message_max_bytes(self) -> int:
        """Largest message, as topics have it in ``max.message.bytes``."""
        return round(self.message_max_mb * 1e6)

    def problems(self) -> list[str]:
        """What does not fit together, each with key, value and remedy."""
        found = [
            f"kafka.servers = '{s}' is not HOST:PORT" for s in self.servers if not _is_server(s)
        ]
        if not self.servers:
            found.append("kafka.servers is empty: name at least one broker as HOST:PORT")
        if self.security == "tls":
            found += [
                f"kafka.{key} is missing: security = 'tls' needs it"
                for key in ("ca_file", "cert_file", "key_file")
                if not getattr(self, key)
            ]
        elif not self.plaintext_beyond_loopback:
            found += [
                f"kafka.servers = '{s}' is not this machine: plaintext shows all to the "
                "network; use security = 'tls', or say plaintext_beyond_loopback = true"
                for s in self.servers
                if s.rpartition(":")[0] not in LOOPBACK
            ]
        return found


def _is_server(text: Any) -> bool:
    host, colon, port = text.rpartition(":")
    return bool(colon and host and port.isdecimal() and 0 < int(port) < 65536)
