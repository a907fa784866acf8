"""Endpoints: whether a request got as far as its endpoint, and how long that kept a thread.

A route that was asked for has not run: a dependency may have turned the request down, or its input
been invalid. FastAPI solves the dependencies first, with one function for all its routes, and goes
on to the endpoint only where that found no errors: with another function for all, but for
websockets and for endpoints that are generators. There the outcome of the first one tells.

The functions here that stand in for coroutine functions are none themselves: they hand on the
coroutine of the original, and so cost a call, where a coroutine around it costs five times that.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from pytest_asyncguard._compat import errors_of
from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.holds import current_request
from pytest_asyncguard.probes.inbox import WatchedRequest
from pytest_asyncguard.probes.injected import Injections
from pytest_asyncguard.probes.patching import ImportProbe, ImportWatch

SOLVER: Final = ("fastapi.routing", "solve_dependencies")
RUNNER: Final = "run_endpoint_function"
RUNNERS: Final = (
    ("fastapi.routing", "run_in_threadpool"),
    ("starlette.routing", "run_in_threadpool"),
    ("starlette.endpoints", "run_in_threadpool"),
)
"""By what plain endpoints are run, and FastAPI has their responses validated."""
GENERATORS: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


def solving(
    original: Callable[..., Any], injections: Injections | None = None
) -> Callable[..., Any]:
    """``original``, which solves a request's dependencies; its success is noted where it tells."""

    @functools.wraps(original)
    def solve_dependencies(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        solving = original(*args, **kwargs)
        request = current_request.get()
        if request is None:
            return solving
        if injections is not None and injections.asks(request.inbox, kwargs):
            solving = injections.look(solving, kwargs)
        return solving if is_run(request) else solve(request, solving)

    async def solve(request: WatchedRequest, solving: Any) -> Any:
        __tracebackhide__ = True
        solved = await solving
        _note(request, solved)
        return solved

    return solve_dependencies


def is_run(request: WatchedRequest) -> bool:
    """Whether FastAPI will run the endpoint by the function for all."""
    scope = request.scopes[-1]
    endpoint = scope.get("endpoint")
    known = request.inbox.plain
    try:
        run = known.get(endpoint)
        if run is None:
            run = known[endpoint] = _is_plain(endpoint)
    except TypeError:  # an endpoint that cannot be hashed
        run = _is_plain(endpoint)
    return run and scope["type"] == "http"


def _is_plain(endpoint: object) -> bool:
    """Whether it is a function, and neither a generator nor decorated."""
    code = getattr(endpoint, "__code__", None)
    return (
        code is not None and not code.co_flags & GENERATORS and not hasattr(endpoint, "__wrapped__")
    )


def running(original: Callable[..., Any]) -> Callable[..., Any]:
    """``original``, which runs an endpoint, with that noted."""

    @functools.wraps(original)
    def run_endpoint_function(**kwargs: Any) -> Any:
        __tracebackhide__ = True
        request = current_request.get()
        if request is not None:
            request.solved = True
        return original(**kwargs)

    return run_endpoint_function


def _note(request: WatchedRequest, solved: object) -> None:
    try:
        request.solved = not errors_of(solved)
    except Exception as error:  # noqa: BLE001 - the guard never breaks the app
        request.inbox.failed(EndpointProbe.name, error)


def timing(original: Callable[..., Any]) -> Callable[..., Any]:
    """``original``, which runs a function in a worker thread, with the time it takes there."""

    @functools.wraps(original)
    def run_in_threadpool(func: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        request = current_request.get()
        if request is not None:
            func = functools.partial(_timed, request, func)
        return original(func, *args, **kwargs)

    return run_in_threadpool


def _timed(request: WatchedRequest, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    __tracebackhide__ = True
    stretch = holds.begin_stretch(request)
    try:
        return func(*args, **kwargs)
    finally:
        holds.end_stretch(request, stretch)


class EndpointProbe(ImportProbe):
    """Watches FastAPI on its way to an endpoint, and what is run in worker threads for it."""

    name = "endpoints"

    def __init__(self, watch: ImportWatch, injections: Injections | None = None) -> None:
        super().__init__(watch)
        self._injections = injections

    def install(self) -> None:
        self._watch.when_imported(SOLVER[0], self._patch_solver)
        for module, name in RUNNERS:
            self._watch.when_imported(module, functools.partial(self._patch, name, timing))

    def _patch_solver(self, module: ModuleType) -> None:
        self._patch(RUNNER, running, module)
        self._patch(SOLVER[1], functools.partial(solving, injections=self._injections), module)
        # From now on a request is known to have come as far only where that is noted.
        WatchedRequest.solving_watched = True

    def _patch(self, name: str, by: Callable[..., Any], module: ModuleType) -> None:
        self._patcher.replace(module, name, by(getattr(module, name)))

    def uninstall(self) -> None:
        WatchedRequest.solving_watched = False
        super().uninstall()
