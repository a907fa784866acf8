"""What the probes' tests share: loops, a guard that is installed, and a clock that obeys.

Nothing may stay patched when a guard is gone: each test that installs one is held to that.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_asyncguard.catalog import stdlib
from pytest_asyncguard.guard import Installation
from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.clock import ThreadClock
from pytest_asyncguard.probes.inbox import Inbox, RawCall, WatchedRequest, fold
from pytest_asyncguard.probes.requests import drive
from pytest_asyncguard.probes.stacks import RawStack

MS = 1_000_000

WATCHED_MODULES = (
    os.name if os.name == "nt" else "posix",
    "_socket",
    "_sqlite3",
    "asyncio.events",
    "asyncio.base_events",
    "asyncio.tasks",
    "builtins",
    "io",
    "os",
    "queue",
    "select",
    "selectors",
    "shutil",
    "socket",
    "sqlite3",
    "sqlite3.dbapi2",
    "ssl",
    "starlette.applications",
    "starlette.routing",
    "subprocess",
    "threading",
    "time",
    *sorted({row.target.partition(":")[0] for row in stdlib.CALLS}),
    *filter(importlib.util.find_spec, ("uvloop", "trio")),
)


# --- the loops -------------------------------------------------------------------------------

Main = Callable[[], Awaitable[object]]
Run = Callable[[Main], None]


def run_on_asyncio(main: Main) -> None:
    with asyncio.Runner() as runner:
        runner.run(main())  # type: ignore[arg-type]


def run_with_debug(main: Main) -> None:
    with asyncio.Runner(debug=True) as runner:
        runner.run(main())  # type: ignore[arg-type]


def run_with_eager_tasks(main: Main) -> None:
    with asyncio.Runner() as runner:
        runner.get_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]
        runner.run(main())  # type: ignore[arg-type]


def run_on_uvloop(main: Main) -> None:
    uvloop = sys.modules["uvloop"]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())  # type: ignore[arg-type]


def run_on_trio(main: Main) -> None:
    sys.modules["trio"].run(main)


LOOPS: dict[str, Run] = {
    "asyncio": run_on_asyncio,
    "asyncio+debug": run_with_debug,
    "asyncio+eager": run_with_eager_tasks,
    "uvloop": run_on_uvloop,
    "trio": run_on_trio,
}


@pytest.fixture(name="loop_kind", params=LOOPS)
def _loop_kind(request: pytest.FixtureRequest) -> str:
    """Each kind of loop that a request may hold, where this interpreter has it."""
    kind: str = request.param
    if kind in {"uvloop", "trio"}:
        pytest.importorskip(kind)
    if kind == "asyncio+eager" and sys.version_info < (3, 12):
        pytest.skip("eager tasks are new in Python 3.12")
    return kind


@pytest.fixture(name="run_loop")
def _run_loop(loop_kind: str) -> Run:
    """Run an async function on this kind of loop."""
    return LOOPS[loop_kind]


async def checkpoint() -> None:
    """Suspend once, whatever the loop."""
    if asyncio._get_running_loop() is None:
        await sys.modules["trio"].lowlevel.checkpoint()
    else:
        await asyncio.sleep(0)


async def together(*starts: Main) -> None:
    """Each in a task of its own, until all are done."""
    if asyncio._get_running_loop() is None:
        async with sys.modules["trio"].open_nursery() as nursery:
            for start in starts:
                nursery.start_soon(start)
    else:
        async with asyncio.TaskGroup() as group:
            for start in starts:
                group.create_task(start())  # type: ignore[arg-type]


class Anyway:
    """What a test does on a loop, in words that each of them has."""

    checkpoint = staticmethod(checkpoint)
    together = staticmethod(together)

    @staticmethod
    def event() -> Any:
        """One to wait for and to set."""
        trio = asyncio._get_running_loop() is None
        return sys.modules["trio"].Event() if trio else asyncio.Event()


@pytest.fixture(name="anyway")
def _anyway() -> Anyway:
    return Anyway()


# --- the guard -------------------------------------------------------------------------------


@dataclass(slots=True)
class Watched:
    """A run of the guard, as far as the probes know of it.

    ``failures`` are exceptions inside the guard: a test that provokes one takes it out.
    ``missing`` are targets of the catalogue that were not found.
    """

    inbox: Inbox
    failures: list[tuple[str, BaseException]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def request(self, **scope: Any) -> WatchedRequest:
        return WatchedRequest(None, {"type": "http", **scope}, self.inbox)

    def drive(self, coroutine: Coroutine[Any, Any, None]) -> Any:
        """``coroutine`` as the app's part in a request."""
        return drive(coroutine, self.request())

    def calls(self) -> list[RawCall]:
        """The known calls of all requests, one for each place and way."""
        return [call for request in self.inbox.requests.values() for call in fold(request.calls)]

    def names(self) -> list[str]:
        return [call.row.name for call in self.calls()]


@pytest.fixture(name="inbox_open")
def _inbox_open() -> Iterator[Watched]:
    """A run without any probe: what is seen is what the test itself installs."""
    failures: list[tuple[str, BaseException]] = []
    box = Inbox(100 * MS, lambda: None, lambda part, error: failures.append((part, error)))
    holds.push_inbox(box)
    try:
        yield Watched(box, failures=failures)
    finally:
        holds.pop_inbox(box)
    assert failures == []


@pytest.fixture(name="guard_installed")
def _guard_installed(inbox_open: Watched, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """A run with every probe, after which no module is other than it was before."""
    for name in WATCHED_MODULES:
        importlib.import_module(name)
    getattr(sys.modules.get("uvloop"), "EventLoopPolicy", None)  # it makes some names on demand
    before = snapshot()
    finders, callbacks = list(sys.meta_path), list(gc.callbacks)
    missing = inbox_open.missing
    monkeypatch.setattr(Installation, "_missing", lambda self, what: missing.append(what))
    installation = Installation()
    installation.install()
    assert [state.reason for state in installation.states.values() if not state.active] == []
    try:
        yield inbox_open
    finally:
        installation.uninstall()
    after = snapshot()
    assert [name for name in before if after.get(name) is not before[name]] == []
    assert [name for name in after if name not in before] == []
    assert (sys.meta_path, gc.callbacks) == (finders, callbacks)
    assert holds.open_holds == {}
    assert not any(thread.name == "asyncguard-sampler" for thread in threading.enumerate())


def snapshot() -> dict[str, object]:
    """All that can be called or looked up in a module or in a class of one, by its full name."""
    found: dict[str, object] = {}
    for name in WATCHED_MODULES:
        module = sys.modules[name]
        for key, value in vars(module).items():
            # pytest before 8.4 sets threading.excepthook anew for each phase of a test.
            if callable(value) and key != "excepthook":
                found[f"{name}:{key}"] = value
            if isinstance(value, type) and value.__module__ not in ("builtins", "_io"):
                for attribute, member in vars(value).items():
                    # What an abstract class keeps about its subclasses changes as they are used.
                    if not attribute.startswith("_abc_"):
                        found[f"{name}:{key}.{attribute}"] = member
    return found


class FakeClock:
    """The clocks of one thread, moved by hand; in nanoseconds.

    A thread computes, sleeps, waits for a processor, or waits for the GIL which another one holds.
    """

    def __init__(self) -> None:
        self.wall = 10**12
        self.cpu = 0
        self.queued = 0
        self.others = 0
        self.wakeups = 0
        self.slices = 0
        self.readings = 0
        """How often the system was asked for the wait for a processor."""
        self.full_readings = 0
        """How often all the clocks were read."""

    def compute(self, ns: int) -> None:
        self.wall += ns
        self.cpu += ns

    def sleep(self, ns: int, *, others: int = 0) -> None:
        """Sleep, while other threads of the process compute for ``others``."""
        self.wall += ns
        self.others += others
        self.wakeups += 1
        self.slices += 1

    def queue(self, ns: int) -> None:
        """Be ready to run, and wait for a processor."""
        self.wall += ns
        self.queued += ns
        self.slices += 1

    def starve(self, ns: int) -> None:
        """Ask for the GIL once every switch interval, while another thread computes with it."""
        self.wait_for_gil(ns)
        self.others += ns

    def wait_for_gil(self, ns: int) -> None:
        """Ask for the GIL once every switch interval, while another thread keeps it asleep."""
        asked = 1 + ns // int(sys.getswitchinterval() * 1e9)
        self.wall += ns
        self.wakeups += asked
        self.slices += asked

    def stop(self, ns: int) -> None:
        """Be stopped, with all of the process."""
        self.wall += ns

    def _switches(self) -> tuple[int, int]:
        self.full_readings += 1
        return self.wakeups, self.slices

    def _queued(self, fd: int | None) -> int:
        self.readings += 1
        return self.queued

    def attach(self, monkeypatch: pytest.MonkeyPatch, sources: object) -> None:
        """Let ``sources`` take their figures from here."""
        for name, figure in (
            ("wall", lambda: self.wall),
            ("thread", lambda: self.cpu),
            ("process", lambda: self.cpu + self.others),
            ("switches", self._switches),
            ("open_queue", lambda: None),
            ("queued", self._queued),
            ("scheduled", lambda fd: (self.queued, self.slices)),
        ):
            monkeypatch.setattr(sources, name, figure)


@pytest.fixture(name="fake_clock")
def _fake_clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The guard's clock for this thread, moved by hand."""
    clock = FakeClock()
    clock.attach(monkeypatch, holds.sources)
    thread_clock = ThreadClock(holds.sources, holds.collections)
    monkeypatch.setattr(holds._this_thread, "clock", thread_clock)
    return clock


def functions(stack: RawStack) -> list[str]:
    """The names of the functions on a stack, innermost first."""
    return [code.co_qualname for code in stack[::2]]  # type: ignore[attr-defined]


@pytest.fixture(name="functions")
def _functions() -> Any:
    return functions
