"""The boundaries of DESIGN section 2, seen from outside."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("scipy", "sklearn", "pandas", "pyarrow", "matplotlib", "sqlalchemy", "deltalake")


def modules_after(code: str) -> set[str]:
    out = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sorted(sys.modules), sep='\\n')"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(out.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import edge_node.node, edge_node.host, edge_node.config, edge_node.ship",
        "import vibro.features.stream, vibro.bundle, vibro.decide, vibro.wire, vibro.log",
        "import vibro.simulate, vibro.assets, vibro.kinematics, vibro.iso10816",
    ],
)
def test_edge_loads_no_heavy_library(code):
    loaded = modules_after(code)
    assert not [m for m in HEAVY if m in loaded]


def test_help_needs_no_numerics():
    loaded = modules_after(
        "from vibro.cli.main import cli\n"
        "from click.testing import CliRunner\n"
        "assert CliRunner().invoke(cli, ['--help']).exit_code == 0"
    )
    assert "numpy" not in loaded
    assert "numba" not in loaded
