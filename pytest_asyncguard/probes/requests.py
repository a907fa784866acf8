"""ASGI entry: where a request reaches an app, its holds begin.

The app's coroutine is driven one send at a time, so that a suspension closes the hold whichever
loop, task or transport called the app. The context variable is set during each send only: tasks
and callbacks which the request starts inherit it, and the task that carries the request does not
keep it, so that a test which called the app inline is free again as soon as the app suspends.
"""

from __future__ import annotations

import asyncio
import functools
import types
from _thread import get_ident
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import ModuleType
from typing import Any

from pytest_asyncguard.probes import holds, stacks
from pytest_asyncguard.probes.holds import Hold, current_request
from pytest_asyncguard.probes.inbox import DIGEST_AT, Inbox, Scope, WatchedRequest
from pytest_asyncguard.probes.patching import ImportProbe

ASGIApp = Callable[[Any, Scope, Any, Any], Coroutine[Any, Any, None]]

ENTRIES = (
    ("starlette.applications", "Starlette"),
    ("starlette.routing", "Router"),
    # These have test clients of their own; other apps are seen where a transport calls them.
    ("litestar.app", "Litestar"),
    ("quart.app", "Quart"),
)
KINDS = ("http", "websocket", "lifespan")


@types.coroutine
def drive(
    coroutine: Coroutine[Any, Any, None], request: WatchedRequest
) -> Generator[Any, Any, None]:
    """Await the app's coroutine, holding the loop for its request while it runs."""
    __tracebackhide__ = True
    enter, leave = holds.enter, holds.leave
    current = current_request
    send, value = coroutine.send, None
    while True:
        token = current.set(request)
        hold = enter(request, False)
        try:
            awaited = send(value)
        except StopIteration as stop:
            result: None = stop.value
            return result
        finally:
            leave(hold)
            current.reset(token)
            value = None  # an exception that lives on here would be part of a cycle
        send = coroutine.send
        leaving: GeneratorExit | None = None
        try:
            value = yield awaited
        except GeneratorExit as exit_:
            leaving = exit_
        except BaseException as thrown:  # noqa: BLE001 - it is the app's to handle
            send, value = coroutine.throw, thrown
        # Not in the handler: what the app raises then would come with a context.
        if leaving is not None:
            coroutine.close()
            raise leaving


stacks.boundary(drive)


def watched(original: ASGIApp) -> Callable[..., Awaitable[None]]:
    """``original``, an app class's ``__call__``, with its requests watched."""
    get_hold = holds.open_holds.get

    async def __call__(self: Any, scope: Scope, receive: Any, send: Any) -> None:  # noqa: N807
        __tracebackhide__ = True
        hold = get_hold(get_ident())
        if hold is not None and hold.request.scopes[-1] is scope:
            return await original(self, scope, receive, send)  # an app within the app
        request = begin(self, scope, hold)
        if request is None:
            return await original(self, scope, receive, send)
        try:
            return await drive(original(self, scope, receive, send), request)
        finally:
            request.finish(grown)

    __call__.__qualname__ = original.__qualname__
    __call__.__module__ = original.__module__
    __call__.__doc__ = original.__doc__
    __call__.__wrapped__ = original  # type: ignore[attr-defined]
    return __call__


def begin(app: object, scope: Scope, hold: Hold | None) -> WatchedRequest | None:
    """The request that enters here; None where it is being watched already, or is not to be."""
    if (inbox := holds.inbox()) is None or not inbox.enabled:
        return None
    try:
        if scope.get("type") not in KINDS:
            return None
        if hold is not None and hold.request.is_same(scope):
            hold.request.scopes.append(scope)
            return None
        request = WatchedRequest(app, scope, inbox)
    except Exception as error:  # noqa: BLE001 - the guard never breaks the app
        inbox.failed("requests", error)
        return None
    return request


def grown(inbox: Inbox) -> None:
    """A request has ended, and more waits to be fetched; that is never done in a hold."""
    inbox.loops.add(_loop_kind())
    waiting = len(inbox.requests) + len(inbox.tallies)
    if waiting >= DIGEST_AT and get_ident() not in holds.open_holds:
        inbox.digest()


_kinds: dict[type, str] = {type(None): "trio"}


def _loop_kind() -> str:
    """The event loop that this thread runs."""
    loop = type(asyncio._get_running_loop())  # of None, not an error, where there is none
    if (kind := _kinds.get(loop)) is None:
        kind = _kinds[loop] = "uvloop" if loop.__module__.startswith("uvloop") else "asyncio"
    return kind


class RequestProbe(ImportProbe):
    """Watches every app whose class is one of ``ENTRIES``, or a subclass of one."""

    name = "requests"

    def install(self) -> None:
        for module, name in ENTRIES:
            self._watch.when_imported(module, functools.partial(self._patch, name))

    def _patch(self, name: str, module: ModuleType) -> None:
        cls = getattr(module, name)
        self._patcher.replace(cls, "__call__", watched(cls.__call__))
