"""The server as the jobs see it: lines are written, refused, or wait because it is away."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import influxdb_client
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as SilenceError

from cloud_jobs.config import CloudConfig, InfluxSection
from vibro.errors import BadInputError, VibroError

INFLUX: Any = influxdb_client
"""The library, whose functions are typed only in part."""
_DROPPED = re.compile(r"dropped=(\d+)")
_VARYING = re.compile(r"( dropped) \d+( points)| - oldest point .*| dropped=.*")
_PARTIAL = "partial write"
_REFUSED = (400, 413, 422)
_REASON_MOST = 300


class AwayError(VibroError):
    """The server cannot be written to now: what was to be written is kept and tried again."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Points that the server will never take, and why, in its own words."""

    points: int
    reason: str


class Server:
    """Writes lines to one bucket.

    Parameters
    ----------
    config : CloudConfig
        Its section ``[influxdb]``; the token's file is read here.

    Raises
    ------
    BadInputError
        If there is no token, or the address is none.
    """

    def __init__(self, config: CloudConfig) -> None:
        self._config, self._section = config, config.influxdb
        self._open()

    def _open(self) -> None:
        token = self._config.secret(self._section.token_file, "influxdb.token_file")
        self._client = client(self._config, token)
        self._api = self._client.write_api(write_options=SYNCHRONOUS)

    def write(self, lines: bytes) -> list[Refusal]:
        """Write lines; return which the server refused when all others are there.

        Raises
        ------
        AwayError
            If it is not known that they are there: it does not answer, or will not take any.
        """
        try:
            self._api.write(bucket=self._section.bucket, record=lines.rstrip(b"\n"))
        except ApiException as error:
            said = message(error)
            if error.status in (401, 403, 404):
                # Set-up may have written a newer token by now.
                self._client.close()
                self._open()
            if error.status not in _REFUSED:
                raise AwayError(self._away(error, said)) from None
            return self._refused(lines, said)
        except (HTTPError, OSError) as error:
            raise AwayError(silence(self._section, error)) from None
        return []

    def _refused(self, lines: bytes, said: str) -> list[Refusal]:
        """Tell what a refusal was about; nothing of a batch was written unless it says partial."""
        reason = _VARYING.sub(r"\1\2", said)[:_REASON_MOST]
        if _PARTIAL in said:
            dropped = _DROPPED.search(said)
            return [Refusal(int(dropped[1]) if dropped else 1, reason)]
        rows = lines.splitlines(keepends=True)
        if len(rows) == 1:
            return [Refusal(1, reason)]
        half = len(rows) // 2
        return self.write(b"".join(rows[:half])) + self.write(b"".join(rows[half:]))

    def _away(self, error: ApiException, said: str) -> str:
        s = self._section
        if not error.status:
            return f"InfluxDB {s.url} does not answer: {said}"
        if error.status in (401, 403):
            return (
                f"InfluxDB {s.url} does not take influxdb.token_file = '{s.token_file}' for bucket "
                f"'{s.bucket}' ({said}): run `vibro cloud setup`"
            )
        if error.status == 404:
            return f"InfluxDB {s.url}: {said}: run `vibro cloud setup`"
        return f"InfluxDB {s.url} cannot take points now ({error.status}): {said}"

    def close(self) -> None:
        """Give back the connections."""
        self._client.close()


def client(config: CloudConfig, token: str) -> Any:
    """Client of the configured server.

    Raises
    ------
    BadInputError
        If the address is none, or the certificates to trust are not there.
    """
    section = config.influxdb
    if not section.url.startswith(("http://", "https://")):
        raise BadInputError(
            f"influxdb.url = '{section.url}': begins with neither http:// nor https://"
        )
    ca_file = config.path(section.ca_file) if section.ca_file else None
    if ca_file and not ca_file.is_file():
        raise BadInputError(f"influxdb.ca_file = '{section.ca_file}': there is no file {ca_file}")
    return INFLUX.InfluxDBClient(
        url=section.url,
        token=token,
        org=section.org,
        timeout=round(1000 * section.timeout_s),
        ssl_ca_cert=str(ca_file) if ca_file else None,
    )


def message(error: ApiException) -> str:
    """What the server said, in one line."""
    body: Any = error.body or ""
    with suppress(ValueError, TypeError):
        body = json.loads(body)
    said = body.get("message", "") if isinstance(body, dict) else str(body)
    return " ".join((said or str(error.reason or "no reason given")).split())


def silence(section: InfluxSection, error: Exception) -> str:
    """Say that the server does not answer, in the same words as long as it is the same trouble."""
    said = " ".join(str(error).rsplit(": ", 1)[-1].split())[:_REASON_MOST]
    if isinstance(error, SilenceError):
        said = f"nothing came within {section.timeout_s:g} s"
    return f"InfluxDB {section.url} does not answer: {said}"
