"""A node's configuration: one TOML file, every option with a default, a unit and one sentence.

`load` reports every mistake at once, each with its key, its value and the remedy.
"""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Any

from edge_node.judging.states import (
    LearningSection,
    LimitSection,
    StatesSection,
    read_limits,
    sample_limits,
)
from edge_node.process_values.options import ProcessValuesSection
from vibro.errors import BadInputError
from vibro.log.kafka.settings import KafkaSection
from vibro.options import option, read_section, sample_section


@dataclass(frozen=True, slots=True)
class NodeSection:
    """Which node this is."""

    id: str = option(MISSING, "slug", "Name of this node, unique in its site.")
    site: str = option(MISSING, "slug", "Site that the node stands in.")
    machine: str = option(MISSING, "slug", "Machine that the node listens to.")


@dataclass(frozen=True, slots=True)
class SourceSection:
    """Where samples come from; what only one kind needs stands in [source.KIND]."""

    kind: str = option("replay", "word", "Kind of source; docs/sources.md lists them.")
    pace: str = option(
        "real",
        "word",
        "Pace: real (as in the plant), fast, or clock (a file).",
        words=("real", "fast", "clock"),
    )
    clock: str = option("", "path", "Plant clock file for pace = 'clock'.")
    t0_ns: int = option(0, "ns UTC", "Time of the first sample; 0 = when the node first starts.")
    block_s: float = option(
        1.0, "s", "Length of the blocks handed on; 0.02 where live sources do not say it.", low=0.02
    )


@dataclass(frozen=True, slots=True)
class AcquisitionSection:
    """How live sources are acquired."""

    ring_s: float = option(
        8.0, "s", "Samples that may wait for processing; more are lost and counted.", low=1
    )
    clock_jump_s: float = option(
        0.5, "s", "Jump of the time of day that begins a new stream epoch.", low=0.001
    )
    longest_gap_s: float = option(
        60.0, "s", "Gap after which a new stream epoch begins; shorter ones lie inside.", low=0
    )
    retry_s: float = option(
        30.0, "s", "Longest pause before a device that failed is started again.", low=0.1
    )


@dataclass(frozen=True, slots=True)
class ReportingSection:
    """What steady health is reduced to, and how much raw signal is kept of an event."""

    status_s: float = option(60.0, "s", "Interval of score, state and severity.", low=1)
    summary_s: float = option(300.0, "s", "Interval of mean and maximum of each feature.", low=1)
    sample_s: float = option(300.0, "s", "Interval of one full-precision vector a path.", low=1)
    heartbeat_s: float = option(
        600.0, "s", "Longest silence: a heartbeat comes when nothing else did.", low=1
    )
    clip_s: float = option(10.0, "s", "Length of a clip.", low=0.1)
    clip_lead_s: float = option(2.0, "s", "Part of an event's clip before it was decided.", low=0)
    clip_spacing_s: float = option(
        3600.0, "s", "Least time between two clips of a machine's events.", low=0
    )
    clips_per_day: int = option(24, "", "Most clips a day for one machine.", low=0)
    commissioning_clip_s: float = option(
        10.0, "s", "Machine time after which the commissioning clip is taken.", low=0
    )
    capture_at_s: tuple[float, ...] = option(
        (), "s", "Machine times after which a clip is captured, event or not.", low=0
    )
    daily_s: float = option(
        86_400.0, "s", "Period of a spectrum and waveform of all channels; 0 = never.", low=0
    )
    spectrum_s: float = option(10.0, "s", "Stretch that a spectrum is averaged over.", low=0.1)
    capture_max_s: float = option(60.0, "s", "Longest capture that may be asked for.", low=0.1)
    captures_s_per_day: float = option(
        240.0, "s", "Most seconds a day of captures that people ask for.", low=0
    )
    commit_s: float = option(10.0, "s", "Stream time between two durable commits.", low=0.1)


@dataclass(frozen=True, slots=True)
class SpoolSection:
    """The durable buffer on the node's disk."""

    max_mb: float = option(512.0, "MB", "Bound of the spool on disk.", low=1)
    max_age_days: float = option(14.0, "days", "Oldest record kept while offline.", low=0.01)
    reserve_mb: float = option(
        8.0, "MB", "Room taken on the disk at once, for days when others fill it.", low=0
    )


@dataclass(frozen=True, slots=True)
class ShipSection:
    """Where records go."""

    transport: str = option(
        "embedded",
        "word",
        "Transport: embedded (a log folder), or kafka (see [kafka]).",
        words=("embedded", "kafka"),
    )
    log: str = option("../../log", "path", "Folder of the embedded log.")
    bundles: str = option("../../bundles", "path", "Folder that model notices point into.")
    region: str = option("", "text", "Region that the log stands in, for [privacy] clip_region.")
    live_s: float = option(
        120.0, "s", "Age of a waiting record from which newer ones of its kind are backfill.", low=1
    )
    budget_mb_day: float = option(
        0.0, "MB/day", "Most bytes a UTC day, events and heartbeats excepted; 0 = no bound.", low=0
    )


@dataclass(frozen=True, slots=True)
class PrivacySection:
    """What may leave the site; enforced before anything is buffered or sent."""

    content: str = option(
        "all",
        "word",
        "Content: all, or features-only (no clip and no spectrum, whatever else is said).",
        words=("all", "features-only"),
    )
    clips: str = option(
        "on-event",
        "word",
        "Raw clips: never, on-request, or on-event (also at commissioning and daily).",
        words=("never", "on-request", "on-event"),
    )
    clip_region: str = option(
        "any",
        "text",
        "Region that clips may go to: any, site (the machine's region in the register) or a name.",
    )


@dataclass(frozen=True, slots=True)
class ReflexSection:
    """Limits on every 20 ms block, judged at once on the node; advisory, not a safety function."""

    peak_m_s2: tuple[float, ...] = option(
        (), "m/s2", "Limit of the peak: one for all channels or one for each; 0 = none.", low=0
    )
    rms_m_s2: tuple[float, ...] = option((), "m/s2", "Limit of the RMS, likewise.", low=0)
    slope_m_s2_s: tuple[float, ...] = option(
        (), "m/s2/s", "Limit of the rise of the RMS from block to block, likewise.", low=0
    )
    hold_s: float = option(10.0, "s", "Time after a trip for which its channel is silent.", low=0)
    action: str = option(
        "dry-run",
        "word",
        "Action: dry-run (a line in the log), program, mqtt, webhook or modbus (a coil).",
        words=("dry-run", "program", "mqtt", "webhook", "modbus"),
    )
    armed: bool = option(
        False, "", "Whether the action is done; else it is a dry run, whatever it is."
    )
    timeout_s: float = option(
        5.0, "s", "Time after which a program is killed and a server given up.", low=0.1
    )
    program: tuple[str, ...] = option((), "texts", "Program to run, with its arguments.")
    url: str = option("", "text", "URL that a webhook is posted to.")
    retries: int = option(1, "", "Further attempts of a webhook that is not answered.", low=0)
    host: str = option("", "text", "Host of the MQTT broker or Modbus server.")
    port: int = option(
        0, "", "Its port; 0 = the usual one (1883, with TLS 8883, Modbus 502).", low=0
    )
    topic: str = option("", "text", "MQTT topic that trips are published to.")
    coil: int = option(0, "", "Coil to set, counted from 0 as in the protocol.", low=0)
    unit: int = option(1, "", "Modbus unit that it belongs to.", low=0)
    reset_s: float = option(
        0.0, "s", "Time after the last trip at which the coil is reset; 0 = never.", low=0
    )
    user: str = option("", "text", "User at the broker or web server; empty = none.")
    password_file: str = option(
        "", "path", "File with the password in its first line; without user a bearer token."
    )
    ca_file: str = option(
        "", "path", "Certificates to trust; empty = the system's for https, no TLS for MQTT."
    )


@dataclass(frozen=True, slots=True)
class ServiceSection:
    """What the running process answers: /metrics, /healthz and /status over HTTP."""

    http_port: int = option(0, "", "Port to answer on; 0 = none.", low=0)
    http_address: str = option(
        "127.0.0.1", "text", "Address to answer on; any but loopback shows facts to the network."
    )


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Everything a node is told."""

    folder: Path
    node: NodeSection
    source: SourceSection
    reporting: ReportingSection
    spool: SpoolSection
    ship: ShipSection
    register: str
    reflex: ReflexSection = ReflexSection()
    service: ServiceSection = ServiceSection()
    acquisition: AcquisitionSection = AcquisitionSection()
    source_options: Any = None
    """The options of the source's own kind."""
    privacy: PrivacySection = PrivacySection()
    process_values: ProcessValuesSection = field(default_factory=ProcessValuesSection)
    states: StatesSection = field(default_factory=StatesSection)
    learning: LearningSection = field(default_factory=LearningSection)
    limits: tuple[LimitSection, ...] = ()
    kafka: KafkaSection = field(default_factory=KafkaSection)

    def path(self, text: str) -> Path:
        """Resolve a path of the configuration against the configuration's own folder."""
        return (self.folder / text).resolve()


_SECTIONS: dict[str, type] = {
    "node": NodeSection,
    "source": SourceSection,
    "acquisition": AcquisitionSection,
    "reporting": ReportingSection,
    "spool": SpoolSection,
    "ship": ShipSection,
    "kafka": KafkaSection,
    "reflex": ReflexSection,
    "service": ServiceSection,
    "privacy": PrivacySection,
    "process_values": ProcessValuesSection,
    "states": StatesSection,
    "learning": LearningSection,
}


def load(path: Path) -> NodeConfig:
    """Read and check a node's TOML file.

    Raises
    ------
    BadInputError
        With every mistake in one message, each naming key, value and remedy.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{path}: is not TOML: {error}") from None
    sections, mistakes = parse(raw)
    if mistakes:
        raise BadInputError(f"{path}: " + "; ".join(mistakes))
    return NodeConfig(folder=path.resolve().parent, register=str(raw["register"]), **sections)


def parse(raw: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Check a parsed TOML document; return its sections and all mistakes."""
    mistakes: list[str] = []
    sections: dict[str, Any] = {}
    for name, kind in _SECTIONS.items():
        given = raw.get(name, {})
        if not isinstance(given, dict):
            mistakes.append(f"[{name}] is not a table: write a line [{name}]")
            continue
        if name == "source":
            _read_source(given, sections, mistakes)
            continue
        values = read_section(name, kind, given, mistakes)
        if values is not None:
            sections[name] = kind(**values)
    sections["limits"] = read_limits(raw.get("limits", []), mistakes)
    if "states" in sections:
        mistakes += sections["states"].problems()
    if "kafka" in sections and "ship" in sections and sections["ship"].transport == "kafka":
        mistakes += sections["kafka"].problems()
    mistakes += [
        f"'{key}' is not known: known are register, {', '.join(_SECTIONS)}, limits"
        for key in sorted(set(raw) - set(_SECTIONS) - {"register", "limits"})
    ]
    if not isinstance(raw.get("register"), str):
        mistakes.append("register is missing: name the asset register, e.g. '../../assets.csv'")
    return sections, mistakes


def _read_source(given: dict[str, Any], sections: dict[str, Any], mistakes: list[str]) -> None:
    from edge_node.sources.section import read_source  # noqa: PLC0415 (its options are made here)

    before = len(mistakes)
    section, options = read_source(given, mistakes)
    if len(mistakes) == before:
        sections |= {"source": section, "source_options": options}


def sample_config(source: str = "replay") -> str:
    """Return a commented TOML file with every option at its default, for a kind of source."""
    from edge_node.sources.section import sample_source  # noqa: PLC0415 (as above)

    lines = ["# Asset register that describes the machine, its points, bearings and limits."]
    lines += ['register = "../../assets.csv"', ""]
    for name, kind in _SECTIONS.items():
        lines += [sample_source(source)] if name == "source" else [*sample_section(name, kind), ""]
    return "\n".join([*lines, *sample_limits(), ""])
