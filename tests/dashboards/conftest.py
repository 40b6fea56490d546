"""A Grafana for every test of a push; each runs on the contract server, and on a real one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dashboards.contract import Contract
from tests.dashboards.rigs import KINDS, Rig, of_contract, real


@pytest.fixture(params=KINDS)
def rig(request, tmp_path) -> Iterator[Rig]:
    if request.param == "real":
        yield real(tmp_path)
        return
    with Contract() as contract:
        yield of_contract(contract, tmp_path)


@pytest.fixture
def filled(rig) -> Rig:
    """A Grafana that has everything."""
    rig.with_datasource()
    assert rig.push().status == 0
    return rig
