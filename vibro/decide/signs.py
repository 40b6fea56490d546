"""What one window of one channel speaks for, before it is asked how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vibro.decide.limits import Limit
from vibro.decide.rules import DecisionRules
from vibro.iso10816 import IsoLimits

Holds = Callable[[str, str], bool]
"""Whether a named trigger of a path holds now."""
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Window:
    """What the rules want to know of one judged window, or block of windows, of one channel.

    ``path`` is ``fast``, ``long`` or ``block``; a block has a p-value and no facts. ``score`` and
    ``p_value`` are NaN without a baseline; the facts of the other path are NaN too.

    Attributes
    ----------
    crest_share : float
        Crest factor over the root of the window's samples, its largest; NaN where the window is
        too short to tell a spike from an impact.
    fallen : bool
        Whether the level fell as that of a sensor does that came off.
    limited : tuple of float
        Values of the features on which limits were set by hand, in the limits' order.
    """

    path: str
    first_sample: int
    t0_ns: int
    end_ns: int
    score: float
    p_value: float
    rpm: float
    rms_m_s2: float = NAN
    peak_m_s2: float = NAN
    mean_m_s2: float = NAN
    repeat_share: float = NAN
    velocity_mm_s: float = NAN
    displacement_um: float = NAN
    crest_share: float = NAN
    fallen: bool = False
    limited: tuple[float, ...] = ()


def sensor_signs(w: Window, r: DecisionRules, full_scale_m_s2: float) -> tuple[bool, ...]:
    """Signs of each of `vibro.decide.triggers.SENSOR_FAULTS`: at most one."""
    offset = abs(w.mean_m_s2)
    signs = (
        w.rms_m_s2 < r.flat_rms_m_s2 or w.repeat_share >= r.stuck_share,
        w.peak_m_s2 + offset >= r.clip_share * full_scale_m_s2,
        offset >= r.bias_share * full_scale_m_s2,
        w.repeat_share >= r.dropout_share,
        w.crest_share >= r.spike_share,
        w.fallen,
    )
    flat, clipped, biased, dropped, spiked, fallen = signs
    clipped = clipped and not spiked
    first = flat or clipped
    return (
        flat,
        clipped and not flat,
        biased and not first,
        dropped and not first and not biased,
        spiked and not first and not biased and not dropped,
        fallen and not any(signs[:5]),
    )


def iso_signs(
    w: Window, r: DecisionRules, iso: IsoLimits, reference: float, holds: Holds
) -> tuple[bool, ...]:
    """Signs of change, of zones C and D by velocity, and by displacement where that is stricter."""
    keep = 1.0 - r.hysteresis

    def level(value: float, cause: str, bounds: tuple[float, float, float]) -> int:
        return sum(
            value > bound * (keep if holds(f"{cause}:{word}", "long") else 1.0)
            for word, bound in (("alert", bounds[1]), ("danger", bounds[2]))
        )

    velocity = level(w.velocity_mm_s, "iso_velocity", iso.velocity_mm_s)
    displacement = level(w.displacement_um, "iso_displacement", iso.displacement_um)
    by_velocity, worst = velocity >= displacement, max(velocity, displacement)
    change = r.change_share * iso.velocity_mm_s[1]
    return (
        abs(w.velocity_mm_s - reference)
        > change * (keep if holds("iso_change:watch", "long") else 1.0),
        by_velocity and worst >= 1,
        by_velocity and worst >= 2,
        not by_velocity and worst >= 1,
        not by_velocity and worst >= 2,
    )


def limit_signs(
    w: Window, r: DecisionRules, limits: tuple[Limit, ...], holds: Holds
) -> tuple[bool, ...]:
    """Signs of alert and danger of each limit of the window's path."""
    found = []
    for limit, value in zip(limits, w.limited, strict=True):
        for word, bound in (("alert", limit.alert), ("danger", limit.danger)):
            held = holds(f"limit:{limit.feature}:{word}", w.path)
            # Levels in dB may be negative: the limit is eased by a share of its size.
            found.append(value >= bound - held * r.hysteresis * abs(bound))
    return tuple(found)
