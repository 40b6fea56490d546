"""Naming faults: right, uncertain or wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

from vibro.evaluation.intervals import upper_share
from vibro.faults import Fault
from vibro.records import Diagnosis

SURE = 0.5
"""Probability from which a diagnosis counts as naming its fault."""
HEALTHY = "healthy"


def named(diagnoses: tuple[Diagnosis, ...]) -> str:
    """Fault that a ranked list names; ``unknown``, or ``healthy`` for an empty list."""
    if not diagnoses:
        return HEALTHY
    first = diagnoses[0]
    return first.fault.value if first.probability >= SURE else Fault.UNKNOWN.value


@dataclass(slots=True)
class NamingTable:
    """Counts of named faults against labels.

    ``correct``, ``uncertain`` and ``wrong`` count recordings with a labelled fault: uncertain is
    one that was found healthy or of unknown type. Healthy recordings stand in the confusion only.
    """

    correct: int = 0
    uncertain: int = 0
    wrong: int = 0
    confusion: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, label: Fault | None, said: str) -> None:
        """Count one recording."""
        word = label.value if label else HEALTHY
        row = self.confusion.setdefault(word, {})
        row[said] = row.get(said, 0) + 1
        if label is None:
            return
        if said == word:
            self.correct += 1
        elif said in (HEALTHY, Fault.UNKNOWN.value):
            self.uncertain += 1
        else:
            self.wrong += 1

    def facts(self) -> dict[str, object]:
        """As JSON; ``wrong_upper95`` bounds the share of wrong names, by Clopper and Pearson."""
        total = self.correct + self.uncertain + self.wrong
        return {
            "correct": self.correct,
            "uncertain": self.uncertain,
            "wrong": self.wrong,
            "total": total,
            "wrong_upper95": upper_share(self.wrong / total, total) if total else None,
            "confusion": self.confusion,
        }
