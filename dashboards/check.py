"""Asking an InfluxDB every query of ours, and saying which of them fail or find nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dashboards.catalogue import Json
from dashboards.influx import Influx, RefusedError
from dashboards.questions import (
    LONG_RANGES_S,
    VARIABLE,
    Question,
    choice,
    constants,
    filled,
    of_board,
    of_group,
    variables,
)
from dashboards.schema import STATUS
from vibro.errors import VibroError


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one question; ``error`` is empty when it was answered."""

    question: Question
    rows: int
    tables: int
    seconds: float
    error: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing was found where something should be."""
        return not self.error and not self.rows and not self.question.may_be_empty

    @property
    def bad(self) -> bool:
        """Whether the check fails by it."""
        return bool(self.error) or self.empty


class Check:
    """Every query of dashboards and rules, asked of one server.

    Parameters
    ----------
    influx : Influx
    range_s : float
        Range of the dashboards, which ends with the newest status that there is.

    Raises
    ------
    VibroError
        If the server cannot be asked, or holds no status at all.
    """

    def __init__(self, influx: Influx, range_s: float) -> None:
        self._influx, self._range_s = influx, range_s
        self.end_ns = newest_ns(influx) + 10**9

    def run(self, boards: list[Json], group: Json) -> Iterator[Answer]:
        """Ask everything, one question after the other."""
        for board in boards:
            yield from self._board(board)
        for question in of_group(group):
            yield self._ask(question, {})

    def _board(self, board: Json) -> Iterator[Answer]:
        chosen = constants(board)
        for name, query in variables(board).items():
            question = Question(f"{board['title']} / {name}", VARIABLE, query)
            answer, values = self._choose(question, chosen)
            chosen[name] = choice(values)
            yield answer
        for question in of_board(board):
            yield self._ask(question, chosen)
            if question.follows_range:
                yield from self._longer(question, chosen)

    def _longer(self, question: Question, chosen: Mapping[str, str]) -> Iterator[Answer]:
        """Ask over ranges whose buckets are filled in their own time: they may be empty."""
        for name, range_s in LONG_RANGES_S.items():
            why = f"the {name} values are made by tasks, in their time"
            where = f"{question.where} ({name})"
            longer = replace(question, where=where, range_s=range_s, may_be_empty=why)
            yield self._ask(longer, chosen)

    def _choose(self, question: Question, chosen: Mapping[str, str]) -> tuple[Answer, list[str]]:
        """Ask for the values of a variable."""
        began = time.monotonic()
        try:
            values = self._influx.values(self._filled(question, chosen))
        except RefusedError as error:
            return Answer(question, 0, 0, time.monotonic() - began, str(error)), []
        return Answer(question, len(values), 1, time.monotonic() - began), values

    def _ask(self, question: Question, chosen: Mapping[str, str]) -> Answer:
        began = time.monotonic()
        try:
            rows, tables = self._influx.count(self._filled(question, chosen))
        except RefusedError as error:
            return Answer(question, 0, 0, time.monotonic() - began, str(error))
        return Answer(question, rows, tables, time.monotonic() - began)

    def _filled(self, question: Question, chosen: Mapping[str, str]) -> str:
        range_s = question.range_s or self._range_s
        bucket = self._influx.bucket
        return filled(question.query, self.end_ns, range_s, question.points, bucket, chosen)


def newest_ns(influx: Influx) -> int:
    """Time of the newest status.

    Raises
    ------
    VibroError
        If there is none.
    """
    newest = influx.newest_ns(STATUS)
    if newest is None:
        raise VibroError(
            f"InfluxDB {influx.url}: bucket '{influx.bucket}' holds no status: let the cloud jobs "
            'fill it (timeseries = "influxdb" in HOME/cloud.toml), then check again'
        )
    return newest


def report(answers: list[Answer]) -> dict[str, Any]:
    """Return the check as JSON."""
    kinds = Counter(a.question.kind for a in answers)
    return {
        "queries": len(answers),
        "by_kind": dict(sorted(kinds.items())),
        "rows": sum(a.rows for a in answers),
        "failed": sum(bool(a.error) for a in answers),
        "empty": sum(a.empty for a in answers),
        "answers": [
            {
                "where": a.question.where,
                "kind": a.question.kind,
                "rows": a.rows,
                "tables": a.tables,
                "seconds": round(a.seconds, 4),
                "error": a.error,
                "may_be_empty": a.question.may_be_empty,
            }
            for a in answers
        ],
    }
