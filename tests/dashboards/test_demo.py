"""The demo's plant, through the cloud jobs into a real InfluxDB: every query finds something."""

from __future__ import annotations

import pytest

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


def catch_up(home) -> None:
    """Run the cloud jobs over a demo's home until InfluxDB has everything of its log."""
    from cloud_jobs.config import load  # noqa: PLC0415
    from vibro.cli.cloud.jobs import jobs_of  # noqa: PLC0415

    jobs = jobs_of(load(home))
    try:

        def there() -> bool:
            jobs.step()
            facts = jobs._services.tap.facts()
            assert not facts["trouble"], facts
            return not facts["behind_messages"] and not facts["queue_bytes"]

        wait_until("InfluxDB has caught up", there, 300.0)
    finally:
        jobs.close()


def test_a_demos_plant_answers_every_query(influx, tmp_path):
    home = tmp_path / "home"
    assert vibro("demo", "--home", home, "--minutes", "4", "--json").status == 0
    Buckets(influx, "demo")
    text = CONFIG.format(url=influx.url, org=influx.org, bucket="demo")
    (home / "cloud.toml").write_text(text)
    (home / "secrets").mkdir(exist_ok=True)
    token = home / "secrets" / "influx.token"
    token.write_text(f"{influx.token}\n")
    catch_up(home)
    done = vibro(
        "dashboards", "check", "--url", influx.url, "--token-file", token, "--org", influx.org,
        "--bucket", "demo", "--hours", "0.1", "--json",
    )  # fmt: skip
    told = done.json
    bad = [a for a in told["answers"] if a["error"] or (not a["rows"] and not a["may_be_empty"])]
    assert not bad, "\n".join(f"{a['where']}: {a['error'] or 'empty'}" for a in bad)
    assert done.status == 0
    print({k: v for k, v in told.items() if k != "answers"})
