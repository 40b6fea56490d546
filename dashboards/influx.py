"""The InfluxDB that is asked, and what it says when it refuses."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError, ReadTimeoutError

from vibro.errors import VibroError

TIMEOUT_S = 60.0


class RefusedError(VibroError):
    """One query is wrong; others may be right."""


class Influx:
    """Asks one server.

    Parameters
    ----------
    url, token, org, bucket : str
        The address is checked by the caller; the bucket is that of full resolution.
    ca_file : Path, optional
        Certificates to trust instead of the system's.
    """

    def __init__(
        self, url: str, token: str, org: str, bucket: str, ca_file: Path | None = None
    ) -> None:
        self.url, self.bucket, self._org = url, bucket, org
        self._client = InfluxDBClient(
            url=url,
            token=token,
            org=org,
            timeout=round(TIMEOUT_S * 1000),
            ssl_ca_cert=str(ca_file) if ca_file else None,
        )
        self._api = self._client.query_api()

    def count(self, flux: str) -> tuple[int, int]:
        """Return how many rows, and how many tables, a query yields.

        Raises
        ------
        RefusedError
            If the query is wrong, in the server's own words.
        VibroError
            If the server cannot be asked at all.
        """
        tables = self._tables(flux)
        return sum(len(t.records) for t in tables), len(tables)

    def values(self, flux: str) -> list[str]:
        """Return the column ``_value`` of a query's answer as texts; errors as of `count`."""
        return [str(r.get_value()) for t in self._tables(flux) for r in t.records]

    def newest_ns(self, measurement: str) -> int | None:
        """Return the time of a measurement's newest point, ns UTC, within 90 days."""
        flux = (
            f'from(bucket: "{self.bucket}") |> range(start: -90d) '
            f'|> filter(fn: (r) => r._measurement == "{measurement}") |> last() '
            '|> map(fn: (r) => ({t: int(v: r._time)})) |> group() |> max(column: "t")'
        )
        found = [r["t"] for t in self._tables(flux) for r in t.records]
        return int(found[0]) if found else None

    def _tables(self, flux: str) -> list[Any]:
        try:
            return list(self._api.query(flux, org=self._org))
        except ApiException as error:
            raise self._worded(error) from None
        except InfluxDBError as error:
            raise RefusedError(" ".join(str(error).split())) from None
        except ReadTimeoutError:
            raise RefusedError(f"no answer within {TIMEOUT_S:g} s") from None
        except (HTTPError, OSError) as error:
            raise VibroError(
                f"InfluxDB {self.url} does not answer ({type(error).__name__}): is it running, and "
                "is --url right?"
            ) from None

    def _worded(self, error: ApiException) -> VibroError:
        said = _message(error)
        if error.status == 401:
            return VibroError(
                f"InfluxDB {self.url} refuses the token (401): put one that may read "
                f"'{self.bucket}' into the file that --token-file names"
            )
        if "organization" in said and "not found" in said:
            return VibroError(f"InfluxDB {self.url}: {said}: name the right one with --org")
        return RefusedError(f"{said} ({error.status})")

    def close(self) -> None:
        """Give back the connections."""
        self._client.close()  # type: ignore[no-untyped-call]  # the library's own


def _message(error: ApiException) -> str:
    body: Any = error.body or ""
    with suppress(ValueError, TypeError):
        body = json.loads(body)
    said = body.get("message", "") if isinstance(body, dict) else str(body)
    return " ".join((said or str(error.reason or "no reason given")).split())
