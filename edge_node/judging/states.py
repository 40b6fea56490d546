"""What a node is told of its machine's operating states, of limits, and of the fleet's prior."""

from __future__ import annotations

import math
from dataclasses import MISSING, asdict, dataclass
from itertools import pairwise
from typing import Any

from vibro.decide import Limit, StateRules
from vibro.options import option, read_section, sample_section


@dataclass(frozen=True, slots=True)
class StatesSection:
    """Operating states: nothing is scored in transients, and every regime has its own baseline."""

    rpm_edges: tuple[float, ...] = option(
        (),
        "rpm",
        "Speeds that part the regimes r0, r<edge>, ...; none = one regime within the register's "
        "range of speeds.",
        low=1,
    )
    hysteresis: float = option(
        0.02, "of the edge", "Share by which the speed must pass an edge.", low=0
    )
    stopped_rpm: float = option(30.0, "rpm", "Speed below which the machine stands.", low=0)
    stopped_rms_m_s2: float = option(
        0.05, "m/s2", "Without a speed: RMS of the loudest channel below which it stands.", low=0
    )
    speed_slope: float = option(
        0.01, "1/s", "Change of speed a second, over 3 s, above which it is transient.", low=0
    )
    level_slope_db_s: float = option(
        1.5,
        "dB/s",
        "Without a speed: fall of the level over 4 s (or rise after a start), likewise.",
        low=0,
    )
    blanking_s: float = option(3.0, "s", "Time after a start in which nothing is judged.", low=0)

    def problems(self) -> list[str]:
        """What is wrong with it as a whole."""
        edges = self.rpm_edges
        if all(a < b for a, b in pairwise(edges)):
            return []
        return [f"states.rpm_edges must rise, they are {', '.join(f'{e:g}' for e in edges)}"]

    @property
    def rules(self) -> StateRules:
        """The same as rules."""
        return StateRules(**asdict(self))


@dataclass(frozen=True, slots=True)
class LimitSection:
    """A limit set by hand on a feature of a point, beside ISO zones and models."""

    feature: str = option(MISSING, "text", "Name in the feature table, as velocity_rms_mm_s.")
    channel: str = option("*", "text", "Channel, or * for every one of the machine.")
    alert: float = option(math.nan, "feature's", "Value that means alert; left out = none.")
    danger: float = option(math.nan, "feature's", "Value that means danger; left out = none.")

    @property
    def limit(self) -> Limit:
        """The same as a limit."""
        return Limit(self.channel, self.feature, self.alert, self.danger)


@dataclass(frozen=True, slots=True)
class LearningSection:
    """What judges channels that the site's bundle does not know yet."""

    prior: str = option("", "path", "Bundle of the fleet's prior for the machine's class.")


def read_limits(given: Any, mistakes: list[str]) -> tuple[LimitSection, ...]:
    """Check the tables ``[[limits]]``; mistakes are added, each with its place."""
    if not isinstance(given, list) or not all(isinstance(table, dict) for table in given):
        mistakes.append("limits are not tables: write a line [[limits]] before each")
        return ()
    read = [read_section(f"limits[{i}]", LimitSection, t, mistakes) for i, t in enumerate(given)]
    found = [LimitSection(**values) for values in read if values is not None]
    mistakes += [
        f"limits[{i}] ({x.feature}): {problem}"
        for i, x in enumerate(found)
        for problem in x.limit.problems()
    ]
    return tuple(found)


def sample_limits() -> list[str]:
    """Return commented lines that show how a limit is written: there is none by default."""
    return [
        line if line.startswith("#") else f"# {line}"
        for line in (
            *sample_section("limits", LimitSection)[:1],
            "[[limits]]",
            'feature = "velocity_rms_mm_s"',
            'channel = "*"',
            "alert = 4.5",
            "danger = 7.1",
        )
    ]
