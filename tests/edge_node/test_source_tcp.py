"""The TCP source over real sockets: senders that are good, slow, silent, rude and many."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import numpy as np
import pytest

from edge_node.sources.kinds import kind_of
from edge_node.sources.tcp import TcpDevice, TcpOptions
from edge_node.sources.tcp_frames import GOODBYE
from edge_node.sources.tcp_sender import Sender, main, send
from tests.edge_node.garbage import mutated
from tests.edge_node.plants import MACHINE, RATE
from tests.edge_node.test_tcp_frames import block, hello
from vibro.errors import BadInputError, VibroError
from vibro.files import Recording, write_recording

DEADLINE_S = 20.0
X = np.random.default_rng(0).standard_normal((2, 3000)).astype(np.float32)


@pytest.fixture
def listening():
    made: list[TcpDevice] = []

    def listen(**options) -> TcpDevice:
        made.append(TcpDevice(TcpOptions(port=0, **options), MACHINE))
        made[-1].start()
        return made[-1]

    yield listen
    for device in made:
        device.stop()


def connected(device: TcpDevice, data: bytes = b"") -> socket.socket:
    peer = socket.create_connection(("127.0.0.1", device.port), DEADLINE_S)
    peer.sendall(data)
    return peer


def read(device: TcpDevice, frames: int = 1) -> list:
    """Read so many frames, within a deadline."""
    found, until = [], time.monotonic() + DEADLINE_S
    while len(found) < frames:
        assert time.monotonic() < until
        got = device.read(0.1)
        if got is not None:
            found.append(got)
    return found


def sent(*frames) -> bytes:
    return b"".join(f.packed() for f in frames)


def test_a_recording_that_is_sent_arrives_as_it_is(listening, tmp_path):
    device = listening(goodbye="end", sign=(1.0, -1.0))
    write_recording(tmp_path / "a.npy", Recording(X, ("a", "b"), float(RATE), 1480.0, True, ""))
    address = f"127.0.0.1:{device.port}"
    status: list[int] = []
    thread = threading.Thread(
        target=lambda: status.append(main([str(tmp_path / "a.npy"), address, "--fast"]))
    )
    thread.start()
    got = []
    with contextlib.suppress(EOFError):
        while True:
            got += read(device)
    thread.join(DEADLINE_S)
    assert status == [0]
    counts = np.concatenate([f.counts for f in got], axis=1)
    assert (counts == X).all()
    assert device.scale.tolist() == [1.0, -1.0]
    assert (device.rate_hz, device.sample_bytes, got[0].rpm) == (RATE, 4, 1480.0)


def test_a_sender_goes_on_where_it_was_when_the_connection_breaks(listening):
    device = listening()
    sender = Sender(X, float(RATE), float("nan"), 5, 100)

    class Breaks:
        """Closes the first connections after some frames."""

        def __init__(self) -> None:
            self.frames = 0

        def __call__(self, seconds: float) -> None:
            self.frames += 1
            if self.frames in {8, 15}:
                raise ConnectionResetError(104, "Connection reset by peer")

    thread = threading.Thread(
        target=send, args=(sender, "127.0.0.1", device.port),
        kwargs={"fast": False, "patience_s": DEADLINE_S, "sleep": Breaks()},
    )  # fmt: skip
    thread.start()
    got, total = [], 0
    while total < X.shape[1]:
        got += read(device)
        total += got[-1].counts.shape[1] + got[-1].lost
    thread.join(DEADLINE_S)
    assert total == X.shape[1]
    assert not any(f.anew for f in got)


def test_nobody_who_listens_is_one_line(capsys, tmp_path):
    write_recording(tmp_path / "a.npy", Recording(X, ("a", "b"), float(RATE), 1480.0, True, ""))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert main([str(tmp_path / "a.npy"), f"127.0.0.1:{port}", "--patience", "0"]) == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "nobody listens" in said
    for wrong in ("127.0.0.1", "127.0.0.1:0", ":80", "h:99999"):
        with pytest.raises(SystemExit):
            main([str(tmp_path / "a.npy"), wrong])


def test_only_this_computer_is_listened_to_unless_told_otherwise():
    assert TcpOptions().host == "127.0.0.1"
    assert kind_of("tcp").options is TcpOptions


def test_an_address_that_is_taken_is_one_line(listening):
    port = listening().port
    with pytest.raises(VibroError, match=rf"source\.tcp: cannot listen on 127\.0\.0\.1:{port} \("):
        TcpDevice(TcpOptions(port=port), MACHINE).start()
    with pytest.raises(VibroError, match=r"cannot listen on nowhere\.invalid"):
        TcpDevice(TcpOptions(host="nowhere.invalid"), MACHINE).start()
    with pytest.raises(VibroError, match="cannot listen"):
        TcpDevice(TcpOptions(port=70000), MACHINE).start()


def test_options_that_do_not_fit_are_told_when_it_is_opened():
    with pytest.raises(BadInputError, match=r"source\.sensitivity_mv_g is empty"):
        TcpDevice(TcpOptions(unit="mV"), MACHINE)


@pytest.mark.parametrize(
    "data",
    [b"", sent(hello()), sent(hello()) + sent(block(0))[:70]],
    ids=["nothing", "hello only", "half a frame"],
)
def test_a_silent_or_half_open_sender_is_dropped_and_the_next_one_heard(listening, caplog, data):
    device = listening(silence_s=0.15)
    silent = connected(device, data)
    device.read(0.05)
    good = connected(device, sent(hello(), block(0)))
    (frames,) = read(device)
    assert frames.counts.shape == (2, 10)
    assert "no sound frame for 0.15 s" in caplog.text
    silent.close()
    good.close()


def test_a_sender_that_drips_bytes_is_dropped_all_the_same(listening, caplog):
    device = listening(silence_s=0.2)
    peer = connected(device, sent(hello()))
    drip = sent(block(0))
    until = time.monotonic() + DEADLINE_S
    while "is dropped" not in caplog.text:
        assert time.monotonic() < until
        try:
            peer.sendall(drip[:1])
        except OSError:
            break
        assert device.read(0.02) is None
    peer.close()


def test_what_a_rude_sender_says_is_one_line_and_the_next_one_is_heard(listening, caplog):
    device = listening()
    rude = connected(device, sent(hello(channels=3)))
    assert device.read(0.2) is None
    (line,) = [r.message for r in caplog.records]
    assert line.endswith("is dropped: it has 3 channels, the machine 2")
    good = connected(device, sent(hello(), block(0)))
    read(device)
    rude.close()
    good.close()


def test_a_goodbye_waits_for_another_sender(listening):
    device = listening()
    first = connected(device, sent(hello(), block(0), block(10, kind=GOODBYE)))
    read(device)
    assert device.read(0.05) is None
    second = connected(device, sent(hello(stream=9), block(0, stream=9)))
    (frames,) = read(device)
    assert frames.anew
    first.close()
    second.close()


def test_dozens_of_rude_senders_do_not_keep_a_good_one_out(listening):
    device = listening(silence_s=0.1)
    sound = [sent(hello(), *(block(10 * i) for i in range(5)))]
    good: list[socket.socket] = []

    def come() -> None:
        rng = np.random.default_rng(3)
        for _ in range(60):
            with connected(device) as peer, contextlib.suppress(OSError):
                peer.sendall(mutated(sound, rng))
        good.append(connected(device, sent(hello(stream=99), block(0, stream=99))))

    thread = threading.Thread(target=come)
    thread.start()
    until = time.monotonic() + DEADLINE_S
    while device.read(0.1) is None or device._stream._stream != 99:
        assert time.monotonic() < until
    thread.join(DEADLINE_S)
    good[0].close()


def test_a_device_that_is_stopped_says_so_and_can_be_started_again(listening):
    device = listening()
    device.stop()
    device.stop()
    with pytest.raises(VibroError, match="is not started"):
        device.read(0.0)
    device.start()
    peer = connected(device, sent(hello(), block(0)))
    read(device)
    peer.close()
