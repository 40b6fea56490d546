"""Alert rules as Grafana wants them.

Each is a query ``A`` that yields one series a machine, its last value ``B``, and the threshold
``C`` on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from grafana_foundation_sdk.builders import alerting, expr
from grafana_foundation_sdk.models import alerting as model
from grafana_foundation_sdk.models import dashboard as refs

from dashboards.board import DATASOURCE_UID, FOLDER_UID
from dashboards.flux import KIND, Flux
from dashboards.rules import Rule, rules

GROUP = "Vibro"
INTERVAL_S = 60
"""How often the rules are asked; Grafana does not start with one that 10 s do not divide."""
EXPRESSIONS = "__expr__"
"""What Grafana calls the datasource of expressions."""


def group(page: str, panels: Mapping[tuple[str, str], int]) -> model.RuleGroup:
    """Build the rule group, as the provisioning API takes it.

    Parameters
    ----------
    page : str
        Address of the page, without a slash at its end.
    panels : mapping
        Number of each panel, by its dashboard's uid and its title.
    """
    made = alerting.RuleGroup(GROUP).folder_uid(FOLDER_UID).interval(INTERVAL_S)
    for rule in rules():
        made.with_rule(_built(rule, page, panels[rule.panel]))
    return made.build()


def _built(rule: Rule, page: str, panel: int) -> alerting.Rule:
    annotations = {
        "summary": rule.summary,
        "description": rule.description,
        "link": page + rule.link,
        "__dashboardUid__": rule.panel[0],
        "__panelId__": str(panel),
    }
    return (
        alerting.Rule(rule.title)
        .uid(rule.uid)
        .folder_uid(FOLDER_UID)
        .rule_group(GROUP)
        .org_id(1)
        .condition("C")
        .queries([_query(rule), _last(), _threshold(rule)])
        .for_val(rule.wait)
        .no_data_state(rule.nothing)
        .exec_err_state(rule.broken)
        .is_paused(False)
        .labels({"app": "vibro", "severity": rule.severity})
        .annotations(annotations)
    )


def _query(rule: Rule) -> alerting.Query:
    source = {"type": KIND, "uid": DATASOURCE_UID}
    extra: dict[str, Any] = {"datasource": source, "intervalMs": 60_000, "maxDataPoints": 10_000}
    return (
        alerting.Query("A")
        .datasource_uid(DATASOURCE_UID)
        .relative_time_range(model.RelativeTimeRange(rule.since_s, 0))
        .model(Flux(rule.query, "A", extra))
    )


def _last() -> alerting.Query:
    last = expr.TypeReduce().ref_id("B").expression("A").reducer("last")
    return _expression("B", last)


def _threshold(rule: Rule) -> alerting.Query:
    kind, bound = ("gt", rule.above) if rule.above is not None else ("lt", rule.below)
    evaluator = expr.ExprTypeThresholdConditionsEvaluator().type(cast("Any", kind))
    evaluator.params([cast("float", bound)])
    condition = expr.ExprTypeThresholdConditions().evaluator(evaluator)
    passed = expr.TypeThreshold().ref_id("C").expression("B").conditions([condition])
    return _expression("C", passed)


def _expression(ref_id: str, built: Any) -> alerting.Query:
    built.datasource(refs.DataSourceRef(type_val=EXPRESSIONS, uid=EXPRESSIONS))
    return (
        alerting.Query(ref_id)
        .datasource_uid(EXPRESSIONS)
        .relative_time_range(model.RelativeTimeRange(0, 0))
        .model(built)
    )
