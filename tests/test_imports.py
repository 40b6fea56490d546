"""The boundaries of DESIGN section 2, seen from outside."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("scipy", "sklearn", "pandas", "pyarrow", "matplotlib", "sqlalchemy", "deltalake")

# An interpreter as an edge node has it: numba itself asks for scipy wherever it is installed.
EDGE = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {HEAVY}:
            raise ImportError(f"{{name}} is not installed at the edge")
sys.meta_path.insert(0, Absent())
"""

RUNS = """
import numpy as np
from vibro.assets import Machine, Point
from vibro.faults import Fault
from vibro.features.setup import ChannelSetup
from vibro.features.stream import MachineFeatures
from vibro.simulate import Scenario, SimulatedMachine, Truth
point = Point("de-h", "DE", "H", rate_hz=6400.0)
scenario = Scenario(9.0, 0.0, truths=(Truth("a/m", Fault.IMBALANCE, 0.0),))
motor = Machine("a", "m", "motor", rpm_nominal=1500.0, points=(point,))
machine = SimulatedMachine(motor, scenario)
counts, rpm = machine.render(0, 25600)
batch = MachineFeatures(6400.0, [ChannelSetup()]).push(counts * machine.info.scale[:, None], rpm)
assert len(batch.fast) and np.isfinite(batch.fast).all() and len(batch.long)
"""


def modules_after(code: str) -> set[str]:
    out = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sorted(sys.modules), sep='\\n')"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert out.returncode == 0, out.stderr
    return set(out.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import edge_node.node, edge_node.host, edge_node.config, edge_node.ship",
        "import vibro.features.stream, vibro.bundle, vibro.decide, vibro.wire, vibro.log",
        "import vibro.simulate, vibro.assets, vibro.kinematics, vibro.iso10816, vibro.files",
        pytest.param(RUNS, marks=pytest.mark.slow_nojit, id="simulate and compute features"),
    ],
)
def test_edge_needs_no_heavy_library(code):
    loaded = modules_after(EDGE + code)
    assert not [m for m in HEAVY if m in loaded]


def test_help_needs_no_numerics():
    loaded = modules_after(
        "from vibro.cli.main import cli\n"
        "from click.testing import CliRunner\n"
        "assert CliRunner().invoke(cli, ['--help']).exit_code == 0"
    )
    assert "numpy" not in loaded
    assert "numba" not in loaded
