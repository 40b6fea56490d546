"""From a raw clip to ranked faults, each with evidence that an analyst can check."""

from vibro.diagnosis.assess import Assessment, assess
from vibro.diagnosis.reference import Reference, reference_of

__all__ = ["Assessment", "Reference", "assess", "reference_of"]
