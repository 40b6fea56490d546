"""Scenarios: what happens to which machine, and that the truth holds it."""

from __future__ import annotations

import pytest

from vibro.faults import Fault
from vibro.simulate import demo_scenario, plant


@pytest.mark.parametrize("seed", range(12))
def test_the_demos_scenario_holds_what_it_promises(seed):
    scenario = demo_scenario(seed, 600.0, 240.0)
    assert scenario == demo_scenario(seed, 600.0, 240.0)
    assert [t.fault for t in scenario.truths] == [
        Fault.BEARING_OUTER,
        Fault.BEARING_OUTER,
        Fault.IMBALANCE,
        Fault.GEAR_TOOTH,
        Fault.BEARING_INNER,
        Fault.MISALIGNMENT,
        Fault.FLATLINE,
    ]
    machines = [plant().machine(t.machine) for t in scenario.truths]
    assert len({m.path for m in machines}) == 7
    a, b = machines[:2]
    assert a.site != b.site
    assert a.points[0].bearing == b.points[0].bearing
    assert all(240.0 < t.onset_s < t.onset_s + t.grow_s < 600.0 for t in scenario.truths)
    (shock,) = scenario.shocks
    assert 240.0 < shock.at_s < shock.at_s + shock.duration_s < 600.0
    assert shock.site in {m.site for m in plant()}
    assert scenario.shocks_of(shock.site) == (shock,)
    struck = [m.path for m in plant() if m.site == shock.site and not scenario.of(m.path)]
    assert len(struck) >= 2  # else nothing would tell the shock from one machine's own trouble
    assert scenario.shocks_of("elsewhere") == ()
    assert scenario.of(a.path) == scenario.truths[:1]
    assert scenario.of("elsewhere/m") == ()


def test_seeds_differ_and_a_shorter_scenario_is_squeezed():
    assert len({demo_scenario(s).truths for s in range(8)}) == 8
    short = demo_scenario(1, 120.0, 60.0)
    assert all(60.0 < t.onset_s < 120.0 for t in short.truths)
