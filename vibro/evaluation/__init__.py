"""How detection and diagnosis are measured: groups, splits, figures and runs to failure.

Pure rules. What reads recordings and what fits peers is given to them by the command.
"""

from vibro.evaluation.groups import Group, group_entries, seconds_of
from vibro.evaluation.intervals import area_interval, share_interval, upper_share
from vibro.evaluation.metrics import area_under_curve, prediction_limit
from vibro.evaluation.naming import NamingTable
from vibro.evaluation.protocol import Judgement, Method, Round, Unit, judge, judge_run, unit
from vibro.evaluation.runs import RunFigures, run_figures
from vibro.evaluation.splits import Piece, Split, split_normals, split_rounds, split_run
from vibro.evaluation.verdicts import (
    best,
    broken_limits,
    is_loud,
    labelled_limits,
    run_limits,
    ties,
)

__all__ = [
    "Group",
    "Judgement",
    "Method",
    "NamingTable",
    "Piece",
    "Round",
    "RunFigures",
    "Split",
    "Unit",
    "area_interval",
    "area_under_curve",
    "best",
    "broken_limits",
    "group_entries",
    "is_loud",
    "judge",
    "judge_run",
    "labelled_limits",
    "prediction_limit",
    "run_figures",
    "run_limits",
    "seconds_of",
    "share_interval",
    "split_normals",
    "split_rounds",
    "split_run",
    "ties",
    "unit",
    "upper_share",
]
