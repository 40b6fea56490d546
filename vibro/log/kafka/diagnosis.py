"""What a client of kafka-python is told when something fails: looks, and then explains."""

from __future__ import annotations

import time
from pathlib import Path

from vibro.errors import VibroError
from vibro.log.kafka.errors import Circumstances, explained, needs_probe, told
from vibro.log.kafka.probe import find_cause
from vibro.log.kafka.settings import KafkaSection
from vibro.log.port import TransportError


class Diagnosis:
    """Looks into failures of one client.

    Parameters
    ----------
    settings : KafkaSection
    folder : Path
        What relative paths of the settings start from.
    client_id : str
    """

    def __init__(self, settings: KafkaSection, folder: Path, client_id: str) -> None:
        self._settings, self._folder, self._name = settings, folder, client_id

    def require(self, doing: str, topic: str = "", *, there: bool = True) -> None:
        """Connect once and ask for a topic, where there is one.

        Parameters
        ----------
        doing : {'write', 'read'}
        topic : str
        there : bool
            Whether the topic must exist.

        Raises
        ------
        TransportError
            If that fails: no client need be made, which would try for long and then say less.
        """
        cause = find_cause(self._settings, self._folder, self._name, topic)
        if cause is not None and (there or cause.kind != "topic_missing"):
            raise told(cause, self._settings, self._circumstances(doing, topic, 0.0))

    def explained(
        self, error: BaseException, doing: str, topic: str = "", waited_s: float = 0.0
    ) -> TransportError:
        """Return what is to be raised instead of an error of kafka-python.

        Parameters
        ----------
        doing : {'write', 'read'}
        waited_s : float
            How long nothing was acknowledged.
        """
        cause = None
        if needs_probe(error):
            cause = find_cause(self._settings, self._folder, self._name, topic)
        return explained(error, cause, self._settings, self._circumstances(doing, topic, waited_s))

    def _circumstances(self, doing: str, topic: str, waited_s: float) -> Circumstances:
        principal = validity = ""
        if self._settings.security == "tls":
            principal, validity = own_certificate(self._folder / self._settings.cert_file)
        return Circumstances(doing, topic, principal, validity, waited_s)


def own_certificate(file: Path, now_s: float | None = None) -> tuple[str, str]:
    """Return the name in a certificate, and what is wrong with it at a time of day.

    Parameters
    ----------
    now_s : float, optional
        Seconds since 1970, UTC; now where it is not given.

    Returns
    -------
    tuple of str
        The second is ``expired on ...``, ``not valid before ...`` or empty; both are empty where
        the file cannot be read.
    """
    from vibro.log.kafka.certificates import (  # noqa: PLC0415 (cryptography takes its time)
        common_name,
        read_certificates,
    )

    now_s = time.time() if now_s is None else now_s
    try:
        own = read_certificates(file)[0]
    except VibroError:
        return "", ""
    begins, ends = own.not_valid_before_utc, own.not_valid_after_utc
    if now_s > ends.timestamp():
        return common_name(own), f"expired on {ends:%Y-%m-%d %H:%M} UTC"
    if now_s < begins.timestamp():
        return common_name(own), f"not valid before {begins:%Y-%m-%d %H:%M} UTC"
    return common_name(own), ""
