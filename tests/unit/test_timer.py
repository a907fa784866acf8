"""Timers: they wake one thread, at a time that another may set."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from pytest_asyncguard.probes import timer as module
from pytest_asyncguard.probes.timer import KernelTimer, LockTimer, Timer, timer

HOUR_NS = 3600 * 10**9


def best() -> Timer:
    """The timer of this system, where that is one that can be moved."""
    if not (found := timer()).movable:
        pytest.skip("this system has no timer that can be moved")
    return found


@pytest.fixture(name="clock", params=[best, LockTimer], ids=["kernel", "lock"])
def _clock(request: pytest.FixtureRequest) -> Iterator[Timer]:
    make: Callable[[], Timer] = request.param
    found = make()
    yield found
    found.close()


@contextmanager
def waiting(clock: Timer) -> Iterator[threading.Event]:
    """A thread that waits; what it sets when it has been woken."""
    begins, woken = threading.Event(), threading.Event()

    def wait() -> None:
        begins.set()
        clock.wait()
        woken.set()

    thread = threading.Thread(target=wait)
    thread.start()
    begins.wait()
    try:
        yield woken
    finally:
        clock.ring()
        thread.join()


def test_a_timer_wakes_when_it_is_due(clock: Timer) -> None:
    """Each time that it is set."""
    for _ in range(3):
        clock.set(1)
        clock.wait()


def test_a_timer_wakes_when_it_is_rung(clock: Timer) -> None:
    """Whether it was to be due at any time, or never."""
    clock.set(HOUR_NS)
    for _ in range(2):
        with waiting(clock) as woken:
            clock.ring()
            assert woken.wait(60)
        clock.clear()


def test_a_timer_that_was_rung_twice_wakes(clock: Timer) -> None:
    """Two loops may begin to hold at the same time."""
    clock.ring()
    clock.ring()
    clock.wait()


def test_a_timer_that_is_not_due_does_not_wake(clock: Timer) -> None:
    """Where it was put off before anybody waited."""
    clock.set(1)
    clock.set(HOUR_NS)
    with waiting(clock) as woken:
        assert not woken.wait(0.05)


def test_a_timer_is_moved_while_somebody_waits() -> None:
    """On, without a wake; and back."""
    clock = best()
    clock.set(HOUR_NS)
    with waiting(clock) as woken:
        clock.set(2 * HOUR_NS)
        assert not woken.wait(0.05)
        clock.set(1)
        assert woken.wait(60)
    clock.close()


def test_a_timer_whose_file_the_app_has_closed_is_closed() -> None:
    """Some close all files that they know nothing of."""
    clock = best()
    assert isinstance(clock, KernelTimer)
    os.close(clock._fd)
    clock.close()


def refusing() -> object:
    """A C library whose system gives no timer."""
    return SimpleNamespace(
        timerfd_create=ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int)(lambda *_: -1),
        timerfd_settime=ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 0),
    )


@pytest.mark.parametrize(
    ("library", "why"),
    [
        (lambda: None, "no timers to be moved"),
        (SimpleNamespace, "no timers to be moved"),
        (refusing, "gives no timer"),
    ],
    ids=["no library", "an old library", "a system that refuses"],
)
def test_without_a_timer_that_can_be_moved_there_is_another(
    monkeypatch: pytest.MonkeyPatch, library: Callable[[], object], why: str
) -> None:
    """The guard works the same; it costs more."""
    monkeypatch.setattr(module, "c_library", library)
    with pytest.raises(OSError, match=why):
        KernelTimer()
    assert not timer().movable
