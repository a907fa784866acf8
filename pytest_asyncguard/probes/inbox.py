"""The inbox: where the probes leave what they saw of requests, until the guard fetches it.

All of it is raw: of a request its scopes, of a stack code objects and offsets, of time counts of
nanoseconds. What it means is made of it later, off the loop.
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from copy import copy
from typing import Any, ClassVar, Final, Protocol

from pytest_asyncguard.probes.clock import SHARED_NS
from pytest_asyncguard.probes.stacks import RawStack, StackMemory, identity

Scope = MutableMapping[str, Any]

FOLD_AT: Final = 64
DIGEST_AT: Final = 512
MEASURED_NS: Final = 5_000_000
STALE_PART: Final = 20
"""By what part of the threshold a hold may seem longer than it was."""


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


class Limits:
    """From when on a hold is looked at, in nanoseconds.

    ``measured``: shorter ones are not worth a full reading of the clocks. ``stale``: an older
    reading does not serve as the beginning of a hold, since what the thread did in between may be
    charged to it.
    """

    __slots__ = ("measured", "stale", "threshold")

    def __init__(self, threshold: int) -> None:
        self.threshold = threshold
        self.measured = min(MEASURED_NS, threshold)
        self.stale = min(max(SHARED_NS, threshold // STALE_PART), MEASURED_NS)


class Inbox:
    """Where the probes leave what they saw, until the guard fetches it.

    ``digest`` is called when many requests wait to be fetched: a single test can make any number.
    ``failed`` is told of an exception inside a part of the guard, and switches that part off.
    ``in_project`` tells of a file whether it is the user's own.
    """

    def __init__(
        self,
        threshold_ns: int,
        digest: Callable[[], None],
        failed: Callable[[str, BaseException], None],
        in_project: Callable[[str], bool] = bool,
    ) -> None:
        self.stacks = StackMemory(in_project)
        self.limits = Limits(threshold_ns)
        self.digest = digest
        self.failed = failed
        self.enabled = True
        self.requests: dict[int, WatchedRequest] = {}
        self.tallies: dict[object, list[Tally]] = {}
        """By endpoint: the same one may be reached in several ways."""
        self.loops: set[str] = set()
        self.plain: dict[object, bool] = {}
        """Of endpoints: whether FastAPI runs them by its one function for all."""
        self.injected: dict[object, bool] = {}
        """Of callables with dependencies: whether a double may be passed to them."""

    @property
    def threshold_ns(self) -> int:
        """The threshold of requests that begin from now on."""
        return self.limits.threshold

    @threshold_ns.setter
    def threshold_ns(self, threshold: int) -> None:
        self.limits = Limits(threshold)


class Tally:
    """Requests of which nothing is to be told but that they were, all to one endpoint.

    Of the first one the scopes are kept, for the route to be read from; of the others nothing.
    """

    __slots__ = (
        "app",
        "context",
        "count",
        "held_max_ns",
        "held_ns",
        "method",
        "reached",
        "root_path",
        "route",
        "scopes",
        "solves",
        "thread_ns",
    )

    def __init__(self, request: WatchedRequest) -> None:
        self.app = request.app
        self.scopes = request.scopes
        scope = request.scopes[-1]
        self.method = scope.get("method")
        self.root_path = scope.get("root_path")
        self.route = scope.get("route")
        self.context = context_of(scope)
        self.solves = hasattr(self.route, "dependant")
        self.count = 0
        self.reached = 0
        self.thread_ns = 0
        self.held_ns = 0
        self.held_max_ns = 0

    def is_of(self, app: object, scope: Scope) -> bool:
        """Whether a request to the same endpoint is one of these."""
        get = scope.get
        return (
            self.route is get("route")
            and self.app is app
            and self.method == get("method")
            and self.root_path == get("root_path")
            and self.context is context_of(scope)
        )


def context_of(scope: Scope) -> object:
    """In which of its routers a route of FastAPI's was found."""
    extra = scope.get("fastapi")
    return extra.get("effective_route_context") if extra.__class__ is dict else None


class WatchedRequest:
    """An ASGI request, websocket connection or lifespan that is being watched."""

    __slots__ = (
        "app",
        "calls",
        "counted",
        "done",
        "exercised",
        "held_max_ns",
        "held_ns",
        "inbox",
        "limits",
        "scopes",
        "solved",
        "stalls",
        "thread",
        "thread_ns",
    )

    solving_watched: ClassVar[bool] = False
    """Whether it is noted that the dependencies of a request are solved."""

    def __init__(self, app: object, scope: Scope, inbox: Inbox) -> None:
        self.app = app
        self.scopes = [scope]
        self.thread = get_ident()
        self.inbox = inbox
        self.limits = inbox.limits
        self.calls: Sequence[RawCall] = ()
        self.stalls: Sequence[RawStall] = ()
        self.held_ns = self.held_max_ns = self.thread_ns = 0
        self.counted = self.exercised = self.done = False
        self.solved = not WatchedRequest.solving_watched

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

    def finish(self, grown: Callable[[Inbox], None]) -> None:
        """The app has returned: what is left of the request is its count, or what it did.

        ``grown`` is called when there is more for the guard to fetch than before.
        """
        inbox = self.inbox
        try:
            self.done = True
            scope = self.scopes[-1]
            endpoint = scope.get("endpoint")
            if endpoint is None or self.calls or self.stalls or self.counted:
                self.tell()
                grown(inbox)
                return
            # Not every router says which of its routes it chose, and one function can serve many.
            key = endpoint if "route" in scope else (endpoint, scope.get("path"))
            try:
                tallies = inbox.tallies.get(key, ())
            except TypeError:  # an endpoint that cannot be hashed
                self.tell()
                grown(inbox)
                return
            for tally in tallies:
                if tally.is_of(self.app, scope):
                    break
            else:
                tally = Tally(self)
                inbox.tallies.setdefault(key, []).append(tally)
                grown(inbox)
            tally.count += 1
            if self.solved or not tally.solves:
                tally.reached += 1
            tally.held_ns += self.held_ns
            if self.held_max_ns > tally.held_max_ns:  # noqa: PLR1730 - a call of max() takes longer
                tally.held_max_ns = self.held_max_ns
            if self.thread_ns > tally.thread_ns:  # noqa: PLR1730 - as above
                tally.thread_ns = self.thread_ns
            self.held_ns = 0
            self.counted = self.exercised = True
        except Exception as error:  # noqa: BLE001 - the guard never breaks the app
            inbox.failed("requests", error)

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
