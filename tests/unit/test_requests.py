"""ASGI entry: a driven app is like an awaited one, and holds the loop only while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import inspect
import threading
import time
import types
import warnings
import weakref
from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, Router

from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.holds import current_request
from pytest_asyncguard.probes.inbox import WatchedRequest
from pytest_asyncguard.probes.requests import drive

if TYPE_CHECKING:
    from tests.unit.conftest import Anyway, Run, Watched

Log = list[object]
App = Callable[[Log], Coroutine[Any, Any, Any]]


@types.coroutine
def suspend(value: object) -> Generator[object, Any, Any]:
    """Give the loop back, as a future does."""
    return (yield value)


def open_hold() -> bool:
    return threading.get_ident() in holds.open_holds


# --- the same as an await ----------------------------------------------------------------------

ERRORS: tuple[type[BaseException], ...] = (
    ValueError,
    asyncio.CancelledError,
    KeyboardInterrupt,
    GeneratorExit,
    StopIteration,
    StopAsyncIteration,
    RuntimeError,
)


async def awaits(log: Log, number: int) -> None:
    log.append(("sent", await suspend(number)))


async def catches(log: Log, number: int, kind: type[BaseException]) -> None:
    try:
        await suspend(number)
    except kind as error:
        log.append(("caught", type(error), error.args))


async def swallows(log: Log, number: int) -> None:
    try:
        await suspend(number)
    except BaseException as error:  # noqa: BLE001 - that is the point
        log.append(("swallowed", type(error)))


async def cleans_up(log: Log, number: int) -> None:
    try:
        await suspend(number)
    finally:
        log.append("cleaned up")


async def cleans_up_slowly(log: Log, number: int, other: int) -> None:
    try:
        await suspend(number)
    finally:
        log.append(("cleaned up", await suspend(other)))


async def raises_from(log: Log, number: int, kind: type[BaseException]) -> None:
    try:
        await suspend(number)
    except BaseException as error:
        raise kind("another") from error


async def raises(log: Log, kind: type[BaseException]) -> None:
    raise kind("the app's")


errors = st.sampled_from(ERRORS)
numbers = st.integers(0, 99)
programs = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([awaits, swallows, cleans_up]), numbers),
        st.tuples(st.sampled_from([catches, raises_from]), numbers, errors),
        st.tuples(st.just(cleans_up_slowly), numbers, numbers),
        st.tuples(st.just(raises), errors),
    ),
    max_size=6,
)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("send"), numbers),
        st.tuples(st.just("throw"), errors),
        st.tuples(st.just("close")),
    ),
    max_size=8,
)


async def app_of(program: Sequence[tuple[Any, ...]], log: Log) -> Any:
    """An app that does one thing after another, and returns how many they were."""
    for step, *args in program:
        await step(log, *args)
    return len(program)


def described(error: BaseException | None, depth: int = 4) -> object:
    """An exception with those from which it came."""
    if error is None or not depth:
        return None
    causes = (described(cause, depth - 1) for cause in (error.__cause__, error.__context__))
    return type(error), error.args, *causes


def played(coroutine: Coroutine[Any, Any, Any], play: Sequence[tuple[Any, ...]], log: Log) -> Log:
    """What comes of a coroutine to which ``play`` is done, and of its app."""
    for operation, *args in play:
        try:
            if operation == "send":
                # Nothing but None can be sent to what has not begun.
                begun = inspect.getcoroutinestate(coroutine) != inspect.CORO_CREATED
                log.append(("awaits", coroutine.send(args[0] if begun else None)))
            elif operation == "throw":
                log.append(("awaits", coroutine.throw(args[0]("thrown"))))
            else:
                coroutine.close()
                log.append("closed")
        except StopIteration as stop:
            log.append(("returned", stop.value))
        except BaseException as error:  # noqa: BLE001 - whatever comes of it
            log.append(("raised", described(error)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an app that swallows GeneratorExit does not end
        try:
            coroutine.close()
        except BaseException as error:  # noqa: BLE001 - whatever comes of it
            log.append(("raised at the end", described(error)))
    return log


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(program=programs, play=operations)
@example(program=[(swallows, 0), (awaits, 0)], play=[("send", 0), ("close",)])
@example(program=[(cleans_up_slowly, 0, 1)], play=[("send", 0), ("close",)])
@example(program=[(catches, 0, GeneratorExit)], play=[("send", 0), ("throw", GeneratorExit)])
@example(program=[(raises_from, 0, StopIteration)], play=[("send", 0), ("throw", ValueError)])
def test_a_driven_app_cannot_be_told_from_one_that_is_awaited(
    inbox_open: Watched, program: Sequence[tuple[Any, ...]], play: Sequence[tuple[Any, ...]]
) -> None:
    """Whatever is sent, thrown or closed, the app and its caller see the same in the same order."""

    async def awaiting(log: Log) -> Any:
        return await app_of(program, log)

    async def driving(log: Log) -> Any:
        return await inbox_open.drive(app_of(program, log))

    logs: list[Log] = [[], []]
    awaited = played(awaiting(logs[0]), play, logs[0])
    driven = played(driving(logs[1]), play, logs[1])
    assert driven == awaited
    assert not open_hold()
    assert current_request.get() is None


async def gathers(log: Log) -> str:
    results = await asyncio.gather(asyncio.sleep(0, "a"), asyncio.sleep(0, "b"))
    log.append(results)
    return "gathered"


async def times_out(log: Log) -> None:
    try:
        async with asyncio.timeout(0.001):
            await asyncio.Event().wait()
    except TimeoutError:
        log.append("timeout")
        raise


async def cancels_itself(log: Log) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel("enough")
    try:
        await asyncio.sleep(10)
    finally:
        log.append(task.cancelling())


async def groups(log: Log) -> None:
    async def failing() -> None:
        await asyncio.sleep(0)
        raise OSError("one of them")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(failing())
            group.create_task(asyncio.sleep(10))
    except* OSError as errors:
        log.append([str(error) for error in errors.exceptions])


async def shields(log: Log) -> str:
    return await asyncio.shield(gathers(log))


async def nurses(log: Log) -> list[int]:
    import trio

    async def one(number: int) -> None:
        await trio.lowlevel.checkpoint()
        log.append(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one, 1)
    await one(2)
    return [1, 2]


async def moves_on(log: Log) -> bool:
    import trio

    with trio.move_on_after(0.001) as scope:
        await trio.sleep(10)
    log.append("late")
    return bool(scope.cancelled_caught)


async def fails_after(log: Log) -> None:
    import trio

    with trio.fail_after(0.001):
        await trio.sleep_forever()


async def nurses_a_failure(log: Log) -> None:
    import trio

    async def fail() -> None:
        raise OSError("from a task")

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            await trio.sleep(10)
    except* OSError as errors:
        log.append([str(error) for error in errors.exceptions])


ASYNCIO_LOOPS = ("asyncio", "asyncio+debug", "asyncio+eager", "uvloop")
TOOLS = (
    *((loop, app) for loop in ASYNCIO_LOOPS for app in (gathers, times_out, groups, shields)),
    *((loop, cancels_itself) for loop in ASYNCIO_LOOPS),
    *(("trio", app) for app in (nurses, moves_on, fails_after, nurses_a_failure)),
)


@pytest.mark.parametrize(("loop_kind", "app"), TOOLS, indirect=["loop_kind"])
def test_the_loops_own_tools_work_in_a_driven_app(
    inbox_open: Watched, run_loop: Run, app: App
) -> None:
    """Futures, time-outs, cancellation and groups depend on what is yielded to the loop."""

    def outcome(make: Callable[[Log], Any]) -> Log:
        log: Log = []

        async def main() -> None:
            try:
                log.append(("returned", await make(log)))
            except BaseException as error:  # noqa: BLE001 - whatever comes of it
                log.append(("raised", described(error)))

        run_loop(main)
        return log

    assert outcome(lambda log: inbox_open.drive(app(log))) == outcome(app)


def test_a_context_variable_that_the_app_sets_is_its_callers_too(
    inbox_open: Watched, run_loop: Run, anyway: Anyway
) -> None:
    """An await shares the context, and so does a driven one; across suspensions too."""
    seen: list[int] = []
    variable = contextvars.ContextVar("variable", default=0)

    async def app() -> None:
        variable.set(variable.get() + 1)
        await anyway.checkpoint()
        variable.set(variable.get() + 10)

    async def main() -> None:
        variable.set(100)
        await inbox_open.drive(app())
        seen.append(variable.get())

    run_loop(main)
    assert seen == [111]


def test_an_app_that_is_dropped_is_closed(inbox_open: Watched) -> None:
    """Its cleanup runs, once."""
    log: Log = []

    async def app() -> None:
        try:
            await suspend(1)
        finally:
            log.append("cleanup")

    async def main() -> None:
        await inbox_open.drive(app())

    coroutine = main()
    coroutine.send(None)
    del coroutine
    assert log == ["cleanup"]
    assert not open_hold()


# --- holds -------------------------------------------------------------------------------------


def test_a_hold_is_open_while_the_app_runs_and_only_then(inbox_open: Watched) -> None:
    """It closes at each suspension, and when the app returns."""
    seen: list[bool] = []

    async def app() -> None:
        for _ in range(2):
            seen.append(open_hold())
            await suspend(None)
        seen.append(open_hold())

    async def main() -> None:
        await inbox_open.drive(app())
        seen.append(open_hold())

    coroutine = main()
    for _ in range(2):
        coroutine.send(None)
        seen.append(open_hold())
    with pytest.raises(StopIteration):
        coroutine.send(None)
    assert seen == [True, False, True, False, True, False]


@pytest.mark.parametrize("error", ERRORS)
def test_a_hold_closes_whatever_the_app_raises(
    inbox_open: Watched, error: type[BaseException]
) -> None:
    """Nothing leaves it open, and nothing leaves the request in the context."""

    async def app() -> None:
        raise error

    coroutine = inbox_open.drive(app())
    with pytest.raises((error, RuntimeError)):
        coroutine.send(None)
    assert not open_hold()
    assert current_request.get() is None


def test_tasks_inherit_the_request_and_the_caller_does_not_keep_it(
    inbox_open: Watched, run_loop: Run, anyway: Anyway
) -> None:
    """What the app starts is the request's; the task that called the app is its own again."""
    seen: list[WatchedRequest | None] = []

    async def child() -> None:
        seen.append(current_request.get())

    request = inbox_open.request()

    async def main() -> None:
        await drive(anyway.together(child), request)
        await anyway.together(child)

    run_loop(main)
    assert seen == [request, None]


def test_time_between_suspensions_is_the_requests_and_the_rest_is_not(
    inbox_open: Watched, fake_clock: Any
) -> None:
    """What others do with the loop while the app waits is not charged to its request."""

    async def app() -> None:
        fake_clock.compute(20_000_000)
        await suspend(None)
        fake_clock.compute(30_000_000)

    request = inbox_open.request()
    driven = drive(app(), request)
    driven.send(None)
    fake_clock.compute(500_000_000)
    with pytest.raises(StopIteration):
        driven.send(None)
    assert (request.held_ns, request.held_max_ns) == (50_000_000, 30_000_000)


# --- apps --------------------------------------------------------------------------------------


def requests_of(watched: Watched) -> list[WatchedRequest]:
    """The requests that were watched, but for lifespans."""
    return [
        request
        for request in watched.inbox.requests.values()
        if request.scopes[0]["type"] != "lifespan"
    ]


def sleeps(request: WatchedRequest) -> list[str]:
    """The known calls of ``request`` that are its own.

    FastAPI reads the source of an endpoint on its first request, and asyncio's debug mode that of
    whoever starts a task; both are judged later.
    """
    return [call.row.name for call in request.calls if call.row.name != "open"]


def quiet(watched: Watched) -> int:
    """How many requests were watched of which there is nothing else to tell."""
    return sum(tally.count for tallies in watched.inbox.tallies.values() for tally in tallies)


async def answer(request: Request) -> Response:
    time.sleep(0.001)
    return PlainTextResponse("answer")


async def wait(request: Request) -> Response:
    await anyio.sleep(0)
    time.sleep(0.001)
    await anyio.sleep(0)
    return PlainTextResponse("waited")


async def passing(request: Request, call_next: Any) -> Response:
    response: Response = await call_next(request)
    return response


ROUTES = [Route("/answer", answer), Route("/wait", wait)]


class Plain:
    """A pure ASGI middleware."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(dict(scope), receive, send)


def fastapi_app() -> FastAPI:
    app = FastAPI()
    app.add_api_route("/answer", answer)
    return app


def inside(inner: Any) -> Starlette:
    return Starlette(routes=[Mount("/inner", inner)])


def copying(**middleware: Any) -> Starlette:
    """An app with a middleware that hands on a copy of the scope."""
    return Starlette(routes=ROUTES, middleware=[Middleware(Plain)])


def dispatching() -> Starlette:
    """An app with a middleware that runs the rest in a task of its own."""
    return Starlette(
        routes=ROUTES, middleware=[Middleware(BaseHTTPMiddleware, dispatch=passing)] * 2
    )


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda: Starlette(routes=ROUTES), "/answer"),
        (lambda: Router(ROUTES), "/answer"),
        (fastapi_app, "/answer"),
        (lambda: inside(Starlette(routes=ROUTES)), "/inner/answer"),
        (lambda: inside(Router(ROUTES)), "/inner/answer"),
        (lambda: inside(fastapi_app()), "/inner/answer"),
        (lambda: inside(inside(Starlette(routes=ROUTES))), "/inner/inner/answer"),
        (copying, "/answer"),
        (dispatching, "/answer"),
        (lambda: inside(dispatching()), "/inner/answer"),
    ],
)
def test_one_request_is_one_whatever_it_passes_through(
    guard_installed: Watched, make: Callable[[], Any], path: str
) -> None:
    """Apps within apps, and middleware around them, are parts of the request that came in."""
    assert TestClient(make()).get(path).status_code == 200
    (request,) = requests_of(guard_installed)
    assert sleeps(request) == ["time.sleep"]


def test_an_app_that_calls_another_app_makes_two_requests(guard_installed: Watched) -> None:
    """Each owns what it does: the inner one is a request of its own."""
    inner = Starlette(routes=ROUTES)

    async def calling(request: Request) -> Response:
        transport = httpx.ASGITransport(app=inner)
        async with httpx.AsyncClient(transport=transport, base_url="http://inner") as client:
            answered = await client.get("/answer")
        return PlainTextResponse(answered.text)

    outer = Starlette(routes=[Route("/outer", calling)])
    assert TestClient(outer).get("/outer").text == "answer"
    called = {
        request.scopes[0]["path"]: [call.row.name for call in request.calls]
        for request in requests_of(guard_installed)
    }
    assert called == {"/answer": ["time.sleep"]}
    assert quiet(guard_installed) == 1


async def get(app: Any, *paths: str) -> None:
    """Call ``app`` in the task that asks, as httpx's transport does, all paths at once."""
    transport = httpx.ASGITransport(app=app)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
        anyio.create_task_group() as group,
    ):
        for path in paths:
            group.start_soon(client.get, path)


def test_requests_at_the_same_time_own_their_holds_each(
    guard_installed: Watched, run_loop: Run
) -> None:
    """Interleaved on one loop, no call of one is charged to the other."""
    run_loop(lambda: get(Starlette(routes=ROUTES), "/wait?1", "/wait?2", "/answer"))
    called = [
        (request.scopes[0]["path"], sleeps(request)) for request in requests_of(guard_installed)
    ]
    assert sorted(called) == [
        ("/answer", ["time.sleep"]),
        ("/wait", ["time.sleep"]),
        ("/wait", ["time.sleep"]),
    ]


def test_a_test_that_calls_the_app_is_free_again(guard_installed: Watched, run_loop: Run) -> None:
    """While the app is suspended, and after it has answered, the test's task is its own."""

    async def test() -> None:
        suspended, going_on = anyio.Event(), anyio.Event()

        async def waiting(request: Request) -> Response:
            suspended.set()
            await going_on.wait()
            return PlainTextResponse("done")

        async def later() -> None:
            await anyio.sleep(0)
            time.sleep(0.001)

        app = Starlette(routes=[Route("/", waiting)])
        async with anyio.create_task_group() as group:
            group.start_soon(get, app, "/")
            await suspended.wait()
            time.sleep(0.001)
            going_on.set()
        await get(app, "/")
        time.sleep(0.001)
        async with anyio.create_task_group() as group:
            group.start_soon(later)
        await anyio.to_thread.run_sync(time.sleep, 0.001)

    run_loop(test)
    assert [sleeps(request) for request in requests_of(guard_installed) if sleeps(request)] == []
    assert quiet(guard_installed) + len(requests_of(guard_installed)) == 2


def test_a_lifespan_is_watched_as_such(guard_installed: Watched) -> None:
    """Start-up and shut-down are one connection of their own kind."""
    with TestClient(Starlette(routes=ROUTES)) as client:
        client.get("/answer")
    types_ = [request.scopes[0]["type"] for request in guard_installed.inbox.requests.values()]
    assert sorted(types_) == ["http", "lifespan"]
    assert all(request.done for request in guard_installed.inbox.requests.values())


def test_a_disabled_run_watches_nothing(guard_installed: Watched) -> None:
    """A test that is marked so is let alone."""
    guard_installed.inbox.enabled = False
    TestClient(Starlette(routes=ROUTES)).get("/answer")
    assert guard_installed.inbox.requests == {}


@pytest.mark.parametrize("scope", [{}, {"type": "other"}, {"type": ["http"]}])
def test_an_app_is_called_with_whatever_it_is_called_with(
    guard_installed: Watched, scope: dict[str, object]
) -> None:
    """A scope that is none is the app's to refuse, and no reason to stop watching."""

    class Refusing(Starlette):
        pass

    async def main() -> None:
        await Refusing()(scope, None, None)  # type: ignore[arg-type]

    async def unwatched() -> None:
        await Starlette.__call__.__wrapped__(Refusing(), scope, None, None)  # type: ignore[attr-defined]

    raised: Log = []
    for make in (main, unwatched):
        try:
            asyncio.run(make())
        except Exception as error:  # noqa: BLE001 - whatever the app makes of it
            raised.append((type(error), error.args))
    told = list(guard_installed.failures)
    guard_installed.failures.clear()
    assert raised[0] == raised[1]
    assert told == []


def test_the_entry_is_described_as_the_original_is(guard_installed: Watched) -> None:
    """Signature, names and documentation; and it is a coroutine function still."""
    entry, original = Starlette.__call__, Starlette.__call__.__wrapped__  # type: ignore[attr-defined]
    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        assert getattr(entry, name) == getattr(original, name)
    assert inspect.signature(entry) == inspect.signature(original)
    assert inspect.iscoroutinefunction(entry)


def test_many_requests_are_fetched_in_between(
    guard_installed: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that makes thousands of them does not keep them all, nor fetch them in a hold."""
    digested: list[bool] = []

    def digest() -> None:
        digested.append(open_hold())
        guard_installed.inbox.requests.clear()

    monkeypatch.setattr("pytest_asyncguard.probes.requests.DIGEST_AT", 3)
    guard_installed.inbox.digest = digest
    client = TestClient(Starlette(routes=ROUTES))
    for _ in range(7):
        client.get("/answer")
    assert digested == [False, False]
    assert len(guard_installed.inbox.requests) == 1


def test_nothing_is_fetched_while_another_request_holds_the_loop(
    guard_installed: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An app may call an app: what the guard does then would be charged to the outer one."""
    digested: list[bool] = []
    monkeypatch.setattr("pytest_asyncguard.probes.requests.DIGEST_AT", 1)
    guard_installed.inbox.digest = lambda: digested.append(open_hold())
    inner = Starlette(routes=ROUTES)

    async def calling(request: Request) -> Response:
        await get(inner, "/answer")
        return PlainTextResponse("done")

    TestClient(Starlette(routes=[Route("/", calling)])).get("/")
    assert digested
    assert not any(digested)


class WeaklyKnownError(Exception):
    """One to which there can be a weak reference."""


def test_an_exception_that_went_through_is_freed_at_once(inbox_open: Watched) -> None:
    """It is no part of a cycle of ours: what it refers to would live until the next collection."""

    async def app() -> None:
        await suspend(None)

    driven = inbox_open.drive(app())
    driven.send(None)
    error = WeaklyKnownError()
    gone = weakref.ref(error)
    gc.disable()
    try:
        with contextlib.suppress(WeaklyKnownError):
            driven.throw(error)
        del error, driven
        assert gone() is None
    finally:
        gc.enable()
