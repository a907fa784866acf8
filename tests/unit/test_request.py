"""Requests: the route of each kind of request, on every FastAPI there is and by every client."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import anyio
import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, Response, WebSocket
from fastapi.routing import APIRoute, get_request_handler
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocketDisconnect

from pytest_asyncguard import model
from pytest_asyncguard.attribute.request import describe

Build = Callable[[], Any]


@dataclass(frozen=True)
class Case:
    """An app, a request to it, and what it is to be called. ``function`` is below this module."""

    build: Build
    requested: str
    route: str
    function: str | None
    host: str = "test"
    extra: dict[str, Any] = field(default_factory=dict)


CASES: dict[str, Case] = {}


def case(
    requested: str, route: str, function: str | None = None, **more: Any
) -> Callable[[Build], Build]:
    """Add a case; ``requested`` is a method and a path."""

    def add(build: Build) -> Build:
        CASES[f"{build.__name__}: {requested}"] = Case(build, requested, route, function, **more)
        return build

    return add


# --- the endpoints ---------------------------------------------------------------------------


async def read() -> dict[str, str]:
    return {}


def write() -> dict[str, str]:
    return {}


async def handler(request: Request) -> Response:
    return Response()


async def chat(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


class Page(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return Response()


class Chat(WebSocketEndpoint):
    async def on_connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()


class Service:
    async def method(self) -> dict[str, str]:
        return {}

    async def __call__(self) -> dict[str, str]:
        return {}

    @classmethod
    async def of_class(cls) -> dict[str, str]:
        return {}

    @staticmethod
    async def static() -> dict[str, str]:
        return {}


class Plain:
    def __call__(self) -> dict[str, str]:
        return {}


class Raw:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await Response()(scope, receive, send)


NAMELESS = lambda: read.__name__  # noqa: E731 - it is what this is about


def logged(function: Any) -> Any:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return wrapper


def hiding(function: Any) -> Any:
    async def wrapper() -> Any:
        return await function()

    return wrapper


def users() -> APIRouter:
    router = APIRouter(prefix="/users")
    router.get("/{user_id}")(read)
    router.websocket("/{user_id}/live")(chat)
    return router


# --- the apps --------------------------------------------------------------------------------


@case("GET /items/secret", "GET /items/{item_id}", "read")
@case("PUT /items/secret", "PUT /items/{item_id}", "write")
@case("DELETE /items/secret", "DELETE (unmatched)")
@case("OPTIONS /items/secret", "OPTIONS (unmatched)")
@case("GET /secret", "GET (unmatched)")
@case("GET /items/secret/", "GET (unmatched)", extra={"follow_redirects": False})
@case("GET /files/se/cret", "GET /files/{path}", "read")
@case("GET /numbers/1", "GET /numbers/{number}", "read")
def on_the_app() -> Any:
    app = FastAPI()
    app.get("/items/{item_id}")(read)
    app.put("/items/{item_id}")(write)
    app.get("/files/{path:path}")(read)
    app.get("/numbers/{number:int}")(read)
    return app


@case("GET /users/secret", "GET /users/{user_id}", "read")
@case("GET /v2/users/secret", "GET /v2/users/{user_id}", "read")
@case("GET /api/outer/users/secret", "GET /api/outer/users/{user_id}", "read")
@case("POST /users/secret", "POST (unmatched)")
@case("WEBSOCKET /users/secret/live", "WEBSOCKET /users/{user_id}/live", "chat")
@case("WEBSOCKET /v2/users/secret/live", "WEBSOCKET /v2/users/{user_id}/live", "chat")
@case("WEBSOCKET /secret", "WEBSOCKET (unmatched)")
def included_once_twice_and_nested() -> Any:
    outer = APIRouter(prefix="/outer")
    outer.include_router(users())
    app = FastAPI()
    app.include_router(users())
    app.include_router(users(), prefix="/v2")
    app.include_router(outer, prefix="/api")
    return app


@case("GET /v1/users/secret", "GET /v1/users/{user_id}", "read")
@case("GET /v2/users/secret", "GET /v2/users/{user_id}", "read")
def the_same_router_twice() -> Any:
    router, app = users(), FastAPI()
    app.include_router(router, prefix="/v1")
    app.include_router(router, prefix="/v2")
    return app


@case("GET /sub/users/secret", "GET /sub/users/{user_id}", "read")
@case("WEBSOCKET /sub/users/secret/live", "WEBSOCKET /sub/users/{user_id}/live", "chat")
@case("GET /sub/secret", "GET (unmatched)")
@case("GET /of/acme/users/secret", "GET /of/{tenant}/users/{user_id}", "read")
@case("GET /proxied/users/secret", "GET /proxied/users/{user_id}", "read")
@case("GET /sub/plain/secret", "GET /sub/plain/{name}", "handler")
def mounted_fastapi() -> Any:
    sub = FastAPI()
    sub.include_router(users())
    sub.add_route("/plain/{name}", handler)
    with warnings.catch_warnings():
        # Deprecated by newer ones, and in many apps.
        warnings.simplefilter("ignore")
        proxied = FastAPI(root_path="/proxied")
    proxied.include_router(users())
    app = FastAPI()
    app.include_router(users())
    app.mount("/sub", sub)
    app.mount("/of/{tenant}", sub)
    app.mount("/proxied", proxied)
    return app


@case("GET /star/a/secret", "GET /star/a/{name}", "handler")
@case("GET /star/deep/secret", "GET /star/deep/{name}", "handler")
@case("GET /bare/secret", "GET /bare/{name}", "handler")
@case("GET /guarded/secret", "GET /guarded/{name}", "handler")
@case("WEBSOCKET /star/ws", "WEBSOCKET /star/ws", "Chat.on_connect")
@case("GET /static/app.css", "GET /static/{path}", "starlette.staticfiles.StaticFiles")
@case("GET /static/secret", "GET /static/{path}", "starlette.staticfiles.StaticFiles")
@case("POST /raw/secret", "POST /raw/{path}", "Raw")
def mounted_starlette_and_asgi() -> Any:
    route = Route("/{name}", handler)
    star = Starlette(
        routes=[
            Route("/a/{name}", handler),
            Mount("/deep", routes=[route]),
            WebSocketRoute("/ws", Chat),
        ]
    )
    app = FastAPI()
    app.mount("/star", star)
    app.mount("/bare", Router(routes=[route]))
    app.mount("/guarded", BaseHTTPMiddleware(Starlette(routes=[route]), dispatch=passing))
    app.mount("/static", StaticFiles(directory=Path(__file__).parent, check_dir=False))
    app.mount("/raw", Raw())
    return app


@case("GET /wsgi/secret", "GET /wsgi/{path}", "starlette.middleware.wsgi.WSGIMiddleware")
@case("GET /router/users/secret", "GET /router/users/{user_id}", "read")
@case("GET /a/b/users/secret", "GET /a/b/users/{user_id}", "read")
def mounted_wsgi_and_routers() -> Any:
    with warnings.catch_warnings():
        # Deprecated by newer ones, and in many apps.
        warnings.simplefilter("ignore")
        from starlette.middleware.wsgi import WSGIMiddleware

        wsgi = WSGIMiddleware(serve)
    inner, app = FastAPI(), FastAPI()
    inner.mount("/b", users())
    app.mount("/wsgi", wsgi)
    app.mount("/router", users())
    app.mount("/a", inner)
    return app


def serve(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b""]


@case("GET /secret", "GET /{name}", "handler", host="api.example.org")
@case("GET /secret", "GET (unmatched)", host="example.org")
@case("GET /users/secret", "GET /users/{user_id}", "read", host="acme.example.net")
def of_a_host() -> Any:
    tenant, app = FastAPI(), FastAPI()
    tenant.include_router(users())
    app.host("api.example.org", Starlette(routes=[Route("/{name}", handler)]))
    app.host("{tenant}.example.net", tenant)
    return app


@case("GET /items/secret", "GET /items/{item_id}", "read")
@case("HEAD /items/secret", "HEAD /items/{item_id}", "read")
@case("OPTIONS /items/secret", "OPTIONS /items/{item_id}", "write")
@case("HEAD /own/secret", "HEAD /own/{item_id}", "write")
@case("GET /own/secret", "GET (unmatched)")
def with_methods_of_all_kinds() -> Any:
    app = FastAPI()
    app.api_route("/items/{item_id}", methods=["GET", "HEAD"])(read)
    app.options("/items/{item_id}")(write)
    app.head("/own/{item_id}")(write)
    return app


@case("GET /items/secret/", "GET /items/{item_id}", "read", extra={"follow_redirects": True})
def redirected_by_a_slash() -> Any:
    return on_the_app()


@case("GET /secret", "GET /{name}", "handler")
@case("HEAD /secret", "HEAD /{name}", "handler")
@case("POST /secret", "POST (unmatched)")
@case("GET /class/page", "GET /class/page", "Page.get")
@case("HEAD /class/page", "HEAD /class/page", "Page.get")
@case("DELETE /class/page", "DELETE (unmatched)")
def plain_routes_on_fastapi() -> Any:
    app = FastAPI()
    app.add_route("/{name}", handler)
    app.router.routes.append(Route("/class/page", Page))
    return app


@case("GET /secret", "GET /{name}", "handler")
@case("POST /secret", "POST (unmatched)")
@case("WEBSOCKET /ws/secret", "WEBSOCKET /ws/{name}", "chat")
def starlette_alone() -> Any:
    return Starlette(routes=[Route("/{name}", handler), WebSocketRoute("/ws/{name}", chat)])


@case("GET /secret", "GET /{name}", "handler")
@case("GET /no/where", "GET (unmatched)")
def a_router_alone() -> Any:
    return Router(routes=[Route("/{name}", handler)])


@case("GET /partial", "GET /partial", "read")
@case("GET /method", "GET /method", "Service.method")
@case("GET /object", "GET /object", "Plain")
@case("GET /class", "GET /class", "Service.of_class")
@case("GET /static", "GET /static", "Service.static")
@case("GET /wrapped", "GET /wrapped", "read")
@case("GET /nested", "GET /nested", "read")
@case("GET /hidden", "GET /hidden", "hiding.<locals>.wrapper")
@case("GET /lambda", "GET /lambda", "<lambda>")
def every_kind_of_callable() -> Any:
    app = FastAPI()
    app.add_api_route("/partial", functools.partial(read))
    app.add_api_route("/method", Service().method)
    app.add_api_route("/object", Plain())
    app.add_api_route("/class", Service.of_class)
    app.add_api_route("/static", Service.static)
    app.add_api_route("/wrapped", logged(read))
    app.add_api_route("/nested", functools.partial(logged(functools.partial(read))))
    app.add_api_route("/hidden", hiding(read))
    app.add_api_route("/lambda", NAMELESS)
    return app


if "coroutine_callable" in inspect.getsource(get_request_handler):
    # FastAPI that does not ask whether the object is async takes its coroutine for the answer.
    @case("GET /object", "GET /object", "Service")
    def an_async_object() -> Any:
        app = FastAPI()
        app.add_api_route("/object", Service())
        return app


@case("GET /secret", "GET /{name}", "read")
def of_a_custom_class() -> Any:
    class Timed(APIRoute):
        def get_route_handler(self) -> Any:
            original = super().get_route_handler()

            async def timed(request: Request) -> Response:
                return await original(request)

            return timed

    router = APIRouter(route_class=Timed)
    router.get("/{name}")(read)
    app = FastAPI()
    app.include_router(router)
    return app


@case("GET /secret", "GET /{name}", "read")
def of_a_custom_class_that_answers_itself() -> Any:
    class Closed(APIRoute):
        def get_route_handler(self) -> Any:
            async def closed(request: Request) -> Response:
                return Response(status_code=503)

            return closed

    app = FastAPI()
    app.router.route_class = Closed
    app.get("/{name}")(read)
    return app


@case("GET /items/secret", "GET /items/{item_id}", "read")
@case("GET /secret", "GET (unmatched)")
def answered_by_middleware() -> Any:
    async def closed(request: Request, call_next: Any) -> Any:
        return Response(status_code=503)

    app = on_the_app()
    app.middleware("http")(closed)
    return app


@case("GET /raw/1", "GET /raw/1")
def of_another_framework() -> Any:
    return Raw()


async def passing(request: Request, call_next: Any) -> Any:
    return await call_next(request)


if hasattr(FastAPI, "frontend"):

    @case("GET /ui/secret.js", "GET /ui/{path}")
    @case("GET /items/secret", "GET /items/{item_id}", "read")
    def with_a_frontend() -> Any:
        app: Any = on_the_app()
        app.frontend("/ui", directory=Path(__file__).parent)
        return app


# --- the tests -------------------------------------------------------------------------------


@pytest.fixture(name="client", params=["testclient", "asyncio", "trio"])
def _client(request: pytest.FixtureRequest) -> str:
    """The ways in which tests drive an app: TestClient, and ASGITransport on two loops."""
    return str(request.param)


@pytest.mark.parametrize("name", CASES)
def test_the_route_is_the_whole_template(name: str, client: str) -> None:
    """Prefixes and mounts are in it, what was really requested is not."""
    case = CASES[name]
    if case.requested.startswith("WEBSOCKET") and client == "asyncio":
        pytest.skip("ASGITransport has no websockets")
    request = describe(scopes_of(case, client))
    assert request.route == case.route
    if case.function is not None:
        assert request.endpoint is not None
        assert request.endpoint.function in (f"{__name__}.{case.function}", case.function)
    if "secret" in case.requested:
        assert "secret" not in repr(request)


def test_the_lifespan_is_a_request_of_its_own() -> None:
    """No client asks for it, and no endpoint answers."""
    request = describe([{"type": "lifespan"}])
    assert request == model.Request(type="lifespan", route="LIFESPAN")


def test_the_innermost_scope_counts() -> None:
    """Middleware may hand a copy of the scope on, to which routing then adds what it finds."""
    app = on_the_app()
    inner: list[Any] = []

    async def copying(scope: Any, receive: Any, send: Any) -> None:
        inner[:] = [scope, dict(scope)]
        await app(inner[1], receive, send)

    TestClient(copying).get("/items/1")
    assert describe(inner).route == "GET /items/{item_id}"
    assert describe(inner[:1]).route == "GET /items/1"


@pytest.mark.parametrize(
    ("path", "kind", "awaits"),
    [
        ("/read", "async", False),
        ("/write", "sync", None),
        ("/wrapped", "async", True),
        ("/raw/x", "asgi", None),
        ("/page", "async", False),
    ],
)
def test_the_endpoint_says_how_it_is_run(path: str, kind: str, awaits: bool | None) -> None:
    """Async on the loop, sync in a thread, or an app of its own; and whether it can suspend."""
    app = FastAPI()
    app.add_api_route("/read", read)
    app.add_api_route("/write", write)
    app.add_api_route("/wrapped", logged(read))
    app.router.routes.append(Route("/page", Page))
    app.mount("/raw", Raw())
    scopes = scopes_of(Case(lambda: app, f"GET {path}", "", None), "testclient")
    endpoint = describe(scopes).endpoint
    assert endpoint is not None
    assert (endpoint.kind, endpoint.awaits) == (kind, awaits)


def test_the_endpoint_of_head_is_that_of_get() -> None:
    """The request says what was asked, the endpoint what the census calls it."""
    scopes = scopes_of(Case(plain_routes_on_fastapi, "HEAD /x", "", None), "testclient")
    request = describe(scopes)
    assert request.endpoint is not None
    assert (request.route, request.endpoint.route) == ("HEAD /{name}", "GET /{name}")


def test_the_endpoint_is_where_its_def_is() -> None:
    """Decorators stand above it."""
    scopes = scopes_of(Case(on_the_app, "GET /items/1", "", None), "testclient")
    endpoint = describe(scopes).endpoint
    assert endpoint is not None
    assert endpoint.file == __file__
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    assert lines[(endpoint.line or 0) - 1].startswith("async def read()")


# --- driving ---------------------------------------------------------------------------------


def scopes_of(case: Case, client: str) -> list[Any]:
    """Send the request of a case, and keep the scope that the app was called with."""
    scopes: list[Any] = []
    app = case.build()

    async def entry(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await app(scope, receive, send)

    method, _, path = case.requested.partition(" ")
    url = f"http://{case.host}{path}"
    if method == "WEBSOCKET":
        try:
            loop: Literal["asyncio", "trio"] = "trio" if client == "trio" else "asyncio"
            with TestClient(entry, backend=loop).websocket_connect(path):
                pass
        except WebSocketDisconnect:
            pass  # refused
    elif client == "testclient":
        TestClient(entry, raise_server_exceptions=False).request(method, url, **case.extra)
    else:
        anyio.run(drive, entry, method, url, case.extra, backend=client)
    return scopes


async def drive(app: Any, method: str, url: str, extra: dict[str, Any]) -> None:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport) as client:
        await client.request(method, url, **extra)
