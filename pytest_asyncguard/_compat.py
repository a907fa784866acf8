"""Named facts about Python, FastAPI and Starlette that differ from release to release.

Each is told by what is there, never by a version number. Nothing is imported: the app has done
that, or there is nothing to ask.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from opcode import opmap
from types import CodeType
from typing import Any, Final, Literal

Scope = Mapping[str, Any]

_AWAITING: Final = frozenset(
    # `async with` awaits too; `async for` has an instruction of its own.
    opmap[name]
    for name in ("GET_AWAITABLE", "GET_ANEXT")
    if name in opmap
)

_CONVERTOR: Final = re.compile(r"{(\w+):\w+}")

_TIMES: Final = 16
"""How often to try what another thread may thwart."""
_DEPTH: Final = 16
"""How many apps may be wrapped around each other, or mounted in each other."""


def syntax_of(source: str) -> ast.Module:
    """The tree of ``source``."""
    tree = _counted(source, "exec")
    assert isinstance(tree, ast.Module)
    return tree


def expression_of(source: str) -> ast.expr:
    """The tree of an expression."""
    tree = _counted(source, "eval")
    assert isinstance(tree, ast.Expression)
    return tree.body


def _counted(source: str, mode: str) -> ast.AST:
    """What ``ast.parse`` makes of ``source``, also while another thread calls it.

    Some releases of CPython count how deep both are in one place, and raise SystemError where
    the count does not come out even. It does so the next time, or the one after.
    """
    for _ in range(_TIMES):
        with contextlib.suppress(SystemError):
            return ast.parse(source, mode=mode)
    raise SyntaxError("not to be parsed beside another thread")


def can_suspend(code: CodeType) -> bool:
    """Whether a function of this code awaits anything, so that it may give the loop back.

    A bare ``yield`` does not: an async generator that only yields keeps the loop until whoever
    iterates over it awaits something.
    """
    return not _AWAITING.isdisjoint(code.co_code[::2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route as its app matches it: prefixes and mounts included, converters not yet stripped.

    ``methods`` is None where the endpoint itself decides. ``endpoint`` is the very object that
    routing puts into the scope; for a mounted app that has no routes of its own, that app.
    ``raw``: it is called as an ASGI app, and not with a request or its parameters.
    """

    type: Literal["http", "websocket", "mount"]
    path: str
    methods: frozenset[str] | None
    endpoint: object
    raw: bool

    @property
    def template(self) -> str:
        return _CONVERTOR.sub(r"{\1}", self.path)

    def answers(self, kind: str, method: str) -> bool:
        """Whether it takes a connection of this type, with this method."""
        if self.type == "mount":
            return True
        return self.type == kind and (self.methods is None or method in self.methods)

    def fits(self, path: str) -> bool:
        """Whether a path, relative to the outermost app, is one of this route's."""
        pattern = "".join(
            (".*" if part.endswith(":path}") else "[^/]+") if part[:1] == "{" else re.escape(part)
            for part in re.split(r"({\w+(?::\w+)?})", self.path)
        )
        return re.fullmatch(pattern, path) is not None


def root_of(scope: Scope) -> object | None:
    """The outermost app or router of a request with Starlette's kind of routes, or None.

    Routers leave a scope's ``router`` alone once it is set, while every app sets ``app``.
    """
    for key in ("router", "app"):
        found = scope.get(key)
        if found is not None and _routes_of(found) is not None:
            return found  # type: ignore[no-any-return]
    return None


def effective_route(scope: Scope) -> Route | None:
    """The route that the innermost router chose, without the mounts around it.

    From 0.137 on FastAPI shares one route object between all inclusions of its router, so its
    path has no prefix; the template is in the effective route context, except for websockets. An
    outer choice stays in the scope where an inner router makes none, so what counts is whose
    endpoint was chosen. Where nobody tells (a plain route on a FastAPI app) there is None.
    """
    endpoint = scope.get("endpoint")
    if endpoint is None:
        return None
    extra = scope.get("fastapi")
    context = extra.get("effective_route_context") if isinstance(extra, Mapping) else None
    for chosen in (getattr(context, "starlette_route", None), context, scope.get("route")):
        if getattr(chosen, "endpoint", None) is endpoint:
            route = _leaf(chosen, "")
            if route is not None and route.path:
                return route
    return None


def errors_of(solved: Any) -> object:
    """What FastAPI's ``solve_dependencies`` found wrong: a list, empty where all is well.

    It returns an object, and in old releases a tuple.
    """
    return solved[1] if isinstance(solved, tuple) else solved.errors


def frontend_prefix(scope: Scope) -> str | None:
    """The path under which FastAPI serves a frontend, where that is what answered.

    Static frontends (``app.frontend``) are no routes, and name no endpoint in the scope.
    """
    extra = scope.get("fastapi")
    rest = extra.get("frontend_path") if isinstance(extra, Mapping) else None
    if not isinstance(rest, str):
        return None
    return routed_path(scope).removesuffix(rest).rstrip("/")


def routed_path(scope: Scope) -> str:
    """The path that the outermost router saw.

    Starlette before 0.33 cuts what a mount matched off the path; since then it keeps the path
    whole. In both, ``root_path`` grows by it, and ``app_root_path`` is what it was at first.
    """
    path = str(scope.get("path", ""))
    root = str(scope.get("root_path", ""))
    if "app_root_path" in scope:
        outer = str(scope["app_root_path"])
        if not path.startswith(root):
            return root.removeprefix(outer) + path
        root = outer
    return path.removeprefix(root) if root and path.startswith(f"{root}/") else path


def mounted_at(scope: Scope) -> str:
    """What the mounts on the way matched of the path, as it was requested."""
    if "app_root_path" not in scope:
        return ""
    return str(scope.get("root_path", "")).removeprefix(str(scope["app_root_path"]))


def iter_routes(app: object, to: object = None) -> Iterator[Route]:
    """Every route of an app, in the order in which it matches them; or those ``to`` an endpoint."""
    for route in _walk(app, "", _DEPTH, to):
        if to is None or route.endpoint is to:
            yield route


def _walk(app: object, prefix: str, depth: int, to: object) -> Iterator[Route]:
    for route in _included(_routes_of(app) or ()):
        endpoint = getattr(route, "endpoint", None)
        if endpoint is not None:
            # Asked for one of hundreds, once a request: the others are not worth an object.
            if (to is None or endpoint is to) and (leaf := _leaf(route, prefix)) is not None:
                yield leaf
            continue
        # A mount has a path; a host has none, and adds nothing to those of its app. The app that
        # was mounted may stand inside middleware, which is what the scope names then.
        outer = getattr(route, "app", None)
        inner = getattr(route, "_base_app", None) or outer
        path = prefix + (getattr(route, "path", None) or "")
        if outer is None or not depth:
            continue
        if _routes_of(inner) is not None:
            yield from _walk(inner, path, depth - 1, to)
        else:
            yield _mount(path, outer)
    yield from _frontends(app, prefix)


def _leaf(route: Any, prefix: str) -> Route | None:
    path, endpoint = getattr(route, "path", None), getattr(route, "endpoint", None)
    if not isinstance(path, str) or endpoint is None:
        return None
    methods = getattr(route, "methods", None)
    # Only a websocket route has no methods at all; on a class-based endpoint they are None.
    original = getattr(route, "original_route", route)
    return Route(
        type="http" if hasattr(original, "methods") else "websocket",
        path=prefix + path,
        methods=frozenset(methods) if methods else None,
        endpoint=endpoint,
        # FastAPI calls whatever it is given with its parameters, Starlette functions only.
        raw=not hasattr(original, "dependant") and not inspect.isroutine(_unpartial(endpoint)),
    )


def _mount(path: str, app: object) -> Route:
    return Route(type="mount", path=f"{path}/{{path:path}}", methods=None, endpoint=app, raw=True)


def _unpartial(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _routes_of(app: object) -> list[Any] | None:
    """The routes of an app, also of one inside ASGI middleware; None for what has none."""
    for _ in range(_DEPTH):
        routes = getattr(app, "routes", None)
        if isinstance(routes, list) and all(hasattr(route, "matches") for route in routes):
            return routes
        app = getattr(app, "app", None)
        if app is None:
            break
    return None


def _included(routes: Iterable[Any]) -> Iterator[Any]:
    """The routes, with included routers resolved.

    FastAPI before 0.137 copies the routes of a router on inclusion; since then it includes them
    lazily. Its public function to see them, from 0.137.2 on, at first had no websockets and
    mounts, so it is asked only about what says nothing of itself.
    """
    public = getattr(sys.modules.get("fastapi.routing"), "iter_route_contexts", None)
    for route in routes:
        contexts = getattr(route, "effective_route_contexts", None)
        if contexts is not None:
            for context in contexts():
                yield getattr(context, "starlette_route", None) or context
        elif public is None or hasattr(route, "path") or hasattr(route, "host"):
            yield route
        else:
            yield from public([route])


def _frontends(app: object, prefix: str) -> Iterator[Route]:
    router = getattr(app, "router", app)
    for group in getattr(router, "_low_priority_routes", ()):
        for route in getattr(group, "routes", ()):
            yield _mount(prefix + route.path.rstrip("/"), route.app)
