"""The sampler: a thread that takes the stack of each hold that lasts.

It sleeps while no request is being watched, and takes at most one stack per hold and interval.
C code that keeps the GIL is seen too: the sampler is served as soon as the call returns, while
the frame still stands on the calling line.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from _thread import allocate_lock

from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.keepers import Keepers
from pytest_asyncguard.probes.stacks import capture

INTERVAL_SECONDS = 0.02
"""Between two stacks of a hold that lasts."""
CALM_SECONDS = 0.05
"""Between two looks while none does: each wakes a thread, and takes the GIL from the app."""
IDLE_ROUNDS = 20
FAULTS = {signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV}
"""What a thread does to itself; faulthandler is to tell of it."""


class Sampler:
    """Samples holds from a daemon thread."""

    name = "sampler"

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._alarm = allocate_lock()
        self._keepers = Keepers()
        self._idle = False
        self._stop = False

    def unavailable(self) -> str | None:
        return None if hasattr(sys, "_current_frames") else "sys._current_frames is missing"

    def install(self) -> None:
        self._stop = False
        self._alarm = allocate_lock()
        self._alarm.acquire()
        self._keepers = Keepers()
        holds.alarm.look = self._keepers.since
        holds.alarm.put_off = self._keepers.put_off_in_all
        holds.heartbeat.ready = self._keepers.ready
        self._thread = threading.Thread(target=self._run, name="asyncguard-sampler", daemon=True)
        self._thread.start()

    def uninstall(self) -> None:
        self._stop = True
        holds.alarm.look = holds.alarm.put_off = holds.heartbeat.ready = None
        self.wake()
        thread, self._thread = self._thread, None
        # It is its own thread that drops a sampler which failed.
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def wake(self) -> None:
        """A request is being watched: stay awake for a while."""
        if self._idle:
            self._idle = False
            with contextlib.suppress(RuntimeError):  # another thread was first
                self._alarm.release()

    def _run(self) -> None:
        if hasattr(signal, "pthread_sigmask"):
            # A signal that the app blocks in order to wait for it is not to end up here.
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - FAULTS)
        holds.heartbeat.open()
        self._keepers.exempt()
        try:
            self._sample_until_stopped()
        except Exception as error:  # noqa: BLE001 - the guard never breaks a run
            if (inbox := holds.inbox()) is not None:
                inbox.failed(self.name, error)
        finally:
            holds.heartbeat.close()

    def _sample_until_stopped(self) -> None:
        rounds, interval = 0, CALM_SECONDS
        while not self._stop:
            if rounds >= IDLE_ROUNDS:
                self._idle = True
                holds.alarm.wake = self.wake
                if not holds.open_holds and not self._stop:
                    self._alarm.acquire()
                holds.alarm.wake = None
                self._idle = False
                with self._keepers.lock:
                    self._keepers.look()
                holds.heartbeat.rest()
                holds.heartbeat.beat(round(interval * 1e9))
                rounds = 0
                continue
            self._alarm.acquire(timeout=interval)
            rounds = 0 if holds.open_holds else rounds + 1
            interval = INTERVAL_SECONDS if self._sample() else CALM_SECONDS
            holds.heartbeat.beat(round(interval * 1e9))

    def _sample(self) -> bool:
        """Take the stack of each hold older than half an interval; whether there was one."""
        now = holds.sources.wall()
        old = now - int(INTERVAL_SECONDS * 0.5e9)
        lasting = [item for item in list(holds.open_holds.items()) if item[1].opened <= old]
        with self._keepers.lock:
            if not lasting:
                self._keepers.look()
                return False
            keeper = self._keepers.keeper()
            for _, hold in lasting:
                self._keepers.put_off(hold)
        frames = sys._current_frames()
        for thread, hold in lasting:
            stack = capture(frames.get(thread))
            # The hold may have ended since: then the stack is that of other code.
            if holds.open_holds.get(thread) is hold and stack:
                if hold.samples is None:
                    hold.samples = []
                # On the hold's own time: that of the requests within it is not its own.
                hold.samples.append((now - hold.nested_ns, stack))
                if keeper is not None:
                    hold.keepers = [*(hold.keepers or ()), keeper]
        return True
