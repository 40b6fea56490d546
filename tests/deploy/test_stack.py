"""The compose file brought up without an engine: from nothing to points, rows and answers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.namespaces import Network, need_namespaces
from tests.deploy.stack import Stack
from tests.deploy.tools import DEPLOY, ROOT
from tests.services.fixtures import missing_is_told
from tests.services.process import wait_until

pytestmark = pytest.mark.prove

CLOUDS_OWN = ("scipy", "sklearn", "pandas", "pyarrow", "deltalake", "sqlalchemy", "psycopg")
MEASUREMENTS = """
import json
from influxdb_client import InfluxDBClient
token = open("/more/token").read().strip()
flux = 'import "influxdata/influxdb/schema" schema.measurements(bucket: "vibro", start: -1h)'
with InfluxDBClient("http://influxdb:8086", token, org="vibro") as client:
    tables = client.query_api().query(flux)
print(json.dumps([record.get_value() for table in tables for record in table.records]))
"""
SQL = "PGPASSWORD=$(cat /run/secrets/postgres_password) psql -h 127.0.0.1 -U vibro -d vibro -tAc"


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with missing_is_told():
        need_namespaces()
        work = tmp_path_factory.mktemp("stack")
        # Users of the containers must get there.
        for folder in (work, *work.parents[:2]):
            folder.chmod(0o755)
        deploy = work / "deploy"
        shutil.copytree(DEPLOY, deploy, ignore=shutil.ignore_patterns("secrets", ".env"))
        subprocess.run(["sh", deploy / "secrets.sh"], check=True, capture_output=True)
        node = deploy / "edge" / "node.toml"
        text = re.sub(r"(?m)^(status|summary|sample)_s = .*$", r"\1_s = 4.0", node.read_text())
        node.write_text(re.sub(r"(?m)^(heartbeat|commit)_s = .*$", r"\1_s = 1.0", text))
        with Network() as network:
            made = Stack(deploy, work, network)
            try:
                yield made
            finally:
                made.down()


def volume_files(stack: Stack, name: str) -> dict[str, tuple[float, int]]:
    """Time and mode of all files of a volume."""
    folder = stack.volume(name)
    found = [p for p in folder.rglob("*") if p.is_file()]
    return {str(p.relative_to(folder)): (p.stat().st_mtime, p.stat().st_mode) for p in found}


def test_the_edges_image_runs_without_the_clouds_libraries(stack):
    code = f"import importlib.util as u; print([m for m in {CLOUDS_OWN} if u.find_spec(m)])"
    assert stack.run("edge", ["python", "-c", code]).stdout.strip() == "[]"
    assert stack.run("edge", ["id", "-u"]).stdout.strip() == "10001"
    used = "from edge_node.kernels import use_library; print(repr(use_library()))"
    assert stack.run("edge", ["python", "-c", used]).stdout.strip() == "''"


def test_it_comes_up_in_its_own_order_by_its_own_healthchecks(stack):
    stack.up("page")
    stack.up("edge")
    stack.up("renew")
    for name in ("kafka", "influxdb", "postgres", "cloud", "page", "edge"):
        stack.wait_healthy(name)


def test_features_arrive_in_influxdb(stack):
    token = Path(stack.model["secrets"]["influxdb_token"]["file"])

    def measurements() -> set[str]:
        done = stack.run("cloud", ["python", "-c", MEASUREMENTS], token=token)
        assert done.returncode == 0, done.stderr
        return set(json.loads(done.stdout))

    wanted = {"status", "features_fast", "features_long", "node"}
    wait_until("points of every measurement", lambda: wanted <= measurements(), 300.0)


def test_rows_arrive_in_postgresql_and_the_lake(stack):
    def number(table: str) -> int:
        done = stack.run("postgres", ["sh", "-c", f'{SQL} "select count(*) from {table}"'])  # noqa: S608
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    assert (number("machines"), number("points")) == (1, 2)
    wait_until("the node's row", lambda: number("nodes") == 1, 300.0)
    lake = stack.volume("home") / "lake"
    wait_until("files of the lake", lambda: any(lake.rglob("*.parquet")), 120.0)
    assert not (stack.volume("home") / "store.db").exists()


def test_the_page_shows_the_machine(stack):
    read = "import urllib.request as r; print(r.urlopen('http://page:8080/').read().decode())"
    assert "fan-1" in stack.run("edge", ["python", "-c", read]).stdout


def test_grafanas_queries_are_answered(stack):
    token = stack.volume("grafana-token") / "influx_grafana_token"
    check = ["vibro", "dashboards", "check", "--url", "http://influxdb:8086", "--json"]
    done = stack.run("cloud", [*check, "--token-file", "/more/token", "--hours", "1"], token=token)
    told = json.loads(done.stdout)
    # A fan in health has neither events nor models: what asks for them finds nothing.
    assert told["failed"] == 0
    assert told["rows"] > 0
    assert told["queries"] > told["empty"]


def test_grafana_would_find_its_files_and_its_token(stack):
    mounts = {m["target"]: Path(m.get("source", "")) for m in stack.service("grafana")["volumes"]}
    provisioned = mounts["/etc/grafana/provisioning"]
    datasource = (provisioned / "datasources" / "vibro.yaml").read_text()
    (file,) = re.findall(r"\$__file\{(.+)\}", datasource)
    assert file.startswith("/run/secrets/")
    token = stack.volume("grafana-token") / Path(file).name
    assert token.stat().st_mode & 0o004
    assert token.read_text().strip() not in {
        Path(s["file"]).read_text() for s in stack.model["secrets"].values()
    }
    (path,) = re.findall(r"path: (.+)", (provisioned / "dashboards" / "vibro.yaml").read_text())
    assert list(mounts[path].glob("*.json"))


@pytest.mark.parametrize(
    ("service", "file"),
    [
        ("setup", "/var/lib/vibro/authority/ca.key"),
        ("cloud", "/var/lib/vibro/authority/ca.key"),
        ("edge", "/run/secrets/postgres_password"),
        ("page", "/run/admin/admin.pem"),
        ("kafka", "/run/secrets/influxdb_token"),
    ],
)
def test_what_is_not_meant_for_a_service_it_cannot_read(stack, service, file):
    assert stack.run(service, ["cat", file]).returncode != 0


@pytest.mark.parametrize("service", ["cloud", "edge", "kafka", "postgres", "influxdb", "init"])
def test_nothing_can_be_written_into_an_image(stack, service):
    done = stack.run(service, ["sh", "-c", "echo x > /usr/x || echo x > /etc/x || echo x > /opt/x"])
    assert done.returncode != 0
    assert "Read-only file system" in done.stderr


def test_no_secret_is_told_in_a_log(stack):
    secrets = [Path(s["file"]).read_text() for s in stack.model["secrets"].values()]
    secrets += [
        f.read_text().strip() for f in stack.volume("tokens").glob("*.token") if f.stat().st_size
    ]
    for name in (
        "init",
        "renew",
        "setup",
        "kafka",
        "influxdb",
        "postgres",
        "cloud",
        "page",
        "edge",
    ):
        log = stack.log(name)
        assert "PRIVATE KEY" not in log
        assert not [s for s in secrets if s in log], name


def test_a_second_time_nothing_is_made_anew(stack):
    tls = ("authority", "broker-tls", "admin-tls", "cloud-tls")
    before = {name: volume_files(stack, name) for name in tls}
    stack.again("init")
    assert before == {name: volume_files(stack, name) for name in tls}
    stack.again("setup")
    assert stack.log("setup").rstrip().endswith("nothing to do")


def test_a_changed_name_of_the_broker_gets_a_certificate(stack):
    before = (stack.volume("broker-tls") / "broker.pem").read_bytes()
    stack.service("init")["environment"]["VIBRO_BROKER_HOST"] = "kafka.example.org"
    stack.again("init")
    assert (stack.volume("broker-tls") / "broker.pem").read_bytes() != before


def test_a_node_is_revoked_without_the_authority_having_a_network(stack):
    done = stack.run("authority", ["vibro", "cloud", "revoke", "porto-fan-1"])
    assert done.returncode == 0, done.stderr
    stack.again("setup")
    assert "- access of porto-fan-1" in stack.log("setup")


def test_the_wheel_in_the_images_is_the_checkouts(stack):
    code = "import vibro; print(vibro.__version__, vibro.__file__)"
    version, file = stack.run("cloud", ["python", "-c", code]).stdout.split()
    assert file.startswith("/opt/vibro/")
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text()
