"""Timers: what wakes the sampler after a while, and what puts that off without waking it.

To wake the sampler 20 times a second only to find that nothing lasts costs a request about 1 %: the
loop thread has to give it the GIL, and both find their caches cold. A timer of Linux's can be
moved on from another thread while somebody waits for it; elsewhere the sampler has to look.
"""

from __future__ import annotations

import contextlib
import os
from _thread import allocate_lock
from typing import Any, Final, Protocol

from pytest_asyncguard.probes.files import c_library

SOON_NS: Final = 1
_read = os.read  # a private reference: the guard watches `os.read`, and tests replace it


class Timer(Protocol):
    """Wakes one thread, which waits, when the time has come that it or another thread set."""

    movable: bool
    """Whether a thread that waits need not wake to hear of a new time."""

    def set(self, ns: int) -> None:
        """Be due in so many nanoseconds from now."""

    def clear(self) -> None:
        """Be never due, until it is set again or rung; called by the one that waits."""

    def ring(self) -> None:
        """Be due now."""

    def wait(self) -> None:
        """Return once due."""

    def close(self) -> None:
        """Called by nobody that waits."""


class LockTimer:
    """A timer by a lock; what another thread sets counts from the next wait on."""

    movable = False

    def __init__(self) -> None:
        self._timeout = -1.0
        self._lock = allocate_lock()
        self._lock.acquire()

    def set(self, ns: int) -> None:
        self._timeout = ns / 1e9

    def clear(self) -> None:
        self._timeout = -1.0

    def ring(self) -> None:
        with contextlib.suppress(RuntimeError):  # it has been rung already
            self._lock.release()

    def wait(self) -> None:
        self._lock.acquire(timeout=self._timeout)

    def close(self) -> None:
        pass


class KernelTimer:
    """A timerfd (see timerfd_create(2)), set without giving up the GIL.

    Raises:
        OSError: the system has none, or does not give one.

    """

    movable = True

    def __init__(self) -> None:
        try:
            import ctypes

            libc = c_library()
            # A time is two longs there only where a long has 64 bits.
            if libc is None or ctypes.sizeof(ctypes.c_long) < 8:
                raise OSError("there are no timers to be moved")
            libc.timerfd_create.argtypes = (ctypes.c_int, ctypes.c_int)
            libc.timerfd_settime.argtypes = (
                ctypes.c_int,
                ctypes.c_int,
                ctypes.c_void_p,
                ctypes.c_void_p,
            )
        except (ImportError, AttributeError) as error:
            raise OSError("there are no timers to be moved") from error
        self._libc: Any = libc
        self._times: Any = ctypes.c_long * 4
        self._fd: int = libc.timerfd_create(1, os.O_CLOEXEC)  # CLOCK_MONOTONIC
        if self._fd < 0:
            raise OSError("the system gives no timer")

    def set(self, ns: int) -> None:
        # Once, and not at intervals.
        times = self._times(0, 0, ns // 1_000_000_000, ns % 1_000_000_000)
        self._libc.timerfd_settime(self._fd, 0, times, None)

    def clear(self) -> None:
        """Once it was due it is not due again by itself."""

    def ring(self) -> None:
        self.set(SOON_NS)

    def wait(self) -> None:
        _read(self._fd, 8)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # the app may have closed it before
            os.close(self._fd)


def timer() -> Timer:
    """The best timer that there is."""
    try:
        return KernelTimer()
    except OSError:
        return LockTimer()
