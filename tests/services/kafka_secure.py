"""A Kafka broker that lets in certificates of its authority only, and each to what its ACLs say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.services.certificates import Authority
from tests.services.kafka import KafkaServer


class SecureKafkaServer(KafkaServer):
    """A broker with mutual TLS and ACLs on every listener, the controller's too.

    Parameters
    ----------
    folder : Path
        For its data, settings, certificates and log.
    settings : mapping, optional
        Properties of the broker that differ.
    """

    superuser = "admin"

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, settings)
        self._authority = Authority(folder / "ca")

    @property
    def ca(self) -> Path:
        """Folder with ``ca.pem`` and ``ca.key``."""
        return self._authority.folder

    def credentials(self, name: str) -> tuple[Path, Path]:
        """Return files of a certificate with this CN, and of its key."""
        return self._authority.credentials(name)

    def listeners(self) -> dict[str, str]:
        """Everything over TLS; who has no ACL may do nothing."""
        certificate, key = self.credentials("broker")
        store = self.folder / "broker-store.pem"
        store.touch(0o600)
        store.write_bytes(key.read_bytes() + certificate.read_bytes())
        return {
            "listeners": f"SSL://{self.servers},CONTROLLER://127.0.0.1:{self._controller}",
            "advertised.listeners": f"SSL://{self.servers}",
            "listener.security.protocol.map": "SSL:SSL,CONTROLLER:SSL",
            "inter.broker.listener.name": "SSL",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(store),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self._authority.certificate),
            "ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": f"User:{self.superuser};User:broker",
        }
