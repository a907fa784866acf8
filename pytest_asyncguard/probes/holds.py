"""Holds: which request, if any, has this thread's event loop now.

"On the loop" is decided by one question only: is there an open hold on this thread? Worker
threads have none, so all that runs there is free by construction.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

from pytest_asyncguard.probes.births import Births
from pytest_asyncguard.probes.clock import (
    Collections,
    Heartbeat,
    Reading,
    Sources,
    ThreadClock,
    charge,
)
from pytest_asyncguard.probes.inbox import (
    MEASURED_NS,
    Inbox,
    Known,
    RawCall,
    RawKeeper,
    RawStall,
    WatchedRequest,
)
from pytest_asyncguard.probes.stacks import RawStack, boundary

NEVER: Final = sys.maxsize
"""A moment that does not come."""


class ActiveCall:
    """The outermost known call that is running in a hold; calls inside it add nothing.

    ``told``: it was reported before it has returned.
    """

    __slots__ = ("fired", "row", "told")

    def __init__(self, row: Known, fired: bool) -> None:
        self.row = row
        self.fired = fired
        self.told = False


class Hold:
    """The stretch of one step that belongs to one request.

    One is made for each step, and in most of them nothing happens: what is rare is a class
    attribute, and costs nothing to set up; the others are set by ``enter``, for a call of
    ``__init__`` would take as long as the rest.
    """

    request: WatchedRequest
    clock: ThreadClock
    thread: int
    opened: int
    began: Reading
    spawned: bool = False
    outer: Hold | None = None
    call: ActiveCall | None = None
    calls: list[RawCall] | None = None
    samples: list[tuple[int, RawStack]] | None = None
    nested_ns: int = 0
    nested_cpu_ns: int = 0
    nested_asleep_ns: int = 0
    nested_kept_ns: int = 0
    keepers: list[RawKeeper] | None = None
    put_off_ns: int = 0
    looked: tuple[int, int, int, int] | None = None


current_request: Final[ContextVar[WatchedRequest | None]] = ContextVar(
    "pytest_asyncguard_request", default=None
)
open_holds: Final[dict[int, Hold]] = {}
sources: Final = Sources()
collections: Final = Collections(sources)
heartbeat: Final = Heartbeat(sources)
births: Final = Births(sources)
loose: Final[list[WatchedRequest | None]] = [None]
"""What steps belong to that no request started: with the scope ``loop``, to the test; else None."""
_inboxes: Final[list[Inbox]] = []


class _ThreadState(threading.local):
    """The clock of the current thread; it closes its file when the thread ends."""

    def __init__(self) -> None:
        self.clock = ThreadClock(sources, collections, heartbeat, births.age())


_this_thread = _ThreadState()


def inbox() -> Inbox | None:
    """The inbox of the innermost run: pytest can run inside pytest."""
    return _inboxes[-1] if _inboxes else None


def push_inbox(box: Inbox) -> None:
    _inboxes.append(box)


def pop_inbox(box: Inbox) -> None:
    _inboxes.remove(box)


class _Alarm:
    """What loop threads ask of the sampler.

    ``notice`` is told of a hold that opens, from the moment ``notice_at`` on: so the sampler need
    not wake as long as none lasts. ``look`` finds the thread that has computed most lately, in a
    hold that was opened then; ``put_off`` tells how long others kept a hold from running that would
    have computed.
    """

    notice: Callable[[Hold], None] | None = None
    notice_at: int = NEVER
    look: Callable[[int], RawKeeper | None] | None = None
    put_off: Callable[[Hold], int] | None = None


alarm: Final = _Alarm()


def enter(request: WatchedRequest, spawned: bool) -> Hold | None:
    """Open a hold on this thread; None where that fails, which is not the app's to bear."""
    try:
        clock = _this_thread.clock
        hold = Hold()
        hold.request = request
        hold.clock = clock
        hold.thread = thread = clock.thread
        if spawned:
            hold.spawned = True
        if thread in open_holds:
            hold.outer = open_holds[thread]
        hold.opened = now = sources.wall()
        fresh = now - clock.read_at <= request.limits.stale
        hold.began = clock.last if fresh else clock.refresh()
        open_holds[thread] = hold
        # After the hold was opened: the sampler sets it before it looks for open ones.
        if now >= alarm.notice_at and (notice := alarm.notice) is not None:
            notice(hold)
    except Exception as error:  # noqa: BLE001 - the guard never breaks the app
        request.inbox.failed("holds", error)
        return None
    return hold


def leave(hold: Hold | None) -> None:
    """Close ``hold``, and report it where it was longer than the threshold."""
    if hold is None:
        return
    try:
        outer = hold.outer
        if outer is None:
            open_holds.pop(hold.thread, None)
        else:
            open_holds[hold.thread] = outer
        held = sources.wall() - hold.opened
        request = hold.request
        # Many short ones within another hold are long together: that one needs to know of what.
        if held >= request.limits.measured or outer is not None:
            held = _measure(hold, held)
        elif hold.nested_ns:
            held -= hold.nested_ns
        request.held_ns += held
        if held > request.held_max_ns:  # noqa: PLR1730 - a call of max() takes longer
            request.held_max_ns = held
    except Exception as error:  # noqa: BLE001 - the guard never breaks the app
        hold.request.inbox.failed("holds", error)


def _measure(hold: Hold, wall: int) -> int:
    """What a hold that took ``wall`` is charged with, by the clocks."""
    request, outer = hold.request, hold.outer
    put_off = None
    if wall >= request.limits.threshold and (ask := alarm.put_off) is not None:
        put_off = partial(ask, hold)
    cpu, asleep = hold.clock.end(hold.began, hold.opened, hold.opened + wall, put_off)
    kept = hold.clock.kept(hold.began) if wall >= request.limits.threshold else 0
    if outer is not None:
        outer.nested_ns += wall
        outer.nested_cpu_ns += cpu
        outer.nested_asleep_ns += asleep
        outer.nested_kept_ns += kept
        outer.put_off_ns += hold.put_off_ns
    return _charge(
        hold,
        wall - hold.nested_ns,
        cpu - hold.nested_cpu_ns,
        asleep - hold.nested_asleep_ns,
        kept - hold.nested_kept_ns,
    )


def _charge(hold: Hold, own_ns: int, cpu: int, asleep: int, kept: int) -> int:
    """Charge the hold's request with what was its own, and not that of a request within it."""
    cpu = min(own_ns, max(0, cpu))
    asleep = min(own_ns - cpu, max(0, asleep))
    threshold = hold.request.limits.threshold
    starved = kept >= threshold
    if starved and not hold.keepers and (look := alarm.look) is not None:
        # C code that never gave up the GIL kept the sampler from looking, too.
        keeper = look(hold.opened)
        hold.keepers = [keeper] if keeper is not None else None
    if cpu + asleep >= threshold or (starved and hold.keepers):
        hold.request.add_stall(RawStall(hold, own_ns, (cpu, asleep), kept))
    return cpu + asleep


def leave_out(hold: Hold, wall: int, charged: tuple[int, int]) -> None:
    """Take out of ``hold`` a part of it that is told already."""
    hold.nested_ns += wall
    hold.nested_cpu_ns += charged[0]
    hold.nested_asleep_ns += charged[1]


def begin_stretch(request: WatchedRequest) -> tuple[int, Reading] | None:
    """Begin to measure what a worker thread does for ``request``; None where that fails."""
    try:
        opened = sources.wall()
        return opened, _this_thread.clock.begin(opened, MEASURED_NS)
    except Exception as error:  # noqa: BLE001 - the guard never breaks the app
        request.inbox.failed("endpoints", error)
        return None


def end_stretch(request: WatchedRequest, stretch: tuple[int, Reading] | None) -> None:
    """Keep of the stretches of a request the longest."""
    if stretch is None:
        return
    try:
        opened, began = stretch
        took = sources.wall() - opened
        if took >= MEASURED_NS:
            # Not by the clock's own end: the sampler, whose beat that asks for, may be at rest.
            took = sum(charge(began, _this_thread.clock.refresh(), opened))
        request.thread_ns = max(request.thread_ns, took)
    except Exception as error:  # noqa: BLE001 - the guard never breaks the app
        request.inbox.failed("endpoints", error)


def step(request: WatchedRequest, function: Callable[..., Any], *args: Any) -> Any:
    """Run a step that a request started: ``function(*args)`` in a hold of its own."""
    __tracebackhide__ = True
    hold = enter(request, spawned=True)
    try:
        return function(*args)
    finally:
        leave(hold)


boundary(step)


def _forget() -> None:
    open_holds.clear()
    # There is no sampler any more, and what it was about to do it will not end.
    alarm.notice = alarm.look = alarm.put_off = heartbeat.ready = None
    sources.keep(())


if hasattr(os, "register_at_fork"):
    # A child forked during a hold is no loop thread, and nobody reads what it would report.
    os.register_at_fork(after_in_child=_forget)
