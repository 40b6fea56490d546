"""Whatever goes wrong, no secret stands in an output, a log or a file beside its own.

Each secret is planted with a mark in it; then every verb that may read it meets a server that is
not there, one that refuses it, or a file that is not what it should be, with all loggers at their
most talkative.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.cloud_jobs.builders import Sender, heartbeat
from tests.security.hands import authority, forged
from tests.security.plants import done, plant_on
from tests.vibro.cli.commands import vibro
from tests.vibro.cli.homes import laid_out, signals_put_back

MARK = "S3cretMark"
TOKEN, PASSWORD, PASSPHRASE = f"{MARK}-token==", f"{MARK}-pass:w@rd", f"{MARK} of the authority"
NOBODY = "127.0.0.1:9"
JSON = (False, True)


@pytest.fixture
def said(caplog):
    """Run a verb in its plain and its JSON form; return all that was said anywhere."""
    caplog.set_level(logging.DEBUG)

    def run(*argv, forms=JSON):
        texts = []
        for as_json in forms:
            with signals_put_back():
                result = vibro(*argv, *(["--json"] if as_json else []))
            texts += [result.out, result.err]
        return "\n".join([*texts, caplog.text])

    return run


def clean(text, *secrets):
    """Nothing planted stands in a text, nor any line of a key's file."""
    assert MARK not in text
    assert "PRIVATE KEY" not in text
    for secret in secrets:
        assert secret not in text


def key_lines(file: Path) -> list[str]:
    """Lines of the private key in a PEM file."""
    text = file.read_text().partition("-----END")[0]
    return [line for line in text.splitlines()[1:] if line]


def planted(home: Path, **secrets: str) -> None:
    """Write secrets into files of their own."""
    folder = home / "secrets"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in secrets.items():
        (folder / name.replace("_", ".")).write_text(content + "\n")


def kept_clean(folder: Path) -> None:
    """No file holds a mark, but for those that were planted."""
    for file in folder.rglob("*"):
        if file.is_file() and "secrets" not in file.parts:
            assert MARK.encode() not in file.read_bytes(), file


CLOUD_VERBS = (
    ("cloud", "run", "--once"),
    ("cloud", "consume", "--once"),
    ("cloud", "retrain"),
    ("cloud", "setup", "--dry-run"),
    ("cloud", "dead", "list"),
    ("query", "severity>=alert"),
    ("capture", "plant/fan"),
)


@pytest.fixture
def home(tmp_path):
    """A home whose services all need a secret, and none of which is there."""
    made = tmp_path / "home"
    planted(made, influx_token=TOKEN, influx_setup=TOKEN, store_password=PASSWORD)
    (made / "secrets" / "influx-setup.token").write_text(TOKEN + "\n")
    pair = forged(made / "secrets" / "cloud.pem", authority(tmp_path / "ca"), "cloud")
    shutil.copy(pair, made / "secrets" / "admin.pem")
    shutil.copy(tmp_path / "ca" / "ca.pem", made / "ca.pem")
    text = Path(laid_out(tmp_path / "other")).parent.parent.parent / "assets.csv"
    shutil.copy(text, made / "assets.csv")
    return made


def configured(home, store="", **changes):
    values = {
        "servers": f'["{NOBODY}"]', "ca_file": '"ca.pem"', "cert_file": '"secrets/cloud.pem"',
        "key_file": '"secrets/cloud.pem"', "token_file": '"secrets/influx.token"',
        "url": f'"http://{NOBODY}"', "password_file": '"secrets/store.password"',
        "transport": '"kafka"', "timeseries": '"influxdb"',
    } | changes  # fmt: skip
    (home / "cloud.toml").write_text(
        f"[services]\ntransport = {values['transport']}\ntimeseries = {values['timeseries']}\n"
        f'store = "{store}"\nstore_password_file = {values["password_file"]}\n'
        f"[kafka]\nservers = {values['servers']}\nrequest_timeout_s = 1.0\n"
        f"ca_file = {values['ca_file']}\ncert_file = {values['cert_file']}\n"
        f"key_file = {values['key_file']}\n"
        f"[influxdb]\nurl = {values['url']}\ntoken_file = {values['token_file']}\ntimeout_s = 1.0\n"
    )


@pytest.mark.parametrize("verb", CLOUD_VERBS, ids=" ".join)
def test_services_that_are_not_there(home, said, verb):
    configured(home, store=f"postgresql://vibro@{NOBODY}/vibro?connect_timeout=2")
    text = said(*verb, "--home", home)
    clean(text, *key_lines(home / "secrets" / "cloud.pem"))
    kept_clean(home)


WRONG = {
    "a key's file that holds something else": {"key_file": '"secrets/influx.token"'},
    "a certificate's file that holds something else": {"cert_file": '"secrets/influx.token"'},
    "a folder in place of a token's file": {"token_file": '"secrets"'},
    "a token's file with a key in it": {"token_file": '"secrets/cloud.pem"'},
    "a password in the address of InfluxDB": {"url": f'"http://me:{MARK}@{NOBODY}"'},
    "a token in the address of InfluxDB": {"url": f'"{NOBODY}?token={MARK}"'},
    "a key in place of its file's name": {"key_file": f'"""-----BEGIN PRIVATE KEY-----\n{MARK}"""'},
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("verb", CLOUD_VERBS[:4], ids=" ".join)
def test_what_is_not_in_its_place(home, said, verb, what):
    configured(home, **WRONG[what])
    clean(said(*verb, "--home", home), *key_lines(home / "secrets" / "cloud.pem"))


@pytest.mark.parametrize(
    "store",
    [
        f"postgresql://vibro:{MARK}@{NOBODY}/vibro",
        f"postgresql://vibro@{NOBODY}/vibro?password={MARK}",
        f"postgresql//vibro:{MARK}@{NOBODY}",
        f"oracle://vibro:{MARK}@{NOBODY}/vibro",
        f"postgresql://vibro:{MARK}@{NOBODY}:port/vibro",
    ],
)
def test_a_password_in_the_address_of_the_store(home, said, store):
    configured(home, store=store)
    for verb in CLOUD_VERBS[:4]:
        clean(said(*verb, "--home", home))


def test_an_option_that_does_not_exist_is_named_without_its_value(home, said):
    for section, key in (("kafka", "password"), ("influxdb", "token"), ("services", "secret")):
        configured(home)
        text = (home / "cloud.toml").read_text()
        text = text.replace(f"[{section}]\n", f'[{section}]\n{key} = "{MARK}"\n')
        (home / "cloud.toml").write_text(text)
        told = said("cloud", "setup", "--dry-run", "--home", home)
        assert f"{section}.{key} is not known" in told
        clean(told)


# -- servers that are there, and refuse ------------------------------------------------------------


def all_verbs(home, said):
    text = "\n".join(said(*verb, "--home", home) for verb in CLOUD_VERBS)
    clean(text, *key_lines(home / "secrets" / "cloud.pem"))
    kept_clean(home)
    return text


def test_a_broker_that_refuses_the_certificate(home, said, kafka_secure):
    configured(
        home,
        servers=f'["{kafka_secure.servers}"]',
        ca_file=f'"{kafka_secure.ca / "ca.pem"}"',
        timeseries='"none"',
    )
    assert "refuses our certificate" in all_verbs(home, said)


def test_an_influxdb_that_refuses_the_token(home, said, influx):
    sender = Sender(home)
    sender.send(heartbeat(1.0))
    configured(home, url=f'"{influx.url}"', transport='"embedded"')
    assert "unauthorized" in all_verbs(home, said)


def test_a_postgresql_that_refuses_the_password(home, said, postgres):
    address = make_url(postgres.url)._replace(drivername="postgresql", password=None)
    configured(home, store=str(address), transport='"embedded"', timeseries='"none"')
    assert "password authentication failed" in all_verbs(home, said)


def test_a_setup_that_goes_well_tells_no_token(tmp_path, said, kafka_secure, influx):
    plant = plant_on(tmp_path, kafka_secure, "secretive/fan")
    planted(plant.home, influx_setup=influx.token)
    (plant.home / "secrets" / "influx-setup.token").write_text(influx.token)
    text = (plant.home / "cloud.toml").read_text()
    text = text.replace("[services]\n", '[services]\ntimeseries = "influxdb"\n')
    (plant.home / "cloud.toml").write_text(
        f'{text}[influxdb]\nurl = "{influx.url}"\norg = "{influx.org}"\nbucket = "secretive"\n'
    )
    told = said("cloud", "setup", "--dry-run", "--home", plant.home)
    told += said("cloud", "setup", "--yes", "--home", plant.home)
    made = (plant.home / "secrets" / "influx.token").read_text().strip()
    assert len(made) > 20
    clean(told, influx.token, made, *key_lines(plant.home / "secrets" / "admin.pem"))


# -- the authority ---------------------------------------------------------------------------------


def test_the_authoritys_key_and_passphrase(tmp_path, said):
    home = tmp_path / "home"
    planted(home, ca_phrase=PASSPHRASE, other_phrase=f"{MARK} wrong", empty_phrase="")
    secrets = home / "secrets"
    told = said("cloud", "sign", "--init", "--home", home, "--passphrase-file",
                secrets / "ca.phrase", forms=[True])  # fmt: skip
    pair = tmp_path / "broker.pem"
    for phrase in ("ca.phrase", "other.phrase", "empty.phrase", "none.phrase"):
        told += said("cloud", "sign", "--server", "localhost", "--out", pair, "--home", home,
                     "--passphrase-file", secrets / phrase)  # fmt: skip
    told += said("cloud", "sign", "--service", "cloud", "--out", pair, "--home", home)
    assert "the passphrase is wrong" in told
    assert pair.exists()
    clean(told, *key_lines(home / "authority" / "ca.key"), *key_lines(pair))
    assert (home / "authority" / "ca.key").stat().st_mode & 0o777 == 0o600
    kept_clean(home)


# -- the edge --------------------------------------------------------------------------------------


KAFKA = (
    f'[ship]\ntransport = "kafka"\n[kafka]\nservers = ["{NOBODY}"]\nrequest_timeout_s = 1.0\n'
    'ca_file = "secrets/ca.pem"\ncert_file = "secrets/node.pem"\n'
)
EDGE = {
    "an MQTT broker that is not there": (
        '[reflex]\naction = "mqtt"\narmed = true\nhost = "127.0.0.1"\nport = 9\nuser = "me"\n'
        'topic = "t"\npassword_file = "secrets/password"\npeak_m_s2 = [0.001]\n'
    ),
    "a webhook that is not there": (
        f'[reflex]\naction = "webhook"\narmed = true\nurl = "http://{NOBODY}/"\nuser = "me"\n'
        'password_file = "secrets/password"\npeak_m_s2 = [0.001]\ntimeout_s = 0.2\n'
    ),
    "a password in place of its file": f'[reflex]\npassword = "{MARK}"\n',
    "a Kafka broker that is not there": KAFKA + 'key_file = "secrets/node.pem"\n',
    "a key's file that holds something else": KAFKA + 'key_file = "secrets/password"\n',
    "a key in place of its file's name": (
        f'[kafka]\nkey_file = """-----BEGIN PRIVATE KEY-----\n{MARK}"""\n'
    ),
}


def lived(config):
    """What a node says in its life; one whose broker is away waits for it, and is ended."""
    argv = [sys.executable, "-P", "-m", "vibro", "edge", "run", str(config), "--json"]
    node = subprocess.Popen(
        [*argv, "--log-level", "debug"], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said = []
    with node:
        for line in node.stdout:
            said.append(line)
            if "link is down" in line:
                node.terminate()
    return "".join(said)


@pytest.mark.slow_nojit
@pytest.mark.parametrize("what", EDGE)
def test_an_edge_node_tells_none(tmp_path, said, what):
    config = laid_out(tmp_path, seconds=3.0)
    folder = config.parent
    (folder / "secrets").mkdir()
    (folder / "secrets" / "password").write_text(PASSWORD + "\n")
    ca = authority(tmp_path / "ca")
    shutil.copy(ca / "ca.pem", folder / "secrets" / "ca.pem")
    pair = forged(folder / "secrets" / "node.pem", ca, "austin-fan-1")
    config.write_text(config.read_text() + EDGE[what])
    told = said("edge", "check", config)
    told += lived(config)
    assert ("link is down" in told) == (KAFKA in EDGE[what])
    told += said("edge", "status", config)
    clean(told, *key_lines(pair))
    for file in folder.iterdir():
        if file.is_file() and file != config:
            assert MARK.encode() not in file.read_bytes(), file


def test_enrolling_with_the_wrong_files_tells_no_key(tmp_path, said):
    config = laid_out(tmp_path)
    done(vibro("edge", "enroll", config))
    waiting = config.parent / "tls" / "next.key"
    secret = tmp_path / "secret.pem"
    secret.write_text(f"-----BEGIN CERTIFICATE-----\n{MARK}\n-----END CERTIFICATE-----\n")
    told = said("edge", "enroll", config)
    for file in (secret, waiting, config):
        told += said("edge", "enroll", config, "--certificate", file)
    told += said("cloud", "sign", waiting, "--home", tmp_path)
    clean(told, *key_lines(waiting))


def test_grafanas_token(tmp_path, said):
    planted(tmp_path, grafana_token=TOKEN)
    file = tmp_path / "secrets" / "grafana.token"
    told = said("dashboards", "push", "--url", f"http://{NOBODY}", "--token-file", file)
    told += said("dashboards", "push", "--url", f"http://me:{MARK}@{NOBODY}", "--token-file", file)
    told += said("dashboards", "check", "--url", f"http://{NOBODY}", "--token-file", file)
    clean(told)
