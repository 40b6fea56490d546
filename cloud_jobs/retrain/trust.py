"""Whether a channel's recent past may become its baseline: a machine that is bad must not.

Three questions, each with its own answer. Has the state been seen for long enough? If not, the
baseline is used but called unproven. Is the channel in order by absolute measure: ISO zone,
impacts, depth of the envelope's modulation? And is it like its sisters, channels of other machines
of the class that sit at the same place? If either says no, there is no baseline: scores stay null,
the fleet's prior and limits in absolute units judge, and a person must look.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cloud_jobs.retrain.train import LEAST_ROWS, Vectors
from vibro.decide import UNJUDGED
from vibro.features.table import FAST_NAMES, LONG_NAMES
from vibro.iso10816 import IsoLimits, Zone, zone
from vibro.records import ChannelPath

Key = tuple[ChannelPath, str]
_F = {name: i for i, name in enumerate(FAST_NAMES)}
_L = {name: i for i, name in enumerate(LONG_NAMES)}


@dataclass(frozen=True, slots=True)
class TrustRules:
    """When a baseline is trusted.

    Attributes
    ----------
    days : float
        Time in a state that its vectors must stand for. A machine that has been learned for three
        days drifts out of what they showed, by weather and wear, and alarms (docs/false-cases.md).
    sample_s : float
        Time that one sampled vector stands for.
    kurtosis, crest_factor : float
        Medians of the fast windows above which something strikes: 3 and about 4 are Gaussian noise
        (ISO 13373-3; crest factors above 6 are an analyst's usual sign of impacts).
    envelope_depth : float
        Median of std / mean of the squared envelope above which it is a train of bursts; 1 is
        Gaussian noise before decimation, less after it.
    sister_factor : float
        Median of a level over that of its sisters, either way round, that is another machine.
    sisters : int
        Fewest machines beside its own that it is compared with.
    """

    days: float = 7.0
    sample_s: float = 300.0
    kurtosis: float = 8.0
    crest_factor: float = 9.0
    envelope_depth: float = 1.6
    sister_factor: float = 6.0
    sisters: int = 3


@dataclass(frozen=True, slots=True)
class Trust:
    """What may be learned, and what is said of it.

    Attributes
    ----------
    vectors : mapping
        Vectors of every baseline that may be used.
    unproven, refused : dict of ``channel path|state`` to reasons
        Baselines that are used but were not seen for long enough, and those that are not used.
    """

    vectors: Vectors
    unproven: dict[str, list[str]] = field(default_factory=dict)
    refused: dict[str, list[str]] = field(default_factory=dict)

    @property
    def told(self) -> tuple[str, ...]:
        """A line for every baseline that was refused."""
        return tuple(f"{name}: {', '.join(reasons)}" for name, reasons in self.refused.items())

    @property
    def meta(self) -> dict[str, dict[str, list[str]]]:
        """What a bundle says of its own baselines."""
        return {"unproven": self.unproven, "refused": self.refused}


def weigh(vectors: Vectors, iso: Mapping[str, IsoLimits], rules: TrustRules | None = None) -> Trust:
    """Part what may be learned from what may not.

    Parameters
    ----------
    vectors : mapping of (ChannelPath, state) to (fast, long)
        Sampled vectors of all machines of one class at one site, or of several sites.
    iso : mapping of str to IsoLimits
        Limits by ``site/machine``, of the machines to which the standard applies.
    rules : TrustRules, optional
    """
    r = rules or TrustRules()
    kept: dict[Key, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
    unproven: dict[str, list[str]] = {}
    refused: dict[str, list[str]] = {}
    medians = {key: _medians(paths) for key, paths in vectors.items() if _enough(paths)}
    for key, paths in vectors.items():
        channel, state = key
        if state in UNJUDGED:
            continue
        name = f"{channel}|{state}"
        if key in medians:
            bad = _absolute(medians[key], iso.get(channel.machine_path), r)
            bad += _beside_sisters(key, medians, r)
            if bad:
                refused[name] = bad
                continue
            days = len(paths[0]) * r.sample_s / 86_400
            if days < r.days:
                unproven[name] = [f"{days:.2g} of {r.days:g} days in this state were seen"]
        kept[key] = paths
    return Trust(kept, unproven, refused)


def _enough(paths: tuple[NDArray[np.float32], NDArray[np.float32]]) -> bool:
    return min(map(len, paths)) >= LEAST_ROWS


def _medians(paths: tuple[NDArray[np.float32], NDArray[np.float32]]) -> dict[str, float]:
    fast, long = (np.median(rows, axis=0) for rows in paths)
    return {n: float(fast[i]) for n, i in _F.items()} | {n: float(long[i]) for n, i in _L.items()}


def _absolute(usual: dict[str, float], iso: IsoLimits | None, r: TrustRules) -> list[str]:
    found = []
    if iso is not None:
        worst = zone(usual["velocity_rms_mm_s"], usual["displacement_rms_um"], iso)
        if worst in (Zone.C, Zone.D):
            found.append(f"stands in zone {worst} of {iso.edition}")
    for name, most in (
        ("kurtosis", r.kurtosis),
        ("crest_factor", r.crest_factor),
        ("envelope_depth", r.envelope_depth),
    ):
        if usual[name] > most:
            found.append(f"{name} is usually {usual[name]:.3g}, more than {most:g}")
    return found


def _beside_sisters(key: Key, medians: Mapping[Key, dict[str, float]], r: TrustRules) -> list[str]:
    """Levels that are far above those of channels of the same name on other machines."""
    channel, state = key
    sisters = [
        usual
        for (c, s), usual in medians.items()
        if (c.channel, s) == (channel.channel, state) and c.machine_path != channel.machine_path
    ]
    if len(sisters) < r.sisters:
        return []
    found = []
    for name in ("velocity_rms_mm_s", "rms"):
        theirs, own = float(np.median([s[name] for s in sisters])), medians[key][name]
        if theirs > 0.0 and own > r.sister_factor * theirs:
            found.append(f"{name} is usually {own:.3g}, its {len(sisters)} sisters' {theirs:.3g}")
    return found
