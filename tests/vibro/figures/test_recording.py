"""Figures: what is said is marked where it stands, on a PNG that is the same every time."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Annotation

from tests.vibro.diagnosis.machines import (
    RATE,
    RPM,
    damaged,
    defect_hz,
    healthy,
    order_tone,
    point,
)
from vibro.diagnosis import assess
from vibro.faults import Fault
from vibro.figures import Story, draw

SHAFT_HZ = RPM / 60
PNG = b"\x89PNG\r\n\x1a\n"


def story(x, rpm=RPM, rate_hz=RATE, diagnosis=None, **more) -> Story:
    return Story("a machine", x, rate_hz, rpm, point(**more), diagnosis)


def told(fault: str, seed: int = 1) -> Story:
    """A damaged machine with the diagnosis that it gets."""
    x = damaged(fault, seed)
    (best,) = assess(x[None], RATE, RPM, [point()]).diagnoses
    return story(x, diagnosis=best)


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draw a story and return its four panels instead of the file."""
    held = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *args, **kwargs: held.append(self))

    def panels(of: Story):
        draw(of, tmp_path / "kept-in-memory.png")
        return held[-1].axes

    return panels


def texts(axes) -> list[str]:
    return [t.get_text() for t in axes.texts]


def upright_hz(axes) -> np.ndarray:
    """Places of vertical lines from the bottom to the top of a panel."""
    spans = [line.get_xdata() for line in axes.lines if list(line.get_ydata()) == [0, 1]]
    return np.array(sorted(float(x[0]) for x in spans))


def dots(axes, marker: str) -> list[float]:
    return sorted(
        float(x) for line in axes.lines if line.get_marker() == marker for x in line.get_xdata()
    )


def near(found, wanted, rel) -> None:
    """Every wanted place has one found beside it."""
    found = np.asarray(found)
    for hz in wanted:
        assert np.abs(found - hz).min() <= rel * hz, (hz, found)


def test_a_png_of_full_size_is_written_that_is_not_blank(tmp_path):
    file = tmp_path / "outer.png"
    assert draw(told("bearing_outer"), file) == file
    assert file.read_bytes().startswith(PNG)
    pixels = imread(file)[..., :3]
    assert pixels.shape == (1320, 1210, 3)
    ink = (pixels < 0.5).any(axis=2)
    assert 0.01 < ink.mean() < 0.5
    # Something is drawn in each of the four panels, not in one alone.
    assert all(part.mean() > 0.003 for part in np.array_split(ink, 4))
    assert (np.ptp(pixels, axis=2) > 0.3).mean() > 1e-3  # marks are in colour


def test_two_runs_give_the_same_file_and_another_recording_another(tmp_path):
    files = [
        draw(story(healthy(seed)), tmp_path / f"{i}.png").read_bytes()
        for i, seed in enumerate((1, 1, 2))
    ]
    assert files[0] == files[1]
    assert files[0] != files[2]


def test_it_needs_no_display_and_touches_no_state_of_pyplot(tmp_path):
    code = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "from vibro.assets import Point; from vibro.figures import Story, draw\n"
        "x = np.random.default_rng(0).standard_normal(4000)\n"
        "story = Story('t', x, 1000.0, 600.0, Point('a', 'DE', 'H'))\n"
        "draw(story, Path(sys.argv[1]))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    environment = {k: v for k, v in os.environ.items() if k not in {"DISPLAY", "WAYLAND_DISPLAY"}}
    file = tmp_path / "headless.png"
    subprocess.run([sys.executable, "-c", code, str(file)], check=True, env=environment)
    assert file.read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("fault", "line"),
    [("bearing_outer", "BPFO"), ("bearing_inner", "BPFI"), ("bearing_ball", "2xBSF")],
)
def test_the_named_family_is_marked_where_it_is_and_where_geometry_says(drawn, fault, line):
    envelope = drawn(told(fault))[1]
    found = defect_hz(fault)
    near(dots(envelope, "o"), found * np.arange(1, 5), rel=0.01)
    near(upright_hz(envelope), defect_hz(fault, slip=0.0) * np.arange(1, 5), rel=1e-3)
    notes = [t for t in envelope.texts if isinstance(t, Annotation)]
    assert notes[0].get_text().startswith(f"{line} ")
    assert float(notes[0].get_text().split()[1]) == pytest.approx(found, rel=0.01)
    assert f"2×{line}" in [n.get_text() for n in notes]
    assert any(f"dashed: {line} by geometry" in t for t in texts(envelope))


def test_dots_stand_on_the_tops_of_the_curve(drawn):
    envelope = drawn(told("bearing_outer"))[1]
    curve = max(envelope.lines, key=lambda line: len(line.get_xdata()))
    hz, depth = np.asarray(curve.get_xdata()), np.asarray(curve.get_ydata())
    marks = [line for line in envelope.lines if line.get_marker() == "o"]
    assert len(marks) >= 3
    for mark in marks:
        (at,), (level,) = mark.get_xdata(), mark.get_ydata()
        around = depth[np.abs(hz - at) <= 0.8]
        assert level == pytest.approx(around.max(), rel=1e-6)
        assert level > 3 * np.median(depth)


def test_an_inner_race_has_its_sidebands_marked_and_an_outer_none(drawn):
    inner = drawn(told("bearing_inner"))[1]
    carrier = defect_hz("bearing_inner")
    near(dots(inner, "^"), [carrier - SHAFT_HZ, carrier + SHAFT_HZ], rel=0.01)
    assert "▲ 1× sidebands" in texts(inner)
    assert dots(drawn(told("bearing_outer"))[1], "^") == []


def test_the_periods_of_the_defect_are_marked_on_the_waveform_from_its_peak(drawn):
    of = told("bearing_outer")
    waveform = drawn(of)[0]
    places = upright_hz(waveform)  # seconds here
    peak = np.abs(of.x - of.x.mean()).argmax() / RATE
    assert np.diff(places) == pytest.approx(1 / of.line[2], rel=1e-6)
    assert np.abs(places - peak).min() < 1e-6
    assert "BPFO period" in waveform.get_title(loc="left")


def test_a_sound_machine_has_its_families_and_orders_marked_faintly(drawn):
    _, envelope, velocity, _ = drawn(story(healthy(1)))
    assert {"BPFO", "BPFI", "2xBSF", "FTF", "1×", "2×", "3×"} <= set(texts(envelope))
    wanted = [defect_hz(f, slip=0.0) for f in ("bearing_outer", "bearing_inner", "bearing_cage")]
    near(upright_hz(envelope), [*wanted, SHAFT_HZ, 2 * SHAFT_HZ], rel=1e-3)
    near(upright_hz(velocity), SHAFT_HZ * np.arange(1, 5), rel=1e-6)
    assert dots(envelope, "o") == []


def test_mesh_and_blades_are_marked_where_the_machine_has_them(drawn):
    of = story(healthy(1), gear_teeth=21, gear_mate_teeth=40, blades=7)
    velocity = drawn(of)[2]
    near(upright_hz(velocity), [21 * SHAFT_HZ, 7 * SHAFT_HZ], rel=1e-6)
    assert {"mesh", "blades"} <= set(texts(velocity))
    assert not {"mesh", "blades"} & set(texts(drawn(story(healthy(1)))[2]))


@pytest.mark.parametrize("rpm", [np.nan, 0.0, np.inf, 1e-3, 60.0])
def test_at_a_speed_that_is_not_known_or_not_resolved_nothing_is_marked(drawn, rpm):
    for axes in drawn(story(healthy(1), rpm)):
        assert upright_hz(axes).size == 0
        assert texts(axes) == []
    _, envelope, velocity, _ = drawn(story(healthy(1), rpm))
    for axes in (envelope, velocity):
        assert len(axes.lines[0].get_xdata()) > 100  # the curves are there all the same


def test_where_names_would_run_into_each_other_some_marks_stay_without(drawn):
    velocity = drawn(story(healthy(1, 150.0), 150.0))[2]
    near(upright_hz(velocity), 2.5 * np.arange(1, 5), rel=1e-6)
    assert texts(velocity) == ["1×", "2×", "3×"]


def test_marks_stay_within_their_panels(drawn):
    for of in (told("bearing_inner"), story(healthy(1, 100.0), 100.0), story(healthy(1), 6e4)):
        for axes in drawn(of)[1:3]:
            low, high = axes.get_xlim()
            marks = [*upright_hz(axes), *dots(axes, "o"), *dots(axes, "^")]
            assert all(low <= hz <= high for hz in marks)
            curve = np.asarray(axes.lines[0].get_xdata())
            assert curve[0] == low
            assert curve[-1] == high


def test_the_velocity_panel_shows_and_says_the_machines_level(drawn):
    x = order_tone(1, 5.0) + 0.01 * healthy(1)
    velocity = drawn(story(x))[2]
    curve = velocity.lines[0]
    top = np.argmax(curve.get_ydata())
    assert curve.get_xdata()[top] == pytest.approx(SHAFT_HZ, abs=0.125)
    assert curve.get_ydata()[top] == pytest.approx(5.0, rel=0.16)  # between two bins of a Hann
    title = velocity.get_title(loc="left")
    assert title.startswith("Velocity spectrum (10 to 1000 Hz: ")
    assert float(title.split(": ")[1].split()[0]) == pytest.approx(5.0, rel=0.03)


@pytest.mark.parametrize(
    ("rpm", "rate_hz", "span"), [(590.0, RATE, "2 to 1000 Hz"), (1480.0, 1200.0, "10 to 600 Hz")]
)
def test_the_velocity_panel_says_the_band_it_covers(drawn, rpm, rate_hz, span):
    assert span in drawn(story(healthy(1), rpm, rate_hz))[2].get_title(loc="left")


def test_the_demodulated_band_is_shaded_and_named(drawn):
    _, envelope, _, acceleration = drawn(told("bearing_outer"))
    (shade,) = acceleration.patches
    low, high = shade.get_x(), shade.get_x() + shade.get_width()
    assert low < 3300.0 < high  # the resonance that the defect rings
    assert f"{low:.0f} to {high:.0f} Hz" in envelope.get_title(loc="left")


def test_an_unnamed_fault_is_drawn_like_a_sound_machine(drawn):
    rng = np.random.default_rng(1)
    x = healthy(1)
    x[rng.integers(0, x.size, 400)] += 30.0
    found = assess(x[None], RATE, np.nan, [point()]).diagnoses
    of = story(x, diagnosis=found[0] if found else None)
    assert found
    assert found[0].fault in {Fault.UNKNOWN, Fault.SPIKE}
    assert of.line is None
    assert "BPFO" in texts(drawn(of)[1])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("x", "rate_hz"),
    [
        (np.zeros(3000), RATE),
        (np.full(3000, 2.0), RATE),
        (healthy(1)[:64], RATE),
        (healthy(1)[:300], 60.0),
        (healthy(1)[:5000].astype(np.float32), 1e6),
        ((100 * healthy(1)[:5000]).astype(np.int16), 2560.0),
    ],
    ids=["zeros", "constant", "shortest", "slow", "fast", "counts"],
)
def test_any_recording_can_be_drawn(tmp_path, x, rate_hz):
    file = draw(story(x, rate_hz=rate_hz), tmp_path / "any.png")
    assert imread(file)[..., :3].std() > 0.05
