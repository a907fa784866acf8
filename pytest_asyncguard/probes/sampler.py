"""The sampler: a thread that takes the stack of each hold that lasts.

It sleeps while no request is being watched, and takes at most one stack per hold and interval. As
long as holds are short, those that open put its next look off, where the system has a timer for
that; elsewhere it has to see for itself that none lasts.

C code that keeps the GIL is seen too: the sampler is served as soon as the call returns, while
the frame still stands on the calling line.
"""

from __future__ import annotations

import signal
import sys
import threading
from typing import Final

from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.holds import NEVER, Hold
from pytest_asyncguard.probes.keepers import Keepers
from pytest_asyncguard.probes.stacks import capture
from pytest_asyncguard.probes.timer import LockTimer, Timer, timer

INTERVAL_SECONDS: Final = 0.02
"""Between two stacks of a hold that lasts."""
INTERVAL_NS: Final = round(INTERVAL_SECONDS * 1e9)
CALM_NS: Final = 50_000_000
"""Until the next look, where no hold lasts. Each wakes a thread, and takes the GIL from the app."""
MOVE_NS: Final = 30_000_000
"""For how long a look is not put off again."""
IDLE_ROUNDS = 20
FAULTS = {signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV}
"""What a thread does to itself; faulthandler is to tell of it."""


class Sampler:
    """Samples holds from a daemon thread."""

    name = "sampler"

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._timer: Timer = LockTimer()
        self._keepers = Keepers()
        self._due = 0
        self._idle = False
        self._stop = False

    def unavailable(self) -> str | None:
        return None if hasattr(sys, "_current_frames") else "sys._current_frames is missing"

    def install(self) -> None:
        self._stop = False
        self._idle = False
        self._timer = timer()
        self._keepers = Keepers()
        holds.alarm.look = self._keepers.since
        holds.alarm.put_off = self._keepers.put_off_in_all
        holds.alarm.notice = self.notice
        holds.heartbeat.ready = self._keepers.ready
        self._thread = threading.Thread(target=self._run, name="asyncguard-sampler", daemon=True)
        self._thread.start()

    def uninstall(self) -> None:
        self._stop = True
        alarm = holds.alarm
        alarm.notice = alarm.look = alarm.put_off = holds.heartbeat.ready = None
        self._timer.ring()
        thread, self._thread = self._thread, None
        # It is its own thread that drops a sampler which failed.
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        alarm.notice_at = NEVER

    def notice(self, hold: Hold) -> None:
        """``hold`` opens: look in the sampler's place, and let it come when this one may last."""
        now = hold.opened
        if not self._idle:
            if hold.outer is not None or len(holds.open_holds) > 1:
                return  # the sampler is there for that one
            if now >= self._due:
                return  # it is about to wake, and will see for itself
        try:
            self._keepers.look_around(now)
            self._beat(CALM_NS)
        except Exception as error:  # noqa: BLE001 - the guard never breaks the app
            if not self._stop:  # else the sampler has closed its files meanwhile
                hold.request.inbox.failed(self.name, error)
            return
        if not self._timer.movable:
            self._timer.ring()

    def _beat(self, due: int) -> None:
        """Be due; what the clocks showed now is what that will be judged by."""
        now = holds.sources.wall()
        self._due = now + due
        self._idle = False
        holds.alarm.notice_at = now + MOVE_NS if self._timer.movable else NEVER
        holds.heartbeat.beat(due)
        self._timer.set(due)

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
            holds.sources.keep(())
            self._timer.close()

    def _sample_until_stopped(self) -> None:
        rounds = 0
        self._beat(CALM_NS)
        while True:
            self._timer.wait()
            if self._stop:
                return
            lasting = self._sample()
            rounds = 0 if holds.open_holds else rounds + 1
            if rounds >= IDLE_ROUNDS:
                rounds = 0
                holds.heartbeat.rest()
                self._timer.clear()
                self._idle = True
                holds.alarm.notice_at = 0
                if not holds.open_holds:
                    continue
            self._beat(INTERVAL_NS if lasting else CALM_NS)

    def _sample(self) -> bool:
        """Take the stack of each hold older than half an interval; whether there was one."""
        now = holds.sources.wall()
        old = now - INTERVAL_NS // 2
        lasting = [item for item in list(holds.open_holds.items()) if item[1].opened <= old]
        if not lasting:
            self._keepers.look_around(now)
            return False
        # At once: from when it has the GIL, the loop thread gets it back after a switch interval.
        frames = sys._current_frames()
        sampled = []
        for thread, hold in lasting:
            stack = capture(frames.get(thread))
            # The hold may have ended since: then the stack is that of other code.
            if holds.open_holds.get(thread) is hold and stack:
                if hold.samples is None:
                    hold.samples = []
                # On the hold's own time: that of the requests within it is not its own.
                hold.samples.append((now - hold.nested_ns, stack))
                sampled.append(hold)
        with self._keepers.lock:
            keeper = self._keepers.keeper()
            for _, hold in lasting:
                self._keepers.put_off(hold)
        if keeper is not None:
            for hold in sampled:
                hold.keepers = [*(hold.keepers or ()), keeper]
        return True
