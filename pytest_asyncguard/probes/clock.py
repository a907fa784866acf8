"""The guard's clock: what a stretch of a thread cost, without what others made it wait.

A hold is charged with its time on the CPU plus its time asleep. It is not charged with waiting
for a processor (Linux: the second field of schedstat), with waiting for the GIL (known by the
wake-ups it takes, see ``charge``), nor with garbage collection. Where the platform has no
schedstat, a wait for a processor counts as sleep; where it has no per-thread usage, so does a
wait for the GIL. A thread that never gave up the processor did not sleep.

Figures from CPython 3.11 on Linux: perf_counter_ns 50 ns, thread_time_ns 500 ns, schedstat
1.2 us, getrusage 0.5 us; amid an app's work the last three take 4, 22 and 6 us. One full reading
is therefore shared by all stretches that begin soon after it, and schedstat is read only where it
can have changed.
"""

from __future__ import annotations

import errno
import functools
import gc
import os
import sys
import time
from _thread import get_ident, get_native_id
from collections import deque
from collections.abc import Callable, Container
from typing import Any, Final, NamedTuple

from pytest_asyncguard.probes.files import Files
from pytest_asyncguard.probes.patching import Patcher

MISSED_NS: Final = 50_000_000
"""By how much a beat must be late to count as missed: timers and schedulers are not exact."""
AWAKE: Final = 2
"""How often a thread wakes that has slept once: from its sleep, and to get the GIL back."""
DOUBTED_NS: Final = 20_000_000
"""From how much sleep on it pays to ask whether others kept the GIL without computing."""
SHARED_NS: Final = 1_000_000
"""How old a reading may be and still serve as the start of a new stretch."""
YOUNG_NS: Final = 5_000_000
"""Until when nobody needs to know for how long a new thread has waited for a processor."""
TRIFLE_NS: Final = 50_000
"""Of what is shorter nobody wants to know whether it computed or slept."""


class Reading(NamedTuple):
    """The clocks of one thread at one moment; nanoseconds, but for ``wakeups``."""

    wall: int
    cpu: int
    queued: int
    others: int
    wakeups: int


class Sources:
    """Where the figures come from: one private reference to each of the system's clocks.

    Kept as attributes of an object, since freezegun and time-machine replace the clocks in the
    namespace of every module that imported them.
    """

    def __init__(self) -> None:
        self.wall = time.perf_counter_ns
        self.thread = getattr(time, "thread_time_ns", time.process_time_ns)
        self.process = time.process_time_ns
        self._files = Files()
        self._kept: dict[int, int] = {}
        self._usage: Any = None
        try:
            import resource

            self._who = resource.RUSAGE_THREAD
            self._usage = resource.getrusage
        except (ImportError, AttributeError):  # Windows; macOS has no figures by thread
            pass

    def switches(self) -> tuple[int, int]:
        """How often this thread gave up the processor to wait, and how often it lost it in all."""
        if self._usage is None:
            return 0, 0
        usage = self._usage(self._who)
        return usage.ru_nvcsw, usage.ru_nvcsw + usage.ru_nivcsw

    def open_queue(self) -> int | None:
        """A file descriptor for this thread's time spent runnable but not running."""
        return self._files.open(_schedstat(get_native_id()))

    def queued(self, fd: int | None) -> int:
        return int(self._files.again(fd).split()[1]) if fd is not None else 0

    def scheduled_of(self, thread: int) -> tuple[int, int] | None:
        """For how long another thread ran, and waited for a processor, by its native id.

        None where that cannot be told. Its file is kept open until ``keep`` leaves it out: to
        open one takes ten times as long as to read it. The thread's clock, by
        ``pthread_getcpuclockid``, would be read faster, but may crash the process where the
        thread has just ended. To be called by one thread at a time.
        """
        for _ in range(2):
            if (fd := self._kept.get(thread)) is None:
                if (fd := self._files.open(_schedstat(thread))) is None:
                    return None
                self._kept[thread] = fd
            try:
                ran, queued, _slices = self._files.again(fd).split()
            except (OSError, ValueError) as error:
                fd = self._kept.pop(thread, None)
                if fd is not None and getattr(error, "errno", None) == errno.ESRCH:
                    # It has ended, and its identifier may be that of another one since.
                    self._files.close(fd)
                # Else the app has closed our file, and what has its number now is the app's.
            else:
                return int(ran), int(queued)
        return None

    def keep(self, threads: Container[int]) -> None:
        """Keep the files of these threads open, and no others."""
        for thread in list(self._kept):
            if thread not in threads and (fd := self._kept.pop(thread, None)) is not None:
                self._files.close(fd)

    def scheduled(self, fd: int | None) -> tuple[int, int]:
        """The wait for a processor in nanoseconds, and how often one was given."""
        if fd is None:
            return 0, 0
        _, queued, slices = self._files.again(fd).split()
        return int(queued), int(slices)


def _schedstat(thread: int) -> str:
    return f"/proc/self/task/{thread}/schedstat"


class Collection(NamedTuple):
    """A full garbage collection: when it began and ended, and what it computed."""

    started: int
    ended: int
    cpu: int
    asked: bool


class Collections:
    """The full garbage collections of late, by thread.

    One may fall into any hold, and take seconds in a large test process: it is nobody's. A hold
    with more than one has made that much garbage itself, and so has one with young collections.
    What calls ``gc.collect`` has asked for it.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._started: dict[int, tuple[int, int]] = {}
        self._full: dict[int, deque[Collection]] = {}
        self._asking: set[int] = set()
        self._patcher = Patcher()

    def callback(self, phase: str, info: dict[str, int]) -> None:
        if info["generation"] < 2:
            return
        thread, sources = get_ident(), self._sources
        if phase == "start":
            self._started[thread] = sources.wall(), sources.thread()
        elif (started := self._started.pop(thread, None)) is not None:
            cpu = sources.thread() - started[1]
            took = Collection(started[0], sources.wall(), cpu, thread in self._asking)
            self._full.setdefault(thread, deque(maxlen=64)).append(took)

    def excused(self, thread: int, since: int) -> int:
        """The longest full collection of ``thread`` since then that nobody asked for.

        In nanoseconds of CPU time: for what it waited meanwhile, nobody is charged anyway.
        """
        full = self._full.get(thread, ())
        return max(
            (each.cpu for each in full if each.started >= since and not each.asked), default=0
        )

    def elsewhere(self, thread: int, since: int) -> int:
        """What the full collections of all other threads took since then, in nanoseconds."""
        return sum(
            each.ended - each.started
            for other, full in list(self._full.items())
            if other != thread
            for each in list(full)
            if each.ended > since
        )

    def asking(self, original: Callable[..., int]) -> Callable[..., int]:
        """``original``, which is ``gc.collect``, with it known that it was called."""

        @functools.wraps(original)
        def collect(*args: Any, **kwargs: Any) -> int:
            __tracebackhide__ = True
            thread = get_ident()
            self._asking.add(thread)
            try:
                return original(*args, **kwargs)
            finally:
                self._asking.discard(thread)

        return collect

    def install(self) -> None:
        gc.callbacks.append(self.callback)
        self._patcher.replace(gc, "collect", self.asking(gc.collect))

    def uninstall(self) -> None:
        self._patcher.restore()
        if self.callback in gc.callbacks:
            gc.callbacks.remove(self.callback)
        self._started.clear()
        self._full.clear()


class Beat(NamedTuple):
    """When the sampler beat, and how far the clocks were that tell why the next beat is late.

    ``due`` is after how long that is to be.
    """

    due: int
    wall: int
    process: int
    queued: int
    slices: int


class Heartbeat:
    """The beat of the sampler, by which a stop of the whole process is known.

    A process that was stopped (SIGSTOP, a debugger, a paused machine) missed beats, in which
    nobody used a processor or waited for one. To a loop thread that looks like sleep. A sampler
    that waits for the GIL, which C code may keep while it sleeps, misses beats too; but it wakes
    once every switch interval to ask for it.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self.ready: Callable[[int], int] | None = None
        """For how long other threads of Python's ran or were ready to, since a moment."""
        self._queue: int | None = None
        self._last: Beat | None = None
        self._pauses: deque[tuple[int, int, int]] = deque(maxlen=64)

    def open(self) -> None:
        """Begin to beat, on this thread."""
        self._queue = self._sources.open_queue()

    def close(self) -> None:
        self._last = None
        fd, self._queue = self._queue, None
        if fd is not None:
            os.close(fd)

    def rest(self) -> None:
        """No beat is due until the next one."""
        self._last = None

    def _now(self, due: int) -> Beat:
        sources = self._sources
        return Beat(due, sources.wall(), sources.process(), *sources.scheduled(self._queue))

    def beat(self, due: int) -> None:
        """The next beat is due after so many nanoseconds.

        Called each time the sampler wakes, and when its next look is put off.
        """
        last, now = self._last, self._now(due)
        self._last = now
        if last is not None and _has_run(last, now):
            stopped = _stopped(last, now, last.wall)
            if stopped > MISSED_NS:
                self._pauses.append((last.wall, now.wall, stopped))

    def paused(self, opened: int, now: int, queued: int) -> int:
        """How long the process stood still between ``opened`` and ``now``.

        ``queued`` is how long the asking thread waited for a processor meanwhile: if the sampler
        has not come to beat again, it may be waiting too.
        """
        total = sum(
            min(stopped, until - max(since, opened))
            for since, until, stopped in list(self._pauses)
            if until > opened
        )
        last = self._last
        if last is not None and now - last.wall > last.due + MISSED_NS:
            current = self._now(0)
            if _has_run(last, current):
                stopped = _stopped(last, current, max(last.wall, opened)) - queued
                total += stopped if stopped > MISSED_NS else 0
        return total


def _has_run(last: Beat, now: Beat) -> bool:
    """Whether the sampler was given a processor since it beat, as far as the system tells.

    A thread is woken in order to be stopped. One that was not still waits for a processor, and for
    how long the system tells only afterwards.
    """
    return now.slices == 0 or now.slices > last.slices


def _stopped(last: Beat, now: Beat, since: int) -> int:
    """What of the time from ``since`` to ``now`` nothing but a stop explains."""
    patience = int(sys.getswitchinterval() * 1e9)
    asked = max(0, now.slices - last.slices - 1) * patience
    used = now.process - last.process
    return now.wall - since - last.due - used - (now.queued - last.queued) - asked


class ThreadClock:
    """The clock of one loop thread; used by that thread only.

    A young thread's first reading takes what it did not compute until then for a wait for a
    processor: to open the file that tells takes longer than to start a thread, and a TestClient
    starts one for each request.
    """

    __slots__ = (
        "_collections",
        "_fd",
        "_heartbeat",
        "_opened",
        "_sources",
        "_switches",
        "last",
        "native",
        "read_at",
        "thread",
    )

    def __init__(
        self,
        sources: Sources,
        collections: Collections,
        heartbeat: Heartbeat | None = None,
        age: int | None = None,
    ) -> None:
        self._sources = sources
        self._heartbeat = heartbeat
        self._collections = collections
        self.thread = get_ident()
        self.native = get_native_id()
        self._fd: int | None = None
        self._opened = False
        self._switches = 0
        self.read_at = 0
        """When ``last`` was read."""
        self.last = self.refresh(age if age is not None and age <= YOUNG_NS else None)

    def begin(self, now: int, stale: int = SHARED_NS) -> Reading:
        """A reading that is as good as one taken ``now``: no older than ``stale``."""
        return self.last if now - self.read_at <= stale else self.refresh()

    def refresh(self, age: int | None = None) -> Reading:
        """Read the clocks; ``age`` is that of a young thread at its first reading."""
        sources = self._sources
        # On the way out of a system call that reads a CPU clock a thread may be put aside: so the
        # clocks that go on meanwhile are read after those.
        cpu = sources.thread()
        others = sources.process() - cpu
        wakeups, switches = sources.switches()
        wall = sources.wall()
        if age is not None:
            queued = max(0, age - cpu)
        elif 0 < switches == self._switches:
            queued = self.last.queued  # who did not lose the processor did not wait for one
        else:
            # Reading the file may give up the GIL, so it comes last: what it takes to get that
            # back is then after this moment on every clock, the queue's among them.
            if not self._opened:
                self._opened = True
                self._fd = sources.open_queue()
            queued = sources.queued(self._fd)
        self._switches = switches
        self.last = last = Reading(wall, cpu, queued, others, wakeups)
        self.read_at = wall
        return last

    def end(
        self,
        began: Reading,
        opened: int,
        now: int,
        put_off: Callable[[], int] | None = None,
    ) -> tuple[int, int]:
        """CPU and sleep to charge for the stretch from ``opened`` to ``now``.

        ``put_off`` tells what of the sleep was the doing of other threads; it is asked where there
        is much of it.
        """
        if now - opened < TRIFLE_NS:
            return now - opened, 0
        if now - opened < SHARED_NS:
            cpu = min(now - opened, self._sources.thread() - began.cpu)
            return cpu, now - opened - cpu
        last = self.refresh()
        excused = self._collections.excused(self.thread, opened)
        heartbeat = self._heartbeat
        paused = 0
        if heartbeat is not None and now - opened > MISSED_NS:
            paused = heartbeat.paused(opened, now, last.queued - began.queued)
        cpu, asleep = charge(began, last, opened, excused, paused)
        if asleep > DOUBTED_NS and heartbeat is not None and heartbeat.ready is not None:
            if put_off is not None:
                paused += put_off()
            return charge(began, last, opened, excused, paused, ready=heartbeat.ready(opened))
        return cpu, asleep

    def kept(self, began: Reading) -> int:
        """For how long other threads kept the GIL from this one, from ``began`` to the last end.

        Not counted is the garbage that they collected: it may be anybody's.
        """
        last = self.last
        asleep = last.wall - began.wall - (last.cpu - began.cpu) - (last.queued - began.queued)
        collected = self._collections.elsewhere(self.thread, began.wall)
        return max(0, _starved(began, last, asleep) - collected)

    def __del__(self) -> None:
        # It lives as long as its thread: a TestClient starts one for each request.
        if self._fd is not None:
            os.close(self._fd)


def charge(
    began: Reading,
    ended: Reading,
    opened: int,
    excused: int = 0,
    paused: int = 0,
    *,
    ready: int = 0,
) -> tuple[int, int]:
    """The (cpu, asleep) nanoseconds of a stretch that opened at ``opened``.

    ``excused`` is CPU time, ``paused`` sleep, for which the stretch is not to blame. ``ready`` is
    for how long other threads ran or were ready to, where that is known.

    Waiting for the GIL looks like sleep to the system. Two facts tell it apart: another thread
    runs meanwhile, or waits for a processor with the GIL in its hands; and the waiting thread
    wakes once every switch interval to ask for it, where a sleep or a read wakes once in all.
    Measured: 120 ms of waiting against one busy thread take 45 wake-ups, and a sleep of 150 ms
    beside it takes 4.
    """
    wall = ended.wall - began.wall
    cpu = ended.cpu - began.cpu
    asleep = max(0, wall - cpu - (ended.queued - began.queued) - paused)
    if 0 < ended.wakeups == began.wakeups:
        asleep = 0  # it never slept: the machine itself stood still, or gave way to others
    starved = _starved(began, ended, asleep, ready)
    stretch = max(0, ended.wall - opened)
    cpu = max(0, min(stretch, cpu) - excused)
    return cpu, min(stretch - cpu, asleep - starved)


def _starved(began: Reading, ended: Reading, asleep: int, ready: int = 0) -> int:
    """How much of ``asleep`` was waiting for the GIL."""
    woke = ended.wakeups - began.wakeups
    if woke <= AWAKE:
        return 0
    patience = int(sys.getswitchinterval() * 1e9)
    busy = max(ended.others - began.others, ready)
    return max(0, min(asleep, busy, (woke - 1) * patience))
