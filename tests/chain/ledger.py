"""What nodes made durable against what lake, store and InfluxDB hold; one command prints it.

python -m tests.chain.ledger FOLDER

The folder is that of a finished run (pytest --basetemp=DIR keeps it), whose InfluxDB is started
again.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from influxdb_client import InfluxDBClient

from cloud_jobs.config import load
from cloud_jobs.lake import Lake
from cloud_jobs.store import Store
from tests.chain.fleet import ROWS
from tests.services.influx import InfluxServer


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of record in one store."""

    kind: str
    where: str
    produced: int
    stored: int
    lost: int
    doubled: int

    def __str__(self) -> str:
        numbers = (self.produced, self.stored, self.lost, self.doubled)
        return f"{self.kind:<12} {self.where:<10}" + "".join(f"{n:>10}" for n in numbers)


HEADER = f"{'records':<12} {'in':<10}" + "".join(
    f"{w:>10}" for w in ("produced", "stored", "lost", "doubled")
)


def ledger(folder: Path, influx_url: str = "") -> list[Line]:
    """Every kind of record in every store that holds it; the URL is else the configured one."""
    journals = folder.glob("node-*/journal.txt")
    made = [line for file in journals for line in file.read_text().splitlines()]
    by_kind: dict[str, list[str]] = {}
    for line in made:
        by_kind.setdefault(line.split(" ", 1)[0], []).append(line)
    found: list[Line] = []
    for (kind, where), held in stored(folder / "home", influx_url).items():
        wanted = set(by_kind.get(kind, []))
        assert len(wanted) == len(by_kind.get(kind, [])), "a journal names a record twice"
        if kind == "event":
            # Stores keep the highest revision, which is the second.
            wanted = {w for w in wanted if w.endswith(":1")}
        count = Counter(held)
        doubled = sum(n - 1 for n in count.values())
        found.append(Line(kind, where, len(wanted), len(count), len(wanted - set(count)), doubled))
    return found


def stored(home: Path, influx_url: str) -> dict[tuple[str, str], list[str]]:
    """Names of the records that each store holds."""
    lake, store = Lake(home), Store(home)
    try:
        rows = lake.table("features_fast", columns=["site", "machine", "first_sample"])
        names = zip(*(rows[c].to_pylist() for c in rows.column_names), strict=True)
        blocks = [f"features {s}/{m} {n}" for s, m, n in names if n // 2048 % ROWS == 0]
        clips = lake.table("clips", columns=["thing"])["thing"].to_pylist()
        events = [f"event {e.thing}:{e.revision}" for e in store.events()]
        indexed = [f"clip {c.thing}:0" for c in store.clips()]
    finally:
        store.close()
    held = {
        ("features", "lake"): blocks,
        ("clip", "lake"): [f"clip {c}:0" for c in clips],
        ("clip", "store"): indexed,
        ("event", "store"): events,
    }
    if load(home).services.timeseries == "influxdb":
        held |= {("features", "influxdb"): in_influx(home, influx_url)}
    return held


def in_influx(home: Path, url: str) -> list[str]:
    """First rows of blocks, by the time that they stand for."""
    config = load(home)
    where = config.influxdb
    token = config.secret(where.token_file, "influxdb.token_file")
    epoch = int((home.parent / "epoch").read_text())
    query = (
        f'from(bucket: "{where.bucket}") |> range(start: 0) '
        '|> filter(fn: (r) => r._measurement == "features_fast" and r._field == "rms" '
        'and r.channel == "de-h") |> keep(columns: ["_time", "site", "machine"])'
    )
    with InfluxDBClient(url or where.url, token, org=where.org, timeout=60_000) as client:
        tables = client.query_api().query(query)
        points = [r for t in tables for r in t.records]
    minute = 60 * 10**9
    names = []
    for point in points:
        since = round(point["_time"].timestamp()) * 10**9 - epoch
        if since % minute == 0:
            first = since // minute * ROWS * 2048
            names.append(f"features {point['site']}/{point['machine']} {first}")
    return names


def show(lines: list[Line]) -> str:
    return "\n".join([HEADER, *map(str, lines)])


def main(folder: Path) -> None:
    if not (folder / "influx").is_dir():
        sys.exit(f"{folder} is no folder of a run: it holds no influx; name the test's tmp_path")
    with InfluxServer(folder / "influx") as server:
        print(show(ledger(folder, server.url)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
