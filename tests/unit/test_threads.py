"""Threads: what comes back to the loop from a thread is its that had the thread started."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest

from pytest_asyncguard.probes.holds import current_request
from pytest_asyncguard.probes.patching import ImportWatch
from pytest_asyncguard.probes.threads import ThreadProbe, starting

if TYPE_CHECKING:
    from tests.unit.conftest import Run, Watched

ON_LOOPS = ("asyncio", "asyncio+debug", "asyncio+eager", "uvloop")
Hand = Callable[[Callable[[], None]], Awaitable[None]]


def block() -> None:
    """The known call, as short as it can be."""
    time.sleep(1e-6)


async def block_in_coroutine() -> None:
    block()


async def by_executor(work: Callable[[], None]) -> None:
    await asyncio.get_running_loop().run_in_executor(None, work)


async def by_pool_of_ones_own(work: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as pool:
        await asyncio.wrap_future(pool.submit(work))


async def by_subclass_of_executor(work: Callable[[], None]) -> None:
    class Pool(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            return super().submit(functools.partial(fn), *args, **kwargs)

    with Pool(1) as pool:
        await asyncio.wrap_future(pool.submit(work))


async def by_thread(work: Callable[[], None]) -> None:
    await ended(threading.Thread(target=work))


async def by_thread_with_partial(work: Callable[[], None]) -> None:
    await ended(threading.Thread(target=functools.partial(work)))


async def by_timer(work: Callable[[], None]) -> None:
    await ended(threading.Timer(0, work))


async def by_thread_with_a_run_of_its_own(work: Callable[[], None]) -> None:
    class Worker(threading.Thread):
        def run(self) -> None:
            work()

    await ended(Worker())


async def ended(thread: threading.Thread) -> None:
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.001)


HANDS = (
    by_executor,
    by_pool_of_ones_own,
    by_subclass_of_executor,
    by_thread,
    by_thread_with_partial,
    by_timer,
    by_thread_with_a_run_of_its_own,
)


async def back_as_callback(hand: Hand) -> None:
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(block)
        loop.call_soon_threadsafe(done.set)

    await hand(work)
    await done.wait()


async def back_as_coroutine(hand: Hand) -> None:
    loop = asyncio.get_running_loop()
    await hand(lambda: asyncio.run_coroutine_threadsafe(block_in_coroutine(), loop).result(30))


BACK = (back_as_callback, back_as_coroutine)


def blocked(watched: Watched) -> list[bool]:
    return [call.spawned for call in watched.calls() if call.row.name == "time.sleep"]


@pytest.mark.parametrize("loop_kind", ON_LOOPS, indirect=True)
@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize("back", BACK)
def test_what_a_thread_hands_back_is_the_request_s(
    guard_installed: Watched, run_loop: Run, hand: Hand, back: Any
) -> None:
    """Whoever runs the thread, and as whatever it comes back, it holds the request's loop."""

    async def main() -> None:
        await guard_installed.drive(back(hand))

    run_loop(main)
    assert blocked(guard_installed) == [True]


@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize("back", BACK)
def test_what_the_thread_of_a_test_hands_back_is_nobody_s(
    guard_installed: Watched, hand: Hand, back: Any
) -> None:
    """Also while a request is being answered."""

    async def answer() -> None:
        await guard_installed.drive(asyncio.sleep(0.01))

    async def main() -> None:
        request = asyncio.create_task(answer())
        await back(hand)
        await request

    asyncio.run(main())
    assert blocked(guard_installed) == []


@pytest.mark.parametrize("hand", HANDS)
def test_what_runs_in_the_thread_is_free(guard_installed: Watched, hand: Hand) -> None:
    """That a request is known there makes it no loop, nor one that it runs for itself."""

    def work() -> None:
        block()
        asyncio.run(block_in_coroutine())

    async def main() -> None:
        await guard_installed.drive(hand(work))  # type: ignore[arg-type]

    asyncio.run(main())
    assert blocked(guard_installed) == []


def test_a_thread_of_a_pool_works_for_the_next_request_too(guard_installed: Watched) -> None:
    """The request that a thread of a pool was started in is not the one that it works for."""
    known: list[object] = []
    first, second = guard_installed.request(), guard_installed.request()

    async def main() -> None:
        with ThreadPoolExecutor(1) as pool:
            for request in (first, second, None):
                token = current_request.set(request)
                pool.submit(lambda: known.append(current_request.get())).result()
                current_request.reset(token)

    asyncio.run(main())
    assert known == [first, second, None]


def test_a_thread_of_a_library_s_belongs_to_nobody(guard_installed: Watched) -> None:
    """Started in one request, it may serve whoever comes next."""
    known: list[object] = []

    async def look() -> None:
        known.append(current_request.get())

    token = current_request.set(guard_installed.request())
    thread = threading.Thread(target=asyncio.run, args=(look(),))  # its code is not the project's
    thread.start()
    current_request.reset(token)
    thread.join()
    assert known == [None]


def test_nothing_else_of_the_context_goes_along(guard_installed: Watched) -> None:
    """What the app's own variables are in a thread does not depend on the guard."""
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    found: list[str] = []

    def look() -> None:
        found.append(variable.get())

    variable.set("set")
    token = current_request.set(guard_installed.request())
    with ThreadPoolExecutor(1) as pool:
        pool.submit(look).result()
    current_request.reset(token)
    assert found == ["unset"]


def test_results_and_errors_come_back_as_ever(guard_installed: Watched) -> None:
    """An executor hands on arguments, results and exceptions as they are."""
    token = current_request.set(guard_installed.request())
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(dict, {"a": 1}, b=2).result() == {"a": 1, "b": 2}
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 1, 0).result()
    current_request.reset(token)


def test_a_thread_is_left_as_it_was(guard_installed: Watched) -> None:
    """What was set on it to take the request along is gone once it runs."""
    seen: list[set[str]] = []

    def look() -> None:
        seen.append(set(vars(threading.current_thread())))

    token = current_request.set(guard_installed.request())
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    current_request.reset(token)
    assert ["run" in names for names in seen] == [False]


def test_a_thread_that_does_not_start_is_left_as_it_was(guard_installed: Watched) -> None:
    """Threads can be started once only, and say so."""
    thread = threading.Thread(target=block)
    token = current_request.set(guard_installed.request())
    thread.start()
    thread.join()
    with pytest.raises(RuntimeError, match="once"):
        thread.start()
    current_request.reset(token)
    assert "run" not in vars(thread)


def test_a_thread_with_a_run_set_on_it_keeps_that(guard_installed: Watched) -> None:
    """Tests replace it; what is not the guard's is not touched."""
    ran: list[str] = []
    thread = threading.Thread(target=block)
    thread.run = lambda: ran.append("replaced")  # type: ignore[method-assign]
    token = current_request.set(guard_installed.request())
    thread.start()
    thread.join()
    current_request.reset(token)
    assert ran == ["replaced"]
    assert "run" in vars(thread)


def test_a_thread_that_cannot_be_told_is_started(guard_installed: Watched) -> None:
    """An error of the guard's own is kept, and the thread runs."""

    def broken(thread: threading.Thread) -> bool:
        raise RuntimeError(thread.name)

    request = guard_installed.request()
    started: list[threading.Thread] = []
    thread = threading.Thread(target=print)
    contextvars.copy_context().run(
        lambda: (current_request.set(request), starting(started.append, broken)(thread))
    )
    assert started == [thread]
    assert [part for part, _ in guard_installed.failures] == [ThreadProbe.name]
    guard_installed.failures.clear()


def test_uninstalled_it_leaves_nothing() -> None:
    """The patched methods are the originals again."""
    before = threading.Thread.start, ThreadPoolExecutor.submit
    probe = ThreadProbe(ImportWatch())
    probe.install()
    assert threading.Thread.start is not before[0]
    assert ThreadPoolExecutor.submit is not before[1]
    probe.uninstall()
    assert (threading.Thread.start, ThreadPoolExecutor.submit) == before
