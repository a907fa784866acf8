"""The way to an endpoint: how far a request got, and how long that kept a worker thread."""

from __future__ import annotations

import asyncio
import functools
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import routing

from pytest_asyncguard.probes import endpoints, holds
from pytest_asyncguard.probes.endpoints import EndpointProbe, running, solving, timing
from pytest_asyncguard.probes.holds import current_request
from pytest_asyncguard.probes.inbox import WatchedRequest
from pytest_asyncguard.probes.patching import ImportWatch

MS = 1_000_000


class ApiRoute:
    """A route with dependencies, as FastAPI's have."""

    dependant = object()


@pytest.fixture(name="request_")
def _request(inbox_open: Any, monkeypatch: pytest.MonkeyPatch) -> WatchedRequest:
    """A request to a route of FastAPI's, whose dependencies are watched and not solved yet."""
    monkeypatch.setattr(WatchedRequest, "solving_watched", True)
    request: WatchedRequest = inbox_open.request(endpoint=print, route=ApiRoute())
    return request


def believed() -> bool:
    return not WatchedRequest.solving_watched


def run(request: WatchedRequest | None, function: Any, *args: Any) -> Any:
    """What ``function`` returns to a request."""
    token = current_request.set(request)
    try:
        return asyncio.run(function(*args))
    finally:
        current_request.reset(token)


@pytest.mark.parametrize(
    ("solved", "reached"),
    [
        (SimpleNamespace(errors=[]), True),
        (SimpleNamespace(errors=["missing"]), False),
        (({}, [], None), True),
        (({}, ["missing"], None), False),
    ],
)
def test_the_endpoint_runs_where_its_dependencies_are_solved(
    request_: WatchedRequest, solved: object, reached: bool
) -> None:
    """Old releases return a tuple and new ones an object; it is handed on as it is."""

    async def solve_dependencies(answer: object) -> object:
        return answer

    assert not request_.reached()
    assert run(request_, solving(solve_dependencies), solved) is solved
    assert request_.reached() is reached


def test_an_endpoint_that_is_run_is_reached(inbox_open: Any, monkeypatch: Any) -> None:
    """There the solved dependencies tell nothing more, and are not looked at."""
    monkeypatch.setattr(WatchedRequest, "solving_watched", True)

    def endpoint() -> None:
        pass

    async def solve_dependencies() -> int:
        return 1  # would be a failure if it were looked at

    async def run_endpoint_function(*, values: int) -> int:
        return values

    async def both() -> tuple[int, bool, int]:
        solved = await solving(solve_dependencies)()
        before = request.reached()
        return solved, before, await running(run_endpoint_function)(values=2)

    request = inbox_open.request(endpoint=endpoint, route=ApiRoute())
    assert run(request, both) == (1, False, 2)
    assert request.reached()


@pytest.mark.parametrize("kind", ["generator", "async generator", "decorated", "websocket"])
def test_an_endpoint_that_is_not_run_is_reached_once_it_is_solved(
    inbox_open: Any, monkeypatch: Any, kind: str
) -> None:
    """A generator is iterated by FastAPI itself; a decorator may hide one."""
    monkeypatch.setattr(WatchedRequest, "solving_watched", True)

    def plain() -> None:
        pass

    def generator() -> Any:
        yield

    async def async_generator() -> Any:
        yield

    @functools.wraps(generator)
    def decorated() -> Any:
        return generator()

    others = {"generator": generator, "async generator": async_generator, "decorated": decorated}
    scope = {"type": "websocket"} if kind == "websocket" else {}

    async def solve_dependencies() -> Any:
        return SimpleNamespace(errors=[])

    request = inbox_open.request(endpoint=others.get(kind, plain), route=ApiRoute(), **scope)
    run(request, solving(solve_dependencies))
    assert request.reached()


def test_a_dependency_that_raises_ends_the_way(request_: WatchedRequest) -> None:
    """Its exception is the app's own."""

    async def solve_dependencies() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        run(request_, solving(solve_dependencies))
    assert not request_.reached()


def test_without_a_request_nothing_is_noted() -> None:
    """FastAPI's functions can be called by anybody."""

    async def double(number: int) -> int:
        return number * 2

    assert run(None, solving(double), 2) == 4
    assert run(None, timing(double), 2) == 4


def test_what_cannot_be_understood_breaks_nothing(inbox_open: Any, request_: Any) -> None:
    """The part that failed is named, and the app has its answer."""

    async def solve_dependencies() -> int:
        return 1

    assert run(request_, solving(solve_dependencies)) == 1
    assert [part for part, _ in inbox_open.failures] == [EndpointProbe.name]
    inbox_open.failures.clear()


@pytest.mark.parametrize(
    ("scope", "reached"),
    [
        ({"endpoint": print}, True),  # a plain route of Starlette's
        ({"endpoint": print, "route": object()}, True),
        ({"endpoint": print, "route": ApiRoute()}, False),
        ({}, False),  # no route, or middleware that answered first
        ({"fastapi": {"frontend_path": "app.js"}}, True),
        ({"fastapi": {}}, False),
    ],
)
def test_what_has_no_dependencies_is_reached_by_its_route(
    inbox_open: Any, monkeypatch: pytest.MonkeyPatch, scope: dict[str, Any], reached: bool
) -> None:
    """Only FastAPI's routes can turn a request down once it is theirs."""
    monkeypatch.setattr(WatchedRequest, "solving_watched", True)
    assert inbox_open.request(**scope).reached() is reached


def test_where_dependencies_are_not_watched_a_route_is_enough(inbox_open: Any) -> None:
    """A guard whose part failed does not say of all endpoints that they never ran."""
    assert inbox_open.request(endpoint=print, route=ApiRoute()).reached()


def test_the_longest_stretch_in_a_thread_is_kept(request_: WatchedRequest, fake_clock: Any) -> None:
    """As charged by the guard's clock: waiting for a processor is not the function's."""

    async def run_in_threadpool(function: Any, *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    def work(*, computing: int, queued: int) -> str:
        fake_clock.compute(computing * MS)
        fake_clock.queue(queued * MS)
        return "done"

    async def several() -> list[Any]:
        timed = timing(run_in_threadpool)
        return [
            await timed(work, computing=20, queued=500),
            await timed(work, computing=300, queued=200),
            await timed(work, computing=1, queued=0),
        ]

    assert run(request_, several) == ["done"] * 3
    assert request_.thread_ns == 300 * MS


def test_a_clock_that_fails_breaks_nothing(
    inbox_open: Any, request_: WatchedRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function runs, and its exceptions are its own."""

    def broken() -> int:
        raise OSError

    async def run_in_threadpool(function: Any) -> Any:
        return function()

    monkeypatch.setattr(holds.sources, "wall", broken)
    assert run(request_, timing(run_in_threadpool), lambda: 1) == 1
    assert [part for part, _ in inbox_open.failures] == ["endpoints"]
    inbox_open.failures.clear()


def test_nothing_of_it_stays() -> None:
    """FastAPI has its own functions back, and every route is believed again."""
    named = [(routing, "solve_dependencies"), (routing, "run_in_threadpool")]
    before = [getattr(module, name) for module, name in named]
    probe = EndpointProbe(ImportWatch())
    assert probe.unavailable() is None
    probe.install()
    assert not believed()
    assert all(getattr(m, n) is not old for (m, n), old in zip(named, before, strict=True))
    probe.uninstall()
    assert believed()
    assert [getattr(module, name) for module, name in named] == before
    assert endpoints.SOLVER[0] in {module for module, _ in endpoints.RUNNERS}
