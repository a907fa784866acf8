"""Holds: whose the loop is, since when, and what that cost."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_asyncguard.catalog.rows import Call
from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.calls import wrap
from pytest_asyncguard.probes.holds import Hold, current_request
from pytest_asyncguard.probes.inbox import (
    FOLD_AT,
    MEASURED_NS,
    Inbox,
    RawCall,
    WatchedRequest,
    fold,
)
from pytest_asyncguard.probes.sampler import Sampler
from pytest_asyncguard.probes.stacks import capture

if TYPE_CHECKING:
    from tests.unit.conftest import FakeClock, Watched

MS = 1_000_000
THRESHOLD = 100 * MS

SLOW = Call(target="fake:slow", rule="sleep")
OTHER = Call(target="fake:other", rule="sleep")


def held() -> Hold | None:
    """The hold that is open on this thread."""
    return holds.open_holds.get(threading.get_ident())


def charges(request: WatchedRequest) -> list[tuple[int, int]]:
    """Computing and sleep of each hold of ``request`` that was over the threshold."""
    return [(stall.cpu_ns, stall.asleep_ns) for stall in request.stalls]


# --- opening and closing -----------------------------------------------------------------------


def test_a_step_is_a_hold_of_the_request_that_started_it(inbox_open: Watched) -> None:
    """For as long as it runs, on its own thread."""
    request = inbox_open.request()
    seen: list[Hold | None] = []
    holds.step(request, lambda _: seen.append(held()), None)
    (hold,) = seen
    assert hold is not None
    assert (hold.request, hold.spawned) == (request, True)
    assert held() is None


def test_a_step_gives_back_what_the_function_gives(inbox_open: Watched) -> None:
    """Answer or exception, the loop gets what it would have got."""
    request = inbox_open.request()
    assert holds.step(request, divmod, 7, 2) == (3, 1)
    error = KeyError("the app's")

    def failing() -> None:
        raise error

    with pytest.raises(KeyError) as caught:
        holds.step(request, failing)
    assert caught.value is error
    assert (error.__cause__, error.__context__) == (None, None)
    assert held() is None


def test_a_hold_within_a_hold_gives_the_loop_back_to_the_outer_one(inbox_open: Watched) -> None:
    """An app may call an app."""
    outer, inner = inbox_open.request(), inbox_open.request()
    seen: list[WatchedRequest] = []

    def look(_: object = None) -> None:
        hold = held()
        assert hold is not None
        seen.append(hold.request)

    def outer_step(_: object) -> None:
        look()
        holds.step(inner, look, None)
        look()

    holds.step(outer, outer_step, None)
    assert seen == [outer, inner, outer]
    assert held() is None


def test_each_thread_has_its_own_hold(inbox_open: Watched) -> None:
    """What one loop does is no matter to another."""
    seen: list[Hold | None] = []

    def step(_: object) -> None:
        thread = threading.Thread(target=lambda: seen.append(held()))
        thread.start()
        thread.join()

    holds.step(inbox_open.request(), step, None)
    assert seen == [None]


def test_closing_nothing_is_no_error() -> None:
    """Where a hold could not be opened there is none to close."""
    holds.leave(None)
    assert held() is None


@pytest.mark.parametrize("after", [0, 1])
def test_a_clock_that_fails_is_the_guards_and_not_the_apps(
    inbox_open: Watched, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """The step runs, whether the hold cannot be opened or not be weighed; the guard is told."""
    looks = iter([fake_clock.wall] * after)

    def broken() -> int:
        try:
            return next(looks)
        except StopIteration:
            raise OSError("no clock") from None

    monkeypatch.setattr(holds.sources, "wall", broken)
    assert holds.step(inbox_open.request(), divmod, 7, 2) == (3, 1)
    assert held() is None
    assert [(part, str(error)) for part, error in inbox_open.failures] == [("holds", "no clock")]
    inbox_open.failures.clear()


@pytest.mark.skipif(not hasattr(sys.modules["os"], "fork"), reason="needs fork")
def test_a_child_process_is_no_loop_thread() -> None:
    """Nobody reads what a child that was forked during a hold would report."""
    script = """
import os
from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.inbox import Inbox, WatchedRequest
box = Inbox(1, lambda: None, lambda part, error: None)
def step():
    child = os.fork()
    if not child:
        os._exit(len(holds.open_holds))
    assert len(holds.open_holds) == 1
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
holds.step(WatchedRequest(None, {"type": "http"}, box), step)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


# --- what it cost ------------------------------------------------------------------------------


def test_the_time_of_all_holds_is_the_requests(inbox_open: Watched, fake_clock: FakeClock) -> None:
    """Their sum, and the longest of them; waiting for a processor is nobody's."""
    request = inbox_open.request()
    for milliseconds in (1, 30, 20):
        holds.step(request, fake_clock.compute, milliseconds * MS)
        fake_clock.compute(500 * MS)

    def busy_machine(ns: int) -> None:
        fake_clock.queue(400 * MS)
        fake_clock.sleep(ns)

    holds.step(request, busy_machine, 10 * MS)
    assert (request.held_ns, request.held_max_ns) == (61 * MS, 30 * MS)


@pytest.mark.parametrize(
    ("spent", "reported"), [(THRESHOLD - 1, []), (THRESHOLD, [(THRESHOLD, 0)])]
)
def test_a_hold_that_reaches_the_threshold_is_reported(
    inbox_open: Watched, fake_clock: FakeClock, spent: int, reported: list[tuple[int, int]]
) -> None:
    """On the guard's clock, and not before."""
    request = inbox_open.request()
    holds.step(request, fake_clock.compute, spent)
    assert charges(request) == reported
    assert (id(request) in inbox_open.inbox.requests) == bool(reported)


def test_the_threshold_is_that_of_the_test_in_which_the_request_began(
    inbox_open: Watched, fake_clock: FakeClock
) -> None:
    """A marker of one test is nothing to a request of another that is still running."""
    early = inbox_open.request()
    inbox_open.inbox.threshold_ns = 10 * MS
    late = inbox_open.request()
    for request in (early, late):
        holds.step(request, fake_clock.sleep, 50 * MS)
    assert (charges(early), charges(late)) == ([], [(0, 50 * MS)])


def test_several_stalls_of_one_request_are_kept_each(
    inbox_open: Watched, fake_clock: FakeClock
) -> None:
    """Each has its own line to blame."""
    request = inbox_open.request()
    holds.step(request, fake_clock.compute, 100 * MS)
    holds.step(request, fake_clock.sleep, 200 * MS)
    assert charges(request) == [(100 * MS, 0), (0, 200 * MS)]


@pytest.mark.parametrize(("spent", "measured"), [(MEASURED_NS - 1, False), (MEASURED_NS, True)])
def test_a_short_hold_costs_no_full_reading(
    inbox_open: Watched, fake_clock: FakeClock, spent: int, measured: bool
) -> None:
    """Most holds are short, and nothing will be told of them."""
    read: list[int] = []

    def step(_: object) -> None:
        fake_clock.compute(spent)
        read.append(fake_clock.readings)

    holds.step(inbox_open.request(), step, None)
    assert (fake_clock.readings > read[0]) is measured


@pytest.mark.parametrize("threshold", [2 * MS, 10 * MS, 100 * MS, 10_000 * MS])
@pytest.mark.parametrize("before", ["compute", "sleep"])
def test_what_was_before_a_hold_is_charged_to_it_at_most_in_part(
    inbox_open: Watched, fake_clock: FakeClock, threshold: int, before: str
) -> None:
    """One reading of the clocks serves several holds: for a twentieth of the threshold, or 1 ms.

    Here each hold waits for a processor, which is what would hide time from before it.
    """
    inbox_open.inbox.threshold_ns = threshold
    most = min(max(MS, threshold // 20), MEASURED_NS)
    for ago in (0, most // 2, most, most + 1, 40 * MS, 4000 * MS):
        request = inbox_open.request()
        holds._this_thread.clock.refresh()
        getattr(fake_clock, before)(ago)

        def step() -> None:
            fake_clock.compute(7 * MS)
            fake_clock.queue(9000 * MS)

        holds.step(request, step)
        assert 7 * MS <= request.held_ns <= 7 * MS + (ago if ago <= most else 0)


def test_a_threshold_may_be_shorter_than_what_is_worth_measuring(
    inbox_open: Watched, fake_clock: FakeClock
) -> None:
    """Who asks for a millisecond gets what holds the loop for a millisecond."""
    inbox_open.inbox.threshold_ns = MS
    request = inbox_open.request()
    for spent in (MS - 1, MS, 3 * MS):
        holds.step(request, fake_clock.compute, spent)
    assert charges(request) == [(MS, 0), (3 * MS, 0)]


def test_a_stall_brings_the_known_calls_and_samples_of_its_hold(
    inbox_open: Watched, fake_clock: FakeClock, functions: Any
) -> None:
    """Those of other holds explain nothing of it."""
    request = inbox_open.request()
    slow = wrap(fake_clock.sleep, SLOW, method=False)
    other = wrap(fake_clock.sleep, OTHER, method=False)

    def step(_: object) -> None:
        slow(60 * MS)
        Sampler()._sample()
        fake_clock.compute(60 * MS)

    holds.step(request, lambda: other(10 * MS))
    holds.step(request, step, None)
    (stall,) = request.stalls
    assert [call.row.name for call in stall.calls] == ["fake.slow"]
    assert [step.__qualname__ in functions(stack) for _, stack in stall.samples] == [True]
    assert stall.spawned


def test_a_nested_hold_is_charged_to_its_own_request(
    inbox_open: Watched, fake_clock: FakeClock
) -> None:
    """And to it only: computing and sleep of the two are not mixed."""
    outer, inner = inbox_open.request(), inbox_open.request()

    def outer_step() -> None:
        fake_clock.compute(120 * MS)
        holds.step(inner, fake_clock.sleep, 480 * MS)

    holds.step(outer, outer_step)
    assert charges(inner) == [(0, 480 * MS)]
    assert charges(outer) == [(120 * MS, 0)]


@pytest.mark.parametrize("spend", ["compute", "sleep", "queue"])
@pytest.mark.parametrize("ns", [MEASURED_NS - 1, 300 * MS])
def test_a_nested_hold_is_no_stall_of_the_outer_one(
    inbox_open: Watched, fake_clock: FakeClock, spend: str, ns: int
) -> None:
    """However long or often: a test's own step may call the app, and that may do anything."""
    outer, inner = inbox_open.request(), inbox_open.request()

    def outer_step() -> None:
        fake_clock.compute(30 * MS)
        for _ in range(60):
            holds.step(inner, getattr(fake_clock, spend), ns)

    holds.step(outer, outer_step)
    assert (charges(outer), outer.held_ns) == ([], 30 * MS)


def test_samples_do_not_count_the_time_of_nested_holds(
    inbox_open: Watched, fake_clock: FakeClock
) -> None:
    """A sample stands for the time since the one before, and that was somebody else's."""
    outer, inner = inbox_open.request(), inbox_open.request()
    sampler = Sampler()

    def outer_step() -> None:
        fake_clock.compute(80 * MS)
        sampler._sample()
        holds.step(inner, fake_clock.compute, 500 * MS)
        fake_clock.compute(40 * MS)
        sampler._sample()

    holds.step(outer, outer_step)
    (stall,) = outer.stalls
    assert [taken - stall.opened for taken, _ in stall.samples] == [80 * MS, 120 * MS]
    assert stall.wall_ns == 120 * MS


# --- known calls -------------------------------------------------------------------------------


def raw_call(row: Call, stack: int, detail: str | None, spawned: bool, ns: int) -> RawCall:
    return RawCall(row, PLACES[stack], spawned, detail, (ns, 2 * ns))


def places() -> list[tuple[object, ...]]:
    first = capture(sys._getframe())
    second = capture(sys._getframe())
    return [first, second]


PLACES = places()

raw_calls = st.lists(
    st.builds(
        raw_call,
        st.sampled_from([SLOW, OTHER]),
        st.integers(0, 1),
        st.sampled_from([None, "1 s"]),
        st.booleans(),
        st.integers(0, 10**9),
    ),
    max_size=30,
)


def way(call: RawCall) -> tuple[object, ...]:
    return call.row.name, call.stack, call.detail, call.spawned


@settings(deadline=None, derandomize=True, database=None)
@given(calls=raw_calls)
def test_calls_are_folded_by_place_and_way(calls: list[RawCall]) -> None:
    """One for each; counts and times are added up, and the longest one is kept."""
    before = [(way(call), call.count, call.cpu_ns, call.asleep_ns, call.longest) for call in calls]
    folded = fold(calls)
    assert len({way(call) for call in folded}) == len(folded)
    for call in folded:
        same = [other for other in calls if way(other) == way(call)]
        assert call.count == len(same)
        assert call.cpu_ns == sum(other.cpu_ns for other in same)
        assert call.asleep_ns == sum(other.asleep_ns for other in same)
        assert call.longest == max((other.longest for other in same), key=sum)
    assert sum(call.count for call in folded) == len(calls)
    after = [(way(call), call.count, call.cpu_ns, call.asleep_ns, call.longest) for call in calls]
    assert after == before


def test_a_request_that_calls_without_end_keeps_little(inbox_open: Watched) -> None:
    """A loop over a million rows leaves one entry for each place, and none is lost."""
    request = inbox_open.request()
    for number in range(20 * FOLD_AT + 7):
        request.add_call(raw_call(SLOW, number % 2, None, False, 1))
    assert len(request.calls) < 2 * FOLD_AT
    assert sum(call.count for call in request.calls) == 20 * FOLD_AT + 7
    assert request in inbox_open.inbox.requests.values()


def test_a_call_that_no_probe_timed_is_charged_with_nothing() -> None:
    """An audit event is raised before the call; what it cost the samples tell."""
    call = RawCall(SLOW, PLACES[0], False, None, None)
    assert (call.timed, call.cpu_ns, call.asleep_ns, call.longest) == (False, 0, 0, (0, 0))


# --- requests ----------------------------------------------------------------------------------

HEADERS = [(b"host", b"test")]


@pytest.mark.parametrize(
    ("mine", "other", "same"),
    [
        ({"type": "http", "headers": HEADERS}, {"type": "http", "headers": HEADERS}, True),
        ({"type": "http", "headers": HEADERS}, {"type": "http", "headers": HEADERS[:]}, False),
        ({"type": "http", "headers": HEADERS}, {"type": "websocket", "headers": HEADERS}, False),
        ({"type": "http", "headers": HEADERS}, {"type": "http"}, False),
        ({"type": "http"}, {"type": "http"}, False),
        ({"type": "lifespan"}, {"type": "lifespan"}, True),
        ({"type": "lifespan"}, {"type": "http", "headers": HEADERS}, False),
        ({"type": "test"}, {"type": "http", "headers": HEADERS}, False),
    ],
)
def test_a_copy_of_a_scope_is_known_by_its_headers(
    inbox_open: Watched, mine: dict[str, Any], other: dict[str, Any], same: bool
) -> None:
    """Mounts and middleware copy the scope; the list of headers they hand on."""
    request = WatchedRequest(None, mine, inbox_open.inbox)
    assert request.is_same(mine)
    assert request.is_same(other) is same


@pytest.mark.parametrize(
    ("scope", "settled"),
    [
        ({"type": "http"}, False),
        ({"type": "websocket"}, False),
        ({"type": "http", "endpoint": None}, True),
        ({"type": "lifespan"}, True),
        ({"type": "test"}, True),
    ],
)
def test_a_request_is_settled_once_it_was_routed(
    inbox_open: Watched, scope: dict[str, Any], settled: bool
) -> None:
    """Its route will not change any more; nor will that of a request that is over."""
    request = WatchedRequest(None, scope, inbox_open.inbox)
    assert request.is_settled() is settled
    request.done = True
    assert request.is_settled()


def test_the_innermost_scope_settles_a_request(inbox_open: Watched) -> None:
    """A mounted app routes in a copy of the scope."""
    request = inbox_open.request(endpoint=None)
    request.scopes.append({"type": "http"})
    assert not request.is_settled()


def test_no_request_is_current_of_itself(inbox_open: Watched) -> None:
    """Making one leaves the context alone: it is set while the app runs, and only then."""
    inbox_open.request()
    assert current_request.get() is None


def test_the_innermost_run_gets_what_is_seen(inbox_open: Watched) -> None:
    """For pytest can run inside pytest."""
    nothing: Callable[..., None] = lambda *_: None  # noqa: E731 - it takes whatever it is given
    outer = holds.inbox()
    inner = Inbox(THRESHOLD, nothing, nothing)
    holds.push_inbox(inner)
    assert holds.inbox() is inner
    holds.pop_inbox(inner)
    assert holds.inbox() is outer is inbox_open.inbox
