"""A node's configuration: one TOML file, every option with a default, a unit and one sentence.

`load` reports every mistake at once, each with its key, its value and the remedy.
"""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from vibro.errors import BadInputError
from vibro.records import SLUG


def option(default: Any, unit: str, doc: str, *, low: float | None = None) -> Any:
    """Declare an option: its default, unit, one sentence, and the least value that makes sense."""
    meta = {"unit": unit, "doc": doc, "low": low}
    if default is MISSING:
        return field(metadata=meta)
    return field(default=default, metadata=meta)


@dataclass(frozen=True, slots=True)
class NodeSection:
    """Which node this is."""

    id: str = option(MISSING, "slug", "Name of this node, unique in its site.")
    site: str = option(MISSING, "slug", "Site that the node stands in.")
    machine: str = option(MISSING, "slug", "Machine that the node listens to.")


@dataclass(frozen=True, slots=True)
class SourceSection:
    """Where samples come from."""

    kind: str = option("replay", "word", "Source: replay or simulator.")
    files: tuple[str, ...] = option((), "paths", "Recordings to replay, one after the other.")
    pace: str = option("real", "word", "Pace: real (as in the plant), fast, or clock (a file).")
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

    transport: str = option("embedded", "word", "Transport: embedded (a log folder).")
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
    action: str = option("dry-run", "word", "Action: dry-run (a line in the log) or program.")
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
_WORDS = {
    ("source", "kind"): ("replay", "simulator"),
    ("source", "pace"): ("real", "fast", "clock"),
    ("ship", "transport"): ("embedded",),
    ("reflex", "action"): ("dry-run", "program"),
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
        values = _section(name, kind, given, mistakes)
        if values is not None:
            sections[name] = kind(**values)
    mistakes += [
        f"'{key}' is not known: known are register, {', '.join(_SECTIONS)}"
        for key in sorted(set(raw) - set(_SECTIONS) - {"register"})
    ]
    if not isinstance(raw.get("register"), str):
        mistakes.append("register is missing: name the asset register, e.g. '../../assets.csv'")
    return sections, mistakes


def _section(
    name: str, kind: type, given: dict[str, Any], mistakes: list[str]
) -> dict[str, Any] | None:
    known = {f.name: f for f in fields(kind)}
    before = len(mistakes)
    mistakes += [
        f"{name}.{key} is not known: known are {', '.join(known)}"
        for key in sorted(set(given) - set(known))
    ]
    values: dict[str, Any] = {}
    for key, spec in known.items():
        if key in given:
            values[key] = _value(name, spec, given[key], mistakes)
        elif spec.default is MISSING:
            mistakes.append(f"{name}.{key} is missing: {spec.metadata['doc']}")
    return values if len(mistakes) == before else None


def _value(section: str, spec: Field[Any], value: Any, mistakes: list[str]) -> Any:
    key = f"{section}.{spec.name}"
    kind = str(spec.type)
    if kind.startswith("tuple"):
        return _list(key, spec, value, mistakes)
    if kind == "str":
        _check_word(section, spec, value, mistakes)
    else:
        _check_number(key, spec, value, mistakes)
    return float(value) if kind == "float" and isinstance(value, int) else value


def _list(key: str, spec: Field[Any], value: Any, mistakes: list[str]) -> tuple[Any, ...]:
    texts = "str" in str(spec.type)
    if not isinstance(value, list) or (texts and not all(isinstance(v, str) for v in value)):
        mistakes.append(f"{key} = {value!r} is not a list of {'texts' if texts else 'numbers'}")
        return ()
    if not texts:
        for i, item in enumerate(value):
            _check_number(f"{key}[{i}]", spec, item, mistakes)
    return tuple(value)


def _check_number(key: str, spec: Field[Any], value: Any, mistakes: list[str]) -> None:
    whole = str(spec.type) == "int"
    if isinstance(value, bool) or not isinstance(value, (int,) if whole else (int, float)):
        mistakes.append(f"{key} = {value!r} is not a number ({spec.metadata['unit']})")
    elif (low := spec.metadata["low"]) is not None and not low <= value < float("inf"):
        mistakes.append(
            f"{key} = {value!r} is too small: at least {low:g} {spec.metadata['unit']}".rstrip()
        )


def _check_word(section: str, spec: Field[Any], value: Any, mistakes: list[str]) -> None:
    key = f"{section}.{spec.name}"
    words = _WORDS.get((section, spec.name))
    if not isinstance(value, str):
        mistakes.append(f"{key} = {value!r} is not a text")
    elif words and value not in words:
        mistakes.append(f"{key} = '{value}' is not one of {', '.join(words)}")
    elif spec.metadata["unit"] == "slug" and not SLUG.match(value):
        mistakes.append(f"{key} = '{value}' is not a slug (1 to 63 of a-z, 0-9 and '-')")


def sample_config() -> str:
    """Return a commented TOML file with every option at its default."""
    lines = ["# Asset register that describes the machine, its points, bearings and limits."]
    lines += ['register = "../../assets.csv"', ""]
    for name, kind in _SECTIONS.items():
        lines += [f"# {(kind.__doc__ or '').strip()}", f"[{name}]"]
        for spec in fields(kind):
            unit = f" [{spec.metadata['unit']}]" if spec.metadata["unit"] else ""
            default = "my-" + spec.name if spec.default is MISSING else spec.default
            lines += [f"# {spec.metadata['doc']}{unit}", f"{spec.name} = {_toml(default)}"]
        lines.append("")
    return "\n".join(lines)


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
