"""Holds: which request, if any, has this thread's event loop now.

"On the loop" is decided by one question only: is there an open hold on this thread? Worker
threads have none, so all that runs there is free by construction.
"""

from __future__ import annotations

import os
import threading
from _thread import get_ident
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from copy import copy
from typing import Any, Final, Protocol

from pytest_asyncguard.probes.clock import Collections, Heartbeat, Reading, Sources, ThreadClock
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


class RawStall:
    """A hold over the threshold: its charge, its samples, and the known calls it made."""

    __slots__ = ("asleep_ns", "calls", "cpu_ns", "opened", "samples", "spawned", "wall_ns")

    def __init__(self, hold: Hold, wall_ns: int, charged: tuple[int, int]) -> None:
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
        self.loops: set[str] = set()


class WatchedRequest:
    """An ASGI request, websocket connection or lifespan that is being watched."""

    __slots__ = (
        "app",
        "calls",
        "counted",
        "done",
        "held_max_ns",
        "held_ns",
        "inbox",
        "scopes",
        "stalls",
        "thread",
        "threshold_ns",
    )

    def __init__(self, app: object, scope: Scope, inbox: Inbox) -> None:
        self.app = app
        self.scopes = [scope]
        self.thread = get_ident()
        self.inbox = inbox
        self.threshold_ns = inbox.threshold_ns
        self.calls: list[RawCall] = []
        self.stalls: list[RawStall] = []
        self.held_ns = 0
        self.held_max_ns = 0
        self.counted = False
        self.done = False

    def is_same(self, scope: Scope) -> bool:
        """Whether ``scope`` is this request's, or a copy that a mount or middleware made of it."""
        mine = self.scopes[-1]
        if scope is mine:
            return True
        return scope["type"] == mine["type"] and (
            scope["type"] == "lifespan"
            or ((headers := scope.get("headers")) is not None and headers is mine.get("headers"))
        )

    def is_settled(self) -> bool:
        """Whether its route will not change any more."""
        scope = self.scopes[-1]
        return self.done or scope["type"] in {"lifespan", "test"} or "endpoint" in scope

    def tell(self) -> None:
        """Let the guard fetch this request when it next asks."""
        self.inbox.requests[id(self)] = self

    def add_call(self, call: RawCall) -> None:
        calls = self.calls
        calls.append(call)
        if len(calls) % FOLD_AT == 0:
            self.calls = fold(calls)
        self.tell()


def fold(calls: list[RawCall]) -> list[RawCall]:
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

    began: Reading
    clock: ThreadClock
    opened: int

    __slots__ = (
        "began",
        "call",
        "calls",
        "clock",
        "nested_ns",
        "opened",
        "outer",
        "request",
        "samples",
        "spawned",
    )

    def __init__(self, request: WatchedRequest, spawned: bool) -> None:
        self.request = request
        self.spawned = spawned
        self.outer: Hold | None = None
        self.call: ActiveCall | None = None
        self.calls: list[RawCall] | None = None
        self.samples: list[tuple[int, RawStack]] | None = None
        self.nested_ns = 0


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


_on_watching: Callable[[], None] | None = None


def on_watching(callback: Callable[[], None] | None) -> None:
    """Call ``callback`` whenever a request begins to be watched."""
    global _on_watching  # noqa: PLW0603
    _on_watching = callback


def watching() -> None:
    if _on_watching is not None:
        _on_watching()


def enter(request: WatchedRequest, *, spawned: bool) -> Hold | None:
    """Open a hold on this thread; None where that fails, which is not the app's to bear."""
    try:
        hold = Hold(request, spawned)
        thread = get_ident()
        hold.outer = open_holds.get(thread)
        hold.clock = clock = _this_thread.clock
        hold.opened = now = sources.wall()
        hold.began = clock.begin(now)
    except Exception as error:  # noqa: BLE001 - the guard never breaks the app
        request.inbox.failed("holds", error)
        return None
    open_holds[thread] = hold
    return hold


def leave(hold: Hold | None) -> None:
    """Close ``hold``, and report it where it was longer than the threshold."""
    if hold is None:
        return
    thread = get_ident()
    if hold.outer is None:
        open_holds.pop(thread, None)
    else:
        open_holds[thread] = hold.outer
    try:
        _weigh(hold)
    except Exception as error:  # noqa: BLE001 - the guard never breaks the app
        hold.request.inbox.failed("holds", error)


def _weigh(hold: Hold) -> None:
    now = sources.wall()
    if hold.outer is not None:
        hold.outer.nested_ns += now - hold.opened
    wall = now - hold.opened - hold.nested_ns
    request = hold.request
    held = wall
    if wall >= MEASURED_NS:
        cpu, asleep = hold.clock.end(hold.began, hold.opened, now)
        if hold.nested_ns:  # what a nested request cost is its own
            share = wall / (now - hold.opened)
            cpu, asleep = int(cpu * share), int(asleep * share)
        held = cpu + asleep
        if held >= request.threshold_ns:
            request.stalls.append(RawStall(hold, wall, (cpu, asleep)))
            request.tell()
    request.held_ns += held
    request.held_max_ns = max(request.held_max_ns, held)


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
