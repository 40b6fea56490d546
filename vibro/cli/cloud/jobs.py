"""The jobs over a home folder, as the verbs start them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vibro.errors import BadInputError

if TYPE_CHECKING:
    from cloud_jobs.run import CloudJobs


def jobs_of(home: Path) -> CloudJobs:
    """Jobs over a home folder, which is made where it is not there."""
    from cloud_jobs.run import CloudJobs  # noqa: PLC0415

    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"--home {home}: cannot be made ({error.strerror})") from None
    return CloudJobs(home)
