"""`vibro assets`: import, validate and export of the register."""

from __future__ import annotations

from importlib.resources import files

import pytest

from tests.vibro.cli.commands import refused, vibro
from vibro.assets import parse_register


@pytest.fixture
def plant(tmp_path):
    path = tmp_path / "plant.csv"
    path.write_text(files("vibro.simulate").joinpath("plant.csv").read_text())
    return path


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_import_writes_the_register_and_says_what_changed(tmp_path, plant):
    home = tmp_path / "home"
    first = vibro("assets", "import", plant, "--home", home, "--json")
    assert first.status == 0, first.err
    assert (first.json["machines"], first.json["points"]) == (12, 24)
    assert (len(first.json["added"]), first.json["changed"], first.json["removed"]) == (12, {}, [])
    register = parse_register((home / "assets.csv").read_text(), "home")
    assert register == parse_register(plant.read_text(), "plant")
    again = vibro("assets", "import", plant, "--home", home, "--json")
    assert (again.json["added"], again.json["changed"], again.json["removed"]) == ([], {}, [])

    lines = plant.read_text().splitlines(keepends=True)
    machine = ",motor-1,"
    kept = [line for line in lines if not line.startswith("hamburg") or machine not in line]
    plant.write_text("".join(kept))
    dry = vibro("assets", "import", plant, "--home", home, "--dry-run")
    assert "- hamburg/motor-1" in dry.out
    assert len(parse_register((home / "assets.csv").read_text(), "home")) == 12
    assert vibro("assets", "import", plant, "--home", home).status == 0
    assert len(parse_register((home / "assets.csv").read_text(), "home")) == 11
    assert {p.name for p in home.iterdir()} == {"assets.csv"}


def test_changed_columns_are_named(tmp_path, plant):
    home = tmp_path / "home"
    vibro("assets", "import", plant, "--home", home)
    edit(plant, "1440.0,1485.0,1514.0", "1440.0,1490.0,1514.0")
    changed = vibro("assets", "import", plant, "--home", home, "--json").json["changed"]
    assert "rpm_nominal 1485.0 -> 1490.0" in changed["hamburg/motor-1"]


def test_every_mistake_has_line_column_and_remedy(plant):
    assert vibro("assets", "validate", plant).status == 0
    edit(plant, "rigid,10816-3,2,de-h", "stiff,10816-3,2,de-h")
    edit(plant, "6309", "63o9")
    done = vibro("assets", "validate", plant, "--json")
    assert done.status == 2
    places = {(m["line"], m["column"]) for m in done.json["mistakes"]}
    assert {(2, "mounting"), (2, "bearing"), (3, "bearing")} <= places
    human = vibro("assets", "validate", plant)
    assert human.status == 2
    assert len(human.out.splitlines()) == len(done.json["mistakes"])
    assert "must be one of rigid, flexible" in human.out


def test_a_file_with_a_mistake_changes_nothing(tmp_path, plant):
    home = tmp_path / "home"
    vibro("assets", "import", plant, "--home", home)
    before = (home / "assets.csv").read_bytes()
    edit(plant, "rigid", "stiff")
    refused(vibro("assets", "import", plant, "--home", home), "plant.csv", "line 2", "mounting")
    assert (home / "assets.csv").read_bytes() == before


def test_export_is_what_import_takes(tmp_path, plant):
    home, out = tmp_path / "home", tmp_path / "out.csv"
    vibro("assets", "import", plant, "--home", home)
    printed = vibro("assets", "export", "--home", home)
    assert vibro("assets", "export", "--home", home, "--out", out).status == 0
    assert printed.out == out.read_text() == (home / "assets.csv").read_text()
    rows = vibro("assets", "export", "--home", home, "--json").json["rows"]
    assert (len(rows), rows[0]["site"]) == (24, "hamburg")


def test_what_is_not_there_or_not_text_is_one_line(tmp_path):
    refused(vibro("assets", "export", "--home", tmp_path), "assets.csv", "vibro assets import")
    refused(vibro("assets", "validate", tmp_path / "no.csv"), "no.csv", "no such file")
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    refused(vibro("assets", "import", tmp_path / "x.csv", "--home", tmp_path), "UTF-8")
    refused(vibro("assets", "validate", tmp_path), "cannot be read")
    (tmp_path / "empty.csv").write_text("")
    done = vibro("assets", "validate", tmp_path / "empty.csv", "--json")
    assert (done.status, done.json["ok"]) == (2, False)
