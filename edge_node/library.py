"""Libraries of extras, loaded when a driver is opened and not before."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from vibro.errors import MissingExtraError, VibroError


def library(module: str, what: str, extra: str) -> Any:
    """Return an optional library's module.

    Parameters
    ----------
    module : str
        Name to import, from the top.
    what : str
        What needs it, as the configuration says it, e.g. ``source.kind = 'audio'``.
    extra : str
        Name of the extra of vibro that brings it.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    VibroError
        If it is, and the vendor's own library that it stands on is not.
    """
    try:
        return import_module(module)
    except ImportError:
        raise MissingExtraError(what, extra) from None
    except OSError as error:
        raise VibroError(
            f"{what}: {module} does not load ({error}): install the vendor's own library"
        ) from None
