"""The demo's plant, through the cloud jobs into a real InfluxDB: every query finds something."""

from __future__ import annotations

import pytest

from cloud_jobs.config import load
from cloud_jobs.run import CloudJobs
from cloud_jobs.services import open_services
from tests.dashboards.plants import Buckets
from tests.services.process import wait_until
from tests.vibro.cli.commands import vibro

pytestmark = [pytest.mark.prove, pytest.mark.slow_nojit]
CONFIG = """\
[services]
timeseries = "influxdb"
[influxdb]
url = "{url}"
org = "{org}"
bucket = "{bucket}"
"""


def test_a_demos_plant_answers_every_query(influx, tmp_path, monkeypatch):
    home = tmp_path / "home"
    Buckets(influx, "demo")
    monkeypatch.setattr("cloud_jobs.run.CloudJobs", lambda home: _with_influx(home, influx))
    assert vibro("demo", "--home", home, "--minutes", "4", "--json").status == 0
    done = vibro(
        "dashboards", "check", "--url", influx.url, "--token-file", home / "secrets/influx.token",
        "--org", influx.org, "--bucket", "demo", "--hours", "0.1", "--json",
    )  # fmt: skip
    told = done.json
    bad = [a for a in told["answers"] if a["error"] or (not a["rows"] and not a["may_be_empty"])]
    assert not bad, "\n".join(f"{a['where']}: {a['error'] or 'empty'}" for a in bad)
    assert done.status == 0
    assert told["by_kind"]["panel"] > 50
    print({k: v for k, v in told.items() if k != "answers"})  # the figures of the proof


def _with_influx(home, influx):
    """Jobs over the services of a cloud.toml; they end when InfluxDB has everything."""
    (home / "cloud.toml").write_text(CONFIG.format(url=influx.url, org=influx.org, bucket="demo"))
    (home / "secrets").mkdir(exist_ok=True)
    (home / "secrets" / "influx.token").write_text(f"{influx.token}\n")
    services = open_services(load(home))
    jobs = CloudJobs(home, services)
    tap, closing = services.tap, jobs.close

    def there() -> bool:
        facts = tap.facts()
        return not facts["behind_messages"] and not facts["queue_bytes"]

    def close() -> None:
        wait_until("InfluxDB has everything", there)
        closing()

    jobs.close = close
    return jobs
