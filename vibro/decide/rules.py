"""The numbers that decide."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def _rule(default: Any, unit: str, doc: str) -> Any:
    return field(default=default, metadata={"unit": unit, "doc": doc})


@dataclass(frozen=True, slots=True)
class DecisionRules:
    """Thresholds and persistence of the decisions on one channel."""

    p_watch: float = _rule(1e-4, "", "P-value below which a window speaks for watch.")
    p_alert: float = _rule(1e-8, "", "P-value below which a window speaks for alert.")
    fast_n: int = _rule(10, "windows", "Fast windows that must agree ...")
    fast_m: int = _rule(16, "windows", "... out of this many.")
    long_n: int = _rule(3, "windows", "Long windows that must agree ...")
    long_m: int = _rule(4, "windows", "... out of this many.")
    block_n: int = _rule(2, "blocks", "Blocks of either path that must agree ...")
    block_m: int = _rule(3, "blocks", "... out of this many.")
    clear_s: float = _rule(5.0, "s", "Quiet time after which an event is over.")
    hysteresis: float = _rule(
        0.1, "of the limit", "Share by which a value must fall below a limit that was exceeded."
    )
    change_share: float = _rule(
        0.25, "of zone boundary B/C", "Change of velocity against the reference that means watch."
    )
    flat_rms_m_s2: float = _rule(1e-3, "m/s2", "RMS below which a signal is flat.")
    stuck_share: float = _rule(0.98, "", "Share of repeated samples that means flatline.")
    dropout_share: float = _rule(0.25, "", "Share of repeated samples that means dropout.")
    clip_share: float = _rule(0.995, "of full scale", "Peak that means clipping.")
    bias_share: float = _rule(0.2, "of full scale", "Mean that means bias.")
    spike_share: float = _rule(
        0.5,
        "",
        "Crest factor over its largest (the root of the window's samples) that means a spike: the "
        "energy stands in four samples or fewer, a structure rings longer.",
    )
    broken_n: int = _rule(
        4, "windows", "Fast windows out of fast_m that a spike or dropout must stand in: they pass."
    )
    fallen_db: float = _rule(
        12.0,
        "dB",
        "Fall of the envelope's level against the reference and the machine's other channels that "
        "means detached.",
    )
    fallen_alone_db: float = _rule(
        20.0, "dB", "The same where no other channel can be compared and the speed is known."
    )
    fallen_spreads: float = _rule(
        6.0, "", "Robust standard deviations that it must have fallen by as well."
    )
    lost_n: int = _rule(56, "windows", "Clipped or flat fast windows that mean monitoring lost ...")
    lost_m: int = _rule(64, "windows", "... out of this many.")
    settle_s: float = _rule(
        5.0, "s", "Time after a sensor fault for which its channel is not judged (hold-off)."
    )
