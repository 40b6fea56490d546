"""The built wheel alone, in an empty environment, is enough to run the demo."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "-w", "--no-isolation", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl"))


def test_wheel_holds_the_four_packages_only(wheel):
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {t for t in tops if not t.endswith(".dist-info")} == {
        "vibro",
        "edge_node",
        "cloud_jobs",
        "dashboards",
    }


def test_wheel_holds_the_page_and_the_schemas(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("cloud_jobs/serve/templates", "cloud_jobs/serve/static", "vibro/schemas"):
        files = {p.relative_to(ROOT).as_posix() for p in (ROOT / folder).iterdir() if p.suffix}
        assert files <= names


def test_wheel_runs_the_demo(wheel, tmp_path):
    # The dependencies come from the locked environment by a path file: what is proven is that
    # the wheel holds every file that the demo needs, not that an index can be reached.
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = tmp_path / "env" / "bin" / "python"
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    zipfile.ZipFile(wheel).extractall(site)
    locked = [p for p in sys.path if p.endswith("site-packages")]
    Path(site, "locked.pth").write_text("\n".join(locked), encoding="utf-8")
    run = subprocess.run(
        [python, "-P", "-m", "vibro", "demo", "--no-serve", "--json", "--minutes", "4"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=300,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert report["samples"]["seen"] == report["samples"]["processed"] > 0
    imported = subprocess.run(
        [python, "-P", "-c", "import vibro; print(vibro.__file__)"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    assert imported.stdout.startswith(site)
