"""The register's CSV: what it reads, what it writes, and every mistake it can name."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibro.assets import COLUMNS, Machine, Point, Register, export, parse_register
from vibro.assets.register import check_register
from vibro.errors import BadInputError
from vibro.iso10816 import IsoLimits, NotApplicable
from vibro.kinematics import Bearing, find_bearing
from vibro.simulate import plant

ROW = {
    "site": "harbour",
    "region": "eu",
    "owner": "Quay & Sons, Ltd",
    "machine": "pump-1",
    "machine_class": "pump",
    "criticality": "high",
    "power_kw": "75",
    "rpm_min": "1400",
    "rpm_nominal": "1480",
    "rpm_max": "1500",
    "mounting": "rigid",
    "iso_part": "10816-3",
    "iso_group": "2",
    "channel": "de-h",
    "location": "DE",
    "axis": "H",
    "shaft": "main",
    "shaft_ratio": "1",
    "bearing": "6205",
    "gear_teeth": "",
    "gear_mate_teeth": "",
    "blades": "5",
    "line_hz": "50",
    "rate_hz": "25600",
    "range_m_s2": "490",
}


def table(*rows: dict[str, str], columns=COLUMNS) -> str:
    """CSV text of rows that differ from ROW by what is given."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({**ROW, **row} for row in rows)
    return out.getvalue()


def mistakes(*rows: dict[str, str]) -> list[str]:
    return check_register(table(*rows))[1]


def test_a_row_is_what_it_says():
    register = parse_register(table({}, {"channel": "de-v", "axis": "V"}), "a.csv")
    assert len(register) == 1
    machine = register.machine("harbour/pump-1")
    assert (machine.owner, machine.power_kw, machine.iso_group) == ("Quay & Sons, Ltd", 75.0, 2)
    assert [str(c) for c in machine.channels] == ["harbour/pump-1/de-h", "harbour/pump-1/de-v"]
    assert (machine.path, machine.node_id) == ("harbour/pump-1", "harbour-pump-1")
    point = machine.points[0]
    assert (point.axis, point.blades, point.gear_teeth) == ("H", 5, None)
    assert point.bearing == find_bearing("6205")
    assert point.lines.blade_pass == 5.0


@pytest.mark.parametrize("unknown", ["", "unknown", "Unknown", "n/a", " n/a "])
def test_what_is_not_known_may_be_left_out(unknown):
    left_out = ("power_kw", "rpm_min", "rpm_nominal", "rpm_max", "iso_group", "bearing", "blades")
    register = parse_register(table(dict.fromkeys(left_out, unknown)), "a.csv")
    machine = register.machine("harbour/pump-1")
    assert {getattr(machine, c) for c in left_out[:5]} == {None}
    assert (machine.points[0].bearing, machine.points[0].blades) == (None, None)
    assert machine.points[0].lines.bpfo != machine.points[0].lines.bpfo


def test_bearings_by_name_by_geometry_and_with_makers_suffixes():
    by = {
        name: parse_register(table({"bearing": name}), "a.csv").machine("harbour/pump-1").points[0]
        for name in ("6205", "SKF 6205-2RS JEM", "Z=9 d=7.94 D=39.04 phi=0")
    }
    named, suffixed, measured = (p.bearing for p in by.values())
    assert suffixed.orders() == named.orders()
    assert suffixed.name == "SKF 6205-2RS JEM"
    assert measured.orders().bpfo == pytest.approx(named.orders().bpfo, rel=0.01)


def test_machines_are_kept_apart_and_in_order():
    rows = [{"machine": f"m{i}", "channel": c} for c in ("a", "b") for i in (3, 1, 2)]
    register = parse_register(table(*rows), "a.csv")
    assert [m.machine for m in register] == ["m3", "m1", "m2"]
    assert [[p.channel for p in m.points] for m in register] == [["a", "b"]] * 3
    with pytest.raises(BadInputError, match="machine 'harbour/m4' is not in the asset register"):
        register.machine("harbour/m4")


@pytest.mark.parametrize(
    ("power", "part", "applies"), [("75", "10816-3", True), ("7.5", "10816-3", False)]
)
def test_iso_limits_or_the_reason_why_not(power, part, applies):
    text = table({"power_kw": power, "iso_part": part})
    found = parse_register(text, "a.csv").machine("harbour/pump-1").iso_limits
    assert isinstance(found, IsoLimits if applies else NotApplicable)


@pytest.mark.parametrize(
    ("column", "text", "said"),
    [
        ("site", "Harbour", "is not a slug: use 1 to 63 of a-z, 0-9 and '-'"),
        ("site", "", "is not a slug"),
        ("machine", "pump_1", "is not a slug"),
        ("machine_class", "p" * 64, "is not a slug"),
        ("channel", "de/h", "is not a slug"),
        ("power_kw", "75kW", "is not a number"),
        ("power_kw", "0", "must be above 0"),
        ("rpm_nominal", "-1480", "must be above 0"),
        ("rpm_nominal", "nan", "must be above 0"),
        ("rate_hz", "inf", "must be above 0"),
        ("rate_hz", "", "is not a number"),
        ("shaft_ratio", "0", "must be above 0"),
        ("mounting", "bolted", "must be one of rigid, flexible, (empty)"),
        ("iso_part", "10816-7", "must be one of 10816-3, n/a"),
        ("iso_group", "3", "must be one of 1, 2"),
        ("location", "de", "must be one of DE, NDE, GB"),
        ("axis", "X", "must be one of H, V, A"),
        ("blades", "5.5", "must be a whole number"),
        ("gear_teeth", "many", "is not a number"),
        ("bearing", "6255", "is not in the catalogue: write 'unknown' or geometry Z=9"),
        ("bearing", "6255", "; near names: 6"),
        ("bearing", "Z=9 d=7.94", "is not geometry: write Z=9 d=7.94 D=39.04 phi=0"),
        ("bearing", "Z=2 d=7 D=39", "needs Z >= 3 and 0 < d < D"),
    ],
)
def test_every_mistake_names_line_column_value_and_remedy(column, text, said):
    (problem,) = mistakes({}, {"channel": "de-v", column: text})
    assert problem.startswith(f"line 3, column {column}: '{text}' ")
    assert said in problem


def test_all_mistakes_of_a_file_are_told_at_once_in_one_line():
    rows = ({"power_kw": "much"}, {"axis": "Z", "blades": "x"}, {"machine": "fan-1"})
    with pytest.raises(BadInputError) as caught:
        parse_register(table(*rows), "plant.csv")
    told = str(caught.value)
    assert told.startswith("plant.csv: line 2, column power_kw")
    assert "line 3, column axis" in told
    assert "line 3, column blades" in told
    assert told.count("; ") == 2
    assert "\n" not in told


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (({}, {}), "line 3: channel 'de-h' of harbour/pump-1 stands twice"),
        (
            ({}, {"channel": "v", "power_kw": "55"}),
            "line 3, column power_kw: '55.0' differs from the '75.0' that harbour/pump-1 has above",
        ),
        (
            ({}, {"channel": "v", "rate_hz": "12800"}),
            "harbour/pump-1: all channels of a machine must have one rate_hz",
        ),
        (({"rpm_min": "1490"},), "harbour/pump-1: rpm_min <= rpm_nominal <= rpm_max does not hold"),
        (
            ({"site": "a-b", "machine": "c"}, {"site": "a", "machine": "b-c"}),
            "a/b-c: its node would be named 'a-b-c' like that of a-b/c; rename one",
        ),
    ],
)
def test_rows_that_contradict_each_other(rows, said):
    assert mistakes(*rows) == [said]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty: the first line must name the columns site, region"),
        (table(), "holds no machine"),
        (table({}, columns=COLUMNS[1:]), "line 1: column 'site' is missing"),
        (table({}, columns=(*COLUMNS, "colour")), "line 1: column 'colour' is not known"),
        (table({}, columns=(*COLUMNS, "axis")), "line 1: column 'axis' stands twice"),
        (table({}).rstrip() + ",more\n", "line 2: does not have 25 columns"),
        (table({})[:-8] + "\n", "line 2: does not have 25 columns"),
        (table({"owner": "x\0"}), "holds a NUL character: save it as plain text"),
    ],
)
def test_tables_of_the_wrong_shape(text, said):
    _, problems = check_register(text)
    assert any(p.startswith(said) for p in problems), problems


def test_a_field_that_csv_cannot_hold_is_a_mistake_not_a_crash():
    _, problems = check_register(table({"owner": "x" * 200_000}))
    assert problems == ["line 1: is not CSV (field larger than field limit (131072))"]


def test_spreadsheets_byte_order_mark_blanks_and_line_ends():
    text = table({"owner": "Quay"}, {"owner": "Quay", "channel": "v"})
    dressed = "\ufeff" + text.replace("\n", "\r\n").replace(",", ", ")
    assert parse_register(dressed, "a.csv") == parse_register(text, "a.csv")


@pytest.mark.parametrize("column", ["site", "rate_hz", "bearing", "mounting"])
def test_a_line_break_in_a_cell_does_not_break_the_message(column):
    (problem,) = mistakes({column: "Z=1\n2"})
    assert "\n" not in problem
    assert "'Z=1 2'" in problem
    _, problems = check_register('"si\nte",b\n')
    assert "\n" not in "".join(problems)


def test_the_plant_of_the_demo_survives_export():
    assert parse_register(export(plant()), "exported") == plant()


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=12).map(
    str.strip
)
SIZES = st.floats(1e-3, 1e6)
BEARINGS = st.sampled_from(
    [None, find_bearing("6205"), find_bearing("6309"), Bearing.parse("Z=11 d=8.5 D=45.1 phi=12.5")]
)
POINTS = st.builds(
    Point,
    channel=st.from_regex(r"[a-z0-9-]{1,9}", fullmatch=True),
    location=st.sampled_from(["DE", "NDE", "GB"]),
    axis=st.sampled_from(["H", "V", "A"]),
    shaft=WORDS,
    shaft_ratio=SIZES,
    bearing=BEARINGS,
    gear_teeth=st.none() | st.integers(1, 200),
    gear_mate_teeth=st.none() | st.integers(1, 200),
    blades=st.none() | st.integers(1, 30),
    line_hz=SIZES,
    range_m_s2=SIZES,
)
MACHINES = st.builds(
    Machine,
    site=st.just("harbour"),
    machine=st.from_regex(r"[a-z0-9-]{1,9}", fullmatch=True),
    machine_class=st.just("pump"),
    region=WORDS,
    owner=WORDS,
    criticality=WORDS,
    power_kw=st.none() | SIZES,
    rpm_nominal=st.none() | SIZES,
    mounting=st.sampled_from(["rigid", "flexible", ""]),
    iso_part=st.sampled_from(["10816-3", "n/a"]),
    iso_group=st.none() | st.sampled_from([1, 2]),
    points=st.lists(POINTS, min_size=1, max_size=3, unique_by=lambda p: p.channel).map(tuple),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(MACHINES, min_size=1, max_size=3, unique_by=lambda m: m.machine))
def test_any_register_survives_export(machines):
    register = Register({m.path: m for m in machines})
    assert parse_register(export(register), "exported") == register


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.booleans())
def test_any_text_is_read_or_told_of(text, with_header):
    text = (",".join(COLUMNS) + "\n" if with_header else "") + text
    register, problems = check_register(text)
    assert problems or len(register)
    assert not any("\n" in p for p in problems)
