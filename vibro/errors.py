"""The errors a user meets: each one is a single clear sentence with its remedy."""

from __future__ import annotations


class VibroError(Exception):
    """Base of every error that is reported to a user as one line, never as a traceback."""

    exit_code = 1


class BadInputError(VibroError, ValueError):
    """What was given cannot be used: a file, an option, a configuration key, a payload.

    The message names the thing (file, key, field), says what is wrong with it and what would be
    right. Commands exit with status 2.
    """

    exit_code = 2


class MissingExtraError(VibroError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""

    exit_code = 2

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the '{extra}' extra: pip install 'vibro[{extra}]'")
