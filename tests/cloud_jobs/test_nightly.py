"""The nightly round: what is learned, what is left out, and what is not published."""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np
import pytest

from cloud_jobs.columns import block_rows
from cloud_jobs.lake import Lake
from cloud_jobs.nightly import MARGIN_NS, event_spans, train_all, train_priors
from cloud_jobs.run import CloudJobs
from cloud_jobs.store import Store, ingest
from tests.cloud_jobs.builders import NAMES, S, block, event
from tests.cloud_jobs.serve.homes import REGISTER
from vibro.assets import parse_register
from vibro.bundle import check_golden, decode
from vibro.records import ChannelPath

NOW_NS = 1_790_000_000 * S
MARGIN_S = MARGIN_NS // S
CLASSES = {"m1": "motor", "m2": "fan", "m3": "pump"}
LINES = REGISTER.splitlines()
PLANT = "\n".join(
    [LINES[0]]
    + [
        line.replace(",m1,motor,", f",{machine},{kind},")
        for machine, kind in CLASSES.items()
        for line in LINES[1:3]
    ]
)


def vectors(lake: Lake, machine: str, n: int, *, start_s: int = 0, level: float = 0.0) -> None:
    """Healthy vectors of two channels, ``n`` of each, two seconds apart."""
    for i, path in enumerate(("fast", "long")):
        rng = np.random.default_rng([start_s, i, *machine.encode()])
        made = block("sample", path, start_s * S, 2 * n, machine=machine)
        for name in NAMES[path]:
            made.columns[name] = (level + rng.standard_normal(2 * n)).astype(np.float32)
        table = f"features_{path}"
        rows = block_rows(table, [made])
        lake.append(table, lambda _, rows=rows: rows, {f"{machine}:{start_s}": 1})


class Watcher(Executor):
    """Keeps what would be trained instead of training it."""

    def map(self, fn, *iterables, **_):
        self.jobs = list(zip(*iterables, strict=True))
        return iter(())


def learned(lake: Lake, store: Store) -> dict:
    """Vectors that a round would learn, by (site, class)."""
    watcher = Watcher()
    assert train_all(lake, store, NOW_NS, executor=watcher) == []
    return {(site, kind): given for site, kind, given, *_ in watcher.jobs}


@pytest.fixture
def home(tmp_path):
    store = Store(tmp_path)
    store.put_register(parse_register(PLANT, "assets.csv"))
    yield Lake(tmp_path), store
    store.close()


def keep(store: Store, *events) -> None:
    with store.transaction() as session:
        ingest.keep_events(session, events)


def test_an_event_spans_its_windows_and_a_margin_and_an_open_one_lasts_until_now(home):
    _, store = home
    keep(store, event(100.0, 50.0, cleared=True), event(900.0, 5.0))
    keep(store, event(300.0, 1.0, cleared=True, machine="m2"), event(7.0, machine="m1", site="b"))
    machines = store.machines()
    spans = event_spans(store, [machines["a/m1"]], NOW_NS)
    assert spans == {
        "a/m1": [
            ((100 - MARGIN_S) * S, (150 + MARGIN_S) * S),
            ((900 - MARGIN_S) * S, NOW_NS + MARGIN_NS),
        ]
    }
    assert set(event_spans(store, machines.values(), NOW_NS)) == {"a/m1", "a/m2"}
    assert event_spans(store, [machines["a/m3"]], NOW_NS) == {}


def test_each_site_and_class_learns_from_its_own_machines(home):
    lake, store = home
    for machine in ("m1", "m2", "m9"):
        vectors(lake, machine, 3)
    given = learned(lake, store)
    assert list(given) == [("a", "motor"), ("a", "fan"), ("a", "pump")]
    channels = {ChannelPath("a", "m1", c) for c in ("de-h", "de-v")}
    assert {channel for channel, _ in given["a", "motor"]} == channels
    assert given["a", "pump"] == {}


def test_what_an_event_covers_is_not_learned(home, tmp_path):
    """As if the windows of the events and around them had never been there."""
    lake, store = home
    calm = Lake(tmp_path / "calm")
    keep(store, event(200.0, 40.0, cleared=True), event(5000.0, 2.0))
    for start_s, level in [(0, 0.0), (200, 50.0), (300, 0.0), (6000, 50.0)]:
        vectors(lake, "m1", 10, start_s=start_s, level=level)
        if level == 0.0:
            vectors(calm, "m1", 10, start_s=start_s)
    found, wanted = (learned(each, store)["a", "motor"] for each in (lake, calm))
    assert found.keys() == wanted.keys()
    for key, paths in found.items():
        for got, plain in zip(paths, wanted[key], strict=True):
            assert len(got) == 20
            np.testing.assert_array_equal(got, plain)


def test_a_window_beside_an_events_margin_is_learned(home):
    """The margin takes the window that starts with it, and not the one that starts at its end."""
    lake, store = home
    keep(store, event(1000.0 + MARGIN_S, 0.0, cleared=True))
    end_s = 1000 + 2 * MARGIN_S
    for start_s in (998, 1000, end_s - 2, end_s):
        vectors(lake, "m1", 1, start_s=start_s)
    fast, long = learned(lake, store)["a", "motor"][ChannelPath("a", "m1", "de-h"), "run"]
    assert (len(fast), len(long)) == (2, 2)


def test_what_is_not_yet_is_not_learned(home):
    lake, store = home
    vectors(lake, "m1", 2, start_s=NOW_NS // S - 2)
    given = learned(lake, store)["a", "motor"]
    assert {key[0].channel: [len(p) for p in paths] for key, paths in given.items()} == {
        "de-h": [1, 1],
        "de-v": [1, 1],
    }


def test_only_what_passes_its_gate_is_published(tmp_path):
    """The motor is what it was, the fan has changed since, of the pump too little is known."""
    (tmp_path / "assets.csv").write_text(PLANT, encoding="utf-8")
    jobs = CloudJobs(tmp_path)
    vectors(jobs.lake, "m1", 60)
    vectors(jobs.lake, "m2", 48)
    vectors(jobs.lake, "m2", 12, start_s=1000, level=9.0)
    vectors(jobs.lake, "m3", 20)
    motor, fan, pump = jobs.retrain(NOW_NS, seed=3)
    assert (motor.machine_class, motor.reasons) == ("motor", ())
    assert motor.model.version == "20260921-141320"
    assert (fan.machine_class, fan.model) == ("fan", None)
    assert any("of healthy fast vectors fall below p" in reason for reason in fan.reasons)
    assert (pump.machine_class, pump.model) == ("pump", None)
    assert pump.reasons[0].startswith("no channel has 30 sampled vectors")
    files = [str(f.relative_to(tmp_path / "bundles")) for f in tmp_path.rglob("*.vbundle")]
    assert files == ["a/motor/20260921-141320.vbundle"]
    assert [m.machine_class for m in jobs.store.models()] == ["motor"]
    assert [m.key for m in jobs.log.read("vibro.v1.a.models", 0, 9)] == ["motor"]
    bundle = decode(jobs.store.champion_bytes("a", "motor"))
    check_golden(bundle)
    assert (bundle.site, bundle.machine_class, bundle.created_ns) == ("a", "motor", NOW_NS)
    assert set(bundle.fast.scaling) == {"a/m1/de-h|run", "a/m1/de-v|run"}
    assert bundle.metrics == {"fast_rows": 120, "long_rows": 120}
    jobs.close()


def test_an_empty_register_is_an_empty_round(tmp_path):
    jobs = CloudJobs(tmp_path)
    assert jobs.retrain(NOW_NS) == []
    jobs.close()


def test_the_fleets_prior_is_laid_out_where_nodes_are_told_to_look(tmp_path):
    """Five machines of a class, at whatever sites; not announced, and not for fewer machines."""
    fleet = [line.replace(",m1,", f",p{i},") for i in range(5) for line in LINES[1:2]]
    (tmp_path / "assets.csv").write_text("\n".join([LINES[0], *fleet]), encoding="utf-8")
    jobs = CloudJobs(tmp_path)
    for i in range(4):
        vectors(jobs.lake, f"p{i}", 40)
    assert train_priors(jobs.lake, jobs.store, NOW_NS) == []
    vectors(jobs.lake, "p4", 40)
    jobs.retrain(NOW_NS)
    (machine_class,) = {m.machine_class for m in jobs.store.machines().values()}
    prior = decode((tmp_path / "bundles" / "prior" / f"{machine_class}.vbundle").read_bytes())
    assert prior.is_prior
    assert (prior.machine_class, prior.version) == (machine_class, "prior-20260921-141320")
    assert prior.version not in {m.version for m in jobs.store.models()}
    jobs.close()
