"""The data that crosses the stages, in the order in which it flows.

    probes -> Sighting -> decide -> Decision -> attribute -> Finding
           -> collect -> RunReport -> render, gate

Everything here is plain: strings, numbers and tuples. No frame, code object or exception survives
past the probes. Paths are as the interpreter gave them until ``attribute`` makes them relative to
rootdir (POSIX); durations are nanoseconds until ``Finding``, and seconds as floats from there on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning"]
Level = Literal["error", "warning", "off"]
Status = Literal["new", "baselined", "ignored"]
Mode = Literal["fail-tests", "fail-run", "report"]
Phase = Literal[
    "middleware",
    "dependency",
    "validation",
    "endpoint",
    "serialization",
    "stream",
    "background",
    "exception-handler",
    "websocket",
    "task",
    "lifespan",
    "test",
    "unknown",
]
Kind = Literal["async", "sync", "asgi"]
EndpointVerdict = Literal["clean", "warns", "blocks", "unexercised"]
RunVerdict = Literal["clean", "warnings", "errors", "nothing-watched"]
Origin = Literal["project", "stdlib", "library"]


# --- what the probes see ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame of a stack, with the place in it that was running.

    ``column`` and ``end_column`` count characters from 1, the end exclusive. ``module`` is the
    dotted name under which the file is imported, where that can be told from its path;
    ``public`` the function's dotted name as one writes it (``requests.get``).
    ``coroutine`` says that the function is an ``async def``, ``awaits`` that its body can suspend
    (it has an ``await``, ``async for`` or ``async with``).
    """

    file: str
    line: int
    function: str
    end_line: int | None = None
    column: int | None = None
    end_column: int | None = None
    module: str = ""
    public: str = ""
    origin: Origin = "library"
    first_line: int = 1
    source: str | None = None
    coroutine: bool = False
    awaits: bool = False


Stack = tuple[Frame, ...]
"""Outermost frame first: from ASGI entry (or the spawned task's first frame) to the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A stack that was seen while a hold was open, and for how many nanoseconds it stands."""

    stack: Stack
    weight_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one hold, or one call in it, cost on the guard's clock."""

    cpu_ns: int
    asleep_ns: int

    @property
    def held_ns(self) -> int:
        return self.cpu_ns + self.asleep_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A known call that was made in a hold, and what it cost there as far as that was measured."""

    stack: Stack
    charge: Charge


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A route of an app: what it answers to, and the function behind it.

    ``only_returns``: a plain function that does nothing but put together what it returns.
    """

    route: str
    method: str
    path: str
    function: str
    file: str | None
    line: int | None
    kind: Kind
    awaits: bool | None
    only_returns: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The facts of a watched request that outlive it. ``route`` is a template, never a raw URL.

    ``endpoint`` is None for a lifespan, and for a request that matched no route.
    """

    type: Literal["http", "websocket", "lifespan"]
    route: str
    endpoint: Endpoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What a probe saw during a hold: a known blocking call, or a hold over the threshold.

    ``rule`` and ``call`` are None for a hold. ``stack`` ends with the frame that made the call; a
    hold has ``samples`` instead, and in ``known`` the known calls that it made, each weighing what
    was measured around it. Where a hold was starved, ``samples`` are those of the thread that kept
    the GIL, ``detail`` is its name, and ``stack`` is where the request stood.
    ``spawned`` says that it was a step of a task or callback which the request had started, and
    not of the request's own task. ``twin`` is the async equivalent of the call, as one writes it.
    ``charge`` is the sum over ``count`` sightings, ``longest`` that of the longest one.
    ``timed``: the charge was measured around the call, and not put together from samples.
    ``named_by_caller``: the call is to be named after the library function that the user called,
    since the probe saw only what that function did; ``owned``: methods are named after the class
    in ``call``.
    """

    rule: str | None
    call: str | None
    detail: str | None = None
    stack: Stack = ()
    samples: tuple[Sample, ...] = ()
    known: tuple[Known, ...] = ()
    charge: Charge | None = None
    longest: Charge | None = None
    timed: bool = False
    threshold_ns: int = 0
    spawned: bool = False
    named_by_caller: bool = False
    owned: bool = False
    twin: str | None = None
    request: Request | None = None
    count: int = 1


# --- what is made of it ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of the rule catalogue.

    ``finds`` and ``why`` are paragraphs, ``example`` and ``instead`` code; ``options`` are those
    that matter to this rule in particular.
    """

    code: str
    name: str
    severity: Severity
    summary: str
    finds: str = ""
    why: str = ""
    example: str = ""
    instead: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether a sighting counts. A sighting that does not has severity None, and always a reason.

    ``once``: it is no more than a warning as long as it happens once per app.
    """

    rule: Rule
    severity: Severity | None
    reason: str
    once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Durations of several sightings, in seconds."""

    max: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteCount:
    route: str | None
    phase: Phase
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StackFrame:
    """A frame of a finding's stack: ``file`` relative to rootdir where it lies below it."""

    file: str
    line: int
    function: str
    source: str | None
    project: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A sighting that was judged and attributed; the fields of the JSON report, in its order."""

    fingerprint: str
    code: str
    rule: str
    severity: Severity
    status: Status = "new"
    call: str | None
    detail: str | None
    message: str
    hint: str | None
    file: str
    line: int
    end_line: int | None
    column: int | None
    end_column: int | None
    function: str
    source: str | None
    route: str | None
    routes: tuple[RouteCount, ...]
    phase: Phase
    count: int
    held_seconds: Spread | None
    cpu_seconds: Spread | None
    asleep_seconds: Spread | None
    tests: tuple[str, ...]
    stack: tuple[StackFrame, ...]
    reason: str | None = None


# --- what the run amounts to -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """How often one endpoint was exercised, by which tests, and how long it held the loop.

    ``requests`` are those that got as far as its function. Without any, all that asked for it were
    turned down before. ``thread_seconds`` is for how long one kept a worker thread.
    """

    requests: int
    tests: tuple[str, ...]
    held_seconds: Spread | None
    thread_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CensusRow:
    """One endpoint of the census, as in the JSON report; ``tests`` is their number."""

    route: str
    method: str
    path: str
    function: str
    file: str | None
    line: int | None
    kind: Kind
    awaits: bool | None
    requests: int
    tests: int
    held_seconds: Spread | None
    verdict: EndpointVerdict
    advice: str | None
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeState:
    name: str
    active: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    started: str
    seconds: float
    python: str
    platform: str
    packages: Mapping[str, str]
    loops: tuple[str, ...]
    workers: int
    tests: int
    requests: int
    complete: bool
    probes: tuple[ProbeState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusedIgnore:
    file: str
    line: int
    rules: tuple[str, ...]
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    verdict: RunVerdict
    errors: int
    warnings: int
    baselined: int
    ignored: int
    endpoints: int
    exercised: int
    blocking: int
    held_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """All that a renderer or the gate sees; the JSON report is this, field by field."""

    tool_version: str
    run: RunInfo
    settings: Mapping[str, object]
    summary: Summary
    findings: tuple[Finding, ...]
    endpoints: tuple[CensusRow, ...]
    unused_ignores: tuple[UnusedIgnore, ...] = field(default=())
    stale_baseline: tuple[str, ...] = field(default=())
