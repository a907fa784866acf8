"""The census: every endpoint of an app, and what a run says of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pytest_asyncguard.census import endpoints, tally
from pytest_asyncguard.model import (
    Endpoint,
    Exercise,
    Finding,
    Kind,
    Phase,
    RouteCount,
    Spread,
    StackFrame,
    Status,
)


async def handler(request: Request) -> Response:
    return Response()


async def socket(websocket: WebSocket) -> None:
    await websocket.accept()


def plain() -> dict[str, str]:
    return {}


class Page(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return Response()

    def post(self, request: Request) -> Response:
        return Response()


class Raw:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await Response()(scope, receive, send)


def test_every_endpoint_is_listed_with_its_whole_path() -> None:
    """Routers once and twice, sub-applications, mounts, classes and websockets all count."""
    router = APIRouter(prefix="/items")
    router.get("/{item_id}")(plain)
    router.websocket("/live")(socket)
    app = FastAPI()
    app.include_router(router)
    app.include_router(router, prefix="/v2")
    app.add_api_route("/both", plain, methods=["PUT", "PATCH"])
    app.router.routes.append(Route("/page", Page))
    app.mount("/star", Starlette(routes=[Route("/{rest:path}", handler)]))
    app.mount("/raw", Raw())
    assert [(row.route, row.kind) for row in endpoints(app)] == [
        ("GET /items/{item_id}", "sync"),
        ("WEBSOCKET /items/live", "async"),
        ("GET /v2/items/{item_id}", "sync"),
        ("WEBSOCKET /v2/items/live", "async"),
        ("PATCH /both", "sync"),
        ("PUT /both", "sync"),
        ("GET /page", "async"),
        ("POST /page", "sync"),
        ("GET /star/{rest}", "async"),
        ("ANY /raw/{path}", "asgi"),
    ]


def test_the_documentation_that_fastapi_adds_is_not_counted() -> None:
    """Nobody wrote /docs; the same path by the user's own hand is an endpoint."""
    assert endpoints(FastAPI()) == ()
    app = FastAPI(docs_url=None)
    app.get("/docs")(plain)
    assert [row.route for row in endpoints(app)] == ["GET /docs"]


def test_an_endpoint_behind_another_on_the_same_path_is_not_counted() -> None:
    """The second is never reached, so no test can exercise it."""
    app = Starlette(routes=[Route("/", handler), Route("/", Page)])
    assert [(row.route, row.function.rpartition(".")[2]) for row in endpoints(app)] == [
        ("GET /", "handler"),
        ("POST /", "post"),
    ]


def test_middleware_around_an_app_does_not_hide_its_endpoints() -> None:
    """An app is what the test hands to its client, middleware included."""

    class Around:
        def __init__(self, app: Any) -> None:
            self.app = app

    app = Starlette(routes=[Route("/", handler)])
    app.mount("/sub", Around(Starlette(routes=[Route("/a", handler)])))  # type: ignore[arg-type]
    assert [row.route for row in endpoints(Around(app))] == ["GET /", "GET /sub/a"]


def test_rows_are_sorted_by_path_and_then_by_method() -> None:
    """Who looks for a path finds its methods together."""
    rows = tally([endpoint("POST /b"), endpoint("GET /b"), endpoint("GET /a")], {}, [])
    assert [row.route for row in rows] == ["GET /a", "GET /b", "POST /b"]


@pytest.mark.parametrize(
    ("severities", "requests", "verdict"),
    [
        ((), 0, "unexercised"),
        ((), 1, "clean"),
        (("warning",), 1, "warns"),
        (("warning", "error"), 1, "blocks"),
        (("error",), 0, "blocks"),
    ],
)
def test_the_verdict_is_that_of_the_worst_new_finding(
    severities: tuple[str, ...], requests: int, verdict: str
) -> None:
    """A route that never ran is not clean, and one with a finding is not unexercised."""
    exercises = {"GET /": exercise(requests)} if requests else {}
    found = [
        finding(f"{number:016}", severity=severity) for number, severity in enumerate(severities)
    ]
    (row,) = tally([endpoint("GET /")], exercises, found)
    assert row.verdict == verdict
    assert row.findings == tuple(item.fingerprint for item in found)


@pytest.mark.parametrize("status", ["baselined", "ignored"])
def test_what_is_accepted_says_nothing_of_the_endpoint(status: Status) -> None:
    """A known finding is not held against the endpoint again."""
    (row,) = tally([endpoint("GET /")], {"GET /": exercise(1)}, [finding("0" * 16, status=status)])
    assert (row.verdict, row.findings, row.advice) == ("clean", (), None)


def test_a_finding_counts_for_every_route_that_it_names() -> None:
    """A dependency that blocks is the trouble of all who depend on it, and of nobody else."""
    found = finding("0" * 16, routes=[("GET /a", "dependency"), ("GET /b", "dependency")])
    rows = tally([endpoint("GET /a"), endpoint("GET /b"), endpoint("GET /c")], {}, [found])
    assert [row.verdict for row in rows] == ["blocks", "blocks", "unexercised"]


@pytest.mark.parametrize("route", ["LIFESPAN", "GET (unmatched)", None])
def test_what_is_no_endpoint_is_not_counted(route: str | None) -> None:
    """Start-up and unknown paths have findings, but no row."""
    found = finding("0" * 16, routes=[(route, "middleware")])
    exercises = {route or "GET /nothing": exercise(3)}
    (row,) = tally([endpoint("GET /")], exercises, [found])
    assert (row.requests, row.verdict) == (0, "unexercised")


def test_head_counts_for_what_answers_get() -> None:
    """One function answers both, unless there is one for HEAD."""
    exercises = {"GET /a": exercise(2, "t1"), "HEAD /a": exercise(1, "t1", "t2")}
    found = finding("0" * 16, routes=[("HEAD /a", "endpoint")])
    (row,) = tally([endpoint("GET /a")], exercises, [found])
    assert (row.requests, row.tests, row.verdict) == (3, 2, "blocks")
    rows = tally([endpoint("GET /a"), endpoint("HEAD /a")], exercises, [])
    assert [(row.method, row.requests) for row in rows] == [("GET", 2), ("HEAD", 1)]


def test_any_method_counts_for_an_app_that_takes_all() -> None:
    """A mounted app is one endpoint."""
    exercises = {"GET /raw/{path}": exercise(1), "POST /raw/{path}": exercise(1)}
    (row,) = tally([endpoint("ANY /raw/{path}")], exercises, [])
    assert (row.requests, row.verdict) == (2, "clean")


def test_the_time_held_is_added_up() -> None:
    """The longest hold is kept, and the sum of all."""
    held = Spread(max=0.5, total=0.75)
    exercises = {
        "GET /a": replace(exercise(2), held_seconds=held),
        "HEAD /a": replace(exercise(1), held_seconds=Spread(max=0.25, total=0.25)),
    }
    (row,) = tally([endpoint("GET /a")], exercises, [])
    assert row.held_seconds == Spread(max=0.5, total=1.0)


@pytest.mark.parametrize(
    ("awaits", "phases", "advice"),
    [
        (False, ["endpoint"], "It never awaits: make it a plain `def`."),
        (False, ["dependency", "endpoint"], "It never awaits: make it a plain `def`."),
        (True, ["endpoint"], None),
        (False, ["websocket"], None),
        (False, ["stream"], "Blocked by the stream of its response, not by its own code."),
        (True, ["dependency"], "Blocked by a dependency, not by its own code."),
        (
            True,
            ["dependency", "middleware"],
            "Blocked by middleware and a dependency, not by its own code.",
        ),
        (True, ["unknown"], None),
    ],
)
def test_advice_says_what_the_endpoint_can_do_about_it(
    awaits: bool, phases: list[Phase], advice: str | None
) -> None:
    """Making it plain helps where its own code blocks; nothing in it helps elsewhere."""
    found = finding("0" * 16, routes=[("GET /", phase) for phase in phases])
    (row,) = tally([replace(endpoint("GET /"), awaits=awaits)], {}, [found])
    assert row.advice == advice


def test_what_was_turned_down_every_time_is_not_exercised() -> None:
    """It was asked for, and nothing of it ran; asked for by HEAD it did."""
    turned = replace(exercise(0), tests=())
    (row,) = tally([endpoint("GET /")], {"GET /": turned}, [])
    assert (row.requests, row.tests, row.verdict) == (0, 0, "unexercised")
    assert row.advice == "Every request for it was turned down before it ran."
    (row,) = tally([endpoint("GET /")], {"GET /": turned, "HEAD /": exercise(1)}, [])
    assert (row.requests, row.verdict, row.advice) == (1, "clean", None)


def test_a_dependency_that_blocks_is_the_endpoint_s_trouble_also_where_it_never_ran() -> None:
    """What is known to block needs no proof."""
    found = finding("0" * 16, routes=[("GET /", "dependency")])
    (row,) = tally([endpoint("GET /")], {"GET /": replace(exercise(0), tests=())}, [found])
    assert (row.requests, row.verdict) == (0, "blocks")
    assert row.advice == "Blocked by a dependency, not by its own code."


@pytest.mark.parametrize(
    ("kind", "only_returns", "seconds", "advice"),
    [
        ("sync", True, 0.001, "It only returns data: as an `async def` it saves"),
        ("sync", False, 0.999, None),
        ("sync", False, 1.25, "It kept one of the 40 worker threads for 1.2 s: all share them."),
        ("async", False, 0.0, None),
        ("asgi", False, 0.0, None),
    ],
)
def test_a_clean_plain_function_may_be_in_the_wrong_place(
    kind: Kind, only_returns: bool, seconds: float, advice: str | None
) -> None:
    """A thread is wasted on what does nothing, and missed by others where one keeps it."""
    plain = replace(endpoint("GET /"), kind=kind, awaits=None, only_returns=only_returns)
    (row,) = tally([plain], {"GET /": replace(exercise(1), thread_seconds=seconds)}, [])
    assert row.verdict == "clean"
    assert (row.advice or "")[: len(advice or "")] == (advice or "")
    assert (row.advice is None) == (advice is None)


def test_an_endpoint_that_nobody_asked_for_gets_no_advice() -> None:
    """What it does is not known."""
    (row,) = tally([replace(endpoint("GET /"), kind="sync", only_returns=True)], {}, [])
    assert (row.verdict, row.advice) == ("unexercised", None)


def test_a_plain_endpoint_says_whether_it_only_returns() -> None:
    """An async one has no thread to save, and a class no function of its own."""
    app = FastAPI()
    app.get("/plain")(plain)
    app.add_route("/async", handler)
    app.router.routes.append(Route("/page", Page))
    said = {row.route: row.only_returns for row in endpoints(app)}
    assert said == {
        "GET /plain": True,
        "GET /async": False,
        "GET /page": False,
        "POST /page": False,
    }


def test_an_endpoint_may_be_the_stream_itself() -> None:
    """A generator as endpoint runs while its response is streamed."""
    frame = StackFrame(file="app.py", line=1, function="page", source=None, project=True)
    found = replace(finding("0" * 16, routes=[("GET /", "stream")]), stack=(frame,))
    (row,) = tally([replace(endpoint("GET /"), awaits=False)], {}, [found])
    assert row.advice == "It never awaits: make it a plain `def`."


def endpoint(route: str) -> Endpoint:
    method, _, path = route.partition(" ")
    return Endpoint(
        route=route,
        method=method,
        path=path,
        function="app.page",
        file="app.py",
        line=1,
        kind="async",
        awaits=True,
    )


def exercise(requests: int, *tests: str) -> Exercise:
    return Exercise(requests=requests, tests=tests or ("test",), held_seconds=None)


def finding(
    fingerprint: str,
    *,
    severity: Any = "error",
    status: Status = "new",
    routes: list[tuple[Any, Phase]] | None = None,
) -> Finding:
    named = routes or [("GET /", "endpoint")]
    return Finding(
        fingerprint=fingerprint,
        code="AG101",
        rule="sleep",
        severity=severity,
        status=status,
        call="time.sleep",
        detail=None,
        message="",
        hint=None,
        file="app.py",
        line=1,
        end_line=None,
        column=None,
        end_column=None,
        function="page",
        source=None,
        route=named[0][0],
        routes=tuple(RouteCount(route=route, phase=phase, count=1) for route, phase in named),
        phase=named[0][1],
        count=1,
        held_seconds=None,
        cpu_seconds=None,
        asleep_seconds=None,
        tests=(),
        stack=(),
    )
