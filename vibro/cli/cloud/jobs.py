"""The jobs over a home folder, as the verbs start them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloud_jobs.config import CloudConfig
    from cloud_jobs.run import CloudJobs


def jobs_of(
    config: CloudConfig, pause: Callable[[float], object] = time.sleep, **consuming: Any
) -> CloudJobs:
    """Open all jobs on the services that the home's configuration names.

    Parameters
    ----------
    pause : callable
        Waits for a time (s) when there is nothing new.
    **consuming
        Options of `cloud_jobs.consume.Consumer`.
    """
    from cloud_jobs.run import CloudJobs  # noqa: PLC0415
    from cloud_jobs.services import open_services  # noqa: PLC0415

    services = open_services(config, pause)
    try:
        return CloudJobs(config.home, services, late_s=config.consume.late_s, **consuming)
    except BaseException:
        services.close()
        raise
