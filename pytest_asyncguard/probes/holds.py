"""Holds: which request, if any, has this thread's event loop now.

"On the loop" is decided by one question only: is there an open hold on this thread? Worker
threads have none, so all that runs there is free by construction.
"""

from __future__ import annotations

import os
import threading
from _thread import get_ident
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from contextvars import ContextVar
from copy import copy
from functools import partial
from typing import Any, Final, Protocol

from pytest_asyncguard.probes.clock import (
    SHARED_NS,
    Collections,
    Heartbeat,
    Reading,
    Sources,
    ThreadClock,
    charge,
)
from pytest_asyncguard.probes.stacks import RawStack, boundary, identity

Scope = MutableMapping[str, Any]

FOLD_AT: Final = 64
DIGEST_AT: Final = 512
MEASURED_NS: Final = 5_000_000
"""Holds shorter than this are not worth a full reading of the clocks."""


class Known(Protocol):
    """What a catalogue row tells a probe about the call it stands for."""

    @property
    def name(self) -> str: ...

    @property
    def rule(self) -> str | None: ...


class RawCall:
    """A known blocking call as it was seen on the loop."""

    __slots__ = (
        "asleep_ns",
        "count",
        "cpu_ns",
        "detail",
        "longest",
        "row",
        "spawned",
        "stack",
        "timed",
    )

    def __init__(
        self,
        row: Known,
        stack: RawStack,
        spawned: bool,
        detail: str | None,
        charged: tuple[int, int] | None,
    ) -> None:
        self.row = row
        self.stack = stack
        self.spawned = spawned
        self.detail = detail
        self.timed = charged is not None
        self.longest = charged or (0, 0)
        self.cpu_ns, self.asleep_ns = self.longest
        self.count = 1


class RawKeeper:
    """A thread that computed while a loop thread had a hold open, and where it did so."""

    __slots__ = ("name", "ran_ns", "stack", "thread")

    def __init__(self, thread: int, name: str, ran_ns: int, stack: RawStack) -> None:
        self.thread = thread
        self.name = name
        self.ran_ns = ran_ns
        self.stack = stack


class RawStall:
    """A hold over the threshold: its charge, its samples, and the known calls it made.

    ``kept_ns`` is for how long other threads kept the GIL from it, which it is not charged with.
    """

    __slots__ = (
        "asleep_ns",
        "calls",
        "cpu_ns",
        "keepers",
        "kept_ns",
        "opened",
        "samples",
        "spawned",
        "wall_ns",
    )

    def __init__(self, hold: Hold, wall_ns: int, charged: tuple[int, int], kept_ns: int) -> None:
        self.kept_ns = kept_ns
        self.keepers = hold.keepers or []
        self.spawned = hold.spawned
        self.opened = hold.opened
        self.wall_ns = wall_ns
        self.cpu_ns, self.asleep_ns = charged
        self.samples = hold.samples or []
        self.calls = hold.calls or []


class Inbox:
    """Where the probes leave what they saw, until the guard fetches it.

    ``digest`` is called when many requests wait to be fetched: a single test can make any number.
    ``failed`` is told of an exception inside a part of the guard, and switches that part off.
    """

    def __init__(
        self,
        threshold_ns: int,
        digest: Callable[[], None],
        failed: Callable[[str, BaseException], None],
    ) -> None:
        self.threshold_ns = threshold_ns
        self.digest = digest
        self.failed = failed
        self.enabled = True
        self.requests: dict[int, WatchedRequest] = {}
        self.tallies: dict[tuple[object, ...], Tally] = {}
        self.loops: set[str] = set()


class Tally:
    """Requests of which nothing is to be told but that they were, all to one endpoint.

    Of the first one the scopes are kept, for the route to be read from; of the others nothing.
    """

    __slots__ = ("app", "count", "held_max_ns", "held_ns", "reached", "scopes", "thread_ns")

    def __init__(self, request: WatchedRequest) -> None:
        self.app = request.app
        self.scopes = request.scopes
        self.count = 0
        self.reached = 0
        self.thread_ns = 0
        self.held_ns = 0
        self.held_max_ns = 0


class WatchedRequest:
    """An ASGI request, websocket connection or lifespan that is being watched."""

    # Class attributes, for most requests never need one of their own.
    calls: Sequence[RawCall] = ()
    stalls: Sequence[RawStall] = ()
    held_ns = 0
    held_max_ns = 0
    thread_ns = 0
    counted = False
    exercised = False
    done = False
    solved = True
    """Whether its dependencies are solved: False until they are, where that is watched."""

    def __init__(self, app: object, scope: Scope, inbox: Inbox) -> None:
        self.app = app
        self.scopes = [scope]
        self.thread = get_ident()
        self.inbox = inbox
        self.threshold_ns = inbox.threshold_ns

    def is_same(self, scope: Scope) -> bool:
        """Whether ``scope`` is this request's, or a copy that a mount or middleware made of it."""
        mine = self.scopes[-1]
        if scope is mine:
            return True
        return scope["type"] == mine["type"] and (
            scope["type"] == "lifespan"
            or ((headers := scope.get("headers")) is not None and headers is mine.get("headers"))
        )

    def reached(self) -> bool:
        """Whether it got as far as its endpoint, and was not turned down on the way."""
        scope = self.scopes[-1]
        if scope.get("endpoint") is None:
            extra = scope.get("fastapi")
            # A frontend of FastAPI's is no route, and has no endpoint.
            return extra.__class__ is dict and "frontend_path" in extra
        return self.solved or not hasattr(scope.get("route"), "dependant")

    def is_settled(self) -> bool:
        """Whether its route will not change any more."""
        scope = self.scopes[-1]
        return self.done or scope["type"] in {"lifespan", "test"} or "endpoint" in scope

    def tell(self) -> None:
        """Let the guard fetch this request when it next asks."""
        self.inbox.requests[id(self)] = self

    def finish(self, loop: Callable[[], str]) -> None:
        """The app has returned: what is left of the request is its count, or what it did."""
        self.done = True
        scope = self.scopes[-1]
        endpoint = scope.get("endpoint")
        inbox = self.inbox
        if endpoint is None or self.calls or self.stalls or self.counted:
            inbox.loops.add(loop())
            self.tell()
            return
        extra = scope.get("fastapi")
        context = extra.get("effective_route_context") if extra.__class__ is dict else None
        route = getattr(scope.get("route"), "path", None)
        if route is None:
            # Not every router says which of its routes it chose, and one function can serve many.
            route = scope.get("path")
        # No id(): it raises an audit event, and each of them calls our hook.
        key = (
            scope.get("method"),
            scope.get("root_path"),
            endpoint,
            route,
            getattr(context, "path_format", None),
            self.app,
        )
        try:
            tally = inbox.tallies.get(key)
        except TypeError:  # an endpoint that cannot be hashed
            inbox.loops.add(loop())
            self.tell()
            return
        if tally is None:
            inbox.loops.add(loop())
            tally = inbox.tallies[key] = Tally(self)
        tally.count += 1
        tally.reached += self.reached()
        tally.held_ns += self.held_ns
        if self.thread_ns > tally.thread_ns:  # noqa: PLR1730 - a call of max() takes longer
            tally.thread_ns = self.thread_ns
        if self.held_max_ns > tally.held_max_ns:  # noqa: PLR1730 - as above
            tally.held_max_ns = self.held_max_ns
        self.held_ns = 0
        self.counted = self.exercised = True

    def add_call(self, call: RawCall) -> None:
        calls = self.calls
        if isinstance(calls, list):
            calls.append(call)
            if len(calls) % FOLD_AT == 0:
                self.calls = fold(calls)
        else:
            self.calls = [call]
        self.tell()

    def add_stall(self, stall: RawStall) -> None:
        if isinstance(self.stalls, list):
            self.stalls.append(stall)
        else:
            self.stalls = [stall]
        self.tell()


def fold(calls: Iterable[RawCall]) -> list[RawCall]:
    """One entry for each place and way in which a call was made; ``calls`` stay as they are."""
    kept: dict[tuple[object, ...], RawCall] = {}
    for call in calls:
        key = (id(call.row), call.detail, call.spawned, *identity(call.stack))
        if (first := kept.get(key)) is None:
            kept[key] = copy(call)
        else:
            first.count += call.count
            first.cpu_ns += call.cpu_ns
            first.asleep_ns += call.asleep_ns
            first.longest = max(first.longest, call.longest, key=sum)
    return list(kept.values())


class ActiveCall:
    """The outermost known call that is running in a hold; calls inside it add nothing."""

    __slots__ = ("fired", "row")

    def __init__(self, row: Known, fired: bool) -> None:
        self.row = row
        self.fired = fired


class Hold:
    """The stretch of one step that belongs to one request."""

    # As class attributes they cost nothing to set up in the many holds in which nothing happens.
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

    def __init__(  # noqa: PLR0917 - by keyword it takes twice as long
        self,
        request: WatchedRequest,
        spawned: bool,
        outer: Hold | None,
        clock: ThreadClock,
        opened: int,
        began: Reading,
    ) -> None:
        self.request = request
        self.spawned = spawned
        self.outer = outer
        self.clock = clock
        self.opened = opened
        self.began = began


current_request: Final[ContextVar[WatchedRequest | None]] = ContextVar(
    "pytest_asyncguard_request", default=None
)
open_holds: Final[dict[int, Hold]] = {}
sources: Final = Sources()
collections: Final = Collections(sources)
heartbeat: Final = Heartbeat(sources)
loose: Final[list[WatchedRequest | None]] = [None]
"""What steps belong to that no request started: with the scope ``loop``, to the test; else None."""
_inboxes: Final[list[Inbox]] = []


class _ThreadState(threading.local):
    """The clock of the current thread; it closes its file when the thread ends."""

    def __init__(self) -> None:
        self.clock = ThreadClock(sources, collections, heartbeat)


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

    ``wake`` wakes it; it is set while the sampler sleeps, and only then. ``look`` finds the
    thread that has computed most lately, in a hold that was opened then; ``put_off`` tells how long
    others kept a hold from running that would have computed.
    """

    wake: Callable[[], None] | None = None
    look: Callable[[int], RawKeeper | None] | None = None
    put_off: Callable[[Hold], int] | None = None


alarm: Final = _Alarm()


def watching() -> None:
    """A request is being watched: the sampler must be awake."""
    if (wake := alarm.wake) is not None:
        wake()


def enter(request: WatchedRequest, spawned: bool) -> Hold | None:
    """Open a hold on this thread; None where that fails, which is not the app's to bear."""
    try:
        thread = get_ident()
        clock = _this_thread.clock
        now = sources.wall()
        began = clock.last
        if now - began.wall > SHARED_NS:
            began = clock.refresh()
        hold = Hold(request, spawned, open_holds.get(thread), clock, now, began)
    except Exception as error:  # noqa: BLE001 - the guard never breaks the app
        request.inbox.failed("holds", error)
        return None
    open_holds[thread] = hold
    return hold


def leave(hold: Hold | None) -> None:
    """Close ``hold``, and report it where it was longer than the threshold."""
    if hold is None:
        return
    if hold.outer is None:
        open_holds.pop(get_ident(), None)
    else:
        open_holds[get_ident()] = hold.outer
    try:
        wall = sources.wall() - hold.opened
        request, outer = hold.request, hold.outer
        held = wall - hold.nested_ns
        cpu, asleep = wall, 0
        # Many short ones within another hold are long together: that one needs to know of what.
        if wall >= MEASURED_NS or wall >= request.threshold_ns or outer is not None:
            put_off = None
            if wall >= request.threshold_ns and (ask := alarm.put_off) is not None:
                put_off = partial(ask, hold)
            cpu, asleep = hold.clock.end(hold.began, hold.opened, hold.opened + wall, put_off)
            kept = hold.clock.kept(hold.began) if wall >= request.threshold_ns else 0
            held = _charge(
                hold,
                held,
                cpu - hold.nested_cpu_ns,
                asleep - hold.nested_asleep_ns,
                kept - hold.nested_kept_ns,
            )
            if outer is not None:
                outer.nested_kept_ns += kept
        if outer is not None:
            outer.nested_ns += wall
            outer.nested_cpu_ns += cpu
            outer.nested_asleep_ns += asleep
            outer.put_off_ns += hold.put_off_ns
        request.held_ns += held
        if held > request.held_max_ns:  # noqa: PLR1730 - a call of max() takes longer
            request.held_max_ns = held
    except Exception as error:  # noqa: BLE001 - the guard never breaks the app
        hold.request.inbox.failed("holds", error)


def _charge(hold: Hold, own_ns: int, cpu: int, asleep: int, kept: int) -> int:
    """Charge the hold's request with what was its own, and not that of a request within it."""
    cpu = min(own_ns, max(0, cpu))
    asleep = min(own_ns - cpu, max(0, asleep))
    threshold = hold.request.threshold_ns
    starved = kept >= threshold
    if starved and not hold.keepers and (look := alarm.look) is not None:
        # C code that never gave up the GIL kept the sampler from looking, too.
        keeper = look(hold.opened)
        hold.keepers = [keeper] if keeper is not None else None
    if cpu + asleep >= threshold or (starved and hold.keepers):
        hold.request.add_stall(RawStall(hold, own_ns, (cpu, asleep), kept))
    return cpu + asleep


def begin_stretch(request: WatchedRequest) -> tuple[int, Reading] | None:
    """Begin to measure what a worker thread does for ``request``; None where that fails."""
    try:
        opened = sources.wall()
        return opened, _this_thread.clock.begin(opened)
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


if hasattr(os, "register_at_fork"):
    # A child forked during a hold is no loop thread, and nobody reads what it would report.
    os.register_at_fork(after_in_child=_forget)
