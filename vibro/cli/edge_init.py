"""What `vibro edge init` writes: a node's configuration, its own register and its unit."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from edge_node.sources.kinds import kind_of
from vibro.assets import Machine, Register, export, parse_register, register_text
from vibro.cli.edge_unit import unit_text
from vibro.errors import BadInputError
from vibro.options import sample_section

CONFIG, REGISTER = "node.toml", "assets.csv"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the person at the keyboard asked for."""

    machine: str
    register: Path
    folder: Path
    source: str
    files: tuple[Path, ...]
    log: Path | None
    http_port: int


@dataclass(frozen=True, slots=True)
class Made:
    """What was written."""

    config: Path
    register: Path
    unit: Path
    node: str

    def next_steps(self) -> str:
        """Return the commands that come next."""
        return (
            f"next: vibro edge check {self.config}\n"
            f"      vibro edge run {self.config}\n"
            f"      or, as a service: sudo systemctl link {self.unit} && "
            f"sudo systemctl enable --now {self.unit.name}"
        )


# -- writing ---------------------------------------------------------------------------------------


def written(wanted: Wanted) -> Made:
    """Write configuration, one-machine register and systemd unit of a node.

    Raises
    ------
    BadInputError
        If the machine is not in the register, there is no such source, something is there
        already, or the folder cannot be written. Then nothing is written.
    """
    machine = _machine(wanted)
    _source_mistakes(wanted)
    folder = wanted.folder.resolve()
    made = Made(
        folder / CONFIG,
        folder / REGISTER,
        folder / f"vibro-edge-{machine.node_id}.service",
        machine.node_id,
    )
    log = (wanted.log or folder / "log").resolve()
    texts = {
        made.register: export(Register({machine.path: machine})),
        made.config: _config_text(wanted, machine, folder, log),
        made.unit: unit_text(machine, folder, log),
    }
    there = [str(path) for path in texts if path.exists()]
    if there:
        raise BadInputError(
            f"{', '.join(there)}: there already; nothing is written over. "
            "Choose another --to, or move it away"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        log.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            with path.open("x", encoding="utf-8") as out:
                out.write(text)
    except OSError as error:
        raise BadInputError(f"{error.filename}: cannot be written ({error.strerror})") from None
    return made


def _machine(wanted: Wanted) -> Machine:
    register = parse_register(register_text(wanted.register), str(wanted.register))
    if wanted.machine in register.machines:
        return register.machines[wanted.machine]
    near = difflib.get_close_matches(wanted.machine, register.machines, 3)
    hint = (
        f"near: {', '.join(near)}" if near else f"it has {', '.join(list(register.machines)[:5])}"
    )
    raise BadInputError(
        f"machine '{wanted.machine}' is not in the asset register {wanted.register}; {hint}"
    )


def _source_mistakes(wanted: Wanted) -> None:
    kind_of(wanted.source)
    if wanted.files and wanted.source != "replay":
        raise BadInputError(f"--file is for --source replay, not for {wanted.source}")
    if wanted.source == "replay" and not wanted.files:
        raise BadInputError("--source replay needs recordings: name them with --file")


def _config_text(wanted: Wanted, machine: Machine, folder: Path, log: Path) -> str:
    channels = ", ".join(p.channel for p in machine.points)
    return "\n".join([
        f"# The edge node of {machine.path}: {_described(machine)}.",
        f"# Channels, in this order: {channels}.",
        "# Written by `vibro edge init`. Only what matters is here; `vibro edge sample "
        f"--source {wanted.source}`",
        f"# shows every option. After a change: `vibro edge check {CONFIG}`.",
        "",
        "# The machine's own row of the asset register: points, bearings, speeds and limits.",
        f'register = "{REGISTER}"',
        "",
        "[node]",
        f'id = "{machine.node_id}"', f'site = "{machine.site}"', f'machine = "{machine.machine}"',
        "",
        *_source_lines(wanted, folder),
        "",
        "[ship]",
        "# The log that the cloud jobs read (HOME/log), and the folder that bundles come in.",
        f"log = {_quoted(_relative(log, folder))}",
        f"bundles = {_quoted(_relative(log.parent / 'bundles', folder))}",
        "",
        "[spool]",
        "# What waits while the link is down, in MB on this disk; the least important goes first.",
        "max_mb = 512.0",
        "",
        "[privacy]",
        "# Raw clips may leave the site: never, on-request or on-event.",
        'clips = "on-event"',
        "",
        "[reflex]",
        "# Limits on every 20 ms block, m/s2: one for all channels, or one for each in order.",
        "# Advisory, not a safety function; whatever the action, a dry run until armed = true.",
        f"# peak_m_s2 = [{', '.join(f'{0.5 * p.range_m_s2:g}' for p in machine.points)}]",
        "",
        "[service]",
        "# /metrics, /healthz and /status answer here, on loopback only; 0 = not at all.",
        f"http_port = {wanted.http_port}",
        "",
    ])  # fmt: skip


def _described(machine: Machine) -> str:
    facts = [
        machine.machine_class,
        f"{machine.power_kw:g} kW" if machine.power_kw else "",
        f"{machine.rpm_nominal:g} rpm" if machine.rpm_nominal else "",
        f"{len(machine.points)} channels at {machine.points[0].rate_hz:g} Hz",
    ]
    return ", ".join(f for f in facts if f)


def _source_lines(wanted: Wanted, folder: Path) -> list[str]:
    """Lines of [source], with the kind's own options where it has any that must be looked at."""
    lines = ["[source]", f'kind = "{wanted.source}"']
    if wanted.source == "simulator":
        return ["# Made-up samples: nothing is measured until another kind stands here.", *lines]
    if wanted.source == "replay":
        files = ", ".join(_quoted(_relative(f.resolve(), folder)) for f in wanted.files)
        return [*lines, "", "[source.replay]", "# In this order.", f"files = [{files}]"]
    return [*lines, "", *sample_section(f"source.{wanted.source}", kind_of(wanted.source).options)]


def _relative(path: Path, folder: Path) -> str:
    """Return a path for the configuration: relative where it lies below the node's folder."""
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
