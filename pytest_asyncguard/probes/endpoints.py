"""Endpoints: whether a request got as far as its endpoint, and how long that kept a thread.

A route that was asked for has not run: a dependency may have turned the request down, or its input
been invalid. FastAPI solves the dependencies first, with one function for all its routes, and goes
on to the endpoint only where that found no errors.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from pytest_asyncguard._compat import errors_of
from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.holds import WatchedRequest, current_request
from pytest_asyncguard.probes.patching import ImportWatch, Patcher

SOLVER: Final = ("fastapi.routing", "solve_dependencies")
RUNNERS: Final = (
    ("fastapi.routing", "run_in_threadpool"),
    ("starlette.routing", "run_in_threadpool"),
    ("starlette.endpoints", "run_in_threadpool"),
)
"""By what plain endpoints are run, and FastAPI has their responses validated."""


def solving(original: Callable[..., Any]) -> Callable[..., Any]:
    """``original``, which solves a request's dependencies, with its success noted."""

    @functools.wraps(original)
    async def solve_dependencies(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        solved = await original(*args, **kwargs)
        request = current_request.get()
        if request is not None:
            _note(request, solved)
        return solved

    return solve_dependencies


def _note(request: WatchedRequest, solved: object) -> None:
    try:
        request.solved = not errors_of(solved)
    except Exception as error:  # noqa: BLE001 - the guard never breaks the app
        request.inbox.failed(EndpointProbe.name, error)


def timing(original: Callable[..., Any]) -> Callable[..., Any]:
    """``original``, which runs a function in a worker thread, with the time it takes there."""

    @functools.wraps(original)
    async def run_in_threadpool(func: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        request = current_request.get()
        if request is not None:
            func = functools.partial(_timed, request, func)
        return await original(func, *args, **kwargs)

    return run_in_threadpool


def _timed(request: WatchedRequest, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    __tracebackhide__ = True
    stretch = holds.begin_stretch(request)
    try:
        return func(*args, **kwargs)
    finally:
        holds.end_stretch(request, stretch)


class EndpointProbe:
    """Watches FastAPI on its way to an endpoint, and what is run in worker threads for it."""

    name = "endpoints"

    def __init__(self, watch: ImportWatch) -> None:
        self._watch = watch
        self._patcher = Patcher()

    def unavailable(self) -> str | None:
        return None

    def install(self) -> None:
        self._watch.when_imported(SOLVER[0], self._patch_solver)
        for module, name in RUNNERS:
            self._watch.when_imported(module, functools.partial(self._patch, name, timing))

    def _patch_solver(self, module: ModuleType) -> None:
        self._patch(SOLVER[1], solving, module)
        # From now on a request is known to have come as far only where that is noted.
        WatchedRequest.solved = False

    def _patch(self, name: str, by: Callable[..., Any], module: ModuleType) -> None:
        self._patcher.replace(module, name, by(getattr(module, name)))

    def uninstall(self) -> None:
        WatchedRequest.solved = True
        self._patcher.restore()
