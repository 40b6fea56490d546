"""The nightly round: every site and machine class is retrained from the lake, gated, published."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from cloud_jobs.lake import Lake
from cloud_jobs.store import Store
from cloud_jobs.store.tables import ModelRow
from vibro.assets import Machine
from vibro.bundle import Bundle
from vibro.iso10816 import IsoLimits, NotApplicable
from vibro.records import ChannelPath

MARGIN_NS = 10 * 10**9
"""Windows this near to an event are not learned either."""


@dataclass(frozen=True, slots=True)
class Round:
    """What the round came to for one site and class: a published model, or reasons why not."""

    site: str
    machine_class: str
    model: ModelRow | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trained:
    """A bundle that passed its gate, or the reasons why there is none."""

    site: str
    machine_class: str
    bundle: Bundle | None
    reasons: tuple[str, ...]


def train_all(
    lake: Lake, store: Store, now_ns: int, *, seed: int = 0, executor: Executor | None = None
) -> list[Trained]:
    """Train one bundle a site and class on the sampled vectors of its machines.

    Vectors that an event covers, and their neighbourhood, are left out: what was called abnormal
    is not learned as normal. Neither is what no event covers and yet is no machine in order, see
    `cloud_jobs.retrain.trust`; the bundle says in ``meta`` what was refused and what is unproven.
    """
    version = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now_ns // 10**9))
    jobs = []
    for (site, machine_class), machines in store.classes().items():
        vectors = lake.training_vectors(
            site,
            [m.machine for m in machines],
            now_ns,
            exclude=event_spans(store, machines, now_ns),
        )
        iso = {m.path: m.iso_limits for m in machines}
        jobs.append((site, machine_class, vectors, seed, version, now_ns, iso))
    run = map if executor is None else executor.map
    return list(run(_train, *zip(*jobs, strict=True))) if jobs else []


def train_priors(lake: Lake, store: Store, now_ns: int, *, seed: int = 0) -> list[Bundle]:
    """Train the fleet's prior of every class with enough machines, over all sites.

    A class that has too few, or whose machines have not been seen for long enough, has none.
    """
    from cloud_jobs.retrain import NotEnoughDataError  # noqa: PLC0415
    from cloud_jobs.retrain.prior import LEAST_MACHINES, train_prior  # noqa: PLC0415
    from cloud_jobs.retrain.trust import weigh  # noqa: PLC0415

    version = time.strftime("prior-%Y%m%d-%H%M%S", time.gmtime(now_ns // 10**9))
    sites: dict[str, dict[str, list[Machine]]] = {}
    for (site, machine_class), machines in store.classes().items():
        sites.setdefault(machine_class, {})[site] = list(machines)
    priors = []
    for machine_class, by_site in sorted(sites.items()):
        fleet = [m for machines in by_site.values() for m in machines]
        if len(fleet) < LEAST_MACHINES:
            continue
        vectors: dict[tuple[ChannelPath, str], Any] = {}
        for site, machines in by_site.items():
            spans = event_spans(store, machines, now_ns)
            vectors |= lake.training_vectors(
                site, [m.machine for m in machines], now_ns, exclude=spans
            )
        iso = {m.path: x for m in fleet if isinstance(x := m.iso_limits, IsoLimits)}
        try:
            priors.append(
                train_prior(
                    machine_class,
                    weigh(vectors, iso).vectors,
                    seed=seed,
                    version=version,
                    created_ns=now_ns,
                )
            )
        except NotEnoughDataError:
            continue
    return priors


def _train(
    site: str,
    machine_class: str,
    vectors: object,
    seed: int,
    version: str,
    now_ns: int,
    iso: Mapping[str, IsoLimits | NotApplicable],
) -> Trained:
    # Where the training happens, which may be another process: who only plans needs none of it.
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    from cloud_jobs.retrain import NotEnoughDataError  # noqa: PLC0415
    from cloud_jobs.retrain.job import retrain  # noqa: PLC0415
    from cloud_jobs.retrain.trust import weigh  # noqa: PLC0415

    limits = {machine: x for machine, x in iso.items() if isinstance(x, IsoLimits)}
    trust = weigh(vectors, limits)  # type: ignore[arg-type]  # passed on through an executor
    try:
        # The matrices are small: more threads than one only wait for each other.
        with threadpool_limits(1):
            bundle, verdict = retrain(
                site,
                machine_class,
                trust.vectors,
                seed=seed,
                version=version,
                created_ns=now_ns,
                meta=trust.meta,
            )
    except NotEnoughDataError as error:
        return Trained(site, machine_class, None, (str(error), *trust.told))
    return Trained(site, machine_class, bundle if verdict.passed else None, verdict.reasons)


def event_spans(
    store: Store, machines: Iterable[Machine], now_ns: int
) -> dict[str, Sequence[tuple[int, int]]]:
    """Spans (ns) of each machine's events, an open one up to now."""
    spans: dict[str, list[tuple[int, int]]] = {}
    for row in store.events([m.path for m in machines]):
        end = now_ns if row.t_clear_ns is None else row.t_last_ns
        spans.setdefault(row.path, []).append((row.t_onset_ns - MARGIN_NS, end + MARGIN_NS))
    return dict(spans)
