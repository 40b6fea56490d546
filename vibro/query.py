"""The query language: ``fault=bearing_outer severity>=alert since=24h``.

An expression is terms ``field operator value`` separated by spaces; all of them must hold. A value
may list alternatives by commas, and names may use ``*`` for any text. Pure: the instant that
``since`` and ``until`` count back from is an argument.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from vibro.errors import BadInputError
from vibro.faults import Fault, Severity

NAMES = ("fault", "site", "machine", "class", "state")
NUMBERS = ("score", "probability")
TIMES = ("since", "until")
FIELDS = ("fault", "severity", "since", "until", "site", "machine", "class", "state", *NUMBERS)
"""Every field of a query, in the order help texts name them."""

STATES = ("open", "quiet", "historical")
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
}
_TERM = re.compile(r"(?P<field>[A-Za-z_]*)(?P<operator>!=|>=|<=|==|[=<>~!]*)(?P<value>\S*)")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|min|h|d|w)\Z")
_UNITS_S = {"ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


@dataclass(frozen=True, slots=True)
class Term:
    """One condition; ``value`` is a tuple of texts, a Severity, a number, or ns UTC."""

    field: str
    operator: str
    value: Any


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed expression."""

    terms: tuple[Term, ...]

    def matches(self, row: Mapping[str, Any]) -> bool:
        """Whether a row holds all terms.

        Parameters
        ----------
        row : mapping
            ``fault``, ``site``, ``machine`` (slug), ``class``, ``state`` : str; ``severity`` :
            Severity; ``score``, ``probability`` : float or None; ``t_onset_ns``, ``t_last_ns`` :
            int. ``since`` asks for what is open or lasted beyond that instant, ``until`` for what
            had begun by then. A number that was not measured (None) meets no condition.
        """
        return all(_holds(term, row) for term in self.terms)


def parse(expression: str, now_ns: int) -> Query:
    """Parse an expression.

    Parameters
    ----------
    expression : str
        May be empty: everything matches.
    now_ns : int
        Instant that spans count back from, ns UTC.

    Raises
    ------
    BadInputError
        Naming the position (from 1), what is wrong there and what would be right.
    """
    words = re.finditer(r"\S+", expression)
    return Query(tuple(_term(w.group(), w.start() + 1, expression, now_ns) for w in words))


def _term(text: str, position: int, expression: str, now_ns: int) -> Term:
    def fail(offset: int, what: str) -> BadInputError:
        return BadInputError(f"query '{expression}', position {position + offset}: {what}")

    match = _TERM.fullmatch(text)
    if match is None:
        raise fail(0, f"'{text}' is not field, operator, value, such as severity>=alert")
    field, operator, value = match["field"], match["operator"], match["value"]
    if field not in FIELDS:
        near = difflib.get_close_matches(field, FIELDS, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"fields are {', '.join(FIELDS)}"
        raise fail(0, f"'{field or text}' is not a field; {hint}")
    allowed = _operators(field)
    if operator not in allowed:
        raise fail(len(field), f"'{operator}' does not work on {field}: use {' '.join(allowed)}")
    if not value:
        raise fail(len(text), f"a value is missing after '{field}{operator}'")
    try:
        return Term(field, operator, _value(field, value, now_ns))
    except ValueError as error:
        raise fail(len(field) + len(operator), str(error)) from None


def _operators(field: str) -> tuple[str, ...]:
    if field in TIMES:
        return ("=",)
    return ("=", "!=") if field in NAMES else tuple(_ORDER)


def _value(field: str, text: str, now_ns: int) -> Any:
    if field == "severity":
        return Severity.parse(text)
    if field in TIMES:
        return instant(text, now_ns)
    if field in NUMBERS:
        return _number(field, text)
    words = tuple(w for w in text.split(",") if w)
    known = {"fault": tuple(f.value for f in Fault), "state": STATES}.get(field)
    for word in words:
        if known and "*" not in word and word not in known:
            near = difflib.get_close_matches(word, known, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"use one of {', '.join(known)}"
            raise ValueError(f"{field} '{word}' is not known; {hint}")
    if not words:
        raise ValueError(f"{field} needs at least one name")
    return words


def _number(field: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{field} '{text}' is not a number") from None


def instant(text: str, now_ns: int) -> int:
    """Return the instant (ns) of a span before now (``90s 30m 24h 7d 2w``) or of an ISO 8601 time.

    A time without a zone is UTC.

    Raises
    ------
    ValueError
        If it is neither, or beyond what int64 holds (1677 to 2262).
    """
    at_ns = _instant(text, now_ns)
    if not -(2**63) <= at_ns < 2**63:
        raise ValueError(f"'{text}' lies beyond the years 1677 to 2262")
    return at_ns


def _instant(text: str, now_ns: int) -> int:
    span = _SPAN.match(text)
    if span:
        return now_ns - round(float(span[1]) * _UNITS_S[span[2]] * 1e9)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"'{text}' is neither a span such as 30m, 24h, 7d nor a time such as 2026-01-31T08:00"
        ) from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return round((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 10**9


def _holds(term: Term, row: Mapping[str, Any]) -> bool:
    if term.field == "since":
        return row["state"] == "open" or bool(row["t_last_ns"] >= term.value)
    if term.field == "until":
        return bool(row["t_onset_ns"] <= term.value)
    held = row[term.field]
    if term.field in NAMES:
        texts = [held]
        if term.field == "machine":
            texts.append(f"{row['site']}/{held}")
        found = any(fnmatch.fnmatchcase(t, w) for t in texts for w in term.value)
        return found == (term.operator == "=")
    return held is not None and bool(_ORDER[term.operator](held, term.value))
