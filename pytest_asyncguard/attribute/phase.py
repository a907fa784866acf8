"""Attribute: Stack -> Phase and owner. Which part of the request was at work, and whose it is.

Read from the innermost frame outwards, the first function of the framework that stands in MARKS
says it: what it calls at that point is a dependency, an endpoint, a background task. The owner is
the function that it called.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from pytest_asyncguard.model import Frame, Phase, Request, Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A part of a request. ``entry`` is the frame of the function that the framework called.

    The part begins at index ``start`` of the stack. What stands before it (middleware that called
    the app) is not at work, but waits for it.
    """

    phase: Phase
    owner: str | None = None
    entry: Frame | None = None
    start: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """What it means that a function of the framework is on the stack.

    ``module``, ``function`` and ``caller`` (the module of the frame that called it) are patterns.
    So is ``called``: the first function beyond the framework that it led to, "" where there is
    none. ``line`` is a part of the source line at which the function stood, which tells two calls
    of one function apart.
    """

    module: str
    function: str
    phase: Phase
    called: str = "*"
    line: str = ""
    caller: str = "*"


SOMETHING: Final = "?*"

MARKS: Final = (
    # FastAPI: from the request to the endpoint and back.
    Mark("fastapi.routing", "run_endpoint_function", "endpoint"),
    Mark("fastapi.routing", "serialize_response", "serialization"),
    # FastAPI looks for the source of an endpoint once, to name it in errors.
    Mark("fastapi.routing", "_extract_endpoint_context", "unknown"),
    Mark("fastapi.routing", "get_request_handler.*._serialize_*", "serialization"),
    Mark("fastapi.routing", "get_request_handler.<locals>.app.*", "stream"),
    # It looks at what the endpoint has returned.
    Mark(
        "fastapi.routing",
        "get_request_handler.<locals>.app",
        "endpoint",
        line="run_endpoint_function(",
    ),
    Mark("fastapi.routing", "get_request_handler.<locals>.app", "serialization", "*.__init__"),
    Mark("fastapi.routing", "get_request_handler.<locals>.app", "validation"),
    Mark("fastapi.routing", "get_websocket_app.<locals>.app", "websocket"),
    Mark("fastapi.routing", "request_response.*", "serialization", "*.__call__"),
    # What else FastAPI calls with a request is the handler of a custom APIRoute.
    Mark("fastapi.routing", "request_response.*", "middleware", SOMETHING),
    Mark("fastapi.dependencies.utils", "*_to_args", "validation"),
    Mark("fastapi.dependencies.utils", "*solve_*", "dependency"),
    # The exit stack closes uploaded files, and has dependencies with `yield` run their second half.
    Mark("contextlib", "AsyncExitStack.__aexit__", "validation", "", caller="fastapi.*"),
    Mark("contextlib", "AsyncExitStack.__aexit__", "dependency", caller="fastapi.*"),
    Mark("fastapi.encoders", "*", "serialization"),
    # Responses: made, sent (through the middleware's own send), and what is done after.
    Mark("starlette.templating", "*", "serialization"),
    Mark("starlette.responses", "*.stream_response", "middleware", SOMETHING, line=" send("),
    Mark("starlette.responses", "*.listen_for_disconnect", "middleware", SOMETHING),
    Mark("starlette.responses", "*.stream_response", "stream"),
    Mark("starlette.responses", "*.__call__", "background", line=".background("),
    Mark("starlette.responses", "*.__call__", "middleware", SOMETHING, line=" send("),
    Mark("starlette.responses", "*.__call__", "background", "*.__call__"),
    Mark("starlette.responses", "*.__call__*", "middleware", SOMETHING),
    Mark("starlette.responses", "*", "serialization"),
    Mark("sse_starlette", "*", "stream"),
    Mark("sse_starlette.*", "*", "stream"),
    Mark("starlette.background", "*", "background"),
    Mark("fastapi.background", "*", "background"),
    # Starlette: routes, and what they lead to.
    Mark("starlette.routing", "request_response.*", "middleware", "*get_route_handler.<locals>*"),
    Mark("starlette.routing", "request_response.*", "serialization", "*.__call__"),
    Mark("starlette.routing", "request_response.*", "endpoint"),
    Mark("starlette.routing", "websocket_session.*", "websocket"),
    Mark("starlette.endpoints", "HTTPEndpoint.*", "serialization", "*.__call__"),
    Mark("starlette.endpoints", "HTTPEndpoint.*", "endpoint"),
    Mark("starlette.endpoints", "WebSocketEndpoint.*", "websocket"),
    Mark("starlette.staticfiles", "*", "endpoint"),
    Mark("starlette.middleware.wsgi", "*", "endpoint"),
    # Converters of path parameters run while routes are matched.
    Mark("*.routing", "*.matches", "validation", SOMETHING),
    Mark("*.routing", "*Router.*", "validation", "*.matches"),
    Mark("starlette.routing", "*.handle", "endpoint"),
    Mark("*.routing", "*Router.*", "endpoint", "*.handle"),
    Mark("*.routing", "*Router.*", "middleware", SOMETHING),
    # Exception handlers; `sender` and `_send` pass on to the middleware's own send.
    Mark("starlette._exception_handler", "*.sender", "middleware", SOMETHING),
    Mark("starlette._exception_handler", "*", "exception-handler", SOMETHING),
    Mark("starlette.middleware.exceptions", "*.sender", "middleware", SOMETHING),
    Mark("starlette.middleware.exceptions", "*.__call__", "exception-handler", SOMETHING),
    Mark("starlette.middleware.errors", "*._send", "middleware", SOMETHING),
    Mark("starlette.middleware.errors", "*.__call__", "exception-handler", line=".handler("),
    Mark("starlette.middleware.errors", "*.__call__", "middleware", SOMETHING, line=".app("),
    Mark("starlette.middleware.errors", "*.__call__", "middleware", "*.__call__"),
    Mark("starlette.middleware.errors", "*.__call__", "exception-handler", SOMETHING),
    Mark("starlette.middleware.errors", "*.[!_]*", "exception-handler"),
    # What hands over the parts of a body, or messages, is the middleware's own receive and send.
    Mark("starlette.requests", "Request.*", "middleware", SOMETHING, line="._receive("),
    Mark("starlette.websockets", "WebSocket.*", "middleware", SOMETHING, line="._receive("),
    Mark("starlette.websockets", "WebSocket.*", "middleware", SOMETHING, line="._send("),
    # anyio.from_thread on trio: run by the task that waits for the thread.
    Mark("trio._threads", "*.run*", "task", SOMETHING),
    # Middleware, around which there is other middleware, or the app itself.
    Mark("starlette.middleware.gzip", "*", "middleware"),
    Mark("starlette.middleware.sessions", "*", "middleware"),
    Mark("starlette.middleware.*", "*", "middleware", SOMETHING),
    Mark("fastapi.telemetry.*", "*.__call__*", "middleware", SOMETHING),
    Mark("fastapi._body_limit", "*", "middleware", SOMETHING),
    Mark("*.applications", "*.build_middleware_stack", "middleware", SOMETHING),
)
"""The first row that fits a frame is the one that counts."""

FRAMEWORK: Final = frozenset(
    {"anyio", "asyncio", "contextlib", "fastapi", "functools", "outcome", "starlette", "trio"}
    | {"httpx", "httpx2", "uvicorn", "hypercorn", "sse_starlette"}
)
"""Top-level modules that pass control on, and own no part of a request."""

INSTRUMENTS: Final = frozenset(
    {"ddtrace", "elasticapm", "logfire", "newrelic", "opentelemetry", "sentry_sdk", "wrapt"}
)
"""Top-level modules that put themselves around other people's functions."""

_MARKED: Final = frozenset(mark.module.partition(".")[0] for mark in MARKS) - {"*"}


def phase_of(stack: Stack, request: Request | None, spawned: bool) -> Phase:
    """The part of the request in which the innermost frame of ``stack`` ran."""
    return locate(stack, request, spawned).phase


def owner_of(stack: Stack, request: Request | None, phase: Phase) -> str | None:
    """The function or class whose part of the request it is: ``current_user``, ``Slowdown``."""
    return locate(stack, request, phase == "task").owner


def locate(stack: Stack, request: Request | None, spawned: bool) -> Place:
    """The part of the request in which the innermost frame of ``stack`` ran, and whose it is.

    ``spawned``: the stack is that of a task or callback which the request started. The framework
    does that too, for BaseHTTPMiddleware and for streams, and then its functions are on the stack.
    """
    if request is None:
        return Place(phase="test")
    if request.type == "lifespan" and not spawned:
        return _named("lifespan", _first_of_project(stack) or _beyond(stack))
    for index in range(len(stack) - 1, -1, -1):
        if (mark := _mark_at(stack, index)) is None:
            continue
        if (
            spawned
            and mark.phase == "serialization"
            and not any(_mark_at(stack, outer) for outer in range(index))
        ):
            # A response made, or data encoded, by a task of the user's own.
            continue
        return replace(_place(mark, stack, index, request), start=index + 1)
    return _unmarked(stack, request, spawned)


def _mark_at(stack: Stack, index: int) -> Mark | None:
    frame = stack[index]
    if frame.module.partition(".")[0] not in _MARKED:
        return None
    caller = stack[index - 1].module if index else ""
    entry = _beyond(stack[index + 1 :])
    called = entry.function if entry is not None else ""
    for mark in MARKS:
        if (
            fnmatchcase(frame.module, mark.module)
            and fnmatchcase(frame.function, mark.function)
            and fnmatchcase(called, mark.called)
            and fnmatchcase(caller, mark.caller)
            and mark.line in (frame.source or "")
        ):
            return mark
    return None


def _place(mark: Mark, stack: Stack, index: int, request: Request) -> Place:
    phase, entry = mark.phase, _beyond(stack[index + 1 :])
    if phase == "unknown":
        return Place(phase=phase)
    if phase in ("validation", "serialization"):
        # Between the framework and the user's validator, pydantic may stand.
        entry = _first_of_project(stack[index + 1 :])
        if stack[index].module == "starlette.responses":
            owner = _class_of((entry or stack[index]).function)
            return Place(phase=phase, owner=owner, entry=entry)
        return _named(phase, entry)
    if phase == "endpoint" and mark.function.endswith(".handle") and _is_around(entry, request):
        phase = "middleware"
    if phase == "endpoint" and request.type == "websocket":
        phase = "websocket"
    if phase == "middleware":
        # Where it does not matter what it called, the framework's own middleware was at work.
        own = stack[index] if (mark.phase, mark.called) == ("middleware", "*") else None
        layer = own or _innermost_layer(stack[index + 1 :]) or entry or stack[index]
        return Place(phase=phase, owner=_class_of(layer.function), entry=layer)
    if (
        phase in ("endpoint", "websocket")
        and request.endpoint is not None
        and not (entry is not None and _is_endpoint(entry, request))
    ):
        # It stands under a decorator, or none of the user's frames is on the stack at all.
        owner = request.endpoint.function.rpartition(".")[2]
        return Place(phase=phase, owner=owner, entry=entry)
    if entry is None and phase == "dependency" and index + 1 < len(stack):
        return Place(phase=phase, owner=_class_of(stack[index + 1].function))
    return _named(phase, entry)


def _unmarked(stack: Stack, request: Request, spawned: bool) -> Place:
    """The framework took no part: a task of the user's own, or an app of another framework."""
    entry = _beyond(stack)
    if not stack and not spawned and request.endpoint is not None:
        # A stall of which no sample could be taken: the endpoint asked for it.
        phase: Phase = "websocket" if request.type == "websocket" else "endpoint"
        return Place(phase=phase, owner=request.endpoint.function.rpartition(".")[2])
    started_by_framework = request.endpoint is None and entry and entry.origin == "library"
    if spawned and not started_by_framework:
        return _named("task", entry)
    if request.type == "websocket":
        return _named("websocket", entry)
    if request.endpoint is not None and entry is not None:
        if _is_cut(stack):
            # Its endpoint led there, or a dependency: a plain endpoint has no loop to do so.
            phase = "dependency" if request.endpoint.kind == "sync" else "endpoint"
            return Place(phase=phase, entry=entry)
        return Place(phase="middleware", owner=_class_of(entry.function), entry=entry)
    if _first_of_project(stack) is not None:
        return _named("endpoint", entry)
    return Place(phase="unknown")


def _is_cut(stack: Stack) -> bool:
    """Whether the stack is that of a greenlet, in which SQLAlchemy runs what is not async.

    It begins with what was run there, and an app's with a coroutine, or an object's ``__call__``.
    """
    return not stack[0].coroutine and not stack[0].function.endswith("__call__")


def _named(phase: Phase, entry: Frame | None) -> Place:
    return Place(phase=phase, owner=_name_of(entry.function) if entry else None, entry=entry)


def _beyond(stack: Stack) -> Frame | None:
    """The first frame that belongs neither to a framework nor, if possible, to an instrument."""
    others = [frame for frame in stack if frame.module.partition(".")[0] not in FRAMEWORK]
    for frame in others:
        if frame.module.partition(".")[0] not in INSTRUMENTS:
            return frame
    return others[0] if others else None


def _first_of_project(stack: Stack) -> Frame | None:
    return next((frame for frame in stack if frame.origin == "project"), None)


def _innermost_layer(stack: Stack) -> Frame | None:
    """Of middleware around middleware, the one that ran: each calls the next as an ASGI app."""
    layer = None
    for frame in stack:
        if frame.module.partition(".")[0] in FRAMEWORK | INSTRUMENTS:
            continue
        if not frame.function.endswith(".__call__"):
            break
        layer = frame
    return layer


def _is_endpoint(frame: Frame, request: Request) -> bool:
    endpoint = request.endpoint
    name = frame.function.removesuffix(".__call__")
    return (
        endpoint is not None
        and endpoint.file == frame.file
        and f".{endpoint.function}".endswith(f".{name}")
    )


def _is_around(frame: Frame | None, request: Request) -> bool:
    """Whether a route called an ASGI app that is not its endpoint: its middleware."""
    return (
        frame is not None
        and frame.function.endswith(".__call__")
        and not _is_endpoint(frame, request)
    )


def _name_of(function: str) -> str:
    """A qualified name without the functions around it; a special method stands for its class."""
    name = function.rpartition("<locals>.")[2]
    owner, _, last = name.rpartition(".")
    return owner if owner and last.startswith("__") else name


def _class_of(function: str) -> str:
    """The class of a method, also from a function inside it; the function where there is none."""
    parts = function.split(".<locals>.")
    for part in reversed(parts):
        if "." in part:
            return part.rpartition(".")[0]
    return parts[-1]
