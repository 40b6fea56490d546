"""`vibro` itself: a quick help, one table of verbs, and errors that are one line."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from types import ModuleType

import click
import numpy as np
import pytest

import vibro as package
from tests.vibro.cli.commands import refused, vibro
from vibro.cli import main as module
from vibro.cli.main import VERBS, cli, echo_json
from vibro.errors import BadInputError, VibroError

HEAVY = (
    "numpy", "numba", "scipy", "sklearn", "pyarrow", "deltalake", "sqlalchemy", "fastavro", "rich",
    "matplotlib", "starlette", "asyncio", "edge_node", "cloud_jobs", "datasets", "vibro.files",
)  # fmt: skip
"""What no help text needs; the slow ones take the third of a second that the help may take."""
WITHOUT_JSON = {"vibro edge sample": "prints TOML, to be kept as a file"}
THERE = [verb for verb in VERBS if module._exists(VERBS[verb][0])]


def fresh(code, *argv):
    """A new interpreter runs code and then `vibro` with these arguments."""
    script = f"import sys\n{code}\nfrom vibro.cli.main import main\nmain({list(argv)!r})\n"
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )


def commands(command, path="vibro"):
    """Every command below this one that does something, with its path."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from commands(command.get_command(context, name), f"{path} {name}")
    else:
        yield path, command


COMMANDS = dict(commands(cli))


# -- help ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("argv", [["--help"], ["--version"], *([v, "--help"] for v in THERE)])
def test_help_imports_nothing_heavy(argv):
    code = (
        "import atexit\n"
        f"atexit.register(lambda: sys.stderr.write(' '.join(set({HEAVY!r}) & set(sys.modules))))"
    )
    done = fresh(code, *argv)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_the_list_of_verbs_is_made_without_importing_any():
    code = (
        "import atexit\n"
        "atexit.register(lambda: sys.stderr.write(' '.join(\n"
        "    m for m in sys.modules if m.startswith('vibro.cli.') and m != 'vibro.cli.main')))"
    )
    assert fresh(code, "--help").stderr == ""


@pytest.mark.parametrize("verb", THERE)
def test_the_list_says_what_a_verbs_own_help_says_first(verb):
    own = vibro(verb, "--help")
    assert own.status == 0
    paragraph = own.out.split("\n\n")[1]
    assert " ".join(paragraph.split()) == VERBS[verb][1]
    assert f"{VERBS[verb][1]}\n" in vibro("--help").out


def test_help_stands_in_eighty_columns():
    for path in ("vibro", *COMMANDS):
        out = vibro(*path.split()[1:], "--help").out
        assert max(map(len, out.splitlines())) <= 80, path


def test_verbs_without_a_module_are_neither_listed_nor_found(monkeypatch):
    monkeypatch.setitem(VERBS, "levitate", ("vibro.cli.levitate", "Lift the machine."))
    assert "levitate" not in vibro("--help").out
    refused(vibro("levitate"), "levitate")


def test_no_arguments_give_the_help_in_its_lines():
    done = vibro()
    assert (done.status, done.out) == (2, "")
    assert done.err.rstrip("\n") == vibro("--help").out.rstrip("\n")
    assert vibro("edge").err.startswith("Usage: vibro edge ")


def test_the_version_is_the_packages():
    assert vibro("--version").out == f"vibro, version {package.__version__}\n"


def test_python_runs_the_package():
    done = subprocess.run(
        [sys.executable, "-m", "vibro", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"vibro, version {package.__version__}\n"


# -- options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", COMMANDS)
def test_every_verb_takes_json_or_says_why_not(path):
    takes = any("--json" in p.opts for p in COMMANDS[path].params)
    assert takes != (path in WITHOUT_JSON)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_has_one_sentence(path):
    for option in COMMANDS[path].params:
        if isinstance(option, click.Option):
            assert option.help, option.name
            assert option.help.split("  [")[0].endswith("."), f"{option.name}: {option.help}"


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "meant"), [("anlyze", "analyze"), ("querry", "query"), ("evalute", "evaluate")]
)
def test_an_unknown_verb_names_the_nearest(typed, meant):
    refused(vibro(typed), f"'{typed}'", f"did you mean '{meant}'?", "vibro --help")


def test_a_verb_like_none_gets_the_list():
    refused(vibro("frobnicate", "--json"), "'frobnicate'", *THERE)


def test_unknown_subverbs_and_options_name_near_ones_and_the_help():
    refused(vibro("edge", "chek"), "chek", "'check'", "vibro edge --help")
    refused(vibro("query", "--hme", "x"), "--hme", "--home", "vibro query --help")
    refused(vibro("--jsno"), "--jsno", "vibro --help")


@pytest.fixture
def ending(monkeypatch):
    """Run a verb that ends with an exception."""

    def run(error):
        @click.command()
        def command():
            raise error

        fake = ModuleType("vibro.cli.fake")
        fake.command = command
        monkeypatch.setitem(sys.modules, "vibro.cli.fake", fake)
        monkeypatch.setitem(VERBS, "fake", ("vibro.cli.fake", "Fail."))
        monkeypatch.setattr(module, "_exists", lambda _: True)
        return vibro("fake")

    return run


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (BadInputError("a.csv: is\n  empty"), 2, "vibro: a.csv: is empty"),
        (VibroError("the log is full"), 1, "vibro: the log is full"),
        (KeyboardInterrupt(), 130, "vibro: stopped"),
        (OSError(28, "No space left on device", "/a"), 1, "vibro: /a: No space left on device"),
        (PermissionError(13, "Permission denied", "/b"), 1, "vibro: /b: Permission denied"),
        (ImportError("no nptdms", name="nptdms"), 2, "pip install 'vibro[edge]'"),
        (ImportError("no grafana", name="grafana_api.face"), 2, "pip install 'vibro[dashboards]'"),
        (ImportError("no pyfftw", name="pyfftw"), 2, "pip install 'vibro[bench]'"),
        (ImportError("no sklearn", name="sklearn.ensemble"), 2, "pip install 'vibro[cloud]'"),
        (ImportError("no datasets", name="datasets.replay"), 1, "needs the project's checkout"),
    ],
)
def test_every_error_of_the_users_is_one_line_and_a_status(ending, error, status, line):
    done = ending(error)
    assert (done.status, done.out, len(done.err.strip().splitlines())) == (status, "", 1)
    assert line in done.err


def test_a_fault_of_our_own_is_not_dressed_up(ending):
    with pytest.raises(ImportError, match="cannot import"):
        ending(ImportError("cannot import name 'x'", name="vibro.files"))
    with pytest.raises(ZeroDivisionError):
        ending(ZeroDivisionError())


@pytest.mark.parametrize(
    ("library", "argv", "extra"),
    [
        ("sqlalchemy", ["query", "--home", "{home}"], "cloud"),
        ("rich", ["query", "site=nowhere", "--home", "{home}"], ""),
        ("pyarrow", ["cloud", "run", "--once", "--home", "{home}"], "cloud"),
        ("scipy", ["analyze", "{home}/x.mat", "--rate", "1000", "--rpm", "900"], "cloud"),
        ("nptdms", ["convert", "{home}/x.npy", "{home}/x.tdms", "--rate", "1000"], "edge"),
    ],
)
def test_a_library_that_is_not_installed_names_the_extra_that_brings_it(
    tmp_path, library, argv, extra
):
    from cloud_jobs.store import Store  # noqa: PLC0415

    Store(tmp_path).close()
    np.save(tmp_path / "x.npy", np.ones(500, np.float32))
    (tmp_path / "x.mat").write_bytes(b"MATLAB 5.0")
    done = fresh(f"sys.modules[{library!r}] = None", *(a.format(home=tmp_path) for a in argv))
    if not extra:  # what a verb does not use, it does not need
        assert (done.returncode, done.stderr) == (0, "")
        return
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert f"pip install 'vibro[{extra}]'" in done.stderr


def test_the_wheel_has_no_datasets_and_verbs_that_need_them_say_so(tmp_path):
    done = fresh("sys.modules['datasets'] = None", "datasets", "list")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "needs the project's checkout" in done.stderr


@pytest.mark.parametrize(
    "argv", [["--help"], ["datasets", "list"], ["edge", "sample"], ["query", "--help"]]
)
def test_a_reader_that_goes_away_is_no_error(argv):
    """As in `vibro datasets list | head -1`: the pipe is closed before a byte is read."""
    code = f"from vibro.cli.main import main\nmain({argv!r})"
    with subprocess.Popen(
        [sys.executable, "-c", f"import sys\nsys.stdin.read()\n{code}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        process.stdout.close()
        process.stdin.close()  # only now it begins to write
        told = process.stderr.read()
    assert (process.returncode, told) == (0, "")


# -- JSON ------------------------------------------------------------------------------------------


def test_json_is_one_line_and_what_is_not_a_number_is_null(capsys):
    echo_json(
        {
            "nan": math.nan, "inf": -math.inf, "array": np.array([1.0, np.nan]), 3: (1, None),
            "scalar": np.float32(0.5), "count": np.int64(7), "yes": np.bool_(True),
        }
    )  # fmt: skip
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {
        "nan": None, "inf": None, "array": [1.0, None], "3": [1, None], "scalar": 0.5, "count": 7,
        "yes": True,
    }  # fmt: skip
