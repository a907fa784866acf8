"""Injected: doubles that FastAPI hands to whoever depends on a client.

A fake of the test's own, given by ``app.dependency_overrides`` or kept in ``app.state``, is put in
the place of nothing that was there before. What it stands for is told by the parameter for which
it is passed, by what the dependency says it returns, or by what the object that holds it was
written to hold. FastAPI solves the dependencies of all its callables with one function.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.cast import Cast
from pytest_asyncguard.probes.inbox import Inbox
from pytest_asyncguard.probes.patching import Patcher

HOME: Final = "fastapi.routing"
_SOLVERS: Final = ("fastapi.routing", "fastapi.dependencies.utils")
"""Where FastAPI looks the function up: for its routes, and for dependencies of dependencies."""


def patch(patcher: Patcher, cast: Cast, modules: dict[str, ModuleType]) -> None:
    """Let ``cast`` know what is injected. The modules are there: none takes ours for its own."""
    for name in _SOLVERS:
        module = modules[name]
        original: Any = vars(module)["solve_dependencies"]
        patcher.replace(module, "solve_dependencies", solving(original, cast))


def solving(original: Callable[..., Any], cast: Cast) -> Callable[..., Any]:
    """``original``, which solves the dependencies of a callable, with what it found looked at.

    It is no coroutine function itself: where nothing is to be looked at it costs a call.
    """

    @functools.wraps(original)
    def solve_dependencies(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        solved = original(*args, **kwargs)
        dependant = kwargs.get("dependant")
        if not getattr(dependant, "dependencies", None) or (inbox := holds.inbox()) is None:
            return solved
        app = kwargs.get("dependency_overrides_provider")
        overrides = getattr(app, "dependency_overrides", None)
        try:
            if not overrides and not _expects(inbox, dependant, cast):
                return solved
        except Exception as error:  # noqa: BLE001 - the guard never breaks the app
            _failed(error)
            return solved
        return look(solved, dependant, overrides or {})

    async def look(solving: Any, dependant: Any, overrides: Any) -> Any:
        __tracebackhide__ = True
        solved = await solving
        try:
            # It is an object, and in old releases a tuple.
            values = solved[0] if isinstance(solved, tuple) else solved.values
            for dependency in dependant.dependencies:
                if (value := values.get(dependency.name)) is not None:
                    cast.injected(dependant, dependency, value, dependency.call in overrides)
        except Exception as error:  # noqa: BLE001 - the guard never breaks the app
            _failed(error)
        return solved

    return solve_dependencies


def _expects(inbox: Inbox, dependant: Any, cast: Cast) -> bool:
    """Whether something in the place of a client may be passed; looked up once in each test."""
    try:
        expects = inbox.injected.get(dependant.call)
    except TypeError:  # a callable that cannot be hashed
        return cast.expects(dependant)
    if expects is None:
        expects = inbox.injected[dependant.call] = cast.expects(dependant)
    return expects


def _failed(error: Exception) -> None:
    if (inbox := holds.inbox()) is not None:
        inbox.failed("doubles", error)
