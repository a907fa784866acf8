"""Threads: what a request has others do stays its own where it comes back to the loop.

When a thread is started is noted for its clock.

A thread may schedule a callback or a coroutine on the loop. ``asyncio.to_thread`` and anyio take
the context along, and so it is known whose that is; ``run_in_executor``, an executor's ``submit``
and ``Thread.start`` do not. There the request goes along, and nothing else of the context.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

from pytest_asyncguard.origin import Origins
from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.holds import births, current_request
from pytest_asyncguard.probes.inbox import WatchedRequest
from pytest_asyncguard.probes.patching import ImportProbe, ImportWatch

EXECUTORS = "concurrent.futures.thread"


def carry(request: WatchedRequest, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call ``function`` as a part of what ``request`` has others do."""
    __tracebackhide__ = True
    token = current_request.set(request)
    try:
        return function(*args, **kwargs)
    finally:
        current_request.reset(token)


def submitting(original: Callable[..., Any]) -> Callable[..., Any]:
    """``original``, an executor's ``submit``, with the request going along."""
    get = current_request.get

    @functools.wraps(original)
    def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        request = get()
        if request is None:
            return original(self, fn, *args, **kwargs)
        return original(self, functools.partial(carry, request, fn), *args, **kwargs)

    return submit


def starting(
    original: Callable[[threading.Thread], None], is_own: Callable[[threading.Thread], bool]
) -> Callable[[threading.Thread], None]:
    """``original``, a thread's ``start``, noted, and with the request going along where it is own.

    The threads of a library's pool are started in one request, and work for all that follow.
    """
    get = current_request.get

    @functools.wraps(original)
    def start(self: threading.Thread) -> None:
        __tracebackhide__ = True
        try:
            births.note(self)
            if (request := get()) is not None and "run" not in vars(self) and is_own(self):
                self.run = functools.partial(_run, request, self)  # type: ignore[method-assign]
        except Exception as error:  # noqa: BLE001 - the guard never breaks the app
            if (inbox := holds.inbox()) is not None:
                inbox.failed(ThreadProbe.name, error)
        try:
            original(self)
        except BaseException:
            _forget(self)
            raise

    return start


def _run(request: WatchedRequest, thread: threading.Thread) -> None:
    __tracebackhide__ = True
    _forget(thread)
    carry(request, thread.run)


def _forget(thread: threading.Thread) -> None:
    run = vars(thread).get("run")
    if isinstance(run, functools.partial) and run.func is _run:
        del vars(thread)["run"]


class ThreadProbe(ImportProbe):
    """Watches what is handed to executors, and the threads that the project starts itself."""

    name = "threads"

    def __init__(self, watch: ImportWatch) -> None:
        super().__init__(watch)
        # Wherever the project lies, it is what is not installed.
        self._origins = Origins(os.sep)

    def install(self) -> None:
        start = starting(threading.Thread.start, self._is_own)
        self._patcher.replace(threading.Thread, "start", start)
        self._watch.when_imported(EXECUTORS, self._patch)

    def _patch(self, module: ModuleType) -> None:
        executor = module.ThreadPoolExecutor
        self._patcher.replace(executor, "submit", submitting(executor.submit))

    def _is_own(self, thread: threading.Thread) -> bool:
        run: Any = type(thread).run
        if run is threading.Thread.run:
            run = getattr(thread, "_target", None)
        elif run is threading.Timer.run:
            run = getattr(thread, "function", None)
        while isinstance(run, functools.partial):
            run = run.func
        code = getattr(getattr(run, "__func__", run), "__code__", None)
        return code is not None and self._origins.of(code.co_filename) == "project"
