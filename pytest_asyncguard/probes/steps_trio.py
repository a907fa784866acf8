"""trio's steps, by an instrument that each run is given.

The context of a task carries the request that started it. The task that carries the request itself
does not: it is driven at ASGI entry.
"""

from __future__ import annotations

import functools
from _thread import get_ident
from collections.abc import Callable
from types import ModuleType
from typing import Any

from pytest_asyncguard.probes import holds, stacks
from pytest_asyncguard.probes.holds import Hold, current_request
from pytest_asyncguard.probes.patching import ImportProbe, ImportWatch


class Instrument:
    """Opens a hold for each step of a task that a request started. One for each trio run."""

    def __init__(self) -> None:
        self._hold: Hold | None = None

    def before_task_step(self, task: Any) -> None:
        request = task.context.get(current_request)
        if request is None:
            request = holds.loose[0]
        elif request.thread != get_ident():
            request = None
        if request is not None:
            self._hold = holds.enter(request, spawned=True)

    def after_task_step(self, task: Any) -> None:  # noqa: ARG002 - trio calls it so
        if self._hold is not None:
            hold, self._hold = self._hold, None
            holds.leave(hold)


def watched(original: Callable[..., Any]) -> Callable[..., Any]:
    """``trio.run`` or ``start_guest_run`` with an instrument more."""

    @functools.wraps(original)
    def run(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if holds.inbox() is not None:
            kwargs["instruments"] = (*kwargs.get("instruments", ()), Instrument())
        return original(*args, **kwargs)

    return run


class TrioSteps(ImportProbe):
    """Watches the steps of trio, once it has been imported."""

    name = "steps-trio"

    def __init__(self, watch: ImportWatch) -> None:
        super().__init__(watch)
        self._originals: dict[str, Callable[..., Any]] = {}

    def install(self) -> None:
        self._watch.when_imported("trio._core._run", self._patch)
        for name in ("trio", "trio._core", "trio.lowlevel"):
            self._watch.when_imported(name, self._adopt)

    def _patch(self, module: ModuleType) -> None:
        stacks.boundary(module.unrolled_run)
        for name in ("run", "start_guest_run"):
            original = self._originals[name] = getattr(module, name)
            self._patcher.replace(module, name, watched(original))

    def _adopt(self, module: ModuleType) -> None:
        """These took the functions over when they were imported; where not, it is done for them."""
        for name, original in self._originals.items():
            found = vars(module).get(name)
            if found is original:
                self._patcher.replace(module, name, watched(original))
            elif getattr(found, "__wrapped__", None) is original:
                self._patcher.adopt(module, name, original)
