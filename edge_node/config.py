"""A node's configuration: one TOML file, every option with a default, a unit and one sentence.

`load` reports every mistake at once, each with its key, its value and the remedy.
"""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any

from edge_node.options import option, read_section, sample_section
from vibro.errors import BadInputError


@dataclass(frozen=True, slots=True)
class NodeSection:
    """Which node this is."""

    id: str = option(MISSING, "slug", "Name of this node, unique in its site.")
    site: str = option(MISSING, "slug", "Site that the node stands in.")
    machine: str = option(MISSING, "slug", "Machine that the node listens to.")


@dataclass(frozen=True, slots=True)
class SourceSection:
    """Where samples come from."""

    kind: str = option(
        "replay", "word", "Source: replay or simulator.", words=("replay", "simulator")
    )
    files: tuple[str, ...] = option((), "paths", "Recordings to replay, one after the other.")
    pace: str = option(
        "real",
        "word",
        "Pace: real (as in the plant), fast, or clock (a file).",
        words=("real", "fast", "clock"),
    )
    clock: str = option("", "path", "Plant clock file for pace = 'clock'.")
    t0_ns: int = option(0, "ns UTC", "Time of the first sample; 0 = when the node first starts.")
    block_s: float = option(1.0, "s", "Length of the blocks handed on.", low=0.02)
    rate_hz: float = option(0.0, "Hz", "Sampling rate where a recording does not say it.", low=0)
    seed: int = option(0, "", "Seed of the simulated scenario.", low=0)
    duration_s: float = option(600.0, "s", "Length of the simulated scenario.", low=1)
    commissioning_s: float = option(240.0, "s", "Healthy start of the scenario.", low=0)


@dataclass(frozen=True, slots=True)
class ReportingSection:
    """What steady health is reduced to, and how much raw signal is kept of an event."""

    status_s: float = option(60.0, "s", "Interval of score, state and severity.", low=1)
    summary_s: float = option(300.0, "s", "Interval of mean and maximum of each feature.", low=1)
    sample_s: float = option(300.0, "s", "Interval of one full-precision vector a path.", low=1)
    heartbeat_s: float = option(60.0, "s", "Interval of the node's heartbeat.", low=1)
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
    commit_s: float = option(10.0, "s", "Stream time between two durable commits.", low=0.1)


@dataclass(frozen=True, slots=True)
class SpoolSection:
    """The durable buffer on the node's disk."""

    max_mb: float = option(512.0, "MB", "Bound of the spool on disk.", low=1)
    max_age_days: float = option(14.0, "days", "Oldest record kept while offline.", low=0.01)


@dataclass(frozen=True, slots=True)
class ShipSection:
    """Where records go."""

    transport: str = option(
        "embedded", "word", "Transport: embedded (a log folder).", words=("embedded",)
    )
    log: str = option("../../log", "path", "Folder of the embedded log.")
    bundles: str = option("../../bundles", "path", "Folder that model notices point into.")


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
        "Action: dry-run (a line in the log) or program.",
        words=("dry-run", "program"),
    )
    program: tuple[str, ...] = option((), "texts", "Program to run, with its arguments.")
    timeout_s: float = option(5.0, "s", "Time after which the program is killed.", low=0.1)


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

    def path(self, text: str) -> Path:
        """Resolve a path of the configuration against the configuration's own folder."""
        return (self.folder / text).resolve()


_SECTIONS: dict[str, type] = {
    "node": NodeSection,
    "source": SourceSection,
    "reporting": ReportingSection,
    "spool": SpoolSection,
    "ship": ShipSection,
    "reflex": ReflexSection,
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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
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
        values = read_section(name, kind, given, mistakes)
        if values is not None:
            sections[name] = kind(**values)
    mistakes += [
        f"'{key}' is not known: known are register, {', '.join(_SECTIONS)}"
        for key in sorted(set(raw) - set(_SECTIONS) - {"register"})
    ]
    if not isinstance(raw.get("register"), str):
        mistakes.append("register is missing: name the asset register, e.g. '../../assets.csv'")
    return sections, mistakes


def sample_config() -> str:
    """Return a commented TOML file with every option at its default."""
    lines = ["# Asset register that describes the machine, its points, bearings and limits."]
    lines += ['register = "../../assets.csv"', ""]
    for name, kind in _SECTIONS.items():
        lines += [*sample_section(name, kind), ""]
    return "\n".join(lines)
