"""The fault taxonomy and the severity ladder: the words every part of Vibro shares.

A *machine fault* is something wrong with the machine, a *sensor fault* something wrong with the
measurement. Healthy is not a fault: it is an empty diagnosis list.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Fault(StrEnum):
    """What can be wrong, in the terms of ISO 13373 and the vibration analyst's trade."""

    IMBALANCE = "imbalance"
    MISALIGNMENT = "misalignment"
    LOOSENESS = "looseness"
    BEARING_OUTER = "bearing_outer"
    BEARING_INNER = "bearing_inner"
    BEARING_BALL = "bearing_ball"
    BEARING_CAGE = "bearing_cage"
    GEAR_MESH = "gear_mesh"
    GEAR_TOOTH = "gear_tooth"
    CAVITATION = "cavitation"
    ELECTRICAL = "electrical"
    RESONANCE = "resonance"
    RUB = "rub"
    ONE_X_FAMILY = "one_x_family"
    """A raised 1x line without the phase or second axis that would tell its cause."""
    UNKNOWN = "unknown"
    FLATLINE = "flatline"
    CLIPPING = "clipping"
    DROPOUT = "dropout"
    BIAS = "bias"
    SPIKE = "spike"
    DETACHED = "detached"

    @property
    def is_sensor_fault(self) -> bool:
        """Whether the measurement, not the machine, is at fault."""
        return self in SENSOR_FAULTS

    @property
    def family(self) -> str:
        """Coarse family: ``bearing``, ``gear``, ``shaft``, ``sensor``, or the fault's own name."""
        return _FAMILY.get(self, "sensor" if self.is_sensor_fault else self.value)


SENSOR_FAULTS = frozenset(
    {Fault.FLATLINE, Fault.CLIPPING, Fault.DROPOUT, Fault.BIAS, Fault.SPIKE, Fault.DETACHED}
)

_FAMILY = {
    Fault.BEARING_OUTER: "bearing",
    Fault.BEARING_INNER: "bearing",
    Fault.BEARING_BALL: "bearing",
    Fault.BEARING_CAGE: "bearing",
    Fault.GEAR_MESH: "gear",
    Fault.GEAR_TOOTH: "gear",
    Fault.IMBALANCE: "shaft",
    Fault.MISALIGNMENT: "shaft",
    Fault.LOOSENESS: "shaft",
    Fault.ONE_X_FAMILY: "shaft",
}


class Severity(IntEnum):
    """How urgent: ok < watch < alert < alarm < danger. A score alone never exceeds alert."""

    OK = 0
    WATCH = 1
    ALERT = 2
    ALARM = 3
    DANGER = 4

    @property
    def word(self) -> str:
        """The lower-case word used in JSON, queries and on screen."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> Severity:
        """Severity of a lower-case word.

        Raises
        ------
        ValueError
            If the word is not one of the ladder's five.
        """
        try:
            return cls[word.strip().upper()]
        except KeyError:
            words = ", ".join(s.word for s in cls)
            raise ValueError(f"severity '{word}' is not one of {words}") from None


# Publishers of recordings each have their own words; this is the only place that knows them.
_PUBLISHERS_WORDS: dict[str, Fault | None] = {
    "normal": None,
    "healthy": None,
    "none": None,
    "inner_race": Fault.BEARING_INNER,
    "inner": Fault.BEARING_INNER,
    "ir": Fault.BEARING_INNER,
    "outer_race": Fault.BEARING_OUTER,
    "outer": Fault.BEARING_OUTER,
    "or": Fault.BEARING_OUTER,
    "ball": Fault.BEARING_BALL,
    "roller": Fault.BEARING_BALL,
    "rolling_element": Fault.BEARING_BALL,
    "cage": Fault.BEARING_CAGE,
    "unbalance": Fault.IMBALANCE,
    "mass_unbalance": Fault.IMBALANCE,
    "parallel_misalignment": Fault.MISALIGNMENT,
    "angular_misalignment": Fault.MISALIGNMENT,
    "mechanical_looseness": Fault.LOOSENESS,
    "broken_tooth": Fault.GEAR_TOOTH,
    "chipped_tooth": Fault.GEAR_TOOTH,
    "missing_tooth": Fault.GEAR_TOOTH,
    "gear_wear": Fault.GEAR_MESH,
}


def from_publisher(word: str | None) -> Fault | None:
    """Map a publisher's word for a fault into the taxonomy.

    Returns
    -------
    Fault or None
        None for a healthy recording; ``Fault.UNKNOWN`` for a fault whose word says no more.
    """
    if word is None:
        return None
    key = word.strip().lower().split("(")[0].strip().replace(" ", "_").replace("-", "_")
    if key in _PUBLISHERS_WORDS:
        return _PUBLISHERS_WORDS[key]
    try:
        return Fault(key)
    except ValueError:
        return Fault.UNKNOWN
