"""Known calls: a wrapper sees what it stands for, and is not seen itself."""

from __future__ import annotations

import asyncio
import concurrent.futures
import copy
import importlib
import inspect
import pickle
import pkgutil
import queue
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self
from unittest import mock

import pytest

from pytest_asyncguard.catalog import stdlib
from pytest_asyncguard.catalog.rows import Call, inside
from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.calls import CallProbe, report_running, wrap
from pytest_asyncguard.probes.inbox import Inbox, Limits
from pytest_asyncguard.probes.patching import ImportWatch
from pytest_asyncguard.probes.requests import drive

MS = 1_000_000

if TYPE_CHECKING:
    from tests.unit.conftest import FakeClock, Watched

MS = 1_000_000

SLOW = Call(target="fake:slow", rule="sleep")
OUTER = Call(target="fake:outer", rule="socket")
CONDITIONAL = Call(
    target="fake:conditional",
    rule="sleep",
    when=lambda args, kwargs: bool(args[0]),
    detail=lambda args, kwargs: f"{args[0]} s",
)
WRAPPING = Call(target="fake:wrapping", rule="thread-wait", when=inside)


def on_loop(watched: Watched, function: Callable[[], Any]) -> Any:
    """What ``function`` returns, called during a hold."""
    return holds.step(watched.request(), lambda _: function(), None)


def answering(*args: Any, **kwargs: Any) -> Any:
    """A function of a library."""
    return args, kwargs


# --- what is seen ------------------------------------------------------------------------------


def test_a_call_on_the_loop_is_seen_and_made(inbox_open: Watched) -> None:
    """The callee gets what the caller gave, and the caller what the callee returned."""
    call = wrap(answering, SLOW, method=False)
    assert on_loop(inbox_open, lambda: call(1, two=2)) == ((1,), {"two": 2})
    assert inbox_open.names() == ["fake.slow"]


def test_a_call_off_the_loop_is_made_and_not_seen(inbox_open: Watched) -> None:
    """Without a hold on its thread a call is nobody's."""
    call = wrap(answering, SLOW, method=False)
    assert call(1, two=2) == ((1,), {"two": 2})
    assert inbox_open.names() == []


def test_a_call_in_another_thread_is_free(inbox_open: Watched) -> None:
    """A worker thread does not hold the loop, though a request waits for it."""
    call = wrap(answering, SLOW, method=False)

    def in_a_thread() -> None:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()

    on_loop(inbox_open, in_a_thread)
    assert inbox_open.names() == []


def test_an_exception_of_the_call_is_the_callers(inbox_open: Watched) -> None:
    """What the callee raises arrives as it was raised; the call was made and is seen."""
    error = OSError("refused")

    def failing() -> None:
        raise error

    call = wrap(failing, SLOW, method=False)
    with pytest.raises(OSError, match="refused") as caught:
        on_loop(inbox_open, call)
    assert caught.value is error
    assert (error.__cause__, error.__context__) == (None, None)
    assert inbox_open.names() == ["fake.slow"]


def test_after_an_exception_the_next_call_is_seen(inbox_open: Watched) -> None:
    """A call that raised is over."""
    failing = wrap(mock.Mock(side_effect=KeyError), OUTER, method=False)
    call = wrap(answering, SLOW, method=False)

    def both() -> None:
        with pytest.raises(KeyError):
            failing()
        call()

    on_loop(inbox_open, both)
    assert inbox_open.names() == ["fake.outer", "fake.slow"]


def test_the_stack_ends_with_the_caller(inbox_open: Watched, functions: Any) -> None:
    """The caller still stands on the calling line; the wrapper is left out of the picture."""
    call = wrap(answering, SLOW, method=False)

    def caller() -> None:
        call()

    on_loop(inbox_open, caller)
    (seen,) = inbox_open.calls()
    assert functions(seen.stack)[0].endswith(".caller")


def test_a_call_that_cannot_block_is_not_seen(inbox_open: Watched) -> None:
    """The row tells from the arguments; of those that can, the detail is kept."""
    call = wrap(answering, CONDITIONAL, method=False)

    def twice() -> None:
        call(0)
        call(3)

    on_loop(inbox_open, twice)
    assert [(call.row.name, call.detail) for call in inbox_open.calls()] == [
        ("fake.conditional", "3 s")
    ]


def test_calls_inside_a_known_call_add_nothing(inbox_open: Watched) -> None:
    """The outermost one is what the user wrote."""
    slow = wrap(answering, SLOW, method=False)
    outer = wrap(lambda: slow() and slow(), OUTER, method=False)
    on_loop(inbox_open, outer)
    assert inbox_open.names() == ["fake.outer"]


def test_a_call_that_blocks_by_what_it_calls_is_named_after_itself(inbox_open: Watched) -> None:
    """Some calls wait only where a known call inside them does."""
    slow = wrap(answering, CONDITIONAL, method=False)
    wrapping = wrap(slow, WRAPPING, method=False)

    def both() -> None:
        wrapping(0)
        wrapping(1)

    on_loop(inbox_open, both)
    assert [(call.row.name, call.count) for call in inbox_open.calls()] == [("fake.wrapping", 1)]


def test_a_call_that_cannot_block_excuses_nothing_inside_it(inbox_open: Watched) -> None:
    """The inner one is what blocks, and is named."""
    slow = wrap(answering, SLOW, method=False)
    outer = wrap(lambda ready: slow(), CONDITIONAL, method=False)
    on_loop(inbox_open, lambda: outer(0))
    assert inbox_open.names() == ["fake.slow"]


def test_a_call_is_charged_with_what_it_took(inbox_open: Watched, fake_clock: FakeClock) -> None:
    """Time around the call is the hold's; the longest of several is kept beside their sum."""

    def work(milliseconds: int) -> None:
        fake_clock.compute(2 * MS)
        fake_clock.sleep(milliseconds * MS)

    call = wrap(work, SLOW, method=False)

    def calls() -> None:
        for milliseconds in (30, 50):
            fake_clock.compute(7 * MS)
            call(milliseconds)
            fake_clock.compute(7 * MS)

    on_loop(inbox_open, calls)
    (seen,) = inbox_open.calls()
    assert (seen.count, seen.timed) == (2, True)
    assert (seen.cpu_ns, seen.asleep_ns) == (4 * MS, 80 * MS)
    assert seen.longest == (2 * MS, 50 * MS)


@pytest.mark.parametrize("broken", ["when", "detail"])
def test_an_error_in_a_row_is_the_guards_and_not_the_apps(inbox_open: Watched, broken: str) -> None:
    """The call is made as it would be; the guard is told."""

    def failing(args: object, kwargs: object) -> Any:
        raise ZeroDivisionError

    conditions: dict[str, Any] = {broken: failing}
    call = wrap(answering, Call(target="fake:slow", rule="sleep", **conditions), method=False)
    assert on_loop(inbox_open, lambda: call(1)) == ((1,), {})
    assert [(part, type(error)) for part, error in inbox_open.failures] == [
        ("calls", ZeroDivisionError)
    ]
    inbox_open.failures.clear()


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("time.sleep", ("soon",)),
        ("time.sleep", ()),
        ("os.waitpid", (1, "options")),
        ("socket.socket.recv", (object(), 1)),
        ("threading.Event.wait", (object(),)),
        ("threading.Thread.join", (object(),)),
        ("subprocess.Popen.wait", (object(),)),
        ("subprocess.Popen.communicate", (object(),)),
        ("queue.Queue.get", (object(),)),
        ("concurrent.futures.Future.result", (object(),)),
    ],
)
def test_nonsense_is_refused_by_the_callee_as_ever(
    guard_installed: Watched, name: str, args: tuple[object, ...]
) -> None:
    """A call with wrong arguments is the user's mistake, and no reason to stop watching."""
    function = pkgutil.resolve_name(name)
    with pytest.raises((TypeError, AttributeError, ValueError)):
        on_loop(guard_installed, lambda: function(*args))
    told = list(guard_installed.failures)
    guard_installed.failures.clear()
    assert told == []


# --- what a wrapper is like --------------------------------------------------------------------

FUNCTIONS = tuple(
    target
    for row in stdlib.CALLS
    for target in (row.target, *row.also)
    if "." not in target.partition(":")[2]
)


BUILTINS_OWN = {"__self__", "__text_signature__"}
"""What tells inspect about a function written in C; the wrapper tells it in other ways."""


def found(target: str) -> Any:
    """What stands at ``module:function`` now, or None."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name, None)


def described(function: Any) -> tuple[object, ...]:
    try:
        signature = str(inspect.signature(function))
    except ValueError:  # nobody has said
        signature = ""
    names = ("__name__", "__qualname__", "__module__", "__doc__")
    return signature, *(getattr(function, name, None) for name in names)


@pytest.fixture(name="originals")
def _originals() -> dict[str, Any]:
    """What stood at each target before the guard was installed; ask for it first."""
    return {target: found(target) for target in FUNCTIONS if found(target) is not None}


def test_a_wrapper_is_described_as_the_original_is(
    originals: dict[str, Any], guard_installed: Watched
) -> None:
    """Signature, names and documentation are those of what it stands for."""
    for target, original in originals.items():
        assert found(target) is not original
        assert described(found(target)) == described(original)


@pytest.mark.parametrize(
    ("arguments", "keywords"), [((), {}), ((0, 0), {}), ((), {"time": 0}), ((0,), {"timeout": 0})]
)
def test_a_wrapper_refuses_what_the_original_refuses(
    request: pytest.FixtureRequest, arguments: tuple[int, ...], keywords: dict[str, int]
) -> None:
    """In the same words, of which the name of the function is one."""

    def refusal(*first: threading.Event) -> str:
        with pytest.raises(TypeError) as caught:
            threading.Event.wait(*first, *arguments, **keywords)  # type: ignore[arg-type]
        return str(caught.value)

    before = refusal(*([threading.Event()] if arguments or keywords else []))
    request.getfixturevalue("guard_installed")
    assert refusal(*([threading.Event()] if arguments or keywords else [])) == before


def test_a_wrapper_takes_arguments_by_name_and_by_default(guard_installed: Watched) -> None:
    """As the original does, and passes them on."""
    done = threading.Event()
    done.set()
    assert [done.wait(), done.wait(0), done.wait(timeout=0)] == [True] * 3
    assert threading.Event.wait(self=threading.Event(), timeout=0) is False


def test_a_wrapper_has_all_that_the_original_has(
    originals: dict[str, Any], guard_installed: Watched
) -> None:
    """Functions have attributes of their own, which callers ask for."""
    assert hasattr(shutil.rmtree, "avoids_symlink_attacks")
    lacking = {
        target: attributes
        for target, original in originals.items()
        if (attributes := set(dir(original)) - set(dir(found(target))) - BUILTINS_OWN)
    }
    assert lacking == {}


def test_a_wrapper_of_a_builtin_looks_like_one(guard_installed: Watched) -> None:
    """Its representation is that of the function for which it stands."""
    assert repr(time.sleep) == "<built-in function sleep>"


def picklable(function: Any) -> bool:
    try:
        return pickle.loads(pickle.dumps(function)) is function
    except pickle.PicklingError:
        return False


def test_what_could_be_pickled_still_can_be(
    originals: dict[str, Any], guard_installed: Watched
) -> None:
    """A function is pickled by its name, and found again by it: process pools depend on that."""
    assert [name for name in originals if not picklable(found(name))] == []


def test_a_copy_of_a_wrapper_is_the_wrapper(guard_installed: Watched) -> None:
    """Functions are not copied, however deep."""
    for target in FUNCTIONS:
        if (wrapper := found(target)) is not None:
            assert copy.copy(wrapper) is wrapper
            assert copy.deepcopy([wrapper]) == [wrapper]
            assert weakref.ref(wrapper)() is wrapper


def test_a_builtin_kept_in_a_class_does_not_become_a_method(guard_installed: Watched) -> None:
    """A class may have ``pause = time.sleep``: it is not handed the instance."""

    class Worker:
        pause: Any = time.sleep

    Worker().pause(0)
    Worker.pause(0)


def test_a_function_kept_in_a_class_becomes_a_method(inbox_open: Watched) -> None:
    """As Python functions do."""

    class Library:
        method = wrap(answering, SLOW, method=False)

    library = Library()
    assert library.method(1) == ((library, 1), {})


def test_a_double_may_be_made_after_a_wrapper(guard_installed: Watched) -> None:
    """A mock with the specification of a wrapped function takes and refuses the same arguments."""
    with mock.patch("shutil.copyfile", autospec=True) as copyfile, pytest.raises(TypeError):
        copyfile("source only")
    with mock.patch("time.sleep", autospec=True) as sleep:
        time.sleep(1)
    sleep.assert_called_once_with(1)


def test_a_name_taken_over_stays_one_object(guard_installed: Watched) -> None:
    """The same function under several names gets one wrapper."""
    assert concurrent.futures.wait is concurrent.futures._base.wait
    assert threading.Semaphore.acquire is threading.Semaphore.__enter__


# --- installing --------------------------------------------------------------------------------


@pytest.fixture(name="library")
def _library(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A library with a function, imported by name elsewhere, and a class with a subclass."""
    library = ModuleType("fake")
    exec(
        "def slow(): pass\n"
        "class Client:\n"
        "    def get(self): return 1\n"
        "class Special(Client): pass\n",
        vars(library),
    )
    monkeypatch.setitem(sys.modules, "fake", library)
    return library


@pytest.fixture(name="installed")
def _installed(library: ModuleType) -> Iterator[Callable[..., CallProbe]]:
    """Install a probe of the given rows; what it misses is appended to ``missing``."""
    probes: list[CallProbe] = []

    def install(*rows: Call, missing: list[str] | None = None) -> CallProbe:
        told: list[str] = [] if missing is None else missing
        probes.append(CallProbe("calls", rows, ImportWatch(), told.append))
        probes[-1].install()
        return probes[-1]

    yield install
    for probe in probes:
        probe.uninstall()


Install = Callable[..., CallProbe]


def test_uninstalling_puts_everything_back(library: ModuleType, installed: Install) -> None:
    """What was inherited is inherited again, and what was there is there."""
    before = {name: dict(vars(getattr(library, name))) for name in ("Client", "Special")}
    slow = library.slow
    probe = installed(
        Call(target="fake:slow", rule="sleep"),
        Call(target="fake:Client.get", rule="sync-client"),
        Call(target="fake:Special.get", rule="sync-client"),
    )
    assert library.slow is not slow
    assert library.Special.__dict__["get"] is not library.Client.__dict__["get"]
    probe.uninstall()
    assert library.slow is slow
    assert {name: dict(vars(getattr(library, name))) for name in before} == before


def test_what_stands_on_top_of_a_wrapper_stays(
    library: ModuleType, installed: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A double that is still in place when the guard goes is not ours to remove."""
    probe = installed(Call(target="fake:slow", rule="sleep"))
    double = mock.Mock()
    monkeypatch.setattr(library, "slow", double)
    probe.uninstall()
    assert library.slow is double


def test_a_name_that_took_over_a_wrapper_gets_the_original_back(
    library: ModuleType, installed: Install
) -> None:
    """A module imported later takes the wrapper from where it was put."""
    original = library.slow
    probe = installed(SLOW)
    taker = ModuleType("taker")
    vars(taker)["slow"] = library.slow
    sys.modules["taker"] = taker
    try:
        taking = installed(Call(target="taker:slow", rule="sleep"))
        assert vars(taker)["slow"] is library.slow
        taking.uninstall()
    finally:
        del sys.modules["taker"]
    probe.uninstall()
    assert vars(taker)["slow"] is library.slow is original


def test_a_target_that_is_missing_is_told_unless_optional(installed: Install) -> None:
    """A library without a function that the catalogue names is a reason to look at it."""
    missing: list[str] = []
    installed(
        Call(target="fake:nothing", rule="sleep"),
        Call(target="fake:Nothing.get", rule="sleep"),
        Call(target="fake:other", rule="sleep", optional=True),
        missing=missing,
    )
    assert missing == ["fake:nothing not found", "fake:Nothing.get not found"]


def test_every_row_finds_its_target(guard_installed: Watched) -> None:
    """On each Python on which these tests run, what is not optional is there."""
    assert guard_installed.missing == []


# --- the standard library ----------------------------------------------------------------------


def finished_process() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


def finished_future() -> None:
    with concurrent.futures.ThreadPoolExecutor() as executor:
        executor.submit(time.sleep, 0.01).result()


def joined_thread() -> None:
    thread = threading.Thread(target=time.sleep, args=(0.01,))
    thread.start()
    thread.join()


def waited_for_an_item() -> None:
    items: queue.Queue[int] = queue.Queue()
    with pytest.raises(queue.Empty):
        items.get(timeout=0.001)


def waited_for_a_semaphore() -> None:
    semaphore = threading.Semaphore(0)
    semaphore.acquire(timeout=0.001)


def waited_for_a_condition() -> None:
    condition = threading.Condition()
    with condition:
        condition.wait_for(lambda: False, timeout=0.001)


def looked_up() -> None:
    socket.getaddrinfo("127.0.0.1", 1)


def received() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")
        ours.recv(1)


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (lambda: time.sleep(0.001), {"time.sleep"}),
        (finished_process, {"subprocess.run"}),
        (finished_future, {"threading.Event.wait", "concurrent.futures.Future.result"}),
        (joined_thread, {"threading.Event.wait", "threading.Thread.join"}),
        (waited_for_an_item, {"queue.Queue.get"}),
        (waited_for_a_semaphore, {"threading.Semaphore.acquire"}),
        (waited_for_a_condition, {"threading.Condition.wait_for"}),
        (looked_up, {"socket.getaddrinfo"}),
        (received, {"socket.socket.send", "socket.socket.recv"}),
    ],
)
def test_a_blocking_call_of_the_standard_library_is_seen(
    guard_installed: Watched, function: Callable[[], object], names: set[str]
) -> None:
    """Each is seen once, under the name by which the user calls it."""
    on_loop(guard_installed, function)
    # Whether a thread or its result has to be waited for at all, the machine decides.
    optional = {"threading.Event.wait", "concurrent.futures.Future.result"}
    optional |= {"concurrent.futures.ThreadPoolExecutor.shutdown", "threading.Thread.join"}
    seen = set(guard_installed.names())
    assert names - optional <= seen <= names | optional


def put_into_a_queue_with_room() -> None:
    items: queue.Queue[int] = queue.Queue()
    items.put(1)
    items.get()


def took_a_free_semaphore() -> None:
    semaphore = threading.Semaphore(1)
    with semaphore:
        pass


def asked_a_finished_future() -> None:
    future: concurrent.futures.Future[int] = concurrent.futures.Future()
    future.set_result(1)
    future.result()


def used_a_nonblocking_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        with pytest.raises(BlockingIOError):
            ours.recv(1)


def waited_for_a_set_event() -> None:
    event = threading.Event()
    event.set()
    event.wait()


@pytest.mark.parametrize(
    "function",
    [
        lambda: time.sleep(0),
        put_into_a_queue_with_room,
        took_a_free_semaphore,
        asked_a_finished_future,
        used_a_nonblocking_socket,
        waited_for_a_set_event,
        lambda: threading.Event().wait(0),
        lambda: queue.Queue[int]().empty(),
    ],
)
def test_a_call_that_does_not_have_to_wait_is_free(
    guard_installed: Watched, function: Callable[[], object]
) -> None:
    """What answers at once holds nothing: a full queue blocks, one with room does not."""
    on_loop(guard_installed, function)
    assert guard_installed.names() == []


def test_polling_a_process_is_free(guard_installed: Watched) -> None:
    """Asking whether it has ended is no waiting for it."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        on_loop(guard_installed, process.poll)
        process.communicate(b"\n")
    assert guard_installed.names() == []


def test_a_loop_of_the_apps_own_is_the_apps(guard_installed: Watched) -> None:
    """A loop that selects with a hold open would be seen; one that runs the hold is not."""

    async def main() -> None:
        await guard_installed.drive(asyncio.sleep(0.001))

    asyncio.run(main())
    assert guard_installed.names() == []


def old() -> int:
    """A function that is on its way out, and says so to whoever calls it."""
    warnings.warn("old", DeprecationWarning, stacklevel=2)
    return 1


def test_a_warning_is_about_who_called_it(guard_installed: Watched) -> None:
    """On the loop and off it: with ``stacklevel=2`` it is not about the frame that we add."""
    watched = wrap(old, Call(target="app:old", rule="sleep"), method=False)

    def here() -> str:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            assert watched() == 1
        return told[0].filename

    assert here() == __file__
    assert on_loop(guard_installed, here) == __file__
    assert guard_installed.names() == ["app.old"]


# --- calls that a test does not wait for ---------------------------------------------------------


class Unanswered:
    """A request that blocks in a thread of its own until it is told to go on."""

    def __init__(self, watched: Watched) -> None:
        self.request = watched.request()
        self.ours, self.theirs = socket.socketpair()
        self.thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        async def app() -> None:
            select.select([self.ours], [], [])

        async def main() -> None:
            await drive(app(), self.request)

        asyncio.run(main())

    def __enter__(self) -> Self:
        self.thread.start()
        while getattr(holds.open_holds.get(self.thread.ident or 0), "call", None) is None:
            time.sleep(0.001)
        return self

    def answer(self) -> None:
        self.theirs.close()
        self.thread.join()
        self.ours.close()

    def __exit__(self, *_: object) -> None:
        self.answer()


def test_a_call_that_has_not_returned_is_told_of(guard_installed: Watched) -> None:
    """A test that does not wait for the answer has been blocked for all the same."""
    with Unanswered(guard_installed):
        assert guard_installed.names() == []
        report_running(guard_installed.inbox)
        (call,) = guard_installed.calls()
        assert (call.row.name, call.timed, call.spawned) == ("select.select", False, False)
        assert getattr(call.stack[0], "co_name", None) == "app"


def test_a_call_is_told_of_once(guard_installed: Watched) -> None:
    """Neither again at the end of the next test, nor when it returns."""
    with Unanswered(guard_installed):
        report_running(guard_installed.inbox)
        report_running(guard_installed.inbox)
    assert [call.count for call in guard_installed.calls()] == [1]


def test_what_is_told_already_is_no_stall(
    guard_installed: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the hold is judged by itself, in whichever test it ends."""
    monkeypatch.setattr(guard_installed.inbox, "limits", Limits(MS))
    with Unanswered(guard_installed) as unanswered:
        report_running(guard_installed.inbox)
        took = holds.sources.wall() + 20 * MS
        while holds.sources.wall() < took:
            time.sleep(0.001)
    assert sum(stall.asleep_ns for stall in unanswered.request.stalls) < 20 * MS


def test_a_call_of_another_run_is_left_to_that(guard_installed: Watched) -> None:
    """A run of pytest may be within another one."""
    with Unanswered(guard_installed):
        report_running(Inbox(100 * MS, lambda: None, lambda part, error: None))
        assert guard_installed.names() == []
    assert guard_installed.names() == ["select.select"]
