"""A catalogue of common bearings; makers differ by a few percent, so measured geometry wins."""

from __future__ import annotations

import functools
import re

from vibro.kinematics.bearings import Bearing

_MAKERS = r"\b(SKF|FAG|NSK|NTN|KOYO|TIMKEN|REXNORD|INA|NACHI)\b"
_SUFFIX = r"[-/ ](2?RS\w*|2?Z\w*|ZZ|C[2-5]|N|NR|DDU|LLU|J\w*|M\w*|E\w*|TN9?)\b.*$"


@functools.cache
def catalogue() -> dict[str, Bearing]:
    """All bearings by their designation."""
    # Here: whoever asks for no bearing by its name does not wait for these at its start.
    import csv  # noqa: PLC0415
    from importlib.resources import files  # noqa: PLC0415

    text = files("vibro.kinematics").joinpath("bearings.csv").read_text(encoding="utf-8")
    return {
        row["name"].upper(): Bearing(
            row["name"],
            int(row["elements"]),
            float(row["ball_mm"]),
            float(row["pitch_mm"]),
            float(row["contact_deg"]),
        )
        for row in csv.DictReader(text.splitlines())
    }


def _designation(name: str) -> str:
    """Strip maker and suffixes: ``SKF 6205-2RS JEM`` -> ``6205``."""
    bare = re.sub(_MAKERS, "", name.upper().split("(")[0]).strip()
    return bare if bare in catalogue() else re.sub(_SUFFIX, "", bare).strip()


def find_bearing(name: str) -> Bearing | None:
    """Bearing of a designation, with or without maker and suffixes; None when it is not known."""
    return catalogue().get(_designation(name))


def near_names(name: str) -> list[str]:
    """Up to three known designations that look like ``name``, for an error message."""
    import difflib  # noqa: PLC0415 (as in `catalogue`)

    return difflib.get_close_matches(_designation(name), catalogue(), n=3)
