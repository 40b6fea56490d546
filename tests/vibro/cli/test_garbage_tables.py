"""Garbage in registers, manifests and bundles: what is wrong where, in one line, and no harm."""

from __future__ import annotations

import csv
import io
import json
from importlib.resources import files

import pytest

from tests.datasets.manifests import add, noise, write
from tests.vibro.cli.commands import refused, vibro
from tests.vibro.cli.homes import laid_out, signals_put_back

PLANT = files("vibro.simulate").joinpath("plant.csv").read_text()


# -- registers -------------------------------------------------------------------------------------


def one_machine(**cells):
    """Register of the plant's first machine with cells replaced on each of its rows."""
    rows = list(csv.DictReader(io.StringIO(PLANT)))[:2]
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys())
    writer.writeheader()
    writer.writerows([row | cells for row in rows])
    return out.getvalue()


@pytest.mark.parametrize(
    ("column", "value", "remedy"),
    [
        ("power_kw", "-5", "must be above 0 and finite"),
        ("power_kw", "1e999", "must be above 0 and finite"),
        ("rpm_nominal", "nan", "must be above 0 and finite"),
        ("rpm_nominal", "fast", "is not a number"),
        ("rpm_max", "1", "rpm_min <= rpm_nominal <= rpm_max"),
        ("shaft_ratio", "0", "must be above 0"),
        ("shaft_ratio", "1e300", "must be from 0.001 to 1e+06"),
        ("rate_hz", "10", "must be from 50 to 1e+06"),
        ("rate_hz", "1e12", "must be from 50 to 1e+06"),
        ("gear_teeth", "2.5", "must be a whole number"),
        ("gear_teeth", "-3", "must be above 0"),
        ("blades", "nan", "must be above 0"),
        ("range_m_s2", "-490", "must be above 0"),
        ("line_hz", "", "is not a number"),
        ("bearing", "Z=-1 d=1 D=2", "Z >= 3"),
        ("bearing", "Z=9 d=8 D=nan", "is not geometry"),
        ("bearing", "62O5", "near names: 6205"),
        ("site", "Ham Burg", "is not a slug"),
        ("machine", "../up", "is not a slug"),
        ("axis", "X", "must be one of H, V, A"),
        ("iso_group", "3", "must be one of 1, 2"),
    ],
)
def test_a_value_no_machine_has_is_told_with_what_would_be_right(tmp_path, column, value, remedy):
    path = tmp_path / "plant.csv"
    path.write_text(one_machine(**{column: value}))
    refused(vibro("assets", "import", path, "--home", tmp_path / "home"), "plant.csv", remedy)
    checked = vibro("assets", "validate", path, "--json")
    assert (checked.status, checked.json["ok"]) == (2, False)
    assert not (tmp_path / "home").exists()


TABLES = {
    "missing column": (PLANT.replace("bearing,", "", 1), "column 'bearing' is missing"),
    "column twice": (PLANT.replace("region", "site", 1), "column 'site' stands twice"),
    "unknown column": (PLANT.replace("owner", "colour", 1), "column 'colour' is not known"),
    "semicolons": (PLANT.replace(",", ";"), "are separated by ';': export the file with commas"),
    "tabs": (PLANT.replace(",", "\t"), "are separated by '\\t': export the file with commas"),
    "short row": (PLANT.splitlines()[0] + "\nhamburg,eu\n", "line 2: does not have 25 columns"),
    "only a header": (PLANT.splitlines()[0] + "\n", "holds no machine"),
    "nothing": ("", "is empty"),
    "open quote": (PLANT + '"', "does not have 25 columns"),
    "endless cell": (PLANT.splitlines()[0] + '\n"' + "x" * 200_000, "is not CSV"),
    "nul": (PLANT.replace("hamburg", "ham\0burg", 1), "holds a NUL character"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_is_no_register_says_what_it_lacks(tmp_path, name):
    content, told = TABLES[name]
    path = tmp_path / "plant.csv"
    path.write_text(content)
    done = vibro("assets", "import", path, "--home", tmp_path / "home")
    refused(done, "plant.csv", told)
    assert done.err.rstrip("\n").isprintable()


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r", "\n\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks_are_no_mistakes(tmp_path, ends, mark):
    path = tmp_path / "plant.csv"
    path.write_bytes((mark + PLANT.replace("\n", ends)).encode())
    done = vibro("assets", "validate", path, "--json")
    assert (done.status, done.json["machines"]) == (0, 12)


# -- manifests -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"null", b"[]", b"{}", b'{"entries": {}}', b"[" * 200_000, b"\xff\xfe"]
)
def test_what_is_no_manifest_is_told(tmp_path, content):
    (tmp_path / "manifest.json").write_bytes(content)
    for verb in (["evaluate"], ["datasets", "verify"], ["datasets", "list"]):
        refused(vibro(*verb, "--data", tmp_path), "manifest.json", "is not a manifest")


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("file", 7, "is not a text"),
        ("file", "", "file is missing"),
        ("file", "../../secret.npy", "does not lie in the manifest's folder"),
        ("file", "/etc/passwd", "does not lie in the manifest's folder"),
        ("set", None, "set is missing"),
        ("label", [], "label is missing"),
        ("fault", 3, "is not a text"),
        ("sample_rate_hz", "fast", "is not a number"),
        ("sample_rate_hz", -5, "must be above 0 and finite"),
        ("sample_rate_hz", True, "is not a number"),
        ("rpm", float("inf"), "must be above 0 and finite"),
        ("bearing", 5, "is not a text"),
        ("delimiter", 5, "is not a text"),
        ("index", 1.5, "is not a whole number"),
        ("index", float("inf"), "is not a whole number"),
        ("fault_freq_multipliers", [1], "is not an object"),
        ("fault_freq_multipliers", {"BPFO": -1}, "BPFO = -1.0 is no order"),
    ],
)
def test_an_entry_that_cannot_be_names_its_number_and_key(tmp_path, key, value, told):
    entries = [add(tmp_path, f"{i}.npy", noise(500)) for i in range(2)]
    write(tmp_path, [entries[0], entries[1] | {key: value}])
    for verb in (["evaluate", "--json"], ["datasets", "verify"]):
        refused(vibro(*verb, "--data", tmp_path), "manifest.json: entry 2", key, told)


# -- bundles ---------------------------------------------------------------------------------------


@pytest.mark.slow_nojit
@pytest.mark.parametrize("damage", ["one bit", "torn", "gone"])
def test_a_damaged_bundle_is_refused_and_the_node_goes_on(tmp_path, damage):
    node = laid_out(tmp_path)
    content = bytearray(b"any bundle " * 200)
    bundle = tmp_path / "bundles" / "v1.vbundle"
    announce(tmp_path, "v1", bytes(content))
    content[len(content) // 2] ^= 1
    bundle.parent.mkdir()
    if damage != "gone":
        bundle.write_bytes(content if damage == "one bit" else content[:100])
    config = node.read_text() + f'[ship]\nlog = "{tmp_path / "log"}"\nbundles = "{bundle.parent}"\n'
    node.write_text(config)
    with signals_put_back():
        done = vibro("edge", "run", node, "--json")
    assert done.status == 0
    assert [line for line in done.err.splitlines() if "WARNING" in line and "refused: v1" in line]
    (report,) = done.json
    (reason,) = report["bundles_refused"]
    assert "v1.vbundle" in reason
    assert (report["bundle"], report["samples"]["lost"]) == ("", 0)


def announce(home, version, content):
    import hashlib  # noqa: PLC0415

    from vibro.log import EmbeddedLog, Message  # noqa: PLC0415
    from vibro.records import topic  # noqa: PLC0415

    notice = {
        "version": version,
        "file": f"{version}.vbundle",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    log = EmbeddedLog(home / "log")
    log.send(topic("austin", "models"), [Message("fan", json.dumps(notice).encode(), "t", 0)])
