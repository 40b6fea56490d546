"""Lines of the log: for people, as JSON, always one, and never the same for ever."""

from __future__ import annotations

import json
import logging

import pytest

from edge_node.service import logs

LOG = logging.getLogger("vibro.test")


@pytest.fixture
def begun():
    """Sets the log up in a style."""
    made: list[logging.Handler] = []
    yield lambda style, level="info": made.append(logs.set_up(style, level))
    for handler in made:
        logs.take_down(handler)


def record(created: float, text: str = "limit %d exceeded", *args: object) -> logging.LogRecord:
    made = logging.LogRecord("vibro.test", logging.WARNING, "", 0, text, args, None)
    made.created = created
    return made


def test_people_read_time_level_and_source(begun, capsys):
    begun("human")
    LOG.warning("reflex: %s\nand a second line", "de-h")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("WARNING test: reflex: de-h and a second line")
    assert line[4] == "-"
    assert line[19] == "Z"


def test_json_is_one_object_a_line_also_with_a_traceback(begun, capsys):
    begun("json")
    LOG.info('said "ö"')
    try:
        raise ValueError("broken")
    except ValueError:
        LOG.exception("a fault of ours")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["level"], first["logger"], first["message"]) == ("info", "vibro.test", 'said "ö"')
    assert "traceback" not in first
    assert "ValueError: broken" in second["traceback"]


def test_what_is_below_the_level_is_not_written(begun, capsys):
    begun("human", "warning")
    LOG.info("by the way")
    assert capsys.readouterr().err == ""


def test_after_it_is_taken_down_nothing_is_written():
    handler = logs.set_up("human", "info")
    logs.take_down(handler)
    logger = logging.getLogger("vibro")
    assert handler not in logger.handlers
    assert (logger.level, logger.propagate) == (logging.NOTSET, True)


def test_a_line_that_repeats_itself_is_held_back_and_counted():
    repeats, human = logs.Repeats(passed=3, period_s=60.0), logs.Human()
    passed = [repeats.filter(record(float(t), "limit %d exceeded", t)) for t in range(50)]
    assert passed == [True] * 3 + [False] * 47
    late = record(61.0, "limit %d exceeded", 61)
    assert repeats.filter(late)
    assert human.format(late).endswith("limit 61 exceeded (47 more of this kind were held back)")
    again = record(62.0, "limit %d exceeded", 62)
    assert repeats.filter(again)
    assert "held back" not in human.format(again)


def test_other_lines_pass_meanwhile():
    repeats = logs.Repeats(passed=1, period_s=60.0)
    assert repeats.filter(record(0.0, "a"))
    assert not repeats.filter(record(1.0, "a"))
    assert repeats.filter(record(1.0, "b"))
