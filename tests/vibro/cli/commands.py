"""Running a verb in this process, as a shell would."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from vibro.cli.main import main


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value on stdout."""
        return json.loads(self.out)


def vibro(*argv: Any) -> Done:
    out, err, status = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(a) for a in argv])
        except SystemExit as end:
            status = int(end.code or 0)
    return Done(status, out.getvalue(), err.getvalue())


def patched(code: str, *argv: Any) -> Done:
    """Run a verb in a process of its own, once some code has changed what it calls."""
    code += f"from vibro.cli.main import main\nmain({[str(a) for a in argv]!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    return Done(done.returncode, done.stdout, done.stderr)


def refused(done: Done, *words: str) -> None:
    """One clear line on stderr, status 2, nothing on stdout."""
    assert (done.status, done.out) == (2, ""), done
    assert len(done.err.splitlines()) == 1, done.err
    assert done.err.startswith("vibro: ")
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err, done.err
