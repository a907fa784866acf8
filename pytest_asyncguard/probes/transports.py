"""Transports: where a client or server calls an app that is no framework's class that we know.

Any callable can be an ASGI app: one of another framework, middleware around an app, a function. It
has no class to be patched, so what calls it is: the client's transport, which for the one request
is given an app that watches, and the server's configuration, which keeps one.
"""

from __future__ import annotations

import copy
import functools
import sys
from _thread import get_ident
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.inbox import Scope
from pytest_asyncguard.probes.patching import ImportProbe
from pytest_asyncguard.probes.requests import begin, drive, grown

TRANSPORTS: Final = (
    ("httpx._transports.asgi", "ASGITransport", "handle_async_request"),
    ("httpx2._transports.asgi", "ASGITransport", "handle_async_request"),
    ("starlette.testclient", "_TestClientTransport", "handle_request"),
)
WATCHED: Final = (("starlette.applications", "Starlette"), ("starlette.routing", "Router"))
"""Classes of apps that are watched themselves."""
SERVER: Final = ("uvicorn.config", "Config", "load")
_FRAMEWORKS: Final = frozenset({"fastapi", "starlette"})
_watched: Final[set[type]] = set()
"""Those of them, and of their subclasses, that were met."""


def entry(app: Callable[..., Any]) -> Callable[..., Any]:
    """``app``, with its requests watched."""

    async def run(scope: Scope, receive: Any, send: Any) -> None:
        # Whatever it returns, awaiting it is all that ASGI asks for.
        __tracebackhide__ = True
        await app(scope, receive, send)

    async def __call__(scope: Scope, receive: Any, send: Any) -> None:  # noqa: N807
        __tracebackhide__ = True
        request = begin(app, scope, holds.open_holds.get(get_ident()))
        if request is None:
            return await run(scope, receive, send)
        try:
            return await drive(run(scope, receive, send), request)
        finally:
            request.finish(grown)

    # Tasks are named after what they call.
    return functools.update_wrapper(__call__, app, updated=())


def is_watched(app: object) -> bool:
    """Whether all that ``app`` does is done within a call that is watched.

    What a subclass of ours does before it calls the framework's ``__call__`` is not.
    """
    known = tuple(
        getattr(sys.modules[module], name) for module, name in WATCHED if module in sys.modules
    )
    if not isinstance(app, known):
        return False
    owner = next(cls for cls in type(app).__mro__ if "__call__" in vars(cls))
    return owner.__module__.partition(".")[0] in _FRAMEWORKS


def through(transport: Any) -> Any:
    """The transport; where its app is not watched itself, a copy that calls a watched one."""
    inbox = holds.inbox()
    if inbox is None or not inbox.enabled:
        return transport
    try:
        app = transport.app
        if is_watched(app):
            _watched.add(type(app))
            return transport
        watching = copy.copy(transport)
        watching.app = entry(app)
    except Exception as error:  # noqa: BLE001 - the guard never breaks a test
        inbox.failed(TransportProbe.name, error)
        return transport
    return watching


def handling(original: Callable[..., Any]) -> Callable[..., Any]:
    """``original``, a transport's method, with the app that it calls watched."""

    # Where the original is a coroutine function, its coroutine is handed on.
    @functools.wraps(original)
    def handle(self: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if type(self.app) in _watched:
            return original(self, *args, **kwargs)
        return original(through(self), *args, **kwargs)

    return handle


def loading(original: Callable[..., None]) -> Callable[..., None]:
    """``original``, which makes of a server's configuration an app, with that app watched."""

    @functools.wraps(original)
    def load(self: Any) -> None:
        original(self)
        try:
            app = self.loaded_app
            # uvicorn itself puts middleware around it, which waits for nothing.
            while type(app).__module__.startswith("uvicorn.middleware.") and hasattr(app, "app"):
                app = app.app
            if not is_watched(app):
                self.loaded_app = entry(self.loaded_app)
        except Exception as error:  # noqa: BLE001 - the guard never breaks a test
            if (inbox := holds.inbox()) is not None:
                inbox.failed(TransportProbe.name, error)

    return load


class TransportProbe(ImportProbe):
    """Watches whatever httpx's ASGITransport, Starlette's TestClient and uvicorn call."""

    name = "transports"

    def install(self) -> None:
        for module, name, method in TRANSPORTS:
            self._watch.when_imported(
                module, functools.partial(self._patch, name, method, handling)
            )
        module, name, method = SERVER
        self._watch.when_imported(module, functools.partial(self._patch, name, method, loading))

    def _patch(self, name: str, method: str, by: Callable[..., Any], module: ModuleType) -> None:
        cls = getattr(module, name, None)
        if cls is not None:
            self._patcher.replace(cls, method, by(getattr(cls, method)))

    def uninstall(self) -> None:
        super().uninstall()
        _watched.clear()
