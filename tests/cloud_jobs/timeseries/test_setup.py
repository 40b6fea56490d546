"""Set-up of InfluxDB: the difference first, made once, and tokens that may do one thing only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from cloud_jobs.config import CloudConfig
from cloud_jobs.setup import Change, apply
from cloud_jobs.timeseries.setup import GRAFANA_TOKEN, SETUP_TOKEN, plan
from tests.cloud_jobs.timeseries.conftest import Plant
from tests.services.influx import InfluxServer
from vibro.errors import BadInputError, VibroError


@pytest.fixture
def bare(influx: InfluxServer, tmp_path: Path) -> Iterator[Plant]:
    """A plant that is not set up."""
    made = Plant(influx, tmp_path)
    yield made
    made.close()


def told(changes: list[Change], bucket: str) -> list[str]:
    return [c.describe().replace(bucket, "B") for c in changes]


def secret(plant: Plant, name: str) -> str:
    return (plant.home / name).read_text().strip()


def with_token(plant: Plant, token: str) -> InfluxDBClient:
    return InfluxDBClient(plant.server.url, token, org=plant.server.org)


def test_what_is_missing_is_shown_then_made_and_made_once(bare: Plant):
    changes = plan(bare.config)
    jobs, grafana = bare.home / "secrets/influx.token", bare.home / GRAFANA_TOKEN
    assert told(changes, bare.bucket) == [
        "+ bucket B: kept 90 days",
        "+ bucket B_1h: kept 1100 days",
        "+ bucket B_1d: kept for ever",
        "+ task B_1h: B -> B_1h, every 1h",
        "+ task B_1d: B_1h -> B_1d, every 1d",
        f"+ token {bare.bucket} jobs: may write B and nothing else, in {jobs}".replace(
            bare.bucket, "B"
        ),
        f"+ token {bare.bucket} grafana: may read B, B_1h, B_1d and nothing else, "
        f"in {grafana}".replace(bare.bucket, "B"),
    ]
    assert not jobs.exists(), "nothing is made before it is shown"
    apply(changes, lambda change: None)
    assert plan(bare.config) == []
    for file in (jobs, grafana):
        assert file.stat().st_mode & 0o777 == 0o600
    assert not list(jobs.parent.glob(".*")), "no drafts are left"


def test_no_secret_is_told(bare: Plant):
    changes = plan(bare.config)
    apply(changes, lambda change: None)
    secrets = [secret(bare, n) for n in (SETUP_TOKEN, GRAFANA_TOKEN, "secrets/influx.token")]
    said = repr(changes) + "".join(c.describe() + str(c.as_dict()) for c in changes)
    assert not any(s in said for s in secrets)


def test_the_jobs_may_write_and_not_read_grafana_may_read_and_not_write(plant: Plant):
    jobs = with_token(plant, secret(plant, "secrets/influx.token"))
    grafana = with_token(plant, secret(plant, GRAFANA_TOKEN))
    point = "status,site=a rpm=1.0"
    jobs.write_api(SYNCHRONOUS).write(plant.bucket, record=point)
    for bucket in (plant.bucket, f"{plant.bucket}_1h", f"{plant.bucket}_1d"):
        query = f'from(bucket: "{bucket}") |> range(start: -1h)'
        found = grafana.query_api().query(query)
        assert len(found) == (bucket == plant.bucket)
        with pytest.raises(ApiException, match=r"unauthorized|not found|could not find"):
            jobs.query_api().query(query)
        with pytest.raises(ApiException) as refused:
            grafana.write_api(SYNCHRONOUS).write(bucket, record=point)
        assert refused.value.status in (401, 403, 404)
        if bucket != plant.bucket:
            with pytest.raises(ApiException):
                jobs.write_api(SYNCHRONOUS).write(bucket, record=point)
    with pytest.raises(ApiException):
        jobs.write_api(SYNCHRONOUS).write("first", record=point)
    for client in (jobs, grafana):
        assert not client.authorizations_api().find_authorizations()
        assert not client.tasks_api().find_tasks()
        client.close()


def test_another_retention_and_a_task_that_was_meddled_with_are_put_right(plant: Plant):
    section = replace(plant.config.influxdb, keep_days=30.0)
    config = replace(plant.config, influxdb=section)
    tasks = plant.client.tasks_api()
    (task,) = tasks.find_tasks(name=f"{plant.bucket}_1d")
    task.status = "inactive"
    tasks.update_task(task)
    changes = plan(config)
    assert told(changes, plant.bucket) == [
        "~ bucket B: kept 90 days -> kept 30 days",
        "~ task B_1h: B -> B_1h, every 1h",
        "~ task B_1d: B_1h -> B_1d, every 1d",
    ]
    apply(changes, lambda change: None)
    assert plan(config) == []
    assert len(tasks.find_tasks(name=f"{plant.bucket}_1d")) == 1
    assert "range(start: -31d" in tasks.find_tasks(name=f"{plant.bucket}_1h")[0].flux


def test_a_token_that_is_lost_or_revoked_or_too_mighty_is_replaced(plant: Plant):
    file = plant.config.path(plant.config.influxdb.token_file)
    first = secret(plant, "secrets/influx.token")
    for spoil in ("lost", "mighty", "revoked"):
        if spoil == "lost":
            file.unlink()
        elif spoil == "mighty":
            file.write_text(plant.server.token)
        else:
            api = plant.client.authorizations_api()
            held = secret(plant, "secrets/influx.token")
            api.delete_authorization(next(a for a in api.find_authorizations() if a.token == held))
        (change,) = plan(plant.config)
        assert change.thing == f"token {plant.bucket} jobs"
        change.apply()
        assert plan(plant.config) == []
        second = secret(plant, "secrets/influx.token")
        assert second not in (first, plant.server.token)
        with with_token(plant, first) as client, pytest.raises(ApiException, match="401"):
            client.write_api(SYNCHRONOUS).write(plant.bucket, record="m x=1")
        first = second


def test_an_organisation_that_is_not_there_is_made(bare: Plant):
    section = replace(bare.config.influxdb, org=f"org-of-{bare.bucket}")
    config = replace(bare.config, influxdb=section)
    changes = plan(config)
    assert changes[0].describe() == f"+ organisation org-of-{bare.bucket}"
    assert len(changes) == 8
    apply(changes, lambda change: None)
    assert plan(config) == []


def test_what_stands_in_the_way_is_one_line(bare: Plant):
    right = bare.home / SETUP_TOKEN
    right.write_text("wrong\n")
    with pytest.raises(VibroError, match=f"{SETUP_TOKEN} must hold a token") as refused:
        plan(bare.config)
    assert "wrong" not in str(refused.value)
    right.unlink()
    with pytest.raises(BadInputError, match=SETUP_TOKEN):
        plan(bare.config)
    right.write_text(bare.server.token)
    same = replace(bare.config.influxdb, token_file=SETUP_TOKEN)
    with pytest.raises(BadInputError, match="name another"):
        plan(replace(bare.config, influxdb=same))
    away = CloudConfig(bare.home, influxdb=replace(bare.config.influxdb, url="http://127.0.0.1:1"))
    with pytest.raises(VibroError, match=r"InfluxDB http://127.0.0.1:1 does not answer"):
        plan(away)
    for url, said in (("ftp://x", "neither http"), ("127.0.0.1:8086", "neither http")):
        with pytest.raises(BadInputError, match=said):
            plan(CloudConfig(bare.home, influxdb=replace(bare.config.influxdb, url=url)))
    trusted = replace(bare.config.influxdb, ca_file="no.pem")
    with pytest.raises(BadInputError, match=r"influxdb.ca_file = 'no.pem'"):
        plan(CloudConfig(bare.home, influxdb=trusted))
