"""Injected: doubles that FastAPI hands to whoever depends on a client.

A fake of the test's own, given by ``app.dependency_overrides`` or kept in ``app.state``, is put in
the place of nothing that was there before. What it stands for is told by the parameter for which
it is passed, by what the dependency says it returns, or by what the object that holds it was
written to hold. FastAPI solves the dependencies of all its callables with one function, which
calls itself for dependencies of dependencies; there it is replaced once something may be injected.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.cast import Cast
from pytest_asyncguard.probes.inbox import Inbox
from pytest_asyncguard.probes.patching import Patcher

NESTED: Final = "fastapi.dependencies.utils"
SOLVER: Final = "solve_dependencies"


class Injections:
    """Looks at what FastAPI passes to callables with dependencies."""

    def __init__(self, cast: Cast, patcher: Patcher) -> None:
        self._cast = cast
        self._patcher = patcher
        self._nested = False
        self.active = False
        """Whether doubles are watched."""

    def clear(self) -> None:
        self.active = self._nested = False

    def asks(self, inbox: Inbox, solver: Mapping[str, Any]) -> bool:
        """Whether a double may be among what is solved by a call with these keywords."""
        dependant = solver.get("dependant")
        if not self.active or not getattr(dependant, "dependencies", None):
            return False
        try:
            app = solver.get("dependency_overrides_provider")
            overridden = getattr(app, "dependency_overrides", None)
            if not overridden and not self._expects(inbox, dependant):
                return False
            self._look_below()
        except Exception as error:  # noqa: BLE001 - the guard never breaks the app
            inbox.failed("doubles", error)
            return False
        return True

    async def look(self, solving: Any, solver: Mapping[str, Any]) -> Any:
        """Await what is being solved, and know the doubles in it."""
        __tracebackhide__ = True
        solved = await solving
        app = solver.get("dependency_overrides_provider")
        overrides = getattr(app, "dependency_overrides", None) or {}
        try:
            # It is an object, and in old releases a tuple.
            values = solved[0] if isinstance(solved, tuple) else solved.values
            dependant = solver["dependant"]
            for dependency in dependant.dependencies:
                if (value := values.get(dependency.name)) is not None:
                    overridden = dependency.call in overrides
                    self._cast.injected(dependant, dependency, value, overridden)
        except Exception as error:  # noqa: BLE001 - the guard never breaks the app
            if (inbox := holds.inbox()) is not None:
                inbox.failed("doubles", error)
        return solved

    def _expects(self, inbox: Inbox, dependant: Any) -> bool:
        """Whether a client is asked for, here or further down; looked up once in each test."""
        try:
            expects = inbox.injected.get(dependant.call)
        except TypeError:  # a callable that cannot be hashed
            return self._asks_for_a_client(dependant)
        if expects is None:
            expects = inbox.injected[dependant.call] = self._asks_for_a_client(dependant)
        return expects

    def _asks_for_a_client(self, dependant: Any) -> bool:
        return self._cast.expects(dependant) or any(
            map(self._asks_for_a_client, dependant.dependencies)
        )

    def _look_below(self) -> None:
        if not self._nested:
            self._nested = True
            module = sys.modules[NESTED]
            self._patcher.replace(module, SOLVER, self._below(vars(module)[SOLVER]))

    def _below(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """``original``, which solves the dependencies of a dependency."""

        @functools.wraps(original)
        def solve_dependencies(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            solving = original(*args, **kwargs)
            inbox = holds.inbox()
            if inbox is not None and self.asks(inbox, kwargs):
                return self.look(solving, kwargs)
            return solving

        return solve_dependencies
