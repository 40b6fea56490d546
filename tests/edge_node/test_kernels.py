"""Kernels compiled ahead of time: the same results without numba, and the JIT whenever in doubt."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import config

from edge_node.kernels import compile_library, first_score, refusal, use_library
from vibro.jit.ahead import STAMP

pytestmark = pytest.mark.skipif(
    bool(config.DISABLE_JIT) or shutil.which("gcc") is None,
    reason="compiling ahead of time needs the JIT and a C compiler (install gcc)",
)
PROBE = """
import json, sys
from dataclasses import replace
import numpy as np
from edge_node.kernels import _smallest, use_library
from edge_node.reporting.intervals import PathReporter, StatusReporter
from vibro.features.levels import exceed, levels_of
why = use_library()
from vibro.bundle import Scorer
from vibro.features.setup import ChannelSetup
from vibro.features.stream import MachineFeatures
from vibro.records import ChannelPath
rate, out = float(sys.argv[1]), sys.argv[2]
rng = np.random.default_rng(4)
machine = MachineFeatures(rate, [ChannelSetup()] * 2)
pushed = [
    machine.push((rng.standard_normal((2, 9001)) + 0.3).astype(np.float32), 1490.0)
    for _ in range(48)
]
channel = ChannelPath("site", "machine", "channel")
scorer = Scorer(_smallest(f"{channel}|running"), [channel])
fast = np.concatenate([b.fast for b in pushed])
scores = [np.concatenate(scorer.judge("fast", row[:1], "running")) for row in fast]
def strided(row):
    wide = np.full((1, 2 * row.shape[1]), np.nan, np.float32)
    wide[:, ::2] = row
    return wide[:, ::2]


model = scorer.bundle.fast
turned = replace(model.geometry, matrix=np.asfortranarray(model.geometry.matrix, np.float64))
odd = Scorer(replace(scorer.bundle, fast=replace(model, geometry=turned)), [channel])
strange = [
    [np.concatenate(by.judge("fast", made(row[:1]), "running")) for row in fast]
    for by, made in ((scorer, strided), (scorer, np.float64), (odd, np.float32))
]
levels = levels_of(np.ones(2), np.full((3, 2), np.inf))
peaks = []
for kind in (np.int16, np.int32, np.float32):
    counts = rng.integers(-99, 99, (2, 64)).astype(kind)
    for block in (counts, counts[:, 7:39]):
        exceed(block, 0, 32, True, 32, 50.0, levels)
        peaks.append(levels.found[:2].copy())
reporter, status = PathReporter("fast", "node", 10**18, 10**18), StatusReporter(2, 10**18)
for i, row in enumerate(fast):
    reporter.window(i, i, "running", row)
    status.fast(i, i, "running", True, ["score_fast"], row[None, :, 1])
means = [r.values for r in reporter.close() if r.content == "mean"]
np.savez(
    out, peaks=np.array(peaks), means=np.array(means),
    score=np.array([r.values["score_fast"] for r in status.close()]),
    strange=np.array(strange), fast=fast, long=np.concatenate([b.long for b in pushed]),
    rpm=np.concatenate([b.fast_rpm for b in pushed]), scores=np.array(scores),
)
print(json.dumps({"why": why, "numba": "numba" in sys.modules}))
"""


def probe(kernels: object, out: Path, rate_hz: float = 25600.0) -> tuple[dict, dict]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(rate_hz), str(out)],
        env={**os.environ, "VIBRO_KERNELS": str(kernels)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), dict(np.load(out))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kernels") / "library"
    held = compile_library([25600.0], folder)
    assert {h.split(" ")[0].split(":")[1] for h in held} == {
        "take", "feed", "take_long", "_judge", "_lengths", "stands_out",
        "exceed", "add_about", "add_known", "add_counted",
    }  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def jit(tmp_path_factory: pytest.TempPathFactory) -> dict:
    said, results = probe("jit", tmp_path_factory.mktemp("jit") / "r.npz")
    assert said == {"why": "VIBRO_KERNELS=jit", "numba": True}
    return results


def same(found: dict, expected: dict) -> None:
    """To the last bits of float32: sums may be added up in another order."""
    assert found["fast"].shape[0] > 50
    assert found["long"].shape[0] > 1
    for name, values in expected.items():
        scale = np.abs(values).max(axis=tuple(range(values.ndim - 1)), keepdims=True) + 1e-9
        np.testing.assert_allclose(found[name] / scale, values / scale, atol=3e-5)


def test_a_library_gives_the_same_results_without_numba(library, jit, tmp_path):
    said, found = probe(library, tmp_path / "r.npz")
    assert said == {"why": "", "numba": False}
    same(found, jit)


def test_a_library_reads_values_wherever_they_lie_in_memory(library, tmp_path):
    """The JIT would compile another variant; what is compiled already takes one layout and type."""
    said, found = probe(library, tmp_path / "r.npz")
    assert said == {"why": "", "numba": False}
    for scores in found["strange"]:
        np.testing.assert_array_equal(scores, found["scores"])


def test_a_stream_that_it_was_not_made_for_is_compiled_as_it_comes(library, tmp_path):
    said, found = probe(library, tmp_path / "ahead.npz", 12000.0)
    assert said == {"why": "", "numba": True}
    _, expected = probe("jit", tmp_path / "jit.npz", 12000.0)
    same(found, expected)


def altered(library: Path, folder: Path, **changes) -> Path:
    shutil.copytree(library, folder)
    stamp = json.loads((folder / STAMP).read_text())
    (folder / STAMP).write_text(json.dumps(stamp | changes))
    return folder


@pytest.mark.parametrize("what", ["sources", "python", "processor"])
def test_a_library_made_for_something_else_is_not_used(library, tmp_path, what):
    said, _ = probe(altered(library, tmp_path / "k", **{what: "other"}), tmp_path / "r.npz")
    assert f"made for other {what}" in said["why"]
    assert said["numba"]


def test_a_torn_library_is_not_used(library, tmp_path):
    torn = altered(library, tmp_path / "k")
    (file,) = torn.glob("vibro_kernels*")
    file.write_bytes(file.read_bytes()[:3000])
    said, _ = probe(torn, tmp_path / "r.npz")
    assert "torn or altered" in said["why"]
    assert said["numba"]


@pytest.mark.parametrize(
    "stamp", ["", "{", "[]", "{}", '{"entries": 5}', '{"entries": [{"kernel": "os:getcwd"}]}']
)
def test_a_stamp_that_makes_no_sense_is_not_used(library, tmp_path, stamp):
    from vibro.jit.ahead import fingerprint, load  # noqa: PLC0415

    broken = altered(library, tmp_path / "k")
    text = stamp
    if stamp.startswith('{"e'):
        text = json.dumps(
            json.loads(stamp) | fingerprint() | {"file": next(broken.glob("v*")).name}
        )
    (broken / STAMP).write_text(text)
    assert load(broken)


def test_a_library_that_is_not_used_is_told_with_its_cure(library, tmp_path, monkeypatch):
    for folder, told in (
        (altered(library, tmp_path / "stale", sources="other"), "made for other sources"),
        (tmp_path / "none", ""),
        ("jit", ""),
    ):
        monkeypatch.setenv("VIBRO_KERNELS", str(folder))
        line = refusal(use_library())
        assert told in line
        assert bool(told) == ("`vibro edge compile`" in line)


def test_without_a_library_nothing_is_wrong(tmp_path):
    said, _ = probe(tmp_path / "none", tmp_path / "r.npz")
    assert "there is no library" in said["why"]


def test_a_start_loads_nothing_that_the_first_score_does_not_need():
    slow = "{'csv', 'difflib', 'importlib.resources', 'numba', 'tempfile', 'vibro.records'}"
    code = f"import sys, edge_node.kernels; print(*{slow} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_first_score_of_a_process_is_a_score():
    assert 0.0 < first_score() <= 1.0
