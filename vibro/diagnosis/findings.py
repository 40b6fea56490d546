"""A finding: one possible fault of one channel, before ranking."""

from __future__ import annotations

from dataclasses import dataclass

from vibro.faults import Fault, Severity
from vibro.records import Diagnosis, Evidence


@dataclass(frozen=True, slots=True)
class Finding:
    """Fault, probability and what supports it."""

    fault: Fault
    probability: float
    channel: str
    severity: Severity
    evidence: tuple[Evidence, ...] = ()
    note: str = ""

    def diagnosis(self) -> Diagnosis:
        """As a record."""
        return Diagnosis(
            self.fault,
            round(self.probability, 3),
            self.channel,
            self.severity,
            self.evidence,
            self.note,
        )
