"""Phases: told from real stacks of every FastAPI there is, and from written ones."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import linecache
import sys
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any, Literal

import anyio
import anyio.from_thread
import httpx
import pytest
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Body,
    Depends,
    FastAPI,
    HTTPException,
    Request,
    Response,
    WebSocket,
)
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.routing import APIRoute
from fastapi.security import HTTPBasic
from fastapi.testclient import TestClient
from pydantic import BaseModel, field_serializer, field_validator
from starlette.applications import Starlette
from starlette.authentication import AuthenticationBackend
from starlette.background import BackgroundTask
from starlette.convertors import Convertor, register_url_convertor
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Mount, Route, WebSocketRoute

from pytest_asyncguard import model
from pytest_asyncguard._compat import can_suspend
from pytest_asyncguard.attribute.phase import locate, owner_of, phase_of
from pytest_asyncguard.attribute.request import describe

Build = Callable[[FastAPI], Any]


@dataclass(frozen=True)
class Case:
    """An app that runs ``spot`` in one place, and what that place is to be called."""

    build: Build
    phase: model.Phase
    owner: str | None
    method: str = "GET"
    arguments: dict[str, Any] = field(default_factory=dict)
    only: str = ""


CASES: dict[str, Case] = {}


def case(phase: model.Phase, owner: str | None, **more: Any) -> Callable[[Build], Build]:
    def add(build: Build) -> Build:
        CASES[build.__name__] = Case(build, phase, owner, **more)
        return build

    return add


# --- where code of a request can stand -------------------------------------------------------


@case("endpoint", "page")
def an_endpoint(app: FastAPI) -> None:
    @app.get("/")
    async def page() -> dict[str, str]:
        spot()
        return {}


@case("endpoint", "page")
def a_helper_of_an_endpoint(app: FastAPI) -> None:
    async def helper() -> None:
        await asyncio_free_checkpoint()
        spot()

    @app.get("/")
    async def page() -> dict[str, str]:
        await helper()
        return {}


@case("endpoint", "page")
def an_endpoint_under_a_decorator(app: FastAPI) -> None:
    def logged(function: Any) -> Any:
        @functools.wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            return await function(*args, **kwargs)

        return wrapper

    @app.get("/")
    @logged
    async def page() -> dict[str, str]:
        spot()
        return {}


@case("endpoint", "Pages.page")
def a_method_as_endpoint(app: FastAPI) -> None:
    class Pages:
        async def page(self) -> dict[str, str]:
            spot()
            return {}

    app.add_api_route("/", Pages().page)


@case("endpoint", "page")
def a_plain_starlette_route(app: FastAPI) -> None:
    async def page(request: Request) -> Response:
        spot()
        return Response()

    app.add_route("/", page)


@case("endpoint", "Page.get")
def a_class_based_endpoint(app: FastAPI) -> None:
    class Page(HTTPEndpoint):
        async def get(self, request: Request) -> Response:
            spot()
            return Response()

    app.router.routes.append(Route("/", Page))


@case("endpoint", "Raw")
def an_asgi_app_that_is_mounted(app: FastAPI) -> None:
    class Raw:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            spot()
            await Response()(scope, receive, send)

    app.mount("/", Raw())


@case("endpoint", "page")
def an_endpoint_of_a_sub_application(app: FastAPI) -> None:
    async def page(request: Request) -> Response:
        spot()
        return Response()

    app.mount("/", Starlette(routes=[Route("/", page)]))


@case("endpoint", "page")
def an_endpoint_of_an_included_router(app: FastAPI) -> None:
    router = APIRouter()

    @router.get("/")
    async def page() -> dict[str, str]:
        spot()
        return {}

    app.include_router(router)


@case("endpoint", "page")
def an_endpoint_behind_middleware(app: FastAPI) -> None:
    app.middleware("http")(passing)

    @app.get("/")
    async def page() -> dict[str, str]:
        spot()
        return {}


@case("dependency", "current_user")
def a_dependency(app: FastAPI) -> None:
    async def current_user() -> None:
        spot()

    app.get("/")(endpoint_with(current_user))


@case("dependency", "current_user")
def a_dependency_of_a_dependency(app: FastAPI) -> None:
    async def current_user() -> None:
        spot()

    async def allowed(user: Any = Depends(current_user)) -> None:  # noqa: B008
        pass

    app.get("/")(endpoint_with(allowed))


@case("dependency", "current_user")
def a_dependency_of_a_router(app: FastAPI) -> None:
    async def current_user() -> None:
        spot()

    router = APIRouter(dependencies=[Depends(current_user)])
    router.get("/")(endpoint_with(lambda: None))
    app.include_router(router)


@case("dependency", "session")
def a_dependency_before_its_yield(app: FastAPI) -> None:
    async def session() -> AsyncIterable[None]:
        spot()
        yield

    app.get("/")(endpoint_with(session))


@case("dependency", "session")
def a_dependency_after_its_yield(app: FastAPI) -> None:
    async def session() -> AsyncIterable[None]:
        yield
        spot()

    app.get("/")(endpoint_with(session))


@case("dependency", "Throttle")
def a_callable_object_as_dependency(app: FastAPI) -> None:
    class Throttle:
        async def __call__(self) -> None:
            spot()

    app.get("/")(endpoint_with(Throttle()))


@case("dependency", "Users.current")
def a_method_as_dependency(app: FastAPI) -> None:
    class Users:
        async def current(self) -> None:
            spot()

    app.get("/")(endpoint_with(Users().current))


@case("dependency", "stand_in")
def a_dependency_that_overrides_another(app: FastAPI) -> None:
    async def real() -> None:
        raise AssertionError

    async def stand_in() -> None:
        spot()

    app.get("/")(endpoint_with(real))
    app.dependency_overrides[real] = stand_in


@case("dependency", "Basic")
def a_security_scheme(app: FastAPI) -> None:
    class Basic(HTTPBasic):
        async def __call__(self, request: Any) -> Any:
            spot()
            return await super().__call__(request)

    # Written out, since FastAPI before 0.116 cannot look up the annotations of an object.
    Basic.__call__.__annotations__["request"] = Request
    app.get("/")(endpoint_with(Basic(auto_error=False)))


@case("validation", "Item.checked", method="POST", arguments={"json": {"name": "x"}})
def a_validator_of_the_body(app: FastAPI) -> None:
    @app.post("/")
    async def page(item: Item) -> dict[str, str]:
        return {}


@case("validation", "Gzipped.body", method="POST", arguments={"json": {}})
def a_request_class_that_reads_the_body(app: FastAPI) -> None:
    class Gzipped(Request):
        async def body(self) -> bytes:
            spot()
            return await super().body()

    class GzippedRoute(APIRoute):
        def get_route_handler(self) -> Any:
            original = super().get_route_handler()

            async def handler(request: Request) -> Response:
                return await original(Gzipped(request.scope, request.receive))

            return handler

    app.router.route_class = GzippedRoute

    @app.post("/")
    async def page(body: dict[str, str] = Body()) -> dict[str, str]:  # noqa: B008, FAST002
        return {}


@case("validation", "Slug.convert")
def a_converter_of_the_path(app: FastAPI) -> None:
    class Slug(Convertor[str]):
        regex = "[a-z]*"

        def convert(self, value: str) -> str:
            spot()
            return value

        def to_string(self, value: str) -> str:
            return value

    register_url_convertor("slug", Slug())
    app.get("/{name:slug}")(endpoint_with(lambda: None))


@case("serialization", "Item.checked")
def a_validator_of_the_response_model(app: FastAPI) -> None:
    @app.get("/", response_model=Item)
    async def page() -> dict[str, str]:
        return {"name": "x"}


@case("serialization", "SlowXML")
def a_response_class(app: FastAPI) -> None:
    @app.get("/", response_class=slow_xml())
    async def page() -> dict[str, str]:
        return {}


@case("serialization", "SlowXML")
def a_response_made_by_the_endpoint(app: FastAPI) -> None:
    made = slow_xml()

    @app.get("/")
    async def page() -> Response:
        return made("x")


@case("serialization", "SlowStart")
def a_response_class_made_by_the_framework(app: FastAPI) -> None:
    class SlowStart(JSONResponse):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            spot()
            super().__init__(*args, **kwargs)

    @app.get("/", response_class=SlowStart)
    async def page() -> dict[str, str]:
        return {}


@case("serialization", "Money.items")
def data_that_the_endpoint_has_encoded(app: FastAPI) -> None:
    class Money(dict[str, str]):
        def items(self) -> Any:
            spot()
            return super().items()

    @app.get("/")
    async def page() -> JSONResponse:
        return JSONResponse(jsonable_encoder(Money()))


@case("serialization", "Price.shown")
def a_serializer_of_the_response_model(app: FastAPI) -> None:
    @app.get("/", response_model=Price)
    async def page() -> dict[str, int]:
        return {"cents": 1}


@case("serialization", "shown")
def an_encoder_of_ones_own(app: FastAPI) -> None:
    def shown(value: Special) -> str:
        spot()
        return "special"

    @app.get("/")
    async def page() -> JSONResponse:
        return JSONResponse(jsonable_encoder(Special(), custom_encoder={Special: shown}))


@case("stream", "rows")
def an_async_generator_of_a_response(app: FastAPI) -> None:
    async def rows() -> AsyncIterable[str]:
        yield "1"
        spot()

    @app.get("/")
    async def page() -> StreamingResponse:
        return StreamingResponse(rows())


@case("stream", "rows")
def an_iterator_that_is_driven_inline(app: FastAPI) -> None:
    def lines() -> Iterator[str]:
        yield "1"
        spot()

    async def rows() -> AsyncIterable[str]:
        for line in lines():
            yield line

    @app.get("/")
    async def page() -> StreamingResponse:
        return StreamingResponse(rows())


@case("stream", "rows")
def a_stream_behind_middleware(app: FastAPI) -> None:
    app.middleware("http")(passing)
    an_async_generator_of_a_response(app)


if hasattr(APIRoute, "stream_item_type") or "stream_item_type" in APIRoute.__annotations__:
    from fastapi.sse import EventSourceResponse

    @case("stream", "page")
    def server_sent_events(app: FastAPI) -> None:
        @app.get("/", response_class=EventSourceResponse)
        async def page() -> AsyncIterable[str]:
            yield "1"
            spot()

    @case("stream", "page")
    def json_lines(app: FastAPI) -> None:
        @app.get("/")
        async def page() -> AsyncIterable[dict[str, str]]:
            yield {}
            spot()

    @case("serialization", "Item.checked")
    def the_items_of_json_lines(app: FastAPI) -> None:
        @app.get("/")
        async def page() -> AsyncIterable[Item]:
            yield {"name": "x"}  # type: ignore[misc]  # FastAPI makes the item


@case("background", "send_mail")
def a_background_task(app: FastAPI) -> None:
    async def send_mail() -> None:
        spot()

    @app.get("/")
    async def page(tasks: BackgroundTasks) -> dict[str, str]:
        tasks.add_task(send_mail)
        return {}


@case("background", "send_mail")
def a_background_task_of_a_response(app: FastAPI) -> None:
    async def send_mail() -> None:
        spot()

    @app.get("/")
    async def page() -> Response:
        return Response(background=BackgroundTask(send_mail))


@case("background", "send_mail")
def a_background_task_of_a_dependency(app: FastAPI) -> None:
    async def send_mail() -> None:
        spot()

    async def mailing(tasks: BackgroundTasks) -> None:
        tasks.add_task(send_mail)

    # Written out, since the annotations of this module are strings.
    mailing.__annotations__["tasks"] = BackgroundTasks
    app.get("/")(endpoint_with(mailing))


@case("background", "Mail")
def a_background_callable_of_ones_own(app: FastAPI) -> None:
    class Mail:
        async def __call__(self) -> None:
            spot()

    @app.get("/")
    async def page() -> Response:
        return Response(background=Mail())  # type: ignore[arg-type]  # it is only called


@case("exception-handler", "on_error")
def a_handler_of_an_exception(app: FastAPI) -> None:
    async def on_error(request: Request, error: Exception) -> Response:
        spot()
        return Response()

    app.add_exception_handler(KeyError, on_error)
    app.get("/")(raising(KeyError("x")))


@case("exception-handler", "on_error")
def a_handler_of_a_status(app: FastAPI) -> None:
    async def on_error(request: Request, error: Exception) -> Response:
        spot()
        return Response()

    app.add_exception_handler(418, on_error)
    app.get("/")(raising(HTTPException(418)))


@case("exception-handler", "on_error")
def the_handler_of_last_resort(app: FastAPI) -> None:
    async def on_error(request: Request, error: Exception) -> Response:
        spot()
        return Response(status_code=500)

    app.add_exception_handler(Exception, on_error)
    app.get("/")(raising(KeyError("x")))


@case("middleware", "Slowdown")
def middleware_before_the_app(app: FastAPI) -> None:
    class Slowdown(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Any:
            spot()
            return await call_next(request)

    app.add_middleware(Slowdown)
    app.get("/")(endpoint_with(lambda: None))


@case("middleware", "Slowdown")
def middleware_after_the_app(app: FastAPI) -> None:
    class Slowdown(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Any:
            response = await call_next(request)
            spot()
            return response

    app.add_middleware(Slowdown)
    app.get("/")(endpoint_with(lambda: None))


@case("middleware", "slowdown")
def middleware_that_is_a_function(app: FastAPI) -> None:
    @app.middleware("http")
    async def slowdown(request: Request, call_next: Any) -> Any:
        spot()
        return await call_next(request)

    app.get("/")(endpoint_with(lambda: None))


@case("middleware", "Timing")
def pure_asgi_middleware(app: FastAPI) -> None:
    app.add_middleware(Timing)
    app.get("/")(endpoint_with(lambda: None))


@case("middleware", "Timing")
def pure_asgi_middleware_inside_another(app: FastAPI) -> None:
    app.add_middleware(Timing)
    app.add_middleware(Passing)
    app.get("/")(endpoint_with(lambda: None))


@case("middleware", "Timing")
def pure_asgi_middleware_inside_a_base_middleware(app: FastAPI) -> None:
    app.add_middleware(Timing)
    app.middleware("http")(passing)
    app.get("/")(endpoint_with(lambda: None))


@case("middleware", "Timing")
def middleware_of_a_mount(app: FastAPI) -> None:
    async def page(request: Request) -> Response:
        return Response()

    around = [Middleware(Timing)]
    app.router.routes.append(Mount("/", routes=[Route("/", page)], middleware=around))


@case("middleware", "Sending")
def middleware_while_the_response_is_sent(app: FastAPI) -> None:
    app.add_middleware(Sending)
    app.get("/")(endpoint_with(lambda: None))


@case("middleware", "Sending")
def middleware_while_a_stream_is_sent(app: FastAPI) -> None:
    app.add_middleware(Sending)

    async def rows() -> AsyncIterable[str]:
        yield "1"

    @app.get("/")
    async def page() -> StreamingResponse:
        return StreamingResponse(rows())


@case("middleware", "Sending")
def middleware_while_another_one_answers(app: FastAPI) -> None:
    class Closed(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Any:
            return Response(status_code=503)

    app.add_middleware(Closed)
    app.add_middleware(Sending)
    app.get("/")(endpoint_with(lambda: None))


@case("middleware", "Receiving", method="POST", arguments={"content": "1"})
def middleware_while_the_endpoint_reads_the_body(app: FastAPI) -> None:
    app.add_middleware(Receiving)

    @app.post("/")
    async def page(request: Request) -> int:
        return len(await request.body())


@case("middleware", "Receiving", method="POST", arguments={"json": ["a"]})
def middleware_while_fastapi_reads_the_body(app: FastAPI) -> None:
    app.add_middleware(Receiving)

    @app.post("/")
    async def page(names: list[str]) -> int:
        return len(names)


@case("middleware", "Receiving", method="POST", arguments={"data": {"name": "a"}})
def middleware_while_a_form_is_read(app: FastAPI) -> None:
    app.add_middleware(Receiving)
    app.middleware("http")(passing)

    @app.post("/")
    async def page(request: Request) -> int:
        return len(await request.form())


@case("middleware", "Receiving", only="asyncio")
def middleware_while_a_stream_waits_for_the_client_to_go(app: FastAPI) -> None:
    app.add_middleware(Receiving)

    async def rows() -> AsyncIterable[str]:
        await asyncio.sleep(0)
        yield "1"

    @app.get("/")
    async def page() -> StreamingResponse:
        return StreamingResponse(rows())


@case("middleware", "Backend")
def a_backend_of_middleware(app: FastAPI) -> None:
    class Backend(AuthenticationBackend):
        async def authenticate(self, conn: Any) -> None:
            spot()

    app.add_middleware(AuthenticationMiddleware, backend=Backend())
    app.get("/")(endpoint_with(lambda: None))


@case("middleware", "TimedRoute")
def a_custom_route_class(app: FastAPI) -> None:
    class TimedRoute(APIRoute):
        def get_route_handler(self) -> Any:
            original = super().get_route_handler()

            async def handler(request: Request) -> Response:
                spot()
                return await original(request)

            return handler

    app.router.route_class = TimedRoute
    app.get("/")(endpoint_with(lambda: None))


@case("task", "child")
def a_task_group_in_an_endpoint(app: FastAPI) -> None:
    async def child() -> None:
        spot()

    @app.get("/")
    async def page() -> dict[str, str]:
        async with anyio.create_task_group() as group:
            group.start_soon(child)
        return {}


@case("task", "child")
def a_response_made_in_a_task(app: FastAPI) -> None:
    made = slow_xml()

    async def child() -> None:
        made("x")

    @app.get("/")
    async def page() -> dict[str, str]:
        async with anyio.create_task_group() as group:
            group.start_soon(child)
        return {}


@case("task", "child", only="asyncio")
def a_task_of_asyncio(app: FastAPI) -> None:
    async def child() -> None:
        spot()

    @app.get("/")
    async def page() -> dict[str, str]:
        await asyncio.create_task(child())
        return {}


@case("task", "callback", only="asyncio")
def a_callback_of_the_loop(app: FastAPI) -> None:
    @app.get("/")
    async def page() -> dict[str, str]:
        done = asyncio.Event()

        def callback() -> None:
            spot()
            done.set()

        asyncio.get_running_loop().call_soon(callback)
        await done.wait()
        return {}


@case("task", "touch_loop")
def work_that_a_thread_hands_back(app: FastAPI) -> None:
    def touch_loop() -> None:
        spot()

    @app.get("/")
    def page() -> dict[str, str]:
        anyio.from_thread.run_sync(touch_loop)
        return {}


@case("lifespan", "lifespan", only="testclient")
def start_up(app: FastAPI) -> None:
    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        spot()
        yield

    app.router.lifespan_context = lifespan
    app.get("/")(endpoint_with(lambda: None))


@case("lifespan", "lifespan", only="testclient")
def shut_down(app: FastAPI) -> None:
    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        yield
        spot()

    app.router.lifespan_context = lifespan
    app.get("/")(endpoint_with(lambda: None))


@case("websocket", "chat", method="WEBSOCKET", only="testclient")
def a_websocket(app: FastAPI) -> None:
    @app.websocket("/")
    async def chat(websocket: WebSocket) -> None:
        await websocket.accept()
        spot()
        await websocket.close()


@case("websocket", "chat", method="WEBSOCKET", only="testclient")
def a_plain_starlette_websocket(app: FastAPI) -> None:
    async def chat(websocket: WebSocket) -> None:
        await websocket.accept()
        spot()
        await websocket.close()

    app.router.routes.append(WebSocketRoute("/", chat))


@case("websocket", "Chat.on_receive", method="WEBSOCKET", only="testclient")
def a_class_based_websocket(app: FastAPI) -> None:
    class Chat(WebSocketEndpoint):
        async def on_receive(self, websocket: WebSocket, data: Any) -> None:
            spot()
            await websocket.close()

    app.router.routes.append(WebSocketRoute("/", Chat))


@case("exception-handler", "on_error", method="WEBSOCKET", only="testclient")
def a_handler_of_an_exception_of_a_websocket(app: FastAPI) -> None:
    async def on_error(websocket: WebSocket, error: Exception) -> None:
        spot()
        await websocket.close()

    app.add_exception_handler(KeyError, on_error)

    @app.websocket("/")
    async def chat(websocket: WebSocket) -> None:
        await websocket.accept()
        raise KeyError


@case("middleware", "Timing", method="WEBSOCKET", only="testclient")
def middleware_around_a_websocket(app: FastAPI) -> None:
    app.add_middleware(Timing)

    @app.websocket("/")
    async def chat(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()


@case("middleware", "Receiving", method="WEBSOCKET", only="testclient")
def middleware_while_a_websocket_receives(app: FastAPI) -> None:
    app.add_middleware(Receiving)

    @app.websocket("/")
    async def chat(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.receive_text()
        await websocket.close()


@case("middleware", "Sending", method="WEBSOCKET", only="testclient")
def middleware_while_a_websocket_sends(app: FastAPI) -> None:
    app.add_middleware(Sending)

    @app.websocket("/")
    async def chat(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("1")
        await websocket.close()


@case("dependency", "current_user", method="WEBSOCKET", only="testclient")
def a_dependency_of_a_websocket(app: FastAPI) -> None:
    async def current_user() -> AsyncIterable[None]:
        yield
        spot()

    @app.websocket("/")
    async def chat(websocket: WebSocket, user: Any = Depends(current_user)) -> None:  # noqa: B008
        await websocket.accept()
        await websocket.close()


# --- what the cases are made of --------------------------------------------------------------


class Item(BaseModel):
    name: str

    @field_validator("name")
    @classmethod
    def checked(cls, value: str) -> str:
        spot()
        return value


class Price(BaseModel):
    cents: int

    @field_serializer("cents")
    def shown(self, value: int) -> str:
        spot()
        return str(value)


class Special:
    """What JSON has no word for."""


class Timing:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        spot()
        await self.app(scope, receive, send)


class Passing:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


class Sending:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_wrapper(message: Any) -> None:
            spot()
            await send(message)

        await self.app(scope, receive, send_wrapper)


class Receiving:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def receive_wrapper() -> Any:
            spot()
            return await receive()

        await self.app(scope, receive_wrapper, send)


async def passing(request: Request, call_next: Any) -> Any:
    return await call_next(request)


async def asyncio_free_checkpoint() -> None:
    await anyio.sleep(0)


def endpoint_with(dependency: Any) -> Any:
    async def page(value: Any = Depends(dependency)) -> dict[str, str]:  # noqa: B008
        return {}

    return page


def raising(error: Exception) -> Any:
    async def page() -> None:
        raise error

    return page


def slow_xml() -> type[Response]:
    class SlowXML(Response):
        def render(self, content: Any) -> bytes:
            spot()
            return b"<x/>"

    return SlowXML


# --- capturing -------------------------------------------------------------------------------

_seen: list[tuple[model.Stack, bool]] = []

ENTRIES = {Starlette.__call__.__code__, FastAPI.__call__.__code__}


def spot() -> None:
    """Remember the stack from ASGI entry, or from the first frame of a task, to the caller."""
    frames: list[FrameType] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    frames.reverse()
    entry = next((at for at, frame in enumerate(frames) if frame.f_code in ENTRIES), None)
    start = entry if entry is not None else loop_frames(frames)
    _seen.append((tuple(map(plain, frames[start:])), entry is None))


def loop_frames(frames: list[FrameType]) -> int:
    """How many of the frames belong to the event loop and to the thread that runs it."""
    inner = 0
    for at, frame in enumerate(frames):
        module = frame.f_globals["__name__"]
        if module == "asyncio.events" or module.partition(".")[0] in ("trio", "outcome"):
            inner = at + 1
    return inner


def plain(frame: FrameType) -> model.Frame:
    code = frame.f_code
    library = "site-packages" in code.co_filename
    return model.Frame(
        file=code.co_filename,
        line=frame.f_lineno,
        function=code.co_qualname,
        module=frame.f_globals["__name__"],
        origin="project" if code.co_filename == __file__ else "library" if library else "stdlib",
        first_line=code.co_firstlineno,
        source=linecache.getline(code.co_filename, frame.f_lineno).rstrip() or None,
        coroutine=bool(code.co_flags & 0x280),
        awaits=can_suspend(code),
    )


@pytest.fixture(name="client", params=["testclient", "asyncio", "trio"])
def _client(request: pytest.FixtureRequest) -> str:
    """The ways in which tests drive an app: TestClient, and ASGITransport on two loops."""
    return str(request.param)


def places_of(case: Case, client: str) -> set[tuple[str, str | None]]:
    """Build the app of a case, request it, and say where ``spot`` was called."""
    _seen.clear()
    scopes: list[Any] = []
    app = FastAPI()
    case.build(app)

    async def entry(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await app(scope, receive, send)

    if client == "testclient" or case.only == "testclient":
        drive_by_testclient(entry, case, "trio" if client == "trio" else "asyncio")
    else:
        anyio.run(drive_by_transport, entry, case, backend=client)
    wanted = "lifespan" if case.phase == "lifespan" else scopes[-1]["type"]
    request = describe([scope for scope in scopes if scope["type"] == wanted])
    return {
        (phase := phase_of(stack, request, spawned), owner_of(stack, request, phase))
        for stack, spawned in _seen
    }


def drive_by_testclient(app: Any, case: Case, backend: Literal["asyncio", "trio"]) -> None:
    client = TestClient(app, raise_server_exceptions=False, backend=backend)
    if case.phase == "lifespan":
        with client:
            pass
    elif case.method == "WEBSOCKET":
        with client.websocket_connect("/") as session:
            session.send_text("hello")
    else:
        client.request(case.method, "/", **case.arguments)


async def drive_by_transport(app: Any, case: Case) -> None:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        await client.request(case.method, "/", **case.arguments)


# --- the tests -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_the_phase_and_its_owner_are_told_from_the_stack(name: str, client: str) -> None:
    """Wherever code of a request can stand, its stack says which part that is, and whose."""
    case = CASES[name]
    if (case.only, client) in (("asyncio", "trio"), ("testclient", "asyncio")):
        pytest.skip(f"needs {case.only}")
    assert places_of(case, client) == {(case.phase, case.owner)}


ENTRY = "starlette.applications:Starlette.__call__"
ERRORS = "starlette.middleware.errors:ServerErrorMiddleware.__call__"
SENDER = "starlette._exception_handler:wrapped_app.<locals>.sender"
HANDLER = "fastapi.routing:get_request_handler.<locals>.app"
RESPOND = "starlette.routing:request_response.<locals>.app.<locals>.app"

WRITTEN = {
    "a response that is compressed": (
        (
            ENTRY,
            RESPOND,
            "starlette.responses:Response.__call__",
            SENDER,
            "starlette.middleware.gzip:GZipResponder.send_with_compression",
            "gzip:GzipFile.write",
        ),
        ("middleware", "GZipResponder"),
    ),
    "a large response model": (
        (ENTRY, HANDLER, "fastapi.routing:serialize_response", "pydantic.main:BaseModel.dump"),
        ("serialization", None),
    ),
    "a large JSON response": (
        (
            ENTRY,
            HANDLER,
            "starlette.responses:JSONResponse.__init__",
            "starlette.responses:JSONResponse.render",
            "json:dumps",
        ),
        ("serialization", "JSONResponse"),
    ),
    "a template": (
        (
            ENTRY,
            RESPOND,
            "app:page",
            "starlette.templating:Jinja2Templates.TemplateResponse",
            "jinja2.environment:Template.render",
            "app:slow_filter",
        ),
        ("serialization", "slow_filter"),
    ),
    "a response that sends itself": (
        (ENTRY, "fastapi.routing:request_response.<locals>.app", "app:Export.__call__"),
        ("serialization", "Export"),
    ),
    "a response that sends itself on Starlette": (
        (ENTRY, RESPOND, "app:Export.__call__"),
        ("serialization", "Export"),
    ),
    "a response of a class-based endpoint that sends itself": (
        (ENTRY, "starlette.endpoints:HTTPEndpoint.dispatch", "app:Export.__call__"),
        ("serialization", "Export"),
    ),
    "a large body": (
        (ENTRY, HANDLER, "starlette.requests:Request.json", "json:loads"),
        ("validation", None),
    ),
    "an uploaded file that is closed": (
        (
            ENTRY,
            HANDLER,
            "contextlib:AsyncExitStack.__aexit__",
            "starlette.datastructures:UploadFile.close",
        ),
        ("validation", None),
    ),
    "an exit stack of the user's own": (
        (
            ENTRY,
            "fastapi.routing:run_endpoint_function",
            "app:page",
            "contextlib:AsyncExitStack.__aexit__",
            "app:close",
        ),
        ("endpoint", "page"),
    ),
    "a security scheme of FastAPI": (
        (
            ENTRY,
            HANDLER,
            "fastapi.dependencies.utils:solve_dependencies",
            "fastapi.security.http:HTTPBasic.__call__",
        ),
        ("dependency", "HTTPBasic"),
    ),
    "an endpoint under an instrument": (
        (ENTRY, "fastapi.routing:run_endpoint_function", "sentry_sdk.tracing:wrapped", "app:page"),
        ("endpoint", "page"),
    ),
    "an endpoint whose source is looked up": (
        (ENTRY, HANDLER, "fastapi.routing:_extract_endpoint_context", "inspect:getsourcelines"),
        ("unknown", None),
    ),
    "a static file": (
        (
            ENTRY,
            "starlette.routing:Mount.handle",
            "starlette.staticfiles:StaticFiles.__call__",
            "starlette.staticfiles:StaticFiles.lookup_path",
        ),
        ("endpoint", "page"),
    ),
    "a WSGI app that is mounted": (
        (
            ENTRY,
            "starlette.routing:Mount.handle",
            "starlette.middleware.wsgi:WSGIMiddleware.__call__",
            "app:wsgi",
        ),
        ("endpoint", "page"),
    ),
    "a route of the user's own class, matching": (
        (ENTRY, "starlette.routing:Router.app", "app:Versioned.matches"),
        ("validation", "Versioned.matches"),
    ),
    "a route of the user's own class": (
        (ENTRY, "starlette.routing:Router.app", "app:Versioned.handle"),
        ("endpoint", "page"),
    ),
    "middleware of a router": (
        (ENTRY, "starlette.routing:Router.__call__", "app:Timing.__call__"),
        ("middleware", "Timing"),
    ),
    "middleware while it is made": (
        (ENTRY, "fastapi.applications:FastAPI.build_middleware_stack", "app:Timing.__init__"),
        ("middleware", "Timing"),
    ),
    "middleware, no source at hand": (
        (ENTRY, ERRORS, "app:Timing.__call__"),
        ("middleware", "Timing"),
    ),
    "middleware while an error is sent": (
        (ENTRY, "starlette.responses:Response.__call__", f"{ERRORS}.<locals>._send", "app:send"),
        ("middleware", "send"),
    ),
    "a send of middleware, no source at hand": (
        (ENTRY, "starlette.responses:Response.__call__", "app:Timing.__call__.<locals>.send"),
        ("middleware", "Timing"),
    ),
    "a background callable, no source at hand": (
        (ENTRY, "starlette.responses:Response.__call__", "app:Mail.__call__"),
        ("background", "Mail"),
    ),
    "a handler of last resort, no source at hand": (
        (ENTRY, ERRORS, "app:create_app.<locals>.on_error"),
        ("exception-handler", "on_error"),
    ),
    "a page for the developer": (
        (ENTRY, ERRORS, "starlette.middleware.errors:ServerErrorMiddleware.generate_html"),
        ("exception-handler", None),
    ),
    "middleware of a library": (
        (
            ENTRY,
            "starlette.middleware.base:BaseHTTPMiddleware.__call__",
            "slowapi.middleware:SlowAPIMiddleware.dispatch",
            "limits:hit",
        ),
        ("middleware", "SlowAPIMiddleware"),
    ),
    "a session that is signed": (
        (ENTRY, "starlette.middleware.sessions:SessionMiddleware.__call__.<locals>.send_wrapper"),
        ("middleware", "SessionMiddleware"),
    ),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_the_phase_is_told_where_no_frame_of_the_project_helps(name: str) -> None:
    """The framework's own work is somebody's, too, and libraries stand between."""
    lines, expected = WRITTEN[name]
    stack, request = written(*lines), request_to("page")
    phase = phase_of(stack, request, spawned=False)
    assert (phase, owner_of(stack, request, phase)) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("sse_starlette.sse:EventSourceResponse._stream_response", "app:events"), "stream"),
        (("starlette.responses:StreamingResponse.stream_response", "app:rows"), "stream"),
        (("anyio._backends._asyncio:TaskGroup._run_wrapped_task", "app:child"), "task"),
        (("app:child", "fastapi.encoders:jsonable_encoder"), "task"),
    ],
)
def test_a_task_is_the_framework_s_where_its_functions_are_on_the_stack(
    lines: tuple[str, ...], expected: str
) -> None:
    """Streams run in tasks that the framework starts; what else a request starts is a task."""
    assert phase_of(written(*lines), request_to("page"), spawned=True) == expected


def test_an_app_of_another_framework_is_one_endpoint() -> None:
    """Where no framework that we know is on the stack, the app itself answers."""
    request = model.Request(type="http", route="GET /raw/1")
    stack = written("app:handle", "app:helper")
    assert phase_of(stack, request, spawned=False) == "endpoint"
    assert phase_of(written("litestar.app:Litestar.__call__"), request, spawned=False) == "unknown"
    # Quart handles each request in a task that it starts.
    started = written("quart.asgi:ASGIHTTPConnection.handle_request", "app:page")
    assert phase_of(started, request, spawned=True) == "endpoint"
    assert phase_of(written("app:child"), request, spawned=True) == "task"


def test_what_surrounds_an_app_that_has_the_endpoint_is_middleware() -> None:
    """The request had an endpoint, and was not there when this ran."""
    stack = written("app:Outer.__call__")
    assert phase_of(stack, request_to("page"), spawned=False) == "middleware"
    assert owner_of(stack, request_to("page"), "middleware") == "Outer"


@pytest.mark.parametrize(
    ("kind", "phase"), [("async", "endpoint"), ("asgi", "endpoint"), ("sync", "dependency")]
)
def test_what_runs_in_a_greenlet_is_no_middleware(kind: model.Kind, phase: model.Phase) -> None:
    """Its stack does not reach the app; an endpoint in a thread has started none on the loop."""
    request = request_to("page")
    assert request.endpoint is not None
    request = replace(request, endpoint=replace(request.endpoint, kind=kind))
    stack = written("sqlalchemy.engine.base:Connection.execute", "app:traced")
    assert phase_of(stack, request, spawned=False) == phase
    assert phase_of(written("app:report"), request, spawned=False) == phase


def test_a_part_begins_where_the_framework_calls_it() -> None:
    """Middleware that called the app is on the stack, and not at work."""
    stack = written(ENTRY, ERRORS, "app:Timing.__call__", HANDLER, "json:loads")
    place = locate(stack, request_to("page"), spawned=False)
    assert (place.phase, stack[place.start].function) == ("validation", "loads")
    assert locate(written("app:child"), request_to("page"), spawned=True).start == 0


def test_a_stall_without_a_sample_is_the_endpoint_s() -> None:
    """One long operation in C lets no sampler in; the endpoint asked for it."""
    assert phase_of((), request_to("page"), spawned=False) == "endpoint"
    assert owner_of((), request_to("page"), "endpoint") == "page"


@pytest.mark.parametrize(
    ("line", "phase"),
    [
        ("raw_response = await run_endpoint_function(", "endpoint"),
        ("body = await request.json()", "validation"),
    ],
)
def test_what_fastapi_waited_for_is_what_was_at_work(line: str, phase: model.Phase) -> None:
    """The endpoint may have returned before anybody was let in."""
    *outer, inner = written(ENTRY, HANDLER)
    stack = (*outer, replace(inner, source=line))
    assert phase_of(stack, request_to("page"), spawned=False) == phase


def test_what_belongs_to_no_request_is_the_test_s() -> None:
    """Without a request there is no part of one."""
    assert phase_of(written("app:helper"), None, spawned=False) == "test"


def test_what_start_up_left_running_is_a_task() -> None:
    """Start-up is over when it blocks a request."""
    request = model.Request(type="lifespan", route="LIFESPAN")
    assert phase_of(written("app:poll"), request, spawned=True) == "task"
    assert phase_of(written(ENTRY, "app:lifespan"), request, spawned=False) == "lifespan"


def written(*lines: str) -> model.Stack:
    """A stack of frames, each written as ``module:function``."""
    frames = []
    for line in lines:
        module, _, function = line.partition(":")
        own = module == "app"
        frames.append(
            model.Frame(
                file=f"{module.replace('.', '/')}.py",
                line=1,
                function=function,
                module=module,
                origin="project" if own else "library",
            )
        )
    return tuple(frames)


def request_to(name: str) -> model.Request:
    endpoint = model.Endpoint(
        route="GET /",
        method="GET",
        path="/",
        function=f"app.{name}",
        file="app.py",
        line=1,
        kind="async",
        awaits=False,
    )
    return model.Request(type="http", route="GET /", endpoint=endpoint)
