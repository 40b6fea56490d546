"""The compose file: what can be said of it without an engine."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import click
import pytest

import edge_node.config
import vibro
from cloud_jobs import config as cloud_config
from tests.deploy.tools import DEPLOY, ROOT, compose_model
from tests.services.fixtures import missing_is_told
from vibro.cli.main import cli

OWN = re.compile(rf"vibro-(cloud|edge):{re.escape(vibro.__version__)}\Z")
PINNED = re.compile(r"([a-z/]+:\d+\.\d+\.\d+|postgres:\d+\.\d+)(-[a-z]+)?\Z")
ONE_SHOT = {"init", "setup", "authority"}
SECRET = re.compile(r"PASSWORD|TOKEN|SECRET|KEY")

# What the images document, or the program inside takes from its environment.
DOCUMENTED = {
    # docker/examples/README.md of Kafka; LOG_DIR and KAFKA_HEAP_OPTS are of its own scripts.
    "apache/kafka": r"CLUSTER_ID|KAFKA_HEAP_OPTS|LOG_DIR",
    # The image's page; influxd takes every option as INFLUXD_....
    "influxdb": r"DOCKER_INFLUXDB_INIT_(MODE|USERNAME|PASSWORD_FILE|ORG|BUCKET|ADMIN_TOKEN_FILE)"
    r"|INFLUXD_REPORTING_DISABLED",
    "postgres": r"POSTGRES_(USER|DB|PASSWORD_FILE)",
    # GF_<SECTION>_<KEY> of grafana.ini, __FILE behind it for the content of a file.
    "grafana/grafana": r"GF_SECURITY_ADMIN_PASSWORD__FILE|GF_USERS_ALLOW_SIGN_UP"
    r"|GF_PLUGINS_PREINSTALL_DISABLED|GF_ANALYTICS_(REPORTING_ENABLED|CHECK_FOR_UPDATES|CHECK_FOR_PLUGIN_UPDATES)",
}


@pytest.fixture(scope="module")
def model():
    with missing_is_told():
        return compose_model()


@pytest.fixture(scope="module")
def services(model):
    return model["services"]


def test_every_port_is_on_loopback_unless_someone_says_otherwise(services):
    ports = {p["target"]: p["host_ip"] for s in services.values() for p in s.get("ports", [])}
    assert ports == dict.fromkeys((3000, 8080, 8086, 9093), "127.0.0.1")
    with missing_is_told():
        told = {"VIBRO_BROKER_BIND": "192.0.2.1", "VIBRO_BROKER_PORT": "443"}
        abroad = compose_model(**told)["services"]
    (port,) = abroad["kafka"]["ports"]
    assert (port["host_ip"], port["published"], port["target"]) == ("192.0.2.1", "443", 9093)
    assert abroad["kafka"]["environment"]["VIBRO_BROKER_PORT"] == "443"
    assert abroad["grafana"]["ports"][0]["host_ip"] == "127.0.0.1"


def test_images_are_pinned_and_ours_carry_our_version(services):
    for name, service in services.items():
        pattern = OWN if "build" in service else PINNED
        assert pattern.match(service["image"]), f"{name}: {service['image']}"


def test_grafana_is_of_the_line_that_the_dashboards_are_written_for(services):
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (line,) = [p.rpartition("!")[2] for p in pins["dashboards"] if p.startswith("grafana-found")]
    tag = services["grafana"]["image"].rpartition(":")[2]
    assert tag.split(".")[:2] == line.split(".")[:2]


def test_no_container_has_more_than_it_needs(services):
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert not service.get("privileged"), name
        limits = service["deploy"]["resources"]["limits"]
        assert set(limits) == {"cpus", "memory", "pids"}, name
        assert service["logging"]["options"]["max-size"], name
        # Whoever is root has no network.
        if service.get("user", "").startswith("0"):
            assert service["network_mode"] == "none", name
        else:
            assert "cap_add" not in service, name


def test_what_runs_for_long_is_started_again_and_says_how_it_is(services):
    for name, service in services.items():
        once = name in ONE_SHOT
        assert (service["restart"] == "no") is once, name
        # These end when something is wrong, and are started again.
        timed = name in ("renew", "retrain")
        assert ("healthcheck" in service) is not (once or timed), name


def test_whoever_has_the_authoritys_key_is_known(services):
    held = {
        name: mount.get("read_only", False)
        for name, service in services.items()
        for mount in service["volumes"]
        if mount.get("source") == "authority"
    }
    assert held == {"init": False, "renew": False, "authority": False, "setup": True}


def test_a_plant_reaches_the_broker_and_nothing_else(services):
    assert list(services["edge"]["networks"]) == ["plant"]
    assert {n for n, s in services.items() if "plant" in s.get("networks", {})} == {"edge", "kafka"}


def test_every_file_that_is_mounted_is_there(services):
    for name, service in services.items():
        for mount in service["volumes"]:
            if mount["type"] == "bind":
                assert Path(mount["source"]).exists(), f"{name}: {mount['source']}"
                assert mount["read_only"], f"{name}: {mount['target']}"


def test_every_volume_is_used(model, services):
    used = {
        m.get("source") for s in services.values() for m in s["volumes"] if m["type"] == "volume"
    }
    assert set(model["volumes"]) == used - {None}


def test_secrets_are_files_which_the_script_makes(model, services, tmp_path):
    script = tmp_path / "secrets.sh"
    script.write_text((DEPLOY / "secrets.sh").read_text())
    subprocess.run(["sh", script], check=True, capture_output=True)
    made = {p.name: p.read_text() for p in (tmp_path / "secrets").iterdir()}
    assert set(made) == set(model["secrets"])
    assert all(re.fullmatch(r"[0-9a-f]{64}", text) for text in made.values())
    assert len(set(made.values())) == len(made)
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    subprocess.run(["sh", script], check=True, capture_output=True)
    assert made == {p.name: p.read_text() for p in (tmp_path / "secrets").iterdir()}
    used = {secret["source"] for s in services.values() for secret in s.get("secrets", [])}
    assert used == set(made)
    assert "/secrets/" in (DEPLOY / ".gitignore").read_text().split()


def test_no_secret_stands_in_the_environment(services):
    for name, service in services.items():
        places = {
            secret.get("target") or f"/run/secrets/{secret['source']}"
            for secret in service.get("secrets", [])
        }
        for key, value in service.get("environment", {}).items():
            if SECRET.search(key):
                assert key.endswith("_FILE"), f"{name}: {key}"
                assert value in places, f"{name}: {key} = {value}"


def test_official_images_get_variables_that_they_document(services):
    seen = set()
    for name, service in services.items():
        image = service["image"].rpartition(":")[0]
        if image in DOCUMENTED:
            seen.add(image)
            for key in service.get("environment", {}):
                known = re.fullmatch(DOCUMENTED[image], key) or key.startswith("VIBRO_")
                assert known, f"{name}: {key}"
    assert seen == set(DOCUMENTED)


def test_variables_of_ours_are_read_by_the_files_that_are_mounted(services):
    for name, files in {"kafka": "kafka", "grafana": "grafana/provisioning"}.items():
        text = "".join(p.read_text() for p in (DEPLOY / files).rglob("*") if p.is_file())
        for key in services[name]["environment"]:
            if key.startswith("VIBRO_"):
                assert key in text, f"{name}: {key}"


# -- what our own programs are told ----------------------------------------------------------------


def parsed(words: list[str]) -> None:
    """Parse a command line of `vibro` as far as its options; files are inside the containers."""
    command, context = cli, click.Context(cli, info_name="vibro")
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, f"vibro {words[0]}: there is no such verb"
        command, words = found, words[1:]
    try:
        command.make_context(command.name, list(words))
    except click.BadParameter as error:
        if "does not exist" not in error.message:
            raise


def test_command_lines_are_ours(services):
    for service in services.values():
        if "build" in service and service.get("command"):
            parsed(service["command"])


@pytest.mark.parametrize("script", ["certificates.sh", "setup.sh"])
def test_scripts_call_verbs_that_there_are(script):
    text = (DEPLOY / script).read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    calls = [line[line.index("vibro ") :] for line in lines if re.search(r"(^|\|\| )vibro ", line)]
    assert calls
    for call in calls:
        parsed(shlex.split(call)[1:])
    subprocess.run(["sh", "-n", DEPLOY / script], check=True)


def test_a_call_with_a_wrong_option_is_found():
    with pytest.raises(click.NoSuchOption):
        parsed(["cloud", "run", "--nonsense"])


def test_the_clouds_configuration_has_no_mistake_and_names_services(services, tmp_path):
    (tmp_path / "cloud.toml").write_text((DEPLOY / "cloud" / "cloud.toml").read_text())
    config = cloud_config.load(tmp_path)
    assert (config.services.transport, config.services.timeseries) == ("kafka", "influxdb")
    assert config.kafka.security == "tls"
    networks = set(services["cloud"]["networks"])
    for place in (*config.kafka.servers, config.influxdb.url, config.services.store):
        host = re.search(r"([a-z]+):\d+(/|\Z)", place)
        assert host, place
        assert networks & set(services[host[1]]["networks"]), place
    secrets = {f"/run/secrets/{s['source']}" for s in services["cloud"]["secrets"]}
    assert config.services.store_password_file in secrets
    made = services["influxdb"]["environment"]
    assert config.influxdb.org == made["DOCKER_INFLUXDB_INIT_ORG"]
    assert config.influxdb.bucket == made["DOCKER_INFLUXDB_INIT_BUCKET"]


def test_the_nodes_configuration_has_no_mistake_and_its_machine_is_in_the_register():
    raw = tomllib.loads((DEPLOY / "edge" / "node.toml").read_text())
    sections, mistakes = edge_node.config.parse(raw)
    assert not mistakes
    node = sections["node"]
    assert f"{node.site},eu,douro-cork,{node.machine}," in (DEPLOY / "assets.csv").read_text()
    assert sections["kafka"].security == "tls"
    assert f"node {node.site}-{node.machine}" in (DEPLOY / "certificates.sh").read_text()


def test_the_broker_listens_where_compose_says(services):
    lines = (DEPLOY / "kafka" / "server.properties").read_text().splitlines()
    told = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert set(re.findall(r":(\d+)", told["listeners"])) == {"9091", "9092", "9093"}
    protocols = dict(p.split(":") for p in told["listener.security.protocol.map"].split(","))
    assert set(protocols.values()) == {"SSL"}
    assert told["ssl.client.auth"] == "required"
    assert told["allow.everyone.if.no.acl.found"] == "false"
    targets = {m["target"] for m in services["kafka"]["volumes"]}
    assert {told["log.dirs"], str(Path(told["ssl.keystore.location"]).parent)} <= targets
