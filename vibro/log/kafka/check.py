"""What is wrong with keys and certificates that lie in their files: looked at, never shown."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from vibro.errors import BadInputError
from vibro.log.kafka.client import tls_context
from vibro.log.kafka.diagnosis import own_certificate
from vibro.log.kafka.settings import KafkaSection

OTHERS = 0o007
RENEW = "renew it ('vibro edge enroll', 'vibro cloud sign')"


def installed() -> bool:
    """Whether kafka-python is there."""
    return importlib.util.find_spec("kafka") is not None


def file_mistakes(settings: KafkaSection, folder: Path, now_s: float) -> list[str]:
    """Return what a broker, or its owner, will object to, each with key, file and remedy.

    None of it keeps a node from listening to its machine: the spool waits until it is mended.

    Parameters
    ----------
    settings : KafkaSection
        Without `KafkaSection.problems`.
    folder : Path
        What relative paths of the settings start from.
    now_s : float
        Time of day, seconds since 1970.
    """
    if settings.security != "tls":
        return []
    try:
        tls_context(settings, folder)
    except BadInputError as error:
        return [str(error)]
    return [*_exposed(settings, folder), *_untimely(settings, folder, now_s)]


def _exposed(settings: KafkaSection, folder: Path) -> list[str]:
    key = folder / settings.key_file
    mode = key.stat().st_mode & 0o777
    if not mode & OTHERS:
        return []
    return [
        f"kafka.key_file = '{settings.key_file}': every user of this machine can read {key} "
        f"(mode {mode:o}); chmod 600, and enrol again if others have accounts here"
    ]


def _untimely(settings: KafkaSection, folder: Path, now_s: float) -> list[str]:
    _, wrong = own_certificate(folder / settings.cert_file, now_s)
    if not wrong:
        return []
    early = wrong.startswith("not valid")
    word, remedy = ("is", "set this machine's clock") if early else ("has", RENEW)
    return [f"kafka.cert_file = '{settings.cert_file}': {word} {wrong}; {remedy}"]
