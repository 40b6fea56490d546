"""What wakes a waiting host: from any thread, any number of times, never lost."""

from __future__ import annotations

import threading
import time

from edge_node.wake import Wake


def test_a_wait_ends_at_once_when_it_was_woken_before():
    wake = Wake()
    wake.set()
    wake.set()
    assert wake.wait(60.0)
    assert not wake.wait(0.0)


def test_a_thread_ends_a_wait():
    wake = Wake()
    threading.Thread(target=wake.set).start()
    assert wake.wait(60.0)


def test_many_threads_wake_one_that_takes_everything():
    """What was put down before the waker was called is seen after the wait that it ends."""
    wake, put, taken = Wake(), [], 0

    def work():
        for _ in range(2000):
            put.append(None)
            wake.set()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 60.0
    while taken < 8000 and time.monotonic() < until:
        # Never in vain: whatever came after the last look woke this one.
        assert wake.wait(30.0)
        taken = len(put)
    assert taken == 8000
    for thread in threads:
        thread.join()
