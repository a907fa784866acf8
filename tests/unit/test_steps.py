"""Steps: on every loop, what a request starts is part of it, and what runs elsewhere is free."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.inbox import WatchedRequest
from pytest_asyncguard.probes.patching import ImportWatch
from pytest_asyncguard.probes.requests import drive
from pytest_asyncguard.probes.stacks import Reader
from pytest_asyncguard.probes.steps_asyncio import AsyncioSteps
from pytest_asyncguard.probes.steps_trio import TrioSteps
from pytest_asyncguard.probes.steps_uvloop import UvloopSteps

if TYPE_CHECKING:
    from tests.unit.conftest import Anyway, Main, Run, Watched


def block() -> None:
    """The known call, as short as it can be."""
    time.sleep(1e-6)


async def block_in_task() -> None:
    """Block after a suspension: in a step of the task's own."""
    await asyncio.sleep(0)
    block()


# --- the loops ---------------------------------------------------------------------------------

LOOPS = ("asyncio", "asyncio+debug", "asyncio+eager", "uvloop", "trio")
"""The kinds of loop_kind, for what not all of them can do."""


@pytest.fixture(name="run")
def _run(run_loop: Run, guard_installed: Watched) -> Run:
    """Run an async function on each kind of loop, with every probe installed."""
    return run_loop


def seen(watched: Watched, *requests: WatchedRequest) -> list[bool]:
    """Of each block in a request, whether it was made by a step that the request had started.

    What asyncio waits for when it starts a thread, or reads for its debug mode, is judged later.
    """
    calls = watched.calls() if not requests else [call for each in requests for call in each.calls]
    return [call.spawned for call in calls if call.row.name == "time.sleep"]


SPAWNED = [True]
OWN = [False]


# --- what a request starts ---------------------------------------------------------------------


async def a_task() -> None:
    await asyncio.create_task(block_in_task())


async def a_callback() -> None:
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.call_soon(block)
    loop.call_soon(done.set)
    await done.wait()


async def a_callback_from_a_thread() -> None:
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def in_thread() -> None:
        loop.call_soon_threadsafe(block)
        loop.call_soon_threadsafe(done.set)

    await asyncio.to_thread(in_thread)
    await done.wait()


async def a_timer() -> None:
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.call_later(0, block)
    loop.call_later(0.001, done.set)
    await done.wait()


async def a_timer_at_a_time() -> None:
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.call_at(loop.time(), block)
    loop.call_at(loop.time() + 0.001, done.set)
    await done.wait()


async def a_file_that_can_be_read() -> None:
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def readable(one: socket.socket) -> None:
        loop.remove_reader(one)
        block()
        done.set()

    theirs.close()
    loop.add_reader(ours, readable, ours)
    await done.wait()
    ours.close()


async def a_file_that_can_be_written() -> None:
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def writable() -> None:
        loop.remove_writer(ours)
        block()
        done.set()

    loop.add_writer(ours, writable)
    await done.wait()
    ours.close()
    theirs.close()


async def a_gathering() -> None:
    await asyncio.gather(block_in_task(), asyncio.sleep(0))


async def a_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(block_in_task())


async def a_shielded_task() -> None:
    await asyncio.shield(block_in_task())


async def a_task_of_a_task() -> None:
    await asyncio.create_task(a_task())


async def a_done_callback() -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    task.add_done_callback(lambda _: block())
    await task
    await asyncio.sleep(0)


async def a_coroutine_sent_from_a_thread() -> None:
    loop = asyncio.get_running_loop()

    def in_thread() -> concurrent.futures.Future[None]:
        return asyncio.run_coroutine_threadsafe(block_in_task(), loop)

    await asyncio.wrap_future(await asyncio.to_thread(in_thread))


async def trio_block() -> None:
    import trio

    await trio.lowlevel.checkpoint()
    block()


async def a_nursery() -> None:
    import trio

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio_block)


async def a_nursery_that_waits() -> None:
    import trio

    async def started(task_status: Any) -> None:
        task_status.started()
        await trio_block()

    async with trio.open_nursery() as nursery:
        await nursery.start(started)


async def a_nursery_of_a_nursery() -> None:
    import trio

    async with trio.open_nursery() as nursery:
        nursery.start_soon(a_nursery)


ON_ASYNCIO = (
    a_task,
    a_callback,
    a_callback_from_a_thread,
    a_timer,
    a_timer_at_a_time,
    a_file_that_can_be_read,
    a_file_that_can_be_written,
    a_gathering,
    a_group,
    a_shielded_task,
    a_task_of_a_task,
    a_done_callback,
    a_coroutine_sent_from_a_thread,
)
ON_TRIO = (a_nursery, a_nursery_that_waits, a_nursery_of_a_nursery)


def each_on_its_loops(
    name: str, on_asyncio: Iterable[Main], on_trio: Iterable[Main]
) -> pytest.MarkDecorator:
    """Each function on every kind of loop that has what it uses."""
    pairs = [
        (kind, function)
        for kind in LOOPS
        for function in (on_trio if kind == "trio" else on_asyncio)
    ]
    return pytest.mark.parametrize(("loop_kind", name), pairs, indirect=["loop_kind"])


@each_on_its_loops("start", ON_ASYNCIO, ON_TRIO)
def test_what_a_request_starts_is_part_of_it(
    loop_kind: str, guard_installed: Watched, run: Run, start: Main
) -> None:
    """Whichever way it starts it; and it is known to be a step of its own."""

    async def main() -> None:
        await guard_installed.drive(start())  # type: ignore[arg-type]

    run(main)
    assert seen(guard_installed) == SPAWNED


@each_on_its_loops("start", ON_ASYNCIO, ON_TRIO)
def test_what_a_test_starts_is_nobodys(
    loop_kind: str, guard_installed: Watched, run: Run, start: Main, anyway: Anyway
) -> None:
    """Outside a request the same is free, also where a request is being answered beside it."""

    async def main() -> None:
        await guard_installed.drive(anyway.checkpoint())
        await start()

    run(main)
    assert seen(guard_installed) == []


def test_the_requests_own_steps_are_not_spawned(
    guard_installed: Watched, run: Run, anyway: Anyway
) -> None:
    """Before and after a suspension, it is the request that goes on."""

    async def app() -> None:
        block()
        await anyway.checkpoint()
        block()

    async def main() -> None:
        await guard_installed.drive(app())

    run(main)
    assert seen(guard_installed) == OWN * 2


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in Python 3.12")
def test_what_a_task_does_at_once_is_done_by_who_started_it(guard_installed: Watched) -> None:
    """An eager task runs in the step that creates it, up to its first suspension."""

    async def child() -> None:
        block()
        await block_in_task()

    async def app() -> None:
        await asyncio.create_task(child())

    async def main() -> None:
        await guard_installed.drive(app())

    with asyncio.Runner() as runner:
        runner.get_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]
        runner.run(main())
    assert seen(guard_installed) == OWN + SPAWNED


def test_a_task_that_outlives_its_request_is_still_its(
    guard_installed: Watched, run: Run, loop_kind: str, anyway: Anyway
) -> None:
    """It blocks the loop on that request's account, whoever is being answered by then."""
    first, second = guard_installed.request(), guard_installed.request()

    async def on_asyncio() -> None:
        answered = asyncio.Event()
        tasks: list[asyncio.Task[None]] = []

        async def child() -> None:
            await answered.wait()
            block()

        async def app() -> None:
            tasks.append(asyncio.create_task(child()))

        await drive(app(), first)
        await drive(asyncio.sleep(0), second)
        answered.set()
        await tasks[0]

    async def on_trio() -> None:
        import trio

        answered = trio.Event()

        async def child() -> None:
            await answered.wait()
            block()

        async with trio.open_nursery() as nursery:

            async def app() -> None:
                nursery.start_soon(child)

            await drive(app(), first)
            await drive(anyway.checkpoint(), second)
            answered.set()

    run(on_trio if loop_kind == "trio" else on_asyncio)
    assert seen(guard_installed, first) == SPAWNED
    assert seen(guard_installed, second) == []


def test_a_step_of_a_task_is_weighed(
    inbox_open: Watched, fake_clock: Any, loop_kind: str, run_loop: Run, anyway: Anyway
) -> None:
    """Each step by itself, and not the time in between."""
    probes = (AsyncioSteps(), UvloopSteps(ImportWatch()), TrioSteps(ImportWatch()))
    request = inbox_open.request()

    async def child() -> None:
        fake_clock.compute(20_000_000)
        await anyway.checkpoint()
        fake_clock.compute(30_000_000)

    async def on_asyncio() -> None:
        async def app() -> None:
            await asyncio.create_task(child())

        await drive(app(), request)

    async def on_trio() -> None:
        import trio

        async def app() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child)

        await drive(app(), request)

    for probe in probes:
        probe.install()
    try:
        run_loop(on_trio if loop_kind == "trio" else on_asyncio)
    finally:
        for probe in probes:
            probe.uninstall()
    assert (request.held_ns, request.held_max_ns) == (50_000_000, 30_000_000)


# --- what runs elsewhere -----------------------------------------------------------------------


async def in_a_worker_thread() -> None:
    await asyncio.to_thread(block)


async def in_an_executor() -> None:
    await asyncio.get_running_loop().run_in_executor(None, block)


async def in_a_thread_with_this_context() -> None:
    import contextvars

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(block,))
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.001)


async def in_a_private_asyncio_loop() -> None:
    await asyncio.to_thread(asyncio.run, a_task())


async def in_a_private_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")
    await asyncio.to_thread(uvloop.run, a_task())
    await asyncio.to_thread(uvloop.run, a_callback())


async def in_a_private_trio_run() -> None:
    trio = pytest.importorskip("trio")
    await asyncio.to_thread(trio.run, a_nursery)


async def in_the_loop_of_another_thread() -> None:
    other = asyncio.new_event_loop()
    thread = threading.Thread(target=other.run_forever)
    thread.start()
    try:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(block_in_task(), other))
    finally:
        other.call_soon_threadsafe(other.stop)
        await asyncio.to_thread(thread.join)
        other.close()


async def in_a_worker_thread_of_trio() -> None:
    import trio

    await trio.to_thread.run_sync(block)


async def in_a_private_loop_below_trio() -> None:
    import trio

    await trio.to_thread.run_sync(asyncio.run, a_task())
    await trio.to_thread.run_sync(trio.run, a_nursery)


ELSEWHERE_ON_ASYNCIO = (
    in_a_worker_thread,
    in_an_executor,
    in_a_thread_with_this_context,
    in_a_private_asyncio_loop,
    in_a_private_uvloop,
    in_a_private_trio_run,
    in_the_loop_of_another_thread,
)
ELSEWHERE_ON_TRIO = (in_a_worker_thread_of_trio, in_a_private_loop_below_trio)


@each_on_its_loops("elsewhere", ELSEWHERE_ON_ASYNCIO, ELSEWHERE_ON_TRIO)
def test_what_runs_elsewhere_is_free(
    loop_kind: str, guard_installed: Watched, run: Run, elsewhere: Main
) -> None:
    """Its context says that it is the request's, and yet it does not hold the request's loop."""

    async def main() -> None:
        await guard_installed.drive(elsewhere())  # type: ignore[arg-type]

    run(main)
    assert seen(guard_installed) == []


# --- stacks ------------------------------------------------------------------------------------

FRAMES = {
    # asyncio's handle is the step itself, uvloop's and trio's are not Python.
    "asyncio": ["Handle._run"],
    "asyncio+debug": ["Handle._run"],
    "asyncio+eager": ["Handle._run"],
    "uvloop": [],
    "trio": [],
}


def test_the_stack_of_a_step_begins_with_the_step(
    loop_kind: str, guard_installed: Watched, run: Run
) -> None:
    """Neither the loop nor what runs it is on it: that is no part of the request."""
    start, task = (a_nursery, trio_block) if loop_kind == "trio" else (a_task, block_in_task)

    async def main() -> None:
        await guard_installed.drive(start())

    run(main)
    (call,) = [call for call in guard_installed.calls() if call.row.name == "time.sleep"]
    stack = Reader(lambda file: "library").read(call.stack)
    expected = [*FRAMES[loop_kind], task.__qualname__, block.__qualname__]
    assert [frame.function for frame in stack] == expected


def test_the_stack_of_the_request_begins_with_the_app(
    guard_installed: Watched, run: Run, anyway: Anyway
) -> None:
    """Also where the loop resumes it after a suspension."""

    async def app() -> None:
        await anyway.checkpoint()
        block()

    async def main() -> None:
        await guard_installed.drive(app())

    run(main)
    (call,) = [call for call in guard_installed.calls() if call.row.name == "time.sleep"]
    stack = Reader(lambda file: "library").read(call.stack)
    assert [frame.function for frame in stack] == [app.__qualname__, block.__qualname__]


# --- the scope `loop` --------------------------------------------------------------------------


@pytest.fixture(name="of_test")
def _of_test(guard_installed: Watched) -> Iterator[WatchedRequest]:
    """What steps belong to that no request started."""
    request = guard_installed.request(type="test")
    holds.loose[0] = request
    yield request
    holds.loose[0] = None


@each_on_its_loops("start", ON_ASYNCIO, ON_TRIO)
def test_with_the_scope_loop_a_step_of_nobody_is_the_tests(
    loop_kind: str, guard_installed: Watched, of_test: WatchedRequest, run: Run, start: Main
) -> None:
    """Fixtures and tests hold the loop, too."""
    run(start)
    assert seen(guard_installed, of_test) == SPAWNED


def test_with_the_scope_loop_a_request_keeps_its_own(
    loop_kind: str, guard_installed: Watched, of_test: WatchedRequest, run: Run
) -> None:
    """The test called the app, and does not do what the app does."""
    request = guard_installed.request()

    async def app() -> None:
        block()
        await (a_nursery if loop_kind == "trio" else a_task)()
        block()

    async def main() -> None:
        block()
        await drive(app(), request)

    run(main)
    assert seen(guard_installed, request) == [False, True, False]
    assert seen(guard_installed, of_test) == SPAWNED


# --- what the loops are asked ------------------------------------------------------------------


def test_trio_hears_the_instruments_of_others(guard_installed: Watched) -> None:
    """Ours is one more; and the arguments are those of trio."""
    trio = pytest.importorskip("trio")
    heard: list[str] = []

    class Listening(trio.abc.Instrument):  # type: ignore[misc,name-defined]
        def before_run(self) -> None:
            heard.append("before")

    async def main(argument: int) -> int:
        return argument

    assert trio.run(main, 3, instruments=(each for each in [Listening()])) == 3
    assert heard == ["before"]


def test_trio_as_a_guest_is_watched(guard_installed: Watched) -> None:
    """Its steps are callbacks of the host, which do not belong to a request."""
    trio = pytest.importorskip("trio")

    async def as_guest() -> None:
        await guard_installed.drive(a_nursery())
        block()

    async def host() -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        trio.lowlevel.start_guest_run(
            as_guest,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=done.set_result,
            host_uses_signal_set_wakeup_fd=True,
        )
        (await done).unwrap()

    asyncio.run(host())
    assert seen(guard_installed) == SPAWNED


SCHEDULED: dict[str, Callable[..., object]] = {
    "call_soon": lambda loop, **keywords: loop.call_soon(**keywords),
    "call_soon_threadsafe": lambda loop, **keywords: loop.call_soon_threadsafe(**keywords),
    "call_later": lambda loop, **keywords: loop.call_later(delay=0, **keywords),
    "call_at": lambda loop, **keywords: loop.call_at(when=0, **keywords),
}


@pytest.mark.parametrize("name", SCHEDULED)
def test_uvloop_takes_keywords_as_ever(guard_installed: Watched, name: str) -> None:
    """Its methods have parameters with names, and some call them so; it is watched like that."""
    pytest.importorskip("uvloop")

    async def app() -> None:
        done = asyncio.Event()

        def callback() -> None:
            block()
            done.set()

        SCHEDULED[name](asyncio.get_running_loop(), callback=callback)
        await done.wait()

    async def main() -> None:
        await guard_installed.drive(app())

    sys.modules["uvloop"].run(main())
    assert seen(guard_installed) == SPAWNED


@pytest.mark.parametrize("name", SCHEDULED)
def test_uvloop_refuses_nonsense_as_ever(guard_installed: Watched, name: str) -> None:
    """A call without a callback is the user's mistake, and answered by uvloop."""
    uvloop = pytest.importorskip("uvloop")
    loop = uvloop.new_event_loop()
    refused = []
    for method in (getattr(loop, name), functools.partial(getattr(uvloop.Loop, name), loop)):
        for keywords in ({}, {"callback": block, "nonsense": 1}):
            with pytest.raises(TypeError) as caught:
                method(**keywords)
            refused.append(type(caught.value))
    loop.close()
    assert refused == [TypeError] * 4


@pytest.mark.parametrize("loop_kind", LOOPS[:-1], indirect=True)
def test_the_arguments_of_a_callback_are_its_own(guard_installed: Watched, run: Run) -> None:
    """Those and the context reach it as they were given, on every asyncio loop."""
    import contextvars

    variable = contextvars.ContextVar("variable", default="unset")
    context = contextvars.copy_context()
    context.run(variable.set, "set")
    got: list[object] = []

    async def app() -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        loop.call_soon(lambda *args: got.extend((*args, variable.get())), 1, 2)
        loop.call_soon(lambda *args: got.extend((*args, variable.get())), 3, context=context)
        loop.call_later(0.001, done.set)
        await done.wait()

    async def main() -> None:
        await guard_installed.drive(app())

    run(main)
    assert got == [1, 2, "unset", 3, "set"]
