"""The guard: what the probes saw goes down the pipe once, and no failure of a part gets out."""

from __future__ import annotations

import asyncio
import asyncio.events
import gc
import sys
import weakref
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pytest_asyncguard.catalog.rows import Call
from pytest_asyncguard.guard import MERGE_AT, Guard, Installation
from pytest_asyncguard.model import Finding
from pytest_asyncguard.options import Settings, read
from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.calls import CallProbe, wrap
from pytest_asyncguard.probes.inbox import WatchedRequest
from pytest_asyncguard.probes.requests import RequestProbe, grown, watched
from pytest_asyncguard.probes.sampler import Sampler
from pytest_asyncguard.probes.stacks import capture
from pytest_asyncguard.probes.steps_asyncio import AsyncioSteps

MS = 1_000_000

_SLOW = [wrap(lambda: None, Call(target="fake:slow", rule="sleep"), method=False)]


def slow() -> None:
    """Not the wrapper itself: a guard that stops takes its wrappers out of all modules."""
    _SLOW[0]()


_TLS = [wrap(lambda: None, Call(target="fake:tls", rule="tls-context"), method=False)]


def tls() -> None:
    """As above."""
    _TLS[0]()


call_app = watched(Starlette.__call__)
"""ASGI entry, as it is when the guard is installed."""


def settings(**fields: Any) -> Settings:
    return replace(read(lambda name: None, lambda name: None, ""), enabled=True, **fields)


@pytest.fixture(name="warned")
def _warned() -> list[str]:
    """What the guard had to say of itself."""
    return []


@pytest.fixture(name="guard")
def _guard(warned: list[str]) -> Iterator[Guard]:
    """A guard without its probes, to which this file is the project."""
    guard = Guard(settings(), str(Path(__file__).parent), warned.append)
    guard._installation = Installation()
    guard.begin("test_it", settings())
    holds.push_inbox(guard._inbox)
    yield guard
    holds.pop_inbox(guard._inbox)
    holds.loose[0] = None


async def ask(app: Starlette, path: str = "/") -> None:
    """One request, made in the task that asks."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: object) -> None:
        pass

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "root_path": "",
        "query_string": b"",
        "headers": [],
    }
    await call_app(app, scope, receive, send)


def app_of(function: Callable[[], object] = lambda: None, *paths: str) -> Starlette:
    """An app that calls ``function`` on these paths."""

    async def endpoint(request: Request) -> Response:
        function()
        return PlainTextResponse("")

    return Starlette(routes=[Route(path, endpoint) for path in paths or ("/",)])


def told(guard: Guard) -> list[tuple[str, str, int]]:
    """Rule, severity and count of the findings since the last telling."""
    return [row(finding) for finding in guard.tell(last=True).findings]


def row(finding: Finding) -> tuple[str, str, int]:
    return finding.rule, finding.severity, finding.count


# --- what is told ------------------------------------------------------------------------------


def test_what_is_seen_is_told_once(guard: Guard) -> None:
    """With the test in which it was seen, and the route."""
    asyncio.run(ask(app_of(slow)))
    telling = guard.tell(last=False)
    assert [(row(f), f.tests, f.route) for f in telling.findings] == [
        (("sleep", "error", 1), ("test_it",), "GET /")
    ]
    assert telling.loops == ("asyncio",)
    assert (telling.requests, telling.exercised["GET /"][0]) == (1, 1)
    again = guard.tell(last=True)
    assert (again.findings, again.exercised, again.endpoints, again.requests) == ((), {}, (), 0)


def test_a_site_is_one_finding_however_many_requests_meet_it(guard: Guard) -> None:
    """It is counted, and every route is named."""
    app = app_of(slow, "/a", "/b")
    for path in ("/a", "/b", "/a"):
        asyncio.run(ask(app, path))
    (finding,) = guard.tell(last=True).findings
    assert finding.count == 3
    assert {(row.route, row.count) for row in finding.routes} == {("GET /a", 2), ("GET /b", 1)}


def test_the_probes_are_told_of_in_the_first_telling(guard: Guard) -> None:
    """Once for each process; they may fail later, and then that is a warning."""
    guard._installation.install()
    try:
        first, second = guard.tell(last=True), guard.tell(last=True)
    finally:
        guard._installation.uninstall()
    assert {probe.name for probe in first.probes} >= {"calls", "requests", "sampler"}
    assert second.probes == ()


@pytest.mark.parametrize("calls", [0, 1])
def test_a_request_counts_once(guard: Guard, calls: int) -> None:
    """Also where it was told of while it ran, and again when it was over."""
    going_on = asyncio.Event()
    counted = []

    async def waiting(request: Request) -> Response:
        for _ in range(calls):
            slow()
        await going_on.wait()
        for _ in range(calls):
            slow()
        return PlainTextResponse("")

    async def main() -> None:
        asking = asyncio.create_task(ask(Starlette(routes=[Route("/", waiting)])))
        await asyncio.sleep(0)
        counted.append(guard.tell(last=False))
        going_on.set()
        await asking
        counted.append(guard.tell(last=True))

    asyncio.run(main())
    assert sum(telling.requests for telling in counted) == 1
    assert sum(telling.exercised.get("GET /", (0,))[0] for telling in counted) == 1
    found = [finding.count for telling in counted for finding in telling.findings]
    assert found == [1, 1][: 2 * calls]


def test_a_task_that_outlives_its_request_is_told_of_later(guard: Guard) -> None:
    """In the test that runs by then; the request counts no second time."""
    requests: list[WatchedRequest | None] = []
    asyncio.run(ask(app_of(lambda: requests.append(holds.current_request.get()))))
    first = guard.tell(last=True)
    guard.begin("test_later", settings())
    (request,) = requests
    assert request is not None
    holds.step(request, lambda _: slow(), None)
    later = guard.tell(last=True)
    assert [telling.requests for telling in (first, later)] == [1, 0]
    assert first.findings == ()
    assert [(f.tests, f.route, f.phase) for f in later.findings] == [
        (("test_later",), "GET /", "task")
    ]


class Remembering:
    """A middleware that asks ``remember`` first."""

    def __init__(self, app: Any, remember: Callable[..., Awaitable[None]]) -> None:
        self.app = app
        self.remember = remember

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.remember(scope, receive, send)
        await self.app(scope, receive, send)


def test_a_request_that_is_not_routed_yet_waits(guard: Guard) -> None:
    """What its middleware did is told with the route that the request will have."""
    going_on = asyncio.Event()
    routes: list[list[str | None]] = []

    async def first(scope: Any, receive: Any, send: Any) -> None:
        slow()
        await going_on.wait()

    async def main() -> None:
        app = app_of(bool, "/items/{number}")
        app.user_middleware.append(Middleware(Remembering, remember=first))
        asking = asyncio.create_task(ask(app, "/items/3"))
        await asyncio.sleep(0)
        routes.append([finding.route for finding in guard.tell(last=False).findings])
        going_on.set()
        await asking
        routes.append([finding.route for finding in guard.tell(last=True).findings])

    asyncio.run(main())
    assert routes == [[], ["GET /items/{number}"]]


def test_a_request_that_is_not_routed_when_the_test_ends_is_told_as_it_is(guard: Guard) -> None:
    """It may hang for ever; what it did is known."""
    findings: list[int] = []

    async def first(scope: Any, receive: Any, send: Any) -> None:
        slow()
        await asyncio.Event().wait()

    async def main() -> None:
        app = app_of()
        app.user_middleware.append(Middleware(Remembering, remember=first))
        asking = asyncio.create_task(ask(app))
        await asyncio.sleep(0)
        findings.append(len(guard.tell(last=True).findings))
        asking.cancel()

    asyncio.run(main())
    assert findings == [1]


def test_a_test_with_many_requests_does_not_keep_them(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are judged in between, and none is lost."""
    monkeypatch.setattr("pytest_asyncguard.probes.requests.DIGEST_AT", 3)
    app = app_of(slow)
    kept = []
    for _ in range(7):
        asyncio.run(ask(app))
        kept.append(len(guard._inbox.requests))
    assert max(kept) < 3
    telling = guard.tell(last=True)
    assert [finding.count for finding in telling.findings] == [7]
    assert telling.requests == 7


def test_one_function_on_several_routes_is_several_endpoints(guard: Guard) -> None:
    """Each request counts for the route that it asked for, whatever the app says of itself."""

    async def endpoint(request: Request) -> Response:
        return PlainTextResponse("")

    app = FastAPI(openapi_url=None)
    app.add_route("/a", endpoint)
    app.add_route("/b", endpoint)
    for path in ("/a", "/b", "/b"):
        asyncio.run(ask(app, path))
    exercised = guard.tell(last=True).exercised
    assert {route: count for route, (count, _) in exercised.items()} == {"GET /a": 1, "GET /b": 2}


def test_findings_on_one_function_have_the_route_that_was_asked_for(guard: Guard) -> None:
    """For findings as for counts."""

    async def endpoint(request: Request) -> Response:
        slow()
        return PlainTextResponse("")

    app = FastAPI(openapi_url=None)
    app.add_route("/a", endpoint)
    app.add_route("/b", endpoint)
    for path in ("/a", "/b"):
        asyncio.run(ask(app, path))
    (finding,) = guard.tell(last=True).findings
    assert {row.route for row in finding.routes} == {"GET /a", "GET /b"}


def test_each_test_has_its_own_settings(guard: Guard) -> None:
    """A marker sets them; what begins in the test goes by them."""
    guard.begin("test_off", replace(settings(), enabled=False))
    asyncio.run(ask(app_of(slow)))
    assert told(guard) == []
    guard.begin("test_quick", settings(threshold=0.25))
    assert guard._inbox.threshold_ns == 250 * MS
    asyncio.run(ask(app_of(slow)))
    assert told(guard) == [("sleep", "error", 1)]


def test_with_the_scope_loop_the_tests_own_steps_are_watched(guard: Guard) -> None:
    """They belong to no route; with the scope app they are nobody's again."""
    guard.begin("test_loop", settings(scope="loop"))
    own = holds.loose[0]
    assert own is not None
    holds.step(own, lambda _: slow(), None)
    telling = guard.tell(last=True)
    assert [(f.rule, f.route, f.phase) for f in telling.findings] == [("sleep", None, "test")]
    assert (telling.requests, telling.exercised) == (0, {})
    guard.begin("test_app", settings(scope="app"))
    assert holds.loose[0] is None


# --- apps --------------------------------------------------------------------------------------


def test_an_app_is_not_kept_alive(guard: Guard) -> None:
    """A suite that makes one for each test would keep them all."""
    app = app_of(slow)
    asyncio.run(ask(app))
    guard.tell(last=True)
    gone = weakref.ref(app)
    del app
    gc.collect()
    assert gone() is None


def test_the_endpoints_of_an_app_are_told_once(guard: Guard) -> None:
    """And again where routes were added meanwhile: then the new ones."""
    app = app_of(bool, "/a", "/b")
    asyncio.run(ask(app, "/a"))
    assert [endpoint.route for endpoint in guard.tell(last=True).endpoints] == ["GET /a", "GET /b"]
    asyncio.run(ask(app, "/b"))
    assert guard.tell(last=True).endpoints == ()
    app.router.routes.append(Route("/c", app.routes[0].endpoint))  # type: ignore[attr-defined]
    asyncio.run(ask(app, "/c"))
    assert [endpoint.route for endpoint in guard.tell(last=True).endpoints] == ["GET /c"]


def test_apps_that_a_factory_makes_have_one_set_of_endpoints(guard: Guard) -> None:
    """Each test makes its own, of the same functions."""
    for _ in range(3):
        asyncio.run(ask(app_of()))
    assert [endpoint.route for endpoint in guard.tell(last=True).endpoints] == ["GET /"]


def test_an_app_that_cannot_be_referred_to_weakly_is_met_too(guard: Guard) -> None:
    """Its class may have slots."""

    class Slotted:
        __slots__ = ("routes",)

        def __init__(self) -> None:
            self.routes = app_of().routes

    app = Slotted()
    guard._meet(app)
    guard._meet(app)
    assert [endpoint.route for endpoint in guard.tell(last=True).endpoints] == ["GET /"]


def test_an_endpoint_is_told_with_its_place_in_the_project(guard: Guard) -> None:
    """Relative to the root; what lies elsewhere has none."""
    asyncio.run(ask(app_of()))
    (endpoint,) = guard.tell(last=True).endpoints
    assert (endpoint.file, endpoint.kind) == (Path(__file__).name, "async")


# --- once per app ------------------------------------------------------------------------------


def test_work_that_one_request_does_is_a_warning(guard: Guard) -> None:
    """Somebody has to do it first."""
    asyncio.run(ask(app_of(tls)))
    assert told(guard) == [("tls-context", "warning", 1)]


@pytest.mark.parametrize("telling", [False, True])
def test_work_that_a_second_request_does_again_is_an_error(guard: Guard, telling: bool) -> None:
    """In the same test or in a later one."""
    app = app_of(tls)
    asyncio.run(ask(app))
    before = told(guard) if telling else []
    asyncio.run(ask(app))
    assert [before, told(guard)] == (
        [[("tls-context", "warning", 1)], [("tls-context", "error", 1)]]
        if telling
        else [[], [("tls-context", "error", 2)]]
    )


def test_work_that_each_app_does_once_is_a_warning(guard: Guard) -> None:
    """An app for each test is common."""
    for _ in range(3):
        asyncio.run(ask(app_of(tls)))
    assert told(guard) == [("tls-context", "warning", 3)]


def test_an_app_at_the_address_of_one_that_is_gone_is_another(guard: Guard) -> None:
    """Memory is used again."""
    app = app_of(tls)
    asyncio.run(ask(app))
    assert told(guard) == [("tls-context", "warning", 1)]
    guard._apps[id(app)] = (lambda: None, 1)  # as it is once the first one is gone
    asyncio.run(ask(app))
    assert told(guard) == [("tls-context", "warning", 1)]


# --- failures ----------------------------------------------------------------------------------


def failing(*args: object, **kwargs: object) -> Any:
    raise ZeroDivisionError("by zero")


@pytest.mark.parametrize(
    ("part", "method"),
    [
        ("request", "_descriptions.describe"),
        ("stacks", "_sightings.calls"),
        ("decide", "_decider.judge"),
        ("attribute", "_attributor.attribute"),
    ],
)
def test_a_part_that_fails_is_named_once_and_breaks_nothing(
    guard: Guard, warned: list[str], monkeypatch: pytest.MonkeyPatch, part: str, method: str
) -> None:
    """It is switched off; the run goes on without it."""
    owner, _, name = method.partition(".")
    monkeypatch.setattr(getattr(guard, owner), name, failing)
    app = app_of(slow)
    for _ in range(2):
        asyncio.run(ask(app))
        assert told(guard) == []
    assert warned == [f"{part} failed and is switched off: ZeroDivisionError: by zero"]


def test_without_a_census_there_are_findings_all_the_same(
    guard: Guard, warned: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a part does not need goes on without it."""
    monkeypatch.setattr("pytest_asyncguard.guard.census.endpoints", failing)
    for _ in range(2):
        asyncio.run(ask(app_of(slow)))
    telling = guard.tell(last=True)
    assert ([row(finding) for finding in telling.findings], telling.endpoints) == (
        [("sleep", "error", 2)],
        (),
    )
    assert warned == ["census failed and is switched off: ZeroDivisionError: by zero"]


def test_holds_that_fail_end_the_watching(guard: Guard, warned: list[str]) -> None:
    """Without them nothing can be told; and it is not tried again with the next test."""
    guard._failed("holds", ZeroDivisionError("by zero"))
    guard.begin("test_next", settings())
    asyncio.run(ask(app_of(slow)))
    telling = guard.tell(last=True)
    assert (telling.findings, telling.requests) == ((), 0)
    assert warned == ["holds failed and is switched off: ZeroDivisionError: by zero"]


def test_a_probe_that_fails_is_taken_out(
    tmp_path: Path, warned: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others stay."""
    original = asyncio.events.Handle._run
    guard = Guard(settings(), str(tmp_path), warned.append)
    guard.start()
    try:
        assert asyncio.events.Handle._run is not original
        guard._failed("steps-asyncio", ZeroDivisionError("by zero"))
        assert asyncio.events.Handle._run is original
        inactive = [(state.name, state.reason) for state in guard.probes if not state.active]
    finally:
        guard.stop()
    assert inactive == [("steps-asyncio", "ZeroDivisionError: by zero")]


@pytest.mark.parametrize(
    ("probe", "reason"),
    [
        (CallProbe, "a known blocking call was not seen"),
        (AsyncioSteps, "a known blocking call in a callback was not seen"),
        (RequestProbe, "requests: ZeroDivisionError: by zero"),
        (Sampler, "sampler: ZeroDivisionError: by zero"),
    ],
)
def test_a_guard_that_does_not_see_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, probe: type, reason: str
) -> None:
    """Before any test has run: a clean run would be a lie."""
    with monkeypatch.context() as patch:
        patch.setattr(probe, "install", failing)
        guard = Guard(settings(), str(tmp_path), lambda text: None)
        guard.start()
    try:
        assert guard.inactive == reason
        assert guard.tell(last=True).inactive == reason
    finally:
        guard.stop()


# --- one guard and another ---------------------------------------------------------------------


def test_a_run_within_a_run_shares_the_probes(tmp_path: Path) -> None:
    """As in pytest's own tests; what is seen belongs to the inner one until it ends."""
    before = asyncio.events.Handle._run
    outer, inner = (Guard(settings(), str(tmp_path), lambda text: None) for _ in range(2))
    outer.start()
    watching = asyncio.events.Handle._run
    inner.start()
    assert asyncio.events.Handle._run is watching
    assert holds.inbox() is inner._inbox
    inner.stop()
    assert holds.inbox() is outer._inbox
    assert asyncio.events.Handle._run is watching
    outer.stop()
    outer.stop()
    assert holds.inbox() is None
    assert asyncio.events.Handle._run is before


# --- samples -----------------------------------------------------------------------------------


def test_a_sample_stands_for_the_time_since_the_one_before(guard: Guard) -> None:
    """The first one since the hold began, the last one until it ended."""
    stack = capture(sys._getframe())
    stall: Any = SimpleNamespace(
        opened=1000 * MS,
        wall_ns=100 * MS,
        samples=[((1000 + at) * MS, stack) for at in (25, 45, 80)],
    )
    assert [sample.weight_ns // MS for sample in guard._sightings._samples(stall)] == [25, 20, 55]


def test_a_sample_of_nothing_but_the_guard_is_none(guard: Guard) -> None:
    """Its time is not that of the next one either."""
    stack = capture(sys._getframe())
    stall: Any = SimpleNamespace(
        opened=0, wall_ns=60 * MS, samples=[(20 * MS, stack), (40 * MS, ()), (50 * MS, stack)]
    )
    assert [sample.weight_ns // MS for sample in guard._sightings._samples(stall)] == [20, 20]


def test_a_test_with_any_number_of_findings_keeps_one_for_each_way(guard: Guard) -> None:
    """And loses none of them: the count is that of all."""

    def request() -> None:
        scope = {"type": "http", "method": "GET", "path": "/", "app": None}
        watched_request = WatchedRequest(None, scope, guard._inbox)
        hold = holds.enter(watched_request, spawned=False)
        slow()
        holds.leave(hold)
        watched_request.finish(grown)

    made = 3 * MERGE_AT
    kept = []
    for _ in range(made):
        request()
        guard._digest()
        kept.append(len(guard._findings))
    assert max(kept) < 2 * MERGE_AT
    [finding] = guard.tell(last=True).findings
    assert finding.count == made
