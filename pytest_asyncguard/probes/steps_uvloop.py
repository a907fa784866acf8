"""uvloop's steps.

Its handles are C and cannot be patched. But ``uvloop.Loop`` is a Python subclass of the C loop, and
tasks find ``call_soon`` and its siblings on it; there a callback whose context carries a request is
wrapped. Checked with uvloop 0.23 on CPython 3.11 and 3.13.
"""

from __future__ import annotations

import functools
from _thread import get_ident
from collections.abc import Callable
from contextvars import Context
from types import ModuleType
from typing import Any

from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.holds import current_request
from pytest_asyncguard.probes.inbox import WatchedRequest
from pytest_asyncguard.probes.patching import ImportProbe

NAMES = (
    *(("call_soon", 0), ("call_soon_threadsafe", 0), ("call_later", 1), ("call_at", 1)),
    *(("add_reader", 1), ("add_writer", 1)),
)


def watched(original: Callable[..., Any], before: int) -> Callable[..., Any]:
    """A method that schedules the callback which follows ``before`` other arguments."""
    current = current_request

    @functools.wraps(original)
    def schedule(self: Any, *args: Any, **kwargs: Any) -> Any:
        context: Context | None = kwargs.get("context")
        request = current.get() if context is None else context.get(current)
        if request is not None or holds.loose[0] is not None:
            if len(args) > before:
                callback = functools.partial(_run, request, args[before])
                args = (*args[:before], callback, *args[before + 1 :])
            elif "callback" in kwargs:
                kwargs["callback"] = functools.partial(_run, request, kwargs["callback"])
        return original(self, *args, **kwargs)

    return schedule


def _run(request: WatchedRequest | None, callback: Callable[..., Any], *args: Any) -> None:
    if request is None:
        request = holds.loose[0]
    elif request.thread != get_ident():
        request = None
    if request is None:
        callback(*args)
    else:
        holds.step(request, callback, *args)


class UvloopSteps(ImportProbe):
    """Watches the steps of uvloop, once it has been imported."""

    name = "steps-uvloop"

    def install(self) -> None:
        self._watch.when_imported("uvloop", self._patch)

    def _patch(self, module: ModuleType) -> None:
        for name, before in NAMES:
            self._patcher.replace(module.Loop, name, watched(getattr(module.Loop, name), before))
