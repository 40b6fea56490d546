"""What the cloud jobs are told: ``HOME/cloud.toml``; without it everything is embedded."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloud_jobs.setup.options import TopicsSection
from vibro.errors import BadInputError
from vibro.log.kafka.settings import KafkaSection
from vibro.options import option, read_section, sample_section

FILE = "cloud.toml"


@dataclass(frozen=True, slots=True)
class ServicesSection:
    """Which services stand behind the jobs."""

    transport: str = option(
        "embedded",
        "word",
        "Transport: embedded (HOME/log), or kafka.",
        words=("embedded", "kafka"),
    )
    timeseries: str = option(
        "none", "word", "Time series for Grafana: none, or influxdb.", words=("none", "influxdb")
    )
    store: str = option(
        "",
        "text",
        "postgresql://USER@HOST/DATABASE, or sqlite:///FILE; empty = HOME/store.db.",
    )
    store_password_file: str = option(
        "", "path", "File whose first line is the store's password; empty = none."
    )


@dataclass(frozen=True, slots=True)
class ConsumeSection:
    """How what arrives is taken in."""

    group: str = option(
        "vibro-consume",
        "slug",
        "Consumer group: one for each store, shared by all its consumers; begins with vibro-.",
    )
    session_s: float = option(
        10.0, "s", "Silence after which a consumer's partitions are given to others.", low=6
    )
    late_s: float = option(
        600.0, "s", "Age from which events that arrive are history and raise no alarm.", low=1
    )


@dataclass(frozen=True, slots=True)
class InfluxSection:
    """InfluxDB 2.7, for Grafana."""

    url: str = option("http://127.0.0.1:8086", "text", "Address of the server.")
    org: str = option("vibro", "text", "Organisation.")
    token_file: str = option(
        "secrets/influx.token", "path", "File whose first line is the jobs' token."
    )
    bucket: str = option(
        "vibro", "text", "Bucket of full resolution; those of hours and days add _1h and _1d."
    )
    keep_days: float = option(90.0, "days", "Retention of full resolution.", low=1)
    keep_hours_days: float = option(1100.0, "days", "Retention of hourly values.", low=1)
    batch_points: int = option(5000, "", "Points of one write.", low=1)
    timeout_s: float = option(10.0, "s", "Time after which a write is given up.", low=0.1)
    ca_file: str = option("", "path", "Certificates to trust; empty = the system's.")

    def problems(self) -> list[str]:
        """What is wrong, never quoting an address that holds more than one: it may be a secret."""
        if any(sign in self.url for sign in "@?#") or not self.url.isprintable():
            return [
                "influxdb.url holds more than http(s)://HOST:PORT/PATH; a token stands in the file "
                "that influxdb.token_file names"
            ]
        return []


@dataclass(frozen=True, slots=True)
class CloudConfig:
    """Everything the cloud jobs are told."""

    home: Path
    services: ServicesSection = field(default_factory=ServicesSection)
    kafka: KafkaSection = field(default_factory=KafkaSection)
    consume: ConsumeSection = field(default_factory=ConsumeSection)
    topics: TopicsSection = field(default_factory=TopicsSection)
    influxdb: InfluxSection = field(default_factory=InfluxSection)

    def path(self, text: str) -> Path:
        """Resolve a path of the configuration against the home folder."""
        return (self.home / text).resolve()

    def secret(self, text: str, key: str) -> str:
        """Return the first line of a file that holds a secret.

        Raises
        ------
        BadInputError
            Naming the key and the file, never its content.
        """
        try:
            return self.path(text).read_text(encoding="utf-8").splitlines()[0].strip()
        except (OSError, UnicodeDecodeError, IndexError):
            raise BadInputError(f"{key} = '{text}': {self.path(text)} holds no secret") from None


_SECTIONS: dict[str, type] = {
    "services": ServicesSection,
    "kafka": KafkaSection,
    "consume": ConsumeSection,
    "topics": TopicsSection,
    "influxdb": InfluxSection,
}


def load(home: Path) -> CloudConfig:
    """Read and check ``HOME/cloud.toml``, where it is there.

    Raises
    ------
    BadInputError
        With every mistake in one message, each naming key, value and remedy.
    """
    file = home / FILE
    if not file.exists():
        return CloudConfig(home)
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"{file}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{file}: is not TOML: {error}") from None
    sections, mistakes = _parse(raw)
    if mistakes:
        raise BadInputError(f"{file}: " + "; ".join(mistakes))
    return CloudConfig(home, **sections)


def _parse(raw: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    mistakes: list[str] = []
    sections: dict[str, Any] = {}
    for name, kind in _SECTIONS.items():
        given = raw.get(name, {})
        if not isinstance(given, dict):
            mistakes.append(f"[{name}] is not a table: write a line [{name}]")
            continue
        values = read_section(name, kind, given, mistakes)
        if values is not None:
            sections[name] = kind(**values)
    mistakes += [
        f"'{key}' is not known: known are {', '.join(_SECTIONS)}"
        for key in sorted(set(raw) - set(_SECTIONS))
    ]
    services = sections.get("services")
    if services and services.transport == "kafka" and "kafka" in sections:
        mistakes += sections["kafka"].problems()
    if services and services.timeseries == "influxdb" and "influxdb" in sections:
        mistakes += sections["influxdb"].problems()
    return sections, mistakes


def sample_config() -> str:
    """Return a commented TOML file with every option at its default."""
    lines: list[str] = []
    for name, kind in _SECTIONS.items():
        lines += [*sample_section(name, kind), ""]
    return "\n".join(lines)
