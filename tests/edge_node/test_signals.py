"""Signals are heard while the main thread hangs where Python's own handlers are not run."""

from __future__ import annotations

import ctypes
import os
import signal
import threading

import pytest

from edge_node.service.signals import heard

DEADLINE_S = 10.0


def test_a_signal_is_heard_while_the_main_thread_hangs_in_the_system():
    """A mutex that is taken twice: waiting for it ends for no signal, as waiting for a disk."""
    system = ctypes.CDLL(None)
    mutex = ctypes.create_string_buffer(128)
    system.pthread_mutex_lock(mutex)
    heard_on = []

    def let_go() -> None:
        heard_on.append(threading.current_thread().name)
        system.pthread_mutex_unlock(mutex)

    rescue = threading.Timer(DEADLINE_S, lambda: system.pthread_mutex_unlock(mutex))
    rescue.start()
    with heard({signal.SIGTERM: let_go}):
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
        system.pthread_mutex_lock(mutex)
    rescue.cancel()
    assert heard_on == ["signals"]


def test_afterwards_signals_do_what_they_did_before():
    before = signal.getsignal(signal.SIGHUP)
    with heard({signal.SIGHUP: lambda: None}):
        assert signal.getsignal(signal.SIGHUP) is not before
    assert signal.getsignal(signal.SIGHUP) is before
    assert signal.set_wakeup_fd(-1) == -1


def test_each_signal_has_its_own_action():
    calls: list[str] = []
    both = threading.Semaphore(0)

    def note(name: str):
        def action() -> None:
            calls.append(name)
            both.release()

        return action

    with heard({signal.SIGHUP: note("again"), signal.SIGTERM: note("end")}):
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):
            os.kill(os.getpid(), number)
            assert both.acquire(timeout=DEADLINE_S)
    assert calls == ["again", "end", "again"]


def test_only_the_main_thread_may_listen():
    told = []

    def try_it() -> None:
        try:
            with heard({}):
                pass
        except ValueError as error:
            told.append(error)

    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join()
    assert len(told) == 1


def test_a_signal_that_does_not_exist_leaves_all_as_it_was():
    before = signal.getsignal(signal.SIGHUP)
    actions = {signal.SIGHUP: lambda: None, 10_000: lambda: None}
    with pytest.raises(ValueError, match="signal number"), heard(actions):
        pass
    assert signal.getsignal(signal.SIGHUP) is before
    assert signal.set_wakeup_fd(-1) == -1
