"""Drivers of hardware that is not here, against stand-ins that record the calls they are made.

A stand-in has exactly the calls of the library's documentation that the driver uses, and nothing
else. What it shows is the driver's own logic; it says nothing of hardware.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from edge_node.sources import audio, iepe, nidaqmx
from tests.edge_node.devices import MACHINE
from vibro.errors import BadInputError, MissingExtraError, VibroError

G = 9.80665


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.mark.parametrize(
    ("driver", "options", "module", "said"),
    [
        (audio, audio.AudioOptions(full_scale=(1.0,)), "sounddevice", "'audio'"),
        (iepe, iepe.IepeOptions(), "daqhats", "'daqhats'"),
        (nidaqmx, nidaqmx.NidaqmxOptions(inputs=("a", "b")), "nidaqmx", "'nidaqmx'"),
    ],
)
def test_a_missing_extra_is_one_line(monkeypatch, tmp_path, driver, options, module, said):
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(MissingExtraError, match=f"needs the {said} extra: pip install"):
        driver.open_device(options, MACHINE, tmp_path)


# -- audio -------------------------------------------------------------------------------------


class PortAudioError(Exception):
    pass


class Sounddevice:
    """`query_devices` and `InputStream` of python-sounddevice."""

    PortAudioError = PortAudioError

    def __init__(self) -> None:
        self.streams, self.calls, self.broken = [], [], False

    def query_devices(self, device, kind):
        self.calls.append(("query_devices", device, kind))
        if device == "nothing":
            raise ValueError(f"No {kind} device\nmatching {device!r}")
        return {"max_input_channels": 4}

    def InputStream(self, **settings):  # noqa: N802 (the library's name)
        if self.broken:
            raise PortAudioError("Error opening InputStream: Invalid sample rate [-9997]")
        self.calls.append(("InputStream", settings))
        self.streams.append(settings)
        names = ("start", "stop", "close")
        return SimpleNamespace(**{n: lambda n=n: self.calls.append((n,)) for n in names})


AUDIO = audio.AudioOptions(device="333D01", full_scale=(200.0, 100.0), sign=(1.0, -1.0))


@pytest.fixture
def sounddevice():
    return Sounddevice()


def listening(sounddevice, clock, options=AUDIO):
    return audio.AudioDevice(sounddevice, options, MACHINE, clock)


def heard(sounddevice, block, *, overflow=False):
    """PortAudio's callback, with an array that is overwritten afterwards."""
    lent = np.array(block, np.int32)
    sounddevice.streams[-1]["callback"](
        lent, len(lent), None, SimpleNamespace(input_overflow=overflow)
    )
    lent[:] = -1


def test_audio_samples_are_copied_scaled_and_chosen(sounddevice, clock):
    device = listening(sounddevice, clock, replace(AUDIO, inputs=(3, 1)))
    device.start()
    settings = sounddevice.streams[0]
    asked = {k: settings[k] for k in ("samplerate", "device", "channels", "dtype", "blocksize")}
    assert asked == {
        "samplerate": 1280.0,
        "device": "333D01",
        "channels": 3,
        "dtype": "int32",
        "blocksize": 26,
    }
    heard(sounddevice, [[1, 2, 3], [4, 5, 6]])
    frames = device.read(0.0)
    assert frames.counts.tolist() == [[3, 6], [1, 4]]
    np.testing.assert_allclose(device.scale, [200 / 2**31, -100 / 2**31], rtol=1e-6)
    assert (device.rate_hz, device.sample_bytes, frames.lost) == (1280.0, 4, 0)
    device.stop()
    device.stop()
    assert [c[0] for c in sounddevice.calls] == [
        "query_devices", "InputStream", "start", "stop", "close",
    ]  # fmt: skip


def test_an_audio_overflow_is_lost_time(sounddevice, clock):
    device = listening(sounddevice, clock)
    device.start()
    for i in range(3):
        clock.now_s += 0.1 + (i == 2) * 2.0
        heard(sounddevice, np.zeros((128, 2)), overflow=i == 2)
    assert [device.read(0.0).lost for _ in range(3)] == [0, 0, 2560]


def test_a_sensor_that_is_pulled_out_fails_after_its_last_samples(sounddevice, clock):
    device = listening(sounddevice, clock)
    device.start()
    heard(sounddevice, [[1, 2]])
    sounddevice.streams[0]["finished_callback"]()
    assert device.read(0.0) is not None
    with pytest.raises(VibroError, match="is the sensor still plugged in"):
        device.read(0.0)
    device.start()
    assert device.read(0.0) is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (replace(AUDIO, full_scale=()), "source.audio.full_scale is empty: .* calibration sheet"),
        (replace(AUDIO, full_scale=(1, 2, 3)), "full_scale has 3 values"),
        (replace(AUDIO, unit="V"), "sensitivity_mv_g is empty"),
        (replace(AUDIO, inputs=(1, 1)), "names an input twice"),
    ],
)
def test_audio_options_that_do_not_fit_are_one_line(sounddevice, clock, options, said):
    with pytest.raises(BadInputError, match=said) as caught:
        listening(sounddevice, clock, options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (replace(AUDIO, inputs=(1, 9)), "the device's last input is 4"),
        (replace(AUDIO, device="nothing"), "device = 'nothing' is no input .No input device mat"),
    ],
)
def test_a_sensor_that_is_not_there_is_one_line_and_may_come_later(
    sounddevice, clock, options, said
):
    device = listening(sounddevice, clock, options)
    with pytest.raises(VibroError, match=said) as caught:
        device.start()
    assert "\n" not in str(caught.value)
    device.stop()


def test_an_audio_stream_that_does_not_start_is_one_line(sounddevice, clock):
    device = listening(sounddevice, clock, replace(AUDIO, device="2"))
    assert sounddevice.calls == []
    sounddevice.broken = True
    with pytest.raises(VibroError, match=r"does not start \(.*Invalid sample rate"):
        device.start()
    assert sounddevice.calls == [("query_devices", 2, "input")]


# -- MCC 172 -----------------------------------------------------------------------------------


class HatError(Exception):
    pass


class Board:
    """The calls of daqhats' `mcc172` that the driver uses."""

    def __init__(self, address: int) -> None:
        if address > 7:
            raise HatError("Board not responding.")
        self.calls, self.answers, self.active = [("open", address)], [], False

    def iepe_config_write(self, channel, mode):
        self.calls.append(("iepe", channel, mode))

    def a_in_clock_config_write(self, source, rate):
        self.calls.append(("clock", source, rate))
        self.rate = 51200.0 / round(51200.0 / rate)

    def a_in_clock_config_read(self):
        return SimpleNamespace(clock_source=0, sample_rate_per_channel=self.rate, synchronized=True)

    def a_in_scan_start(self, mask, samples, options):
        if self.active:
            raise HatError("A scan is already active.")
        self.active = True
        self.calls.append(("scan", mask, samples, options))

    def a_in_scan_read_numpy(self, samples, timeout):
        if not self.active:
            raise HatError("Scan not active.")
        self.calls.append(("read", samples, timeout))
        answer = {"running": True, "hardware_overrun": False, "buffer_overrun": False}
        return SimpleNamespace(**answer | self.answers.pop(0))

    def a_in_scan_stop(self):
        if not self.active:
            raise HatError("Scan not active.")

    def a_in_scan_cleanup(self):
        self.active = False


DAQHATS = SimpleNamespace(
    mcc172=Board,
    HatError=HatError,
    SourceType=SimpleNamespace(LOCAL=0),
    OptionFlags=SimpleNamespace(CONTINUOUS=16),
)
IEPE = iepe.IepeOptions(sensitivity_mv_g=(100.0, 50.0), inputs=(1, 0), rate_hz=5000.0)


def volts(*frames):
    return {"data": np.array(frames, np.float64).ravel()}


def test_an_mcc_172_is_set_up_supplied_and_read_in_m_s2(clock):
    device = iepe.IepeDevice(DAQHATS, IEPE, MACHINE, clock)
    assert device.rate_hz == 5000.0
    device.start()
    board = device._board
    assert board.calls == [
        ("open", 0), ("iepe", 1, 1), ("iepe", 0, 1), ("clock", 0, 5000.0), ("scan", 3, 0, 16),
    ]  # fmt: skip
    assert device.rate_hz == 5120.0
    board.answers = [volts([0.1, 0.2], [0.3, 0.4]), volts()]
    frames = device.read(0.5)
    assert board.calls[-1] == ("read", 102, 0.5)
    # The board interleaves by its own numbers; the machine's first channel is its input 1.
    np.testing.assert_allclose(frames.counts, [[0.2, 0.4], [0.1, 0.3]], rtol=1e-6)
    np.testing.assert_allclose(device.scale, [10 * G, 20 * G], rtol=1e-6)
    assert device.sample_bytes == 3
    assert device.read(0.5) is None
    device.stop()
    device.stop()
    assert not board.active


@pytest.mark.parametrize("flag", ["hardware_overrun", "buffer_overrun"])
def test_an_overrun_keeps_what_was_read_begins_again_and_becomes_lost_frames(clock, flag):
    device = iepe.IepeDevice(DAQHATS, IEPE, MACHINE, clock)
    device.start()
    board = device._board
    block = volts(*[[0.1, 0.2]] * 102)
    board.answers = [block, block | {flag: True, "running": False}, volts(), block]
    clock.now_s += 102 / 5120
    assert device.read(0.5).lost == 0
    clock.now_s += 102 / 5120 + 1.0
    assert device.read(0.5).lost == 0
    assert [c[0] for c in board.calls].count("scan") == 2
    assert device.read(0.5) is None
    clock.now_s += 102 / 5120
    assert device.read(0.5).lost == pytest.approx(5120, abs=1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (replace(IEPE, address=8), "source.iepe: Board not responding.: is there an MCC 172 at"),
        (replace(IEPE, inputs=(0, 2)), "the device's last input is 1"),
    ],
)
def test_a_board_that_does_not_fit_is_one_line(clock, options, said):
    with pytest.raises(VibroError, match=said):
        iepe.IepeDevice(DAQHATS, options, MACHINE, clock).start()


def test_a_board_that_fails_is_one_line_and_may_be_started_again(clock):
    device = iepe.IepeDevice(DAQHATS, IEPE, MACHINE, clock)
    with pytest.raises(VibroError, match="the board is not open"):
        device.read(0.1)
    device.start()
    device._board.active = False
    with pytest.raises(VibroError, match=r"source.iepe: Scan not active.: it is started again"):
        device.read(0.1)
    device.start()
    device._board.answers = [volts([0.1, 0.2])]
    assert device.read(0.1).counts.shape == (2, 1)


# -- NI-DAQmx ----------------------------------------------------------------------------------


class DaqError(Exception):
    def __init__(self, message, code, read=None):
        super().__init__(message)
        self.error_code = code
        if read is not None:
            self.samps_per_chan_read = read


class Task:
    """The calls of a task of nidaqmx that the driver uses."""

    def __init__(self, log) -> None:
        self.log, self.in_stream = log, object()
        self.ai_channels = SimpleNamespace(add_ai_accel_chan=self._add)
        self.timing = SimpleNamespace(cfg_samp_clk_timing=self._time, samp_clk_rate=1652.0)

    def _add(self, name, **settings):
        if name == "nothing":
            raise DaqError("Device identifier is invalid.\n\nTask Name: _unnamed", -200220)
        self.log.append(("channel", name, settings))

    def _time(self, rate, **settings):
        self.log.append(("timing", rate, settings))

    def __getattr__(self, name):
        if name not in {"start", "stop", "close"}:
            raise AttributeError(name)
        return lambda: self.log.append((name,))


class Daqmx:
    """Modules of nidaqmx, and what the next reads give."""

    def __init__(self) -> None:
        self.log, self.answers = [], []
        self.modules = [
            SimpleNamespace(Task=lambda: Task(self.log)),
            SimpleNamespace(
                AccelUnits=SimpleNamespace(METERS_PER_SECOND_SQUARED="m/s2"),
                AccelSensitivityUnits=SimpleNamespace(MILLIVOLTS_PER_G="mV/g"),
                ExcitationSource=SimpleNamespace(INTERNAL="internal", NONE="none"),
                AcquisitionType=SimpleNamespace(CONTINUOUS="continuous"),
            ),
            SimpleNamespace(
                AnalogMultiChannelReader=lambda stream: SimpleNamespace(read_many_sample=self._read)
            ),
            SimpleNamespace(DaqError=DaqError),
        ]

    def _read(self, data, n, timeout):
        value, end = self.answers.pop(0)
        data[:] = value
        if isinstance(end, Exception):
            raise end
        return end


NI = nidaqmx.NidaqmxOptions(inputs=("Mod1/ai0", "Mod1/ai1"), sign=(1.0, -1.0))


def on_ni(clock, options=NI):
    daqmx = Daqmx()
    return nidaqmx.NidaqmxDevice(daqmx.modules, options, MACHINE, clock), daqmx


def test_ni_channels_are_accelerometers_in_m_s2(clock):
    device, daqmx = on_ni(clock, replace(NI, sensitivity_mv_g=(100.0, 10.0)))
    assert (daqmx.log, device.rate_hz) == ([], 1280.0)
    device.start()
    (_, name, settings), (_, _, second), (_, rate, timing), _ = daqmx.log
    assert (name, second["sensitivity"], rate) == ("Mod1/ai0", 10.0, 1280.0)
    assert settings == {
        "min_val": -490.0,
        "max_val": 490.0,
        "units": "m/s2",
        "sensitivity": 100.0,
        "sensitivity_units": "mV/g",
        "current_excit_source": "internal",
        "current_excit_val": 0.004,
    }
    assert timing == {"sample_mode": "continuous", "samps_per_chan": 12800}
    assert device.rate_hz == 1652.0
    assert device.scale.tolist() == [1.0, -1.0]
    daqmx.answers = [(2.5, 33), (1.5, DaqError("late", -200284, 7)), (0, DaqError("l", -200284))]
    assert device.read(0.1).counts.tolist() == [[2.5] * 33] * 2
    assert device.read(0.1).counts.tolist() == [[1.5] * 7] * 2
    assert device.read(0.1) is None
    device.stop()
    device.stop()
    device.start()
    assert [c[0] for c in daqmx.log if len(c) == 1] == ["start", "close", "start"]


@pytest.mark.parametrize("code", [-200279, -200361])
def test_an_overrun_of_ni_daqmx_starts_the_task_anew_and_becomes_lost_frames(clock, code):
    device, daqmx = on_ni(clock)
    device.start()
    daqmx.answers = [(1, 33), (0, DaqError("overrun", code)), (1, 33)]
    clock.now_s += 33 / 1652
    assert device.read(0.1).lost == 0
    clock.now_s += 2.0
    assert device.read(0.1) is None
    assert daqmx.log[-2:] == [("stop",), ("start",)]
    assert device.read(0.1).lost == 3304


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (replace(NI, inputs=("a",)), "source.nidaqmx.inputs names 1 inputs, the machine has 2"),
        (replace(NI, inputs=("a", "nothing")), "identifier is invalid. Task Name: .*: see NI MAX"),
    ],
)
def test_ni_inputs_that_do_not_fit_are_one_line(clock, options, said):
    with pytest.raises(VibroError, match=said):
        on_ni(clock, options)[0].start()


def test_any_other_error_of_ni_daqmx_is_one_line(clock):
    device, daqmx = on_ni(clock)
    device.start()
    daqmx.answers = [(0, DaqError("Device was\nunplugged", -88705))]
    with pytest.raises(VibroError, match=r"source.nidaqmx: Device was unplugged: the task is"):
        device.read(0.1)
