"""The sampler: stacks of holds that last, taken from outside."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_asyncguard.catalog.rows import Call
from pytest_asyncguard.guard import Guard
from pytest_asyncguard.options import Settings, read
from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.calls import wrap
from pytest_asyncguard.probes.holds import NEVER, Hold
from pytest_asyncguard.probes.inbox import WatchedRequest
from pytest_asyncguard.probes.requests import drive
from pytest_asyncguard.probes.sampler import CALM_NS, INTERVAL_SECONDS, MOVE_NS, Sampler
from pytest_asyncguard.probes.timer import LockTimer

if TYPE_CHECKING:
    from tests.unit.conftest import Anyway, FakeClock, Run, Watched

MS = 1_000_000
INTERVAL = round(INTERVAL_SECONDS * 1e9)

SLOW = Call(target="fake:slow", rule="sleep")


def defaults() -> Settings:
    return read(lambda name: None, lambda name: None, "")


def during(request: WatchedRequest, function: Callable[[], object]) -> Hold:
    """The hold in which ``function`` was called."""
    held: list[Hold] = []

    def step(_: object) -> None:
        held.append(holds.open_holds[threading.get_ident()])
        function()

    holds.step(request, step, None)
    return held[0]


# --- one look ----------------------------------------------------------------------------------


def test_a_hold_that_lasts_is_sampled(
    inbox_open: Watched, fake_clock: FakeClock, functions: Any
) -> None:
    """With the moment, and where it stood."""
    sampler = Sampler()

    def compute() -> None:
        fake_clock.compute(INTERVAL)
        assert sampler._sample()

    hold = during(inbox_open.request(), compute)
    assert [taken for taken, _ in hold.samples or ()] == [fake_clock.wall]
    [(_, stack)] = hold.samples or []
    assert compute.__qualname__ in functions(stack)


def test_a_hold_that_has_just_begun_is_not_sampled(
    inbox_open: Watched, fake_clock: FakeClock
) -> None:
    """Most are over before the next look: a stack for each would cost more than it tells."""
    sampler = Sampler()

    def compute() -> None:
        fake_clock.compute(INTERVAL // 2 - 1)
        assert not sampler._sample()

    assert during(inbox_open.request(), compute).samples is None


def test_a_known_call_is_sampled_too(
    inbox_open: Watched, fake_clock: FakeClock, functions: Any
) -> None:
    """Its samples blame the line that makes it, so that no other line gets its time."""
    sampler = Sampler()

    def slow() -> None:
        fake_clock.sleep(INTERVAL)
        assert sampler._sample()

    [(_, stack)] = during(inbox_open.request(), wrap(slow, SLOW, method=False)).samples or []
    assert slow.__qualname__ in functions(stack)


def test_without_a_hold_there_is_nothing_to_see() -> None:
    """The sampler may go to sleep."""
    assert not Sampler()._sample()


def test_a_hold_that_is_over_is_not_given_the_stack_of_other_code(
    inbox_open: Watched, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may end between the look at the holds and that at the frames."""
    sampler = Sampler()
    request = inbox_open.request()
    hold = holds.enter(request, spawned=False)
    assert hold is not None
    fake_clock.compute(INTERVAL)

    def too_late() -> dict[int, object]:
        holds.leave(hold)
        return {threading.get_ident(): sys._getframe()}

    monkeypatch.setattr(sys, "_current_frames", too_late)
    sampler._sample()
    assert hold.samples is None


def test_holds_of_several_threads_are_sampled_each(
    inbox_open: Watched, fake_clock: FakeClock
) -> None:
    """A test process may run several loops: one for the test, one for a live server."""
    sampler = Sampler()
    ready, done = threading.Event(), threading.Event()
    found: list[Hold] = []

    def other_loop() -> None:
        ready.set()
        done.wait()

    thread = threading.Thread(target=lambda: found.append(during(inbox_open.request(), other_loop)))

    def this_loop() -> None:
        thread.start()
        ready.wait()
        fake_clock.compute(INTERVAL)
        sampler._sample()
        done.set()
        thread.join()

    found.append(during(inbox_open.request(), this_loop))
    assert [len(hold.samples or ()) for hold in found] == [1, 1]


# --- what samples are worth --------------------------------------------------------------------


@pytest.fixture(name="guard")
def _guard(inbox_open: Watched) -> Iterator[Guard]:
    """A guard of which the probes are not installed, with this file as the project."""
    guard = Guard(defaults(), str(Path(__file__).parent), lambda text: None)
    yield guard
    guard.stop()


def findings(guard: Guard, function: Callable[[], object]) -> list[tuple[str, str]]:
    """Rule and line of what is found where ``function`` is called in one hold."""
    scope = {"type": "http", "method": "GET", "path": "/"}
    request = WatchedRequest(None, scope, guard._inbox)
    request.tell()
    holds.step(request, lambda _: function(), None)
    request.done = True
    guard._fetch(last=True)
    return [(finding.rule, (finding.source or "").strip()) for finding in guard._findings]


def test_a_stall_is_found_where_it_was_sampled(guard: Guard, fake_clock: FakeClock) -> None:
    """Each sample stands for the time since the one before."""
    sampler = Sampler()

    def computing() -> None:
        for _ in range(6):
            fake_clock.compute(INTERVAL)
            sampler._sample()  # the line

    assert findings(guard, computing) == [("cpu-stall", "sampler._sample()  # the line")]


library: dict[str, Any] = {}
source = """
def sleep(fake, look, ns, naps):
    for _ in range(naps):
        fake.sleep(ns)
        look()
"""
exec(compile(source, "<library>", "exec"), library)  # in a file that is not the project's


@pytest.mark.parametrize("sampled", [True, False])
def test_time_in_a_known_call_is_not_that_of_what_comes_after(
    guard: Guard, fake_clock: FakeClock, sampled: bool
) -> None:
    """One site, one finding: a sleep does not make a stall of the little that is computed next."""
    sampler = Sampler()
    slow = wrap(library["sleep"], SLOW, method=False)
    look = sampler._sample if sampled else bool

    def sleeping_then_computing() -> None:
        slow(fake_clock, look, INTERVAL, 10)  # the line
        for _ in range(3):
            fake_clock.compute(INTERVAL)
            sampler._sample()

    assert findings(guard, sleeping_then_computing) == [
        ("sleep", "slow(fake_clock, look, INTERVAL, 10)  # the line")
    ]


@pytest.mark.parametrize("sampled", [True, False])
def test_a_stall_beside_a_known_call_is_found_beside_it(
    guard: Guard, fake_clock: FakeClock, sampled: bool
) -> None:
    """What computed for the threshold computed, however long something else slept."""
    sampler = Sampler()
    slow = wrap(library["sleep"], SLOW, method=False)
    look = sampler._sample if sampled else bool

    def sleeping_then_computing() -> None:
        slow(fake_clock, look, INTERVAL, 10)  # the call
        for _ in range(6):
            fake_clock.compute(INTERVAL)
            sampler._sample()  # the stall

    assert findings(guard, sleeping_then_computing) == [
        ("sleep", "slow(fake_clock, look, INTERVAL, 10)  # the call"),
        ("cpu-stall", "sampler._sample()  # the stall"),
    ]


# --- when it looks -----------------------------------------------------------------------------


class Told:
    """A timer, movable or not, that says what it was told."""

    def __init__(self, movable: bool = True) -> None:
        self.movable = movable
        self.told: list[int | str] = []

    def set(self, ns: int) -> None:
        self.told.append(ns)

    def clear(self) -> None:
        self.told.append("clear")

    def ring(self) -> None:
        self.told.append("ring")

    def wait(self) -> None:
        raise AssertionError("nobody waits")

    def close(self) -> None:
        raise AssertionError("nobody closes")


@pytest.fixture(name="calm")
def _calm(
    inbox_open: Watched, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Sampler, Told]]:
    """A sampler that has just looked, and its timer."""

    def make(movable: bool = True) -> tuple[Sampler, Told]:
        sampler, told = Sampler(), Told(movable)
        sampler._timer = told
        monkeypatch.setattr(holds.alarm, "notice", sampler.notice)
        monkeypatch.setattr(holds.alarm, "notice_at", NEVER)
        sampler._beat(CALM_NS)
        told.told.clear()
        return sampler, told

    return make


Calm = Callable[..., "tuple[Sampler, Told]"]


def test_short_holds_put_the_next_look_off(
    calm: Calm, inbox_open: Watched, fake_clock: FakeClock
) -> None:
    """Not each of them, and never for longer than until one may be lasting."""
    sampler, timer = calm()
    request = inbox_open.request()
    for _ in range(100):
        holds.step(request, fake_clock.compute, MS)
    assert timer.told == [CALM_NS] * (99 * MS // MOVE_NS)
    assert CALM_NS - MOVE_NS <= sampler._due - fake_clock.wall <= CALM_NS


def test_a_hold_that_lasts_is_looked_at_in_time(
    calm: Calm, inbox_open: Watched, fake_clock: FakeClock
) -> None:
    """Nothing puts that off but what opens before: not the requests within it."""
    sampler, timer = calm()
    request = inbox_open.request()
    fake_clock.compute(MOVE_NS)

    def lasting() -> int:
        due = sampler._due
        while fake_clock.wall < due:
            holds.step(inbox_open.request(), fake_clock.compute, MS)
        return due

    assert holds.step(request, lasting) == sampler._due
    assert timer.told == [CALM_NS]


def test_a_hold_of_another_thread_that_lasts_is_looked_at_in_time(
    calm: Calm, inbox_open: Watched, fake_clock: FakeClock
) -> None:
    """However many short ones this thread opens meanwhile."""
    _, timer = calm()
    other = holds.Hold()
    holds.open_holds[-1] = other
    try:
        for _ in range(100):
            holds.step(inbox_open.request(), fake_clock.compute, MS)
    finally:
        del holds.open_holds[-1]
    assert timer.told == []


def test_a_look_that_is_due_is_not_put_off(
    calm: Calm, inbox_open: Watched, fake_clock: FakeClock
) -> None:
    """The sampler waits for a processor or the GIL: what it looks for is lasting already."""
    sampler, timer = calm()
    fake_clock.compute(CALM_NS)
    holds.step(inbox_open.request(), fake_clock.compute, MS)
    assert timer.told == []
    sampler._beat(CALM_NS)
    assert timer.told == [CALM_NS]


def test_a_timer_that_cannot_be_moved_is_left_alone(
    calm: Calm, inbox_open: Watched, fake_clock: FakeClock
) -> None:
    """The sampler finds out for itself that nothing lasts."""
    _, timer = calm(movable=False)
    for _ in range(100):
        holds.step(inbox_open.request(), fake_clock.compute, MS)
    assert timer.told == []


@pytest.mark.parametrize("movable", [True, False])
def test_a_sampler_that_sleeps_is_told_of_the_next_hold(
    calm: Calm, inbox_open: Watched, fake_clock: FakeClock, movable: bool
) -> None:
    """Also where two open at once, on two threads; and of those after it nothing."""
    sampler, timer = calm(movable)
    sampler._idle = True
    holds.alarm.notice_at = 0
    holds.open_holds[-1] = holds.Hold()
    try:
        holds.step(inbox_open.request(), fake_clock.compute, MS)
    finally:
        del holds.open_holds[-1]
    holds.step(inbox_open.request(), fake_clock.compute, MS)
    assert timer.told == [CALM_NS] if movable else [CALM_NS, "ring"]
    assert not sampler._idle


@pytest.mark.parametrize("stopped", [False, True])
def test_an_error_on_the_way_into_a_hold_is_the_sampler_s(
    calm: Calm,
    inbox_open: Watched,
    fake_clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    stopped: bool,
) -> None:
    """The hold is as good as any; and a sampler that is being stopped has closed its files."""
    sampler, _ = calm()
    sampler._stop = stopped
    fake_clock.compute(MOVE_NS)
    error = OSError("closed")

    def failing(now: int) -> None:
        raise error

    monkeypatch.setattr(sampler._keepers, "look_around", failing)
    request = inbox_open.request()
    holds.step(request, fake_clock.compute, 7 * MS)
    assert request.held_ns == 7 * MS
    assert holds.open_holds == {}
    assert inbox_open.failures == ([] if stopped else [("sampler", error)])
    inbox_open.failures.clear()


def test_what_threads_computed_is_known_from_before_the_hold(
    calm: Calm, inbox_open: Watched, fake_clock: FakeClock
) -> None:
    """Who opens one looks in the sampler's place."""
    sampler, _ = calm()
    fake_clock.compute(MOVE_NS)
    before = fake_clock.wall
    holds.step(inbox_open.request(), fake_clock.compute, MS)
    [(taken, _)] = sampler._keepers._looks
    assert taken == before


# --- the thread --------------------------------------------------------------------------------


@pytest.fixture(name="running", params=["best timer", "lock"])
def _running(
    inbox_open: Watched, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sampler]:
    """A sampler at work, by the best timer that there is, and by one that cannot be moved."""
    if request.param == "lock":
        monkeypatch.setattr("pytest_asyncguard.probes.sampler.timer", LockTimer)
    sampler = Sampler()
    assert sampler.unavailable() is None
    sampler.install()
    yield sampler
    sampler.uninstall()
    assert sampler._thread is None


def until(happened: Callable[[], object]) -> bool:
    """Wait for another thread as long as it takes, within reason."""
    deadline = time.monotonic() + 10
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.001)
    return bool(happened())


def test_the_thread_samples_a_hold_as_it_lasts(running: Sampler, inbox_open: Watched) -> None:
    """However the loop is held: here by a sleep of which nobody has been told."""
    hold = during(
        inbox_open.request(),
        lambda: until(lambda: holds.open_holds[threading.get_ident()].samples),
    )
    assert hold.samples


@pytest.mark.parametrize("spawned", [False, True], ids=["own", "spawned"])
def test_a_stall_is_sampled_where_it_stands_on_any_loop(
    guard_installed: Watched, run_loop: Run, anyway: Anyway, functions: Any, spawned: bool
) -> None:
    """In a step of the request's own, and in one of a task that it started."""
    guard_installed.inbox.threshold_ns = 1
    request = guard_installed.request()
    stalls: list[Hold] = []

    def stall() -> None:
        hold = holds.open_holds[threading.get_ident()]
        assert until(lambda: hold.samples)
        stalls.append(hold)

    async def child() -> None:
        await anyway.checkpoint()
        stall()

    async def main() -> None:
        await drive(anyway.together(child) if spawned else child(), request)

    run_loop(main)
    (hold,) = stalls
    assert all(stall.__qualname__ in functions(stack) for _, stack in hold.samples or ())
    assert [stall.spawned for stall in request.stalls if stall.samples is hold.samples] == [spawned]


def test_sleeping_with_the_gil_is_sleeping(running: Sampler, inbox_open: Watched) -> None:
    """A driver in C that does not release it keeps the sampler waiting: no stop of the process."""
    c_library = pytest.importorskip("ctypes").PyDLL(None)
    if not hasattr(c_library, "usleep"):
        pytest.skip("needs usleep")
    request = inbox_open.request()
    during(request, lambda: c_library.usleep(200_000))
    assert request.held_ns >= 150 * MS


def test_the_thread_wakes_for_a_hold_after_it_slept(running: Sampler, inbox_open: Watched) -> None:
    """While no request is watched it does not even look; a task may go on after any time."""
    assert until(lambda: running._idle)
    hold = during(
        inbox_open.request(),
        lambda: until(lambda: holds.open_holds[threading.get_ident()].samples),
    )
    assert hold.samples


class Recording:
    """A heart that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: self.told.append(name)


def test_the_sampler_beats_unless_it_rests(
    inbox_open: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By that a stop of the process is told from a sampler that had nothing to do."""
    heart = Recording()
    monkeypatch.setattr(holds, "heartbeat", heart)
    monkeypatch.setattr("pytest_asyncguard.probes.sampler.IDLE_ROUNDS", 2)
    sampler = Sampler()
    sampler.install()
    try:
        assert until(lambda: sampler._idle)
        holds.step(inbox_open.request(), int)
        assert until(lambda: heart.told[-1] == "beat" and "rest" in heart.told)
    finally:
        sampler.uninstall()
    told = [what for what in heart.told if what != "waited"]
    assert told[:4] == ["open", "beat", "beat", "rest"]
    assert heart.told[4] == "beat"
    assert heart.told[-1] == "close"


@pytest.mark.parametrize("idle", [False, True])
def test_uninstalling_ends_the_thread(inbox_open: Watched, idle: bool) -> None:
    """Whether it sleeps or not."""
    sampler = Sampler()
    sampler.install()
    thread = sampler._thread
    assert thread is not None
    if idle:
        assert until(lambda: sampler._idle)
    sampler.uninstall()
    assert not thread.is_alive()


def test_an_error_in_the_thread_switches_the_sampler_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The guard says so once, and the thread ends without an exception of its own."""
    raised: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: raised.append(args.exc_value))
    warned: list[str] = []

    def failing(self: Sampler) -> bool:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(Sampler, "_sample", failing)
    guard = Guard(defaults(), str(tmp_path), warned.append)
    guard.start()
    try:
        assert until(lambda: warned or raised)
        (state,) = [state for state in guard.probes if state.name == "sampler"]
    finally:
        guard.stop()
    assert raised == []
    assert warned == ["sampler failed and is switched off: ZeroDivisionError: by zero"]
    assert (state.active, state.reason) == (False, "ZeroDivisionError: by zero")
    assert not any(thread.name == "asyncguard-sampler" for thread in threading.enumerate())


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="nobody tells of a thread's mask")
def test_no_signal_ends_up_in_the_thread(running: Sampler) -> None:
    """An app that blocks a signal to wait for it is killed by one that another thread takes."""
    thread = running._thread
    assert thread is not None
    assert until(lambda: blocked(thread, signal.SIGUSR1))


def blocked(thread: threading.Thread, number: int) -> bool:
    """Whether ``thread`` has ``number`` blocked."""
    status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
    (mask,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:"))
    return bool(int(mask, 16) >> (number - 1) & 1)
