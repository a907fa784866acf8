"""asyncio's steps: tasks and callbacks that a request started are part of it.

Every callback and task step of asyncio passes through ``Handle._run``, a plain Python function.
"""

from __future__ import annotations

import asyncio.events
from _thread import get_ident
from collections.abc import Callable
from typing import Any

from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.holds import current_request
from pytest_asyncguard.probes.patching import PatchingProbe


def watched(original: Callable[[Any], None]) -> Callable[[Any], None]:
    """``Handle._run`` that opens a hold where the handle's context carries a request.

    A handle that runs on another thread than the one at which the request entered is free: it
    belongs to a private loop in a worker thread.
    """
    current, step, loose = current_request, holds.step, holds.loose

    def _run(self: Any) -> None:
        # Most handles are not a request's: `in` finds that out faster than a call of `get`.
        context = self._context
        if current in context:
            request = context[current]
            if request is not None and request.thread == get_ident():
                step(request, original, self)
                return
        elif (request := loose[0]) is not None:
            step(request, original, self)
            return
        original(self)

    return _run


class AsyncioSteps(PatchingProbe):
    """Watches the steps of asyncio's own loops."""

    name = "steps-asyncio"

    def unavailable(self) -> str | None:
        run = getattr(asyncio.events.Handle, "_run", None)
        return None if hasattr(run, "__code__") else "asyncio.events.Handle._run is not Python"

    def install(self) -> None:
        handle = asyncio.events.Handle
        self._patcher.replace(handle, "_run", watched(handle._run))
