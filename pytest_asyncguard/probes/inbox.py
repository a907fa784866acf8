"""The inbox: where the probes leave what they saw of requests, until the guard fetches it.

All of it is raw: of a request its scopes, of a stack code objects and offsets, of time counts of
nanoseconds. What it means is made of it later, off the loop.
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from copy import copy
from typing import Any, Final, Protocol

from pytest_asyncguard.probes.stacks import RawStack, identity

Scope = MutableMapping[str, Any]

FOLD_AT: Final = 64
DIGEST_AT: Final = 512


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


class Lasting(Protocol):
    """What a hold has seen while it was open."""

    spawned: bool
    opened: int
    calls: list[RawCall] | None
    samples: list[tuple[int, RawStack]] | None
    keepers: list[RawKeeper] | None


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

    def __init__(self, hold: Lasting, wall_ns: int, charged: tuple[int, int], kept_ns: int) -> None:
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
