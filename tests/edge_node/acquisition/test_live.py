"""The thread that reads a device: it starts it again, it ends, it waits for nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from edge_node.acquisition import Live
from edge_node.config import AcquisitionSection
from edge_node.sources.device import Frames
from edge_node.sources.port import Gap
from tests.edge_node.acquisition.played import (
    BLOCK,
    BLOCK_S,
    CHANNELS,
    Played,
    S,
    numbered,
    read_up,
    samples,
    tile,
)
from vibro.errors import VibroError

DEADLINE_S = 20.0


def chunks(n: int, first: int = 0):
    return [Frames(numbered(first + i * BLOCK, BLOCK)) for i in range(n)]


class Opened:
    """A live stream of a played device."""

    def __init__(self, script, **section) -> None:
        self.device = Played(script)
        self.wake = threading.Event()
        self.live = Live(
            self.device, CHANNELS, AcquisitionSection(**{"retry_s": 0.1} | section), BLOCK_S,
            exact=True, clocks=self.device.clocks,
        )  # fmt: skip

    def start(self, after=None) -> Opened:
        self.live.start(self.wake, after)
        return self

    def until(self, there: Callable[[], object]) -> object:
        """Wait, as the host does, until something is there."""
        for _ in range(1000):
            if found := there():
                return found
            self.wake.wait(DEADLINE_S / 1000)
            self.wake.clear()
        raise AssertionError("it never came")


@pytest.fixture
def opened():
    made: list[Opened] = []

    def open_it(script, **section) -> Opened:
        made.append(Opened(script, **section))
        return made[-1]

    yield open_it
    for each in made:
        each.live.stop()
        assert not each.live._thread.is_alive()


def test_a_stream_is_read_to_its_goodbye(opened):
    stream = opened(chunks(50)).start()
    source = stream.until(stream.live.next_epoch)
    stream.until(lambda: not source.continues)
    items = read_up(source._epoch)
    assert (samples(items) == numbered(0, 50 * BLOCK)).all()
    assert source.finished
    assert stream.live.next_epoch() is None
    assert stream.live.over
    assert stream.device.stops == 1


def test_a_device_that_fails_is_started_again_and_begins_an_epoch(opened, caplog):
    script = [*chunks(50), VibroError("the cable is out"), *chunks(50)]
    stream = opened(script).start()
    first = stream.until(stream.live.next_epoch)
    assert first.continues
    stream.until(lambda: (read_up(first._epoch), first.finished)[1])
    second = stream.until(stream.live.next_epoch)
    assert second.info.stream_epoch > first.info.stream_epoch
    lead = second.read()
    assert isinstance(lead, Gap)
    assert "the cable is out" in lead.reason
    assert stream.device.starts == 2
    assert [r.message for r in caplog.records] == [
        "acquisition: the cable is out; it is tried again"
    ]


def test_a_driver_that_raises_what_it_should_not_does_not_end_acquisition(opened, caplog):
    stream = opened([ZeroDivisionError("x"), *chunks(50)]).start()
    source = stream.until(stream.live.next_epoch)
    stream.until(lambda: not source.continues)
    assert tile(read_up(source._epoch)) == 50 * BLOCK
    assert "ZeroDivisionError" in caplog.text


def test_a_device_that_is_not_there_is_tried_until_it_is(opened):
    class Late(Played):
        def start(self) -> None:
            super().start()
            if self.starts < 4:
                raise VibroError("source.x: is not there")

    stream = opened([])
    late = Late(chunks(50))
    stream.live._device = stream.live._acquisition._device = late
    stream.live._clocks = late.clocks
    stream.start()
    assert stream.until(stream.live.next_epoch)
    assert late.starts == 4
    assert stream.live._acquisition.facts()["failures"] == 3


def test_acquisition_is_not_held_up_by_who_does_not_read(opened):
    stream = opened(chunks(500), ring_s=1.0).start()
    source = stream.until(stream.live.next_epoch)
    # Nobody reads, and it comes to its end nevertheless.
    stream.until(lambda: not source.continues)
    items = read_up(source._epoch)
    assert tile(items) == 500 * BLOCK
    assert samples(items).shape[1] == 1000
    assert source.facts()["acquisition"]["epochs"] == 1


def test_a_live_stream_cannot_go_back(opened):
    stream = opened(chunks(50)).start()
    source = stream.until(stream.live.next_epoch)
    source.seek(0)
    with pytest.raises(ValueError, match="cannot go to sample 5"):
        source.seek(5)


def test_it_stops_while_a_device_says_nothing(opened):
    silent = threading.Event()

    def nothing(device):
        silent.wait(0.01)

    stream = opened(iter(lambda: nothing, 1)).start()
    stream.live.stop()
    assert stream.live.over
    assert stream.device.stops == 1


def test_what_an_earlier_process_left_is_followed(opened):
    stream = opened(chunks(50))
    end_ns = stream.device.clocks()[1] - 7 * S
    stream.start((end_ns + 10**18, end_ns))
    source = stream.until(stream.live.next_epoch)
    assert source.info.stream_epoch == end_ns + 10**18 + 1
    assert source.read().samples == 7000
