"""One process a node: a second one is refused, and a lock never outlives its process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from edge_node.service.lock import LOCK, FolderLock, holder
from vibro.errors import VibroError

HOLD = """
import sys
from pathlib import Path
from edge_node.service.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def elsewhere(tmp_path):
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_folder_that_another_process_holds_is_refused_with_its_id(tmp_path, elsewhere):
    assert holder(tmp_path) == elsewhere.pid
    with pytest.raises(VibroError, match=f"process {elsewhere.pid} runs the node") as told:
        FolderLock(tmp_path)
    assert "\n" not in str(told.value)
    assert str(tmp_path) in str(told.value)


def test_a_process_that_is_killed_leaves_no_lock_behind(tmp_path, elsewhere):
    elsewhere.kill()
    elsewhere.wait()
    assert (tmp_path / LOCK).read_text() == str(elsewhere.pid)
    assert holder(tmp_path) is None
    FolderLock(tmp_path).release()


def test_not_even_one_process_can_hold_it_twice(tmp_path):
    first = FolderLock(tmp_path)
    assert holder(tmp_path) == os.getpid()
    with pytest.raises(VibroError, match="stop it first"):
        FolderLock(tmp_path)
    first.release()
    first.release()
    assert holder(tmp_path) is None
    FolderLock(tmp_path).release()


def test_a_folder_that_is_not_there_has_no_holder_and_gives_no_lock(tmp_path):
    assert holder(tmp_path / "no") is None
    with pytest.raises(VibroError, match="must own its folder"):
        FolderLock(tmp_path / "no")
