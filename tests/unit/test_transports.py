"""Transports: an app of no known class is watched for the one request, and nothing else changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette import testclient

from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.patching import ImportWatch
from pytest_asyncguard.probes.transports import (
    TransportProbe,
    entry,
    handling,
    loading,
    through,
)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """An app that is a function, and says whether it is held."""
    scope["held"] = bool(holds.open_holds)


class Plain:
    """An app whose ``__call__`` is no async def, which ASGI does not ask for."""

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        return asyncio.ensure_future(app(scope, receive, send))


def call(watching: Callable[..., Any], scope: dict[str, Any]) -> dict[str, Any]:
    asyncio.run(watching(scope, None, None))
    return scope


def test_an_app_that_is_a_function_is_held(inbox_open: Any) -> None:
    """From its entry to its return, as one request."""
    scope = call(entry(app), {"type": "http", "method": "GET", "path": "/"})
    assert scope["held"]
    (request,) = inbox_open.inbox.requests.values()
    assert (request.app, request.scopes, request.done) == (app, [scope], True)
    assert holds.open_holds == {}


def test_an_app_need_not_return_a_coroutine(inbox_open: Any) -> None:
    """It is awaited, and no more is asked of it."""
    call(entry(Plain()), {"type": "http", "method": "GET", "path": "/"})
    assert len(inbox_open.inbox.requests) == 1


def test_an_unknown_type_of_scope_is_handed_on(inbox_open: Any) -> None:
    """It is nothing that anybody waits for."""
    assert call(entry(app), {"type": "other"})["held"] is False
    assert inbox_open.inbox.requests == {}


def test_a_task_is_named_after_the_app_all_the_same() -> None:
    """Anyio makes names of tasks out of what they call."""
    watching = entry(app)
    assert (watching.__module__, watching.__qualname__) == (__name__, "app")
    assert entry(Plain()).__doc__ == Plain.__doc__


def test_a_transport_keeps_its_app(inbox_open: Any) -> None:
    """A copy calls the watched one."""
    transport = httpx.ASGITransport(app=app, root_path="/api")
    copied = through(transport)
    assert transport.app is app
    assert copied.app.__wrapped__ is app
    assert (type(copied), copied.root_path) == (httpx.ASGITransport, "/api")


def test_an_app_that_is_watched_itself_needs_no_copy(inbox_open: Any) -> None:
    """That of Starlette and all that inherit from it."""
    transport = httpx.ASGITransport(app=FastAPI())
    assert through(transport) is transport


def test_an_app_with_a_call_of_its_own_is_watched_around_it(inbox_open: Any) -> None:
    """What a subclass does before the framework's ``__call__`` is a part of the request, too."""

    class App(FastAPI):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)

    copied = through(httpx.ASGITransport(app=App()))
    assert call(copied.app, {"type": "http", "method": "GET", "path": "/"})["held"]


@pytest.mark.parametrize("proxied", [True, False])
def test_what_a_server_calls_is_watched(inbox_open: Any, proxied: bool) -> None:
    """A server is given the app once, and calls it for every request."""
    config = uvicorn.Config(app, proxy_headers=proxied)
    loading(uvicorn.Config.load)(config)
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": []}
    scope["client"] = None
    assert call(config.loaded_app, scope)["held"]
    assert len(inbox_open.inbox.requests) == 1


def test_an_app_that_is_watched_itself_is_served_as_it_is(inbox_open: Any) -> None:
    """Also where the server has put middleware of its own around it."""
    config, same = uvicorn.Config(FastAPI()), uvicorn.Config(FastAPI())
    loading(uvicorn.Config.load)(config)
    same.load()
    assert type(config.loaded_app) is type(same.loaded_app)


def test_a_server_that_cannot_be_told_is_loaded(inbox_open: Any) -> None:
    """The part that failed is named."""
    loading(lambda self: None)(SimpleNamespace())
    assert [part for part, _ in inbox_open.failures] == [TransportProbe.name]
    inbox_open.failures.clear()


@pytest.mark.parametrize("enabled", [True, False])
def test_where_nothing_is_watched_a_transport_is_left_alone(inbox_open: Any, enabled: bool) -> None:
    """The guard may be off for a test."""
    inbox_open.inbox.enabled = enabled
    transport = httpx.ASGITransport(app=app)
    assert (through(transport) is transport) is not enabled


def test_a_transport_of_another_kind_is_used_as_it_is(inbox_open: Any) -> None:
    """The part that failed is named."""
    transport = SimpleNamespace()
    assert through(transport) is transport
    assert [part for part, _ in inbox_open.failures] == [TransportProbe.name]
    inbox_open.failures.clear()


def test_methods_keep_their_kind() -> None:
    """What was awaited is awaited, and what was called is called."""

    async def handle_async_request(self: Any, request: int) -> int:
        return request

    def handle_request(self: Any, request: int) -> int:
        return request

    assert asyncio.run(handling(handle_async_request)(SimpleNamespace(app=app), 1)) == 1
    assert handling(handle_request)(SimpleNamespace(app=app), request=1) == 1


def test_nothing_of_it_stays() -> None:
    """The classes have their own methods back."""
    classes: list[tuple[Any, str]] = [
        (httpx.ASGITransport, "handle_async_request"),
        (testclient._TestClientTransport, "handle_request"),
        (uvicorn.Config, "load"),
    ]
    before = [vars(cls)[name] for cls, name in classes]
    probe = TransportProbe(ImportWatch())
    assert probe.unavailable() is None
    probe.install()
    assert [vars(cls)[name].__wrapped__ for cls, name in classes] == before
    probe.uninstall()
    assert [vars(cls)[name] for cls, name in classes] == before
