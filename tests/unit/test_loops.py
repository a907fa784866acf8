"""Loops as people run them: their own kinds, several at a time, and one within a worker thread."""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.inbox import WatchedRequest
from pytest_asyncguard.probes.requests import drive

if TYPE_CHECKING:
    from tests.unit.conftest import Anyway, Run, Watched

Way = Callable[[Any], None]
"""Run a coroutine function."""


def block() -> None:
    """The known call, as short as it can be."""
    time.sleep(1e-6)


def sleeps(request: WatchedRequest) -> list[bool]:
    """Of each block of ``request``, whether it was made by a step that it had started."""
    return [call.spawned for call in request.calls if call.row.name == "time.sleep"]


# --- ways to run one ---------------------------------------------------------------------------


class OwnLoop(asyncio.SelectorEventLoop):
    """A loop that has its own way of calling, as test helpers and tracers have."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:  # type: ignore[override]
        return super().call_soon(functools.partial(callback, *args), context=context)


class OwnTask(asyncio.Task[Any]):
    """A task with more to it."""


def with_a_loop_factory(main: Any) -> None:
    with asyncio.Runner(loop_factory=OwnLoop) as runner:
        runner.run(main())


def with_a_policy(main: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # policies, from 3.14 on

        class OwnPolicy(asyncio.DefaultEventLoopPolicy):
            def new_event_loop(self) -> asyncio.AbstractEventLoop:
                return OwnLoop()

        before = asyncio.get_event_loop_policy()
        asyncio.set_event_loop_policy(OwnPolicy())
        try:
            asyncio.run(main())
        finally:
            asyncio.set_event_loop_policy(before)


def with_uvloops_policy(main: Any) -> None:
    uvloop = pytest.importorskip("uvloop")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        before = asyncio.get_event_loop_policy()
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        try:
            asyncio.run(main())
        finally:
            asyncio.set_event_loop_policy(before)


def with_no_runner(main: Any) -> None:
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def with_a_task_factory(main: Any) -> None:
    with asyncio.Runner() as runner:
        runner.get_loop().set_task_factory(
            lambda loop, coroutine, **more: OwnTask(coroutine, loop=loop, **more)
        )
        runner.run(main())


def with_tasks_in_python(main: Any) -> None:
    python: Any = asyncio.tasks._PyTask  # type: ignore[attr-defined]
    with asyncio.Runner() as runner:
        runner.get_loop().set_task_factory(
            lambda loop, coroutine, **more: python(coroutine, loop=loop, **more)
        )
        runner.run(main())


def with_eager_tasks_on_uvloop(main: Any) -> None:
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        loop = runner.get_loop()
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]
        trial = asyncio.sleep(0)
        try:
            loop.create_task(trial).cancel()
        except TypeError:  # uvloop 0.23 hands CPython 3.13.0's factory an argument too many
            trial.close()
            loop.set_task_factory(None)
            pytest.skip("this uvloop has no eager tasks on this Python")
        runner.run(main())


def with_uvloop_in_debug_mode(main: Any) -> None:
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop, debug=True) as runner:
        runner.run(main())


def with_anyio(main: Any) -> None:
    anyio.run(main)


def with_anyio_on_uvloop(main: Any) -> None:
    pytest.importorskip("uvloop")
    anyio.run(main, backend_options={"use_uvloop": True})


def with_anyio_on_trio(main: Any) -> None:
    pytest.importorskip("trio")
    anyio.run(main, backend="trio")


def with_a_clock_that_jumps(main: Any) -> None:
    testing = pytest.importorskip("trio.testing")
    sys.modules["trio"].run(main, clock=testing.MockClock(autojump_threshold=0))


def with_trios_own_decorator(main: Any) -> None:
    testing = pytest.importorskip("trio.testing")

    @testing.trio_test  # type: ignore[untyped-decorator]
    async def test() -> None:
        await main()

    test()


eager = pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in Python 3.12")
WAYS = (
    with_a_loop_factory,
    with_a_policy,
    with_uvloops_policy,
    with_no_runner,
    with_a_task_factory,
    with_tasks_in_python,
    pytest.param(with_eager_tasks_on_uvloop, marks=eager),
    with_uvloop_in_debug_mode,
    with_anyio,
    with_anyio_on_uvloop,
    with_anyio_on_trio,
    with_a_clock_that_jumps,
    with_trios_own_decorator,
)


@pytest.mark.parametrize("way", WAYS)
def test_a_request_is_watched_however_its_loop_is_run(
    guard_installed: Watched, way: Way, anyway: Anyway
) -> None:
    """Its own steps and those of what it starts; and the test's own are free."""
    request = guard_installed.request()

    async def child() -> None:
        await anyway.checkpoint()
        block()

    async def app() -> None:
        block()
        await anyway.together(child)
        block()

    async def main() -> None:
        block()
        await drive(app(), request)
        block()
        await anyway.together(child)

    way(main)
    assert sleeps(request) == [False, True, False]
    assert list(guard_installed.inbox.requests.values()) == [request]


# --- more than one loop ------------------------------------------------------------------------


def test_loops_of_several_threads_hold_for_their_own_requests(
    guard_installed: Watched, anyway: Anyway
) -> None:
    """Also where each is in the middle of a step while the others are."""
    runs: dict[str, Way] = {"asyncio": with_no_runner, "debug": with_a_loop_factory}
    runs |= {
        name: way
        for name, way in (("uvloop", with_anyio_on_uvloop), ("trio", with_anyio_on_trio))
        if name in sys.modules
    }
    requests = {}
    at_work = threading.Barrier(len(runs))
    seen: dict[str, list[WatchedRequest]] = {name: [] for name in runs}

    def serve(name: str) -> None:
        request = requests[name] = guard_installed.request()

        def work() -> None:
            at_work.wait(30)
            seen[name].append(holds.open_holds[threading.get_ident()].request)
            block()
            at_work.wait(30)

        async def child() -> None:
            await anyway.checkpoint()
            work()

        async def app() -> None:
            work()
            await anyway.together(child)

        async def main() -> None:
            await drive(app(), request)

        runs[name](main)

    threads = [threading.Thread(target=serve, args=(name,)) for name in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {name: [request] * 2 for name, request in requests.items()}
    assert {name: sleeps(each) for name, each in requests.items()} == {
        name: [False, True] for name in runs
    }


def test_a_request_in_a_worker_threads_private_loop_is_one_of_its_own(
    guard_installed: Watched, run_loop: Run
) -> None:
    """It holds that loop; the request in whose worker thread the loop runs does not."""
    outer = guard_installed.request()
    inner: list[WatchedRequest] = []

    async def child() -> None:
        await asyncio.sleep(0)
        block()

    async def app_within() -> None:
        block()
        await asyncio.create_task(child())

    async def within() -> None:
        block()
        inner.append(guard_installed.request())
        await drive(app_within(), inner[0])
        block()

    async def app() -> None:
        await anyio.to_thread.run_sync(asyncio.run, within())

    async def main() -> None:
        await drive(app(), outer)

    run_loop(main)
    assert sleeps(outer) == []
    assert [sleeps(request) for request in inner] == [[False, True]]


# --- after the answer --------------------------------------------------------------------------


def test_what_a_task_does_after_the_answer_is_told_of_its_request(
    guard_installed: Watched, run_loop: Run
) -> None:
    """The guard is told of it again, though it has fetched the request already."""
    inbox = guard_installed.inbox

    async def test() -> None:
        fetched = anyio.Event()

        async def outliving() -> None:
            await fetched.wait()
            block()

        async def endpoint(request: Request) -> Response:
            group.start_soon(outliving)
            return PlainTextResponse("done")

        app = Starlette(routes=[Route("/", endpoint)])
        transport = httpx.ASGITransport(app=app)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://test") as client,
            anyio.create_task_group() as group,
        ):
            await client.get("/")
            inbox.requests.clear()
            fetched.set()

    run_loop(test)
    assert [sleeps(request) for request in inbox.requests.values()] == [[True]]
    assert all(request.done for request in inbox.requests.values())
