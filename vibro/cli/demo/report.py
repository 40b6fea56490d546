"""The demo's short report on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

WIDTH = 110


def report(result: dict[str, Any], home: Path | None) -> None:
    """Print what happened, and what it cost; ``home`` is named where it is kept."""
    out = Console(highlight=False)
    out.width = max(out.width, WIDTH)
    out.print(_cases(result))
    out.print()
    for group in result["groups"]:
        out.print(f"  [bold]{_words(group['kind'])}[/]: {', '.join(group['machines'])}")
    for case in result["false_cases"]:
        out.print(f"  [red]false case[/]: {case['machine']} {_words(case['fault'])}")
    if result["recordings"]:
        out.print()
        out.print(_recordings(result))
    out.print()
    out.print(_figures(result))
    if home is not None:
        out.print(f"\nkept in {home}: try `vibro serve --home {home}`")


def _table(title: str) -> Table:
    return Table(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False,
        header_style="dim", padding=(0, 2),
    )  # fmt: skip


def _words(slug: str) -> str:
    return slug.replace("_", " ")


def _cases(result: dict[str, Any]) -> Table:
    table = _table(f"{len(result['truth'])} faults in {result['minutes']:g} minutes of plant life")
    for name in ("machine", "true fault", "onset", "case", "severity", "opened after"):
        right = name in {"onset", "opened after"}
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    for truth in result["truth"]:
        case = next((c for c in result["cases"] if c["machine"] == truth["machine"]), None)
        table.add_row(
            truth["machine"],
            _words(truth["fault"]),
            f"{truth['onset_s']:.0f} s",
            _words(case["fault"]) if case else "[red]missed[/]",
            case["severity"] if case else "",
            f"{case['delay_s']:.0f} s" if case and case["delay_s"] is not None else "",
        )
    return table


def _recordings(result: dict[str, Any]) -> Table:
    table = _table("real recordings, replayed")
    for name in ("machine", "publisher's label", "verdict", "probability", ""):
        table.add_column(name, no_wrap=True)
    for r in result["recordings"]:
        table.add_row(
            r["machine"],
            _words(r["label"]),
            _words(r["verdict"]),
            "" if r["probability"] is None else f"{r['probability']:.2f}",
            "[red]wrong[/]" if r["outcome"] == "wrong" else r["outcome"],
        )
    return table


def _figures(result: dict[str, Any]) -> Table:
    samples, size, books = result["samples"], result["bytes"], result["ledger"]
    default, latency = result["at_defaults"], result["latency_ms"]
    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    table.add_row(
        "samples",
        f"{samples['seen']:,} seen = {samples['processed']:,} processed + {samples['lost']:,} lost",
    )
    table.add_row(
        "records",
        f"{sum(books['produced'].values()):,} produced, {sum(books['stored'].values()):,} stored, "
        f"{books['missing']} missing, {books['doubled']} doubled"
        + (f" ({books['restarts']} restarts of the edge)" if books["restarts"] else ""),
    )
    table.add_row(
        "bytes",
        f"{size['raw'] / 1e6:,.0f} MB raw, {size['shipped'] / 1e6:.2f} MB shipped: "
        f"1/{size['ratio']:.0f} (intervals shortened to status {result['shortened']['status_s']:g} "
        f"s, summaries {result['shortened']['summary_s']:g} s, vectors "
        f"{result['shortened']['sample_s']:g} s, clips {result['shortened']['clip_s']:g} s)",
    )
    table.add_row(
        "at the defaults",
        f"{default['steady_bytes_per_channel_day'] / 1e6:.2f} MB a channel and day, "
        f"1/{default['steady_ratio']:,}; "
        f"each clip of a machine {default['clip_bytes'] / 1e6:.2f} MB",
    )
    table.add_row(
        "latency",
        f"{latency['p50']:.2f} ms median, {latency['p99']:.2f} ms at 99 %, "
        "from a window's last sample to its decision",
    )
    models, nodes = result["models"], sum(m["nodes_running"] for m in result["models"])
    sites = len({m["site"] for m in models})
    table.add_row(
        "models", f"{len(models)} retrained overnight at {sites} sites, {nodes} nodes run them"
    )
    table.add_row("time", f"{result['wall_s']:.0f} s, {result['realtime_factor']:.0f} x real time")
    return table
