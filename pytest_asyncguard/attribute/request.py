"""Attribute: ASGI scopes -> Request. Which route was asked for, and which function answers it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pytest_asyncguard import _compat
from pytest_asyncguard.attribute.returns import only_returns
from pytest_asyncguard.code import awaits, definition_of, is_async
from pytest_asyncguard.model import Endpoint, Kind, Request

Scope = MutableMapping[str, Any]

UNMATCHED: Final = "(unmatched)"
"""Stands for the path of a request that no route takes."""

LIFESPAN: Final = "LIFESPAN"
WEBSOCKET: Final = "WEBSOCKET"

ANY: Final = "ANY"
"""The method of an endpoint that is asked for all of them: a mounted app."""

_KNOWN: Final = 4096
_VERBS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY")
_SOCKET_HANDLERS: Final = ("on_receive", "on_connect", "on_disconnect")


class Descriptions:
    """``describe``, remembering its answers by the objects that routing put into the scope.

    A suite asks for the same few routes over and over. The objects are kept, so that their ids
    stay their own; not for longer than a test, since they are the app's.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[Request, tuple[object, ...]]] = {}

    def describe(self, scopes: Sequence[Scope]) -> Request:
        scope = scopes[-1]
        endpoint = scope.get("endpoint")
        if endpoint is None:
            return describe(scopes)
        extra = scope.get("fastapi")
        context = extra.get("effective_route_context") if isinstance(extra, dict) else None
        kept = (endpoint, scope.get("route"), context, scope.get("app"), scope.get("router"))
        key = (
            scope["type"],
            scope.get("method"),
            scope.get("root_path"),
            scope.get("app_root_path"),
            # Not every router says which of its routes it chose, and one function can serve many.
            scope.get("path") if kept[1] is None else None,
            *map(id, kept),
        )
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            known = self._known[key] = (describe(scopes), kept)
        return known[0]

    def clear(self) -> None:
        self._known.clear()


def describe(scopes: Sequence[Scope]) -> Request:
    """What is left of a request when it is over: its route as a template, and its endpoint.

    ``scopes`` are those that its apps and routers were called with, outermost first: mostly one
    dict, to which routing adds what it finds, so this is asked late. Nothing of the path as it was
    requested gets into the answer, but for apps whose routing nobody here can read.
    """
    scope = scopes[-1]
    kind = scope["type"]
    if kind == "lifespan":
        return Request(type="lifespan", route=LIFESPAN)
    method = WEBSOCKET if kind == "websocket" else str(scope["method"]).upper()
    root = _compat.root_of(scope)
    if root is None:
        return Request(type=kind, route=f"{method} {scope.get('path', '')}")
    if (route := _route_of(scope, root, method)) is not None:
        endpoint = endpoint_of(route, method)
        if endpoint is not None:
            return Request(type=kind, route=f"{method} {endpoint.path}", endpoint=endpoint)
    return Request(type=kind, route=f"{method} {UNMATCHED}")


def endpoints_of(route: _compat.Route) -> Iterable[Endpoint]:
    """The endpoints behind a route, one for each method that it takes.

    HEAD is answered by what answers GET, and is none of its own beside it.
    """
    if route.type == "websocket":
        methods: Iterable[str] = (WEBSOCKET,)
    elif route.methods is not None:
        methods = route.methods
    elif _is_class_based(route):
        methods = (verb for verb in _VERBS if hasattr(route.endpoint, verb.lower()))
    else:
        methods = (ANY,)
    methods = sorted(methods)
    for method in methods:
        if method != "HEAD" or "GET" not in methods:
            endpoint = endpoint_of(route, method)
            if endpoint is not None:
                plain = endpoint.kind == "sync" and only_returns(route.endpoint)
                yield replace(endpoint, only_returns=True) if plain else endpoint


def endpoint_of(route: _compat.Route, method: str) -> Endpoint | None:
    """What answers ``method`` on ``route``; None for a class that has no handler for it."""
    function = route.endpoint
    kind: Kind = "async" if is_async(function) else "sync"
    can_suspend = awaits(function)
    if _is_class_based(route):
        if route.type == "websocket":
            every = [getattr(function, name, None) for name in _SOCKET_HANDLERS]
            own = [handler for handler in every if not _is_starlette_s(handler)] or every
            function, kind, can_suspend = own[0], "async", any(map(awaits, own))
        else:
            if method == "HEAD" and not hasattr(function, "head"):
                method = "GET"
            function = getattr(function, method.lower(), None)
            if function is None:
                return None
            kind, can_suspend = "async" if is_async(function) else "sync", awaits(function)
    elif route.raw:
        kind, can_suspend = "asgi", None
        method = WEBSOCKET if route.type == "websocket" else ANY
    elif method == "HEAD" and route.methods is not None and "GET" in route.methods:
        method = "GET"
    definition = definition_of(function)
    return Endpoint(
        route=f"{method} {route.template}",
        method=method,
        path=route.template,
        function=definition.name,
        file=definition.file,
        line=definition.line,
        kind=kind,
        awaits=can_suspend,
    )


def _route_of(scope: Scope, root: object, method: str) -> _compat.Route | None:
    """The route that was chosen, or would have been had middleware not answered first."""
    kind = scope["type"]
    local = _compat.effective_route(scope)
    if local is not None and "app_root_path" not in scope:
        return local if local.answers(kind, method) else None
    endpoint = scope.get("endpoint")
    every = _compat.iter_routes(root, to=endpoint)
    path = _compat.routed_path(scope)
    if endpoint is not None:
        if chosen := list(every):
            # One function may stand on several paths, and with several methods.
            taking = [route for route in chosen if route.answers(kind, method)]
            return _first(route for route in taking if route.fits(path)) or _first(taking)
        if local is not None and local.answers(kind, method):
            return _below(local, _compat.mounted_at(scope), scope.get("path_params") or {})
        return None
    if "router" not in scope:
        return _first(route for route in every if route.answers(kind, method) and route.fits(path))
    prefix = _compat.frontend_prefix(scope)
    if prefix is None:
        return None
    frontend = f"{prefix}/{{path:path}}"
    return _first(route for route in every if route.type == "mount" and route.path == frontend)


def _first(routes: Iterable[_compat.Route]) -> _compat.Route | None:
    return next(iter(routes), None)


def _below(route: _compat.Route, prefix: str, params: dict[str, object]) -> _compat.Route:
    """``route`` below a mount that is known by what it matched, parameters put back."""
    names = {str(value): name for name, value in params.items()}
    parts = [f"{{{names[part]}}}" if part in names else part for part in prefix.split("/")]
    return _compat.Route(
        type=route.type,
        path="/".join(parts) + route.path,
        methods=route.methods,
        endpoint=route.endpoint,
        raw=route.raw,
    )


def _is_starlette_s(function: object) -> bool:
    return definition_of(function).name.startswith("starlette.")


def _is_class_based(route: _compat.Route) -> bool:
    """Whether the endpoint is a class with a method for each verb or event, as Starlette's are."""
    return route.raw and inspect.isclass(route.endpoint) and hasattr(route.endpoint, "dispatch")
