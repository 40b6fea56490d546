"""From the options under ``[kafka]`` to a client of kafka-python.

The library is loaded when a first client is made: a node that writes to the embedded log never
pays for it. Certificates are given as files, not as a context, so that each new connection shows
the ones that lie there now.
"""

from __future__ import annotations

import logging
import ssl
from functools import cache
from pathlib import Path
from typing import Any

from vibro.errors import BadInputError, MissingExtraError
from vibro.log.kafka.settings import KafkaSection
from vibro.log.port import Stored

LOG = logging.getLogger("vibro.kafka")
METADATA_AGE_S = 5.0
"""Age at which a reader asks again which topics there are: a new site appears within it."""


def opened(kind: str, options: dict[str, Any], extra: str = "cloud") -> Any:
    """Return a new client of kafka-python; one that cannot be had leaves no thread behind.

    Parameters
    ----------
    kind : {'KafkaProducer', 'KafkaConsumer'}
    options : dict
        Its keyword arguments, from `client_options` or `reader_options`.
    extra : str
        What is named when kafka-python is missing.

    Raises
    ------
    kafka.errors.KafkaError
        See `vibro.log.kafka.errors.explained`.
    """
    load(extra)
    import kafka  # noqa: PLC0415 (as above)
    from kafka.net.compat import KafkaNetClient  # noqa: PLC0415

    begun: list[Any] = []

    def network(**config: Any) -> Any:
        begun.append(KafkaNetClient(**config))
        return begun[0]

    try:
        return getattr(kafka, kind)(**options, kafka_client=network)
    except BaseException:
        for each in begun:
            each.close()
        raise


def load(extra: str = "cloud") -> None:
    """Load kafka-python, and leave its own log out of ours.

    It says every attempt of every connection at level ERROR; what is to be said of a broker is said
    once, in one sentence, by `vibro.log.kafka.errors`.

    Raises
    ------
    MissingExtraError
        If it is not installed; naming ``extra``.
    """
    try:
        import kafka  # noqa: F401, PLC0415 (0.8 s and 23 MB, that only Kafka's users pay)
    except ImportError:
        raise MissingExtraError("transport = 'kafka'", extra) from None
    logging.getLogger("kafka").setLevel(logging.CRITICAL)


def client_options(settings: KafkaSection, folder: Path, client_id: str) -> dict[str, Any]:
    """Return the keyword arguments that every client of kafka-python gets.

    Parameters
    ----------
    settings : KafkaSection
    folder : Path
        What relative paths of the settings start from.
    client_id : str
        How the broker's own logs name this client.

    Raises
    ------
    BadInputError
        If the settings do not fit together, or a file cannot be used; naming key and file.
    """
    if problems := settings.problems():
        raise BadInputError("; ".join(problems))
    wait_ms = round(settings.request_timeout_s * 1000)
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.servers),
        "client_id": client_id,
        "request_timeout_ms": wait_ms,
        "bootstrap_timeout_ms": wait_ms,
        "allow_auto_create_topics": False,
        "metrics_enabled": False,
        "security_protocol": "PLAINTEXT",
        # A broker that is back is found within seconds.
        "reconnect_backoff_max_ms": 2000,
    }
    if settings.security == "tls":
        tls_context(settings, folder)
        options |= {
            "security_protocol": "SSL",
            "ssl_check_hostname": True,
            "ssl_cafile": str(folder / settings.ca_file),
            "ssl_certfile": str(folder / settings.cert_file),
            "ssl_keyfile": str(folder / settings.key_file),
        }
    elif settings.plaintext_beyond_loopback:
        _warn_of_plaintext(settings.servers)
    return options


def reader_options(settings: KafkaSection, folder: Path, client_id: str) -> dict[str, Any]:
    """Return the keyword arguments of every consumer: from the start, its places kept elsewhere.

    Raises
    ------
    BadInputError
        As `client_options`.
    """
    return client_options(settings, folder, client_id) | {
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "metadata_max_age_ms": round(METADATA_AGE_S * 1000),
    }


def stored(record: Any) -> Stored:
    """Return a consumer's record as the port has it: offsets begin at 1, nothing is None."""
    return Stored(
        record.topic,
        record.offset + 1,
        (record.key or b"").decode("utf-8", "replace"),
        record.value or b"",
        tuple((name, value or b"") for name, value in record.headers or ()),
        record.partition,
    )


def tls_context(settings: KafkaSection, folder: Path) -> ssl.SSLContext:
    """Return what connections are made with: TLS 1.2 or newer, the broker verified by name.

    Raises
    ------
    BadInputError
        If a file is missing or cannot be used; naming its key, never its content.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for key in ("ca_file", "cert_file", "key_file"):
        _check_readable(key, folder / getattr(settings, key))
    ca, cert, key = (folder / settings.ca_file, folder / settings.cert_file, settings.key_file)
    try:
        context.load_verify_locations(ca)
    except (ssl.SSLError, OSError):
        raise BadInputError(
            f"kafka.ca_file = '{settings.ca_file}': {ca} holds no certificate; it must be PEM "
            "(-----BEGIN CERTIFICATE-----)"
        ) from None
    try:
        context.load_cert_chain(cert, folder / key, password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise BadInputError(_unusable(settings, error)) from None
    return context


def _check_readable(key: str, file: Path) -> None:
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        raise BadInputError(
            f"kafka.{key}: {file} cannot be read ({error.strerror}); "
            "see 'vibro edge enroll' and 'vibro cloud sign' for how it comes there"
        ) from None


def _no_password() -> str:
    raise ValueError("encrypted")


def _unusable(settings: KafkaSection, error: Exception) -> str:
    pair = f"kafka.cert_file = '{settings.cert_file}', kafka.key_file = '{settings.key_file}': "
    if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
        return pair + "the key does not belong to the certificate; take both from one enrolment"
    if isinstance(error, ValueError):
        return pair + "the key is encrypted; keep it unencrypted, readable by this user alone"
    return pair + "they are no certificate and key in PEM"


@cache
def _warn_of_plaintext(servers: tuple[str, ...]) -> None:
    LOG.warning(
        "kafka.security = 'plaintext' to %s: everything sent can be read and changed on its way, "
        "and anyone there can take this one's place; use security = 'tls'",
        ", ".join(servers),
    )
