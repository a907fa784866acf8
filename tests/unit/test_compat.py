"""Named facts about Python, FastAPI and Starlette, asked of objects in the shapes of each."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from pytest_asyncguard import _compat
from pytest_asyncguard._compat import can_suspend, iter_routes

context: Any = None
things: Any = None


async def nothing() -> None:
    pass


async def awaiting() -> None:
    await nothing()


async def in_a_context() -> None:
    async with context:
        pass


async def over_things() -> None:
    async for _ in things:
        pass


async def in_a_comprehension() -> list[object]:
    return [thing async for thing in things]


async def only_yielding() -> AsyncIterator[int]:
    yield 1


async def defining() -> object:
    async def inner() -> None:
        await nothing()

    return inner


async def long() -> list[str]:
    # Enough names and jumps for every instruction to carry arguments and caches.
    return [f"{number}: {number + 1}" for number in range(1000) if number % 3 != 1 or number > 7]


@pytest.mark.parametrize("function", [awaiting, in_a_context, over_things, in_a_comprehension])
def test_an_await_in_any_form_can_suspend(function: Callable[[], Any]) -> None:
    """Whatever awaits may give the loop back."""
    assert can_suspend(function.__code__)


@pytest.mark.parametrize("function", [nothing, only_yielding, defining, long])
def test_what_does_not_await_cannot_suspend(function: Callable[[], Any]) -> None:
    """Neither a yield nor another function's await gives the loop back."""
    assert not can_suspend(function.__code__)


def test_nothing_is_imported() -> None:
    """The app's libraries are asked only where the app has imported them."""
    script = (
        "import sys; from pytest_asyncguard import _compat;"
        "list(_compat.iter_routes(object()));"
        "print({'fastapi', 'starlette', 'anyio'} & set(sys.modules))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert answer.stdout.strip() == "set()"


# --- routes ----------------------------------------------------------------------------------


def endpoint() -> None:
    pass


def test_included_routers_are_resolved() -> None:
    """FastAPI copies their routes, or since 0.137 includes them lazily: the paths are the same."""
    inner, outer, app = APIRouter(prefix="/inner"), APIRouter(prefix="/outer"), FastAPI()
    inner.get("/{name:path}")(endpoint)
    outer.include_router(inner)
    app.include_router(outer, prefix="/api")
    (route,) = [route for route in iter_routes(app) if route.endpoint is endpoint]
    assert (route.path, route.template) == (
        "/api/outer/inner/{name:path}",
        "/api/outer/inner/{name}",
    )
    assert route.methods == frozenset({"GET"})


def test_included_routers_are_resolved_whichever_way_they_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Websockets are missing from what FastAPI 0.137.2 shows in public, so that comes second."""
    socket = SimpleNamespace(path="/api/ws", endpoint=endpoint)
    context = SimpleNamespace(path="", endpoint=None, methods=set(), starlette_route=socket)
    lazy = SimpleNamespace(matches=None, effective_route_contexts=lambda: iter([context]))
    opaque = SimpleNamespace(matches=None)
    app = SimpleNamespace(routes=[lazy, opaque])

    def iter_route_contexts(routes: list[object]) -> list[object]:
        return [SimpleNamespace(path="/public", endpoint=endpoint, methods={"GET"}) for _ in routes]

    monkeypatch.setitem(sys.modules, "fastapi.routing", SimpleNamespace())
    assert [route.path for route in iter_routes(app)] == ["/api/ws"]
    monkeypatch.setattr(
        sys.modules["fastapi.routing"], "iter_route_contexts", iter_route_contexts, raising=False
    )
    assert [route.path for route in iter_routes(app)] == ["/api/ws", "/public"]


def test_the_routes_to_one_endpoint_are_found_wherever_they_are() -> None:
    """One function may stand on several paths, also of mounted apps; others are left out."""
    app = Starlette(routes=[Route("/a", endpoint), Route("/b", nothing)])
    app.mount("/sub", Starlette(routes=[Route("/a", endpoint), Mount("/raw", app=nothing)]))  # type: ignore[arg-type]
    assert [route.path for route in iter_routes(app, to=endpoint)] == ["/a", "/sub/a"]
    assert [route.path for route in iter_routes(app, to=nothing)] == ["/b", "/sub/raw/{path:path}"]


def test_an_app_that_is_mounted_in_itself_has_an_end() -> None:
    """Nobody means it, and nobody should wait for it."""
    app = Starlette(routes=[Route("/a", endpoint)])
    app.mount("/again", app)
    assert 1 < len(list(iter_routes(app))) < 100


def test_wrappers_without_end_have_an_end() -> None:
    """An object that is its own inner app has no routes."""
    app = SimpleNamespace()
    app.app = app
    assert list(iter_routes(app)) == []


@pytest.mark.parametrize("routes", [None, (), ["/a"], [SimpleNamespace(path="/a")]])
def test_other_frameworks_have_other_routes(routes: object) -> None:
    """Litestar and Bottle have ``routes`` as well; they do not match scopes."""
    app = SimpleNamespace(routes=routes)
    assert list(iter_routes(app)) == []
    assert _compat.root_of({"app": app}) is None


def test_the_root_is_the_outermost_router() -> None:
    """A mounted app puts itself into the scope as the app; the router stays."""
    outer, inner = Starlette(), Starlette()
    assert _compat.root_of({"app": inner, "router": outer.router}) is outer.router
    assert _compat.root_of({"app": inner}) is inner
    assert _compat.root_of({}) is None


@pytest.mark.parametrize(
    ("path", "fitting"),
    [
        ("/a/1", True),
        ("/a/1/2", False),
        ("/a/", False),
        ("/files/a/b.txt", True),
        ("/files/", True),
        ("/dot.json", True),
        ("/dotxjson", False),
    ],
)
def test_a_route_knows_its_paths(path: str, fitting: bool) -> None:
    """A parameter is one segment, a path any number, and the rest is taken literally."""
    app = Starlette(
        routes=[
            Route("/a/{number}", endpoint),
            Route("/files/{path:path}", endpoint),
            Route("/dot.json", endpoint),
        ]
    )
    assert any(route.fits(path) for route in iter_routes(app)) is fitting


def test_a_mount_without_routes_is_one_route() -> None:
    """An app of another kind is asked for everything below its path."""
    app = Starlette(routes=[Mount("/raw", app=endpoint), Mount("/", app=endpoint)])  # type: ignore[arg-type]
    assert [(route.type, route.template) for route in iter_routes(app)] == [
        ("mount", "/raw/{path}"),
        ("mount", "/{path}"),
    ]
    (route, _) = iter_routes(app)
    assert route.answers("http", "PURGE")
    assert route.answers("websocket", "WEBSOCKET")


# --- scopes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "path", "mounted"),
    [
        ({"path": "/a"}, "/a", ""),
        # A proxy's prefix, which the server may have left on the path or not.
        ({"path": "/api/a", "root_path": "/api"}, "/a", ""),
        ({"path": "/a", "root_path": "/api"}, "/a", ""),
        # Below a mount: Starlette since 0.33 ...
        ({"path": "/sub/a", "root_path": "/sub", "app_root_path": ""}, "/sub/a", "/sub"),
        (
            {"path": "/api/sub/a", "root_path": "/api/sub", "app_root_path": "/api"},
            "/sub/a",
            "/sub",
        ),
        # ... and before it.
        ({"path": "/a", "root_path": "/sub", "app_root_path": ""}, "/sub/a", "/sub"),
        ({"path": "/a", "root_path": "/api/sub", "app_root_path": "/api"}, "/sub/a", "/sub"),
    ],
)
def test_the_path_that_was_routed_is_found_again(
    scope: dict[str, str], path: str, mounted: str
) -> None:
    """Mounts and proxies change a scope's paths, each Starlette in its own way."""
    assert _compat.routed_path(scope) == path
    assert _compat.mounted_at(scope) == mounted


def test_the_chosen_route_is_the_one_whose_endpoint_was_chosen() -> None:
    """What an outer router chose stays in the scope beside what an inner one did."""
    shared = SimpleNamespace(path="/a", endpoint=endpoint, methods={"GET"})
    prefixed = SimpleNamespace(path="/api/a", endpoint=endpoint, methods={"GET"})
    socket = SimpleNamespace(path="/api/ws", endpoint=endpoint)
    lazily = {"effective_route_context": SimpleNamespace(**vars(prefixed), starlette_route=None)}
    of_socket = {
        "effective_route_context": SimpleNamespace(
            path="", endpoint=None, methods=set(), starlette_route=socket
        )
    }

    def chosen(**scope: Any) -> str | None:
        route = _compat.effective_route(scope)
        return route.path if route is not None else None

    assert chosen(endpoint=endpoint, route=shared) == "/a"
    assert chosen(endpoint=endpoint, route=shared, fastapi=lazily) == "/api/a"
    assert chosen(endpoint=endpoint, route=shared, fastapi=of_socket) == "/api/ws"
    assert chosen(endpoint=nothing, route=shared, fastapi=lazily) is None
    assert chosen(route=shared) is None


def test_a_frontend_is_known_by_what_is_left_of_the_path() -> None:
    """FastAPI serves static frontends without naming an endpoint."""
    scope = {"path": "/ui/js/app.js", "fastapi": {"frontend_path": "js/app.js"}}
    assert _compat.frontend_prefix(scope) == "/ui"
    assert _compat.frontend_prefix({"path": "/ui", "fastapi": {}}) is None
    assert _compat.frontend_prefix({"path": "/ui"}) is None


@pytest.mark.parametrize("errors", [[], ["missing"]])
def test_errors_are_found_in_whatever_dependencies_are_solved_to(errors: list[str]) -> None:
    """Old releases of FastAPI return a tuple, new ones an object."""
    assert _compat.errors_of(SimpleNamespace(errors=errors, values={})) is errors
    assert _compat.errors_of(({}, errors, None, None, {})) is errors


def test_what_another_thread_parses_at_the_same_time_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CPython counts both in one place, and says that its count does not come out even."""
    real, failures = ast.parse, [SystemError("recursion depth mismatch")] * 3

    def parse(*args: Any, **kwargs: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(*args, **kwargs)

    monkeypatch.setattr(ast, "parse", parse)
    assert ast.unparse(_compat.syntax_of("a = 1")) == "a = 1"
    failures[:] = [SystemError("recursion depth mismatch")]
    assert ast.unparse(_compat.expression_of("f(1)")) == "f(1)"
    failures[:] = [SystemError("recursion depth mismatch")] * 99
    with pytest.raises(SyntaxError):
        _compat.syntax_of("a = 1")
