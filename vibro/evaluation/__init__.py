"""How detection and diagnosis are measured: groups, splits, figures and runs to failure.

Pure rules. What reads recordings and what fits peers is given to them by the command.
"""

from vibro.evaluation.groups import Group, group_entries
from vibro.evaluation.metrics import area_under_curve, prediction_limit, upper_bound
from vibro.evaluation.naming import NamingTable
from vibro.evaluation.protocol import Method, Round, Unit, judge, judge_run, unit
from vibro.evaluation.runs import RunFigures, run_figures
from vibro.evaluation.splits import Piece, Split, split_normals, split_rounds, split_run

__all__ = [
    "Group",
    "Method",
    "NamingTable",
    "Piece",
    "Round",
    "RunFigures",
    "Split",
    "Unit",
    "area_under_curve",
    "group_entries",
    "judge",
    "judge_run",
    "prediction_limit",
    "run_figures",
    "split_normals",
    "split_rounds",
    "split_run",
    "unit",
    "upper_bound",
]
