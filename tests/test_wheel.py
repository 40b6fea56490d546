"""The built wheel alone, in an empty environment, is enough to run the demo."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from vibro.cli.main import VERBS

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("vibro", "edge_node", "cloud_jobs", "dashboards")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "-w", "--no-isolation", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl"))


def said(argv, folder, **environment):
    """What a command prints, away from the checkout."""
    done = subprocess.run(
        [str(a) for a in argv],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=300,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wheel_holds_the_tracked_files_of_the_four_packages_and_no_other(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others"]
    listed = subprocess.run(
        [*command, "--exclude-standard", *PACKAGES], capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip(f"not a git checkout: {listed.stderr.strip()}")
    tracked = set(listed.stdout.strip("\0").split("\0"))
    assert {name.split("/")[0] for name in tracked} == set(PACKAGES)
    assert names == tracked


def test_an_unpacked_wheel_is_imported_and_lists_its_verbs(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "wheel")
    place = {"PYTHONPATH": str(tmp_path / "wheel")}
    code = f"[print(__import__(p).__file__) for p in {PACKAGES}]"
    imported = said([sys.executable, "-P", "-c", code], tmp_path, **place).splitlines()
    assert imported == [str(tmp_path / "wheel" / p / "__init__.py") for p in PACKAGES]
    help_text = said([sys.executable, "-P", "-m", "vibro", "--help"], tmp_path, **place)
    verbs = {line.split()[0] for line in help_text.partition("Commands:")[2].splitlines() if line}
    assert verbs == set(VERBS)


@pytest.mark.prove
def test_wheel_runs_the_demo(wheel, tmp_path):
    # The dependencies come from the locked environment by a path file: what is proven is that
    # the wheel holds every file that the demo needs, not that an index can be reached.
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = tmp_path / "env" / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = said([python, "-c", code], tmp_path).strip()
    zipfile.ZipFile(wheel).extractall(site)
    locked = [p for p in sys.path if p.endswith("site-packages")]
    Path(site, "locked.pth").write_text("\n".join(locked), encoding="utf-8")
    demo = [python, "-P", "-m", "vibro", "demo", "--no-serve", "--json", "--minutes", "4"]
    report = json.loads(said(demo, tmp_path))
    assert report["samples"]["seen"] == report["samples"]["processed"] > 0
    imported = said([python, "-P", "-c", "import vibro; print(vibro.__file__)"], tmp_path)
    assert imported.startswith(site)
