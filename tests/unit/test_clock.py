"""The guard's clock: time on the CPU plus time asleep, and nothing that others are to blame for."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_asyncguard.probes import clock, holds
from pytest_asyncguard.probes.clock import (
    MISSED_NS,
    SHARED_NS,
    YOUNG_NS,
    Collections,
    Heartbeat,
    Reading,
    Sources,
    ThreadClock,
    charge,
)

if TYPE_CHECKING:
    from tests.unit.conftest import FakeClock, Watched

MS = 1_000_000
CLOCKS = (
    time.monotonic,
    time.monotonic_ns,
    time.perf_counter,
    time.perf_counter_ns,
    time.process_time,
    time.process_time_ns,
    time.time,
    time.time_ns,
)


def measured(fake: FakeClock, happens: Callable[[FakeClock], None]) -> tuple[int, int]:
    """What the guard's clock charges for what happens."""
    thread_clock = ThreadClock(holds.sources, holds.collections)
    opened = fake.wall
    began = thread_clock.begin(opened)
    happens(fake)
    return thread_clock.end(began, opened, fake.wall)


def computing_and_waiting_for_a_processor(fake: FakeClock) -> None:
    fake.compute(10 * MS)
    fake.queue(50 * MS)
    fake.compute(10 * MS)


def computing_against_a_busy_thread(fake: FakeClock) -> None:
    fake.compute(40 * MS)
    fake.starve(120 * MS)
    fake.compute(40 * MS)


def computing_then_sleeping(fake: FakeClock) -> None:
    fake.compute(30 * MS)
    fake.sleep(70 * MS)


@pytest.mark.parametrize(
    ("happens", "cpu_ms", "asleep_ms"),
    [
        (lambda fake: fake.compute(20 * MS), 20, 0),
        (lambda fake: fake.sleep(150 * MS), 0, 150),
        (computing_then_sleeping, 30, 70),
        (computing_and_waiting_for_a_processor, 20, 0),
        (computing_against_a_busy_thread, 80, 0),
        (lambda fake: fake.sleep(150 * MS, others=150 * MS), 0, 150),
        (lambda fake: fake.queue(300 * MS), 0, 0),
    ],
    ids=[
        "computing",
        "sleeping",
        "both",
        "on a busy machine",
        "starved of the GIL",
        "asleep while native threads compute",
        "never run",
    ],
)
def test_a_stretch_is_charged_with_its_own_time_only(
    fake_clock: FakeClock, happens: Callable[[FakeClock], None], cpu_ms: int, asleep_ms: int
) -> None:
    """Computing and sleeping count; waiting for a processor or for the GIL does not."""
    assert measured(fake_clock, happens) == (cpu_ms * MS, asleep_ms * MS)


readings = st.builds(
    Reading,
    wall=st.integers(0, 10**10),
    cpu=st.integers(0, 10**10),
    queued=st.integers(0, 10**10),
    others=st.integers(-(10**6), 10**10),
    wakeups=st.integers(0, 10**4),
)


@given(began=readings, passed=readings, late=st.integers(0, SHARED_NS), excused=st.integers(0))
def test_a_charge_lies_within_its_stretch(
    began: Reading, passed: Reading, late: int, excused: int
) -> None:
    """Clocks of different grain may disagree: no charge is negative, or longer than it took."""
    ended = Reading(*map(sum, zip(began, passed, strict=True)))
    opened = began.wall + late
    cpu, asleep = charge(began, ended, opened, excused)
    assert cpu >= 0
    assert asleep >= 0
    assert cpu + asleep <= max(0, ended.wall - opened)


@pytest.mark.parametrize("excused", [0, 3 * MS, 25 * MS])
def test_an_excused_stretch_is_taken_off_the_time_on_the_cpu(excused: int) -> None:
    """A garbage collection computes; it never makes the rest of the stretch negative."""
    began, ended = Reading(0, 0, 0, 0, 0), Reading(20 * MS, 20 * MS, 0, 0, 0)
    assert charge(began, ended, 0, excused) == (max(0, 20 * MS - excused), 0)


def test_stretches_that_begin_together_share_a_reading(fake_clock: FakeClock) -> None:
    """A full reading costs as much as a short step: one serves for a millisecond."""
    thread_clock = ThreadClock(holds.sources, holds.collections)
    first = thread_clock.begin(fake_clock.wall)
    fake_clock.compute(SHARED_NS)
    assert thread_clock.begin(fake_clock.wall) is first
    fake_clock.compute(1)
    assert thread_clock.begin(fake_clock.wall) == thread_clock.refresh()


@pytest.mark.parametrize("earlier", [0, SHARED_NS])
def test_what_went_before_the_stretch_is_not_charged(fake_clock: FakeClock, earlier: int) -> None:
    """The reading with which a stretch begins may be older than the stretch."""
    thread_clock = ThreadClock(holds.sources, holds.collections)
    fake_clock.compute(earlier)
    opened = fake_clock.wall
    began = thread_clock.begin(opened)
    fake_clock.compute(30 * MS)
    cpu, asleep = thread_clock.end(began, opened, fake_clock.wall)
    assert (cpu, asleep) == (30 * MS, 0)


def test_only_who_lost_the_processor_is_asked_for_how_long(fake_clock: FakeClock) -> None:
    """The file that tells takes longer to read than all the other clocks together."""
    thread_clock = ThreadClock(holds.sources, holds.collections)
    fake_clock.queue(MS)
    thread_clock.refresh()
    read = fake_clock.readings
    fake_clock.compute(100 * MS)
    assert thread_clock.refresh().queued == MS
    assert fake_clock.readings == read
    fake_clock.queue(30 * MS)
    assert thread_clock.refresh().queued == 31 * MS
    assert fake_clock.readings == read + 1


def test_where_nobody_counts_who_lost_the_processor_each_is_asked(
    fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system may have the one figure and not the other."""
    monkeypatch.setattr(holds.sources, "switches", lambda: (0, 0))
    thread_clock = ThreadClock(holds.sources, holds.collections)
    fake_clock.queue(30 * MS)
    assert thread_clock.refresh().queued == 30 * MS


def test_a_short_stretch_is_measured_cheaply(fake_clock: FakeClock) -> None:
    """Below a millisecond the thread's CPU clock is enough: the rest is no matter."""
    thread_clock = ThreadClock(holds.sources, holds.collections)
    opened = fake_clock.wall
    began = thread_clock.begin(opened)
    fake_clock.compute(100_000)
    fake_clock.sleep(200_000)
    read = fake_clock.full_readings
    assert thread_clock.end(began, opened, fake_clock.wall) == (100_000, 200_000)
    assert fake_clock.full_readings == read


def test_who_is_put_aside_while_a_clock_is_read_does_not_sleep(
    fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel may take the processor away on the way out of reading the thread's CPU clock."""
    thread_clock = ThreadClock(holds.sources, holds.collections)
    opened = fake_clock.wall
    read = holds.sources.thread

    def put_aside() -> int:
        figure = read()
        fake_clock.queue(50 * MS)
        return figure

    with monkeypatch.context() as patch:
        patch.setattr(holds.sources, "thread", put_aside)
        began = thread_clock.refresh()
    fake_clock.compute(60 * MS)
    assert thread_clock.end(began, opened, fake_clock.wall) == (60 * MS, 0)


# --- garbage collections -----------------------------------------------------------------------


@pytest.fixture(name="collections_on")
def _collections_on(fake_clock: FakeClock) -> Collections:
    return Collections(holds.sources)


def collect(
    collections: Collections, fake: FakeClock, milliseconds: int, generation: int = 2
) -> None:
    info = {"generation": generation}
    collections.callback("start", info)
    fake.compute(milliseconds * MS)
    collections.callback("stop", info)


def test_the_longest_full_collection_is_excused(
    collections_on: Collections, fake_clock: FakeClock
) -> None:
    """One may fall into any hold; a hold with several made the garbage itself."""
    opened = fake_clock.wall
    for took in (30, 900, 20):
        collect(collections_on, fake_clock, took)
    assert collections_on.excused(threading.get_ident(), opened) == 900 * MS


def test_what_a_collection_waited_for_a_processor_is_not_excused_twice(
    collections_on: Collections, fake_clock: FakeClock
) -> None:
    """On a crowded machine a short one takes long, and a hold that computes is a stall still."""
    thread_clock = ThreadClock(holds.sources, collections_on)
    opened = fake_clock.wall
    began = thread_clock.begin(opened)
    fake_clock.compute(100 * MS)
    collections_on.callback("start", {"generation": 2})
    fake_clock.compute(5 * MS)
    fake_clock.queue(80 * MS)
    collections_on.callback("stop", {"generation": 2})
    assert thread_clock.end(began, opened, fake_clock.wall) == (100 * MS, 0)


def test_a_collection_that_was_asked_for_is_not_excused(
    collections_on: Collections, fake_clock: FakeClock
) -> None:
    """Who calls ``gc.collect`` during a request has made it wait for that."""
    opened = fake_clock.wall

    def collecting(generation: int) -> int:
        collect(collections_on, fake_clock, 900, generation)
        return 3

    assert collections_on.asking(collecting)(2) == 3
    assert collections_on.excused(threading.get_ident(), opened) == 0
    assert collections_on.elsewhere(0, opened) == 900 * MS
    collect(collections_on, fake_clock, 200)
    assert collections_on.excused(threading.get_ident(), opened) == 200 * MS


def test_the_collector_is_as_it_was_afterwards() -> None:
    """Its function is patched as long as the guard is there."""
    before = gc.collect, list(gc.callbacks)
    collections = Collections(holds.sources)
    collections.install()
    assert gc.collect is not before[0]
    collections.uninstall()
    assert (gc.collect, list(gc.callbacks)) == before


def test_a_young_collection_is_not_excused(
    collections_on: Collections, fake_clock: FakeClock
) -> None:
    """Young collections follow from what the hold itself allocates."""
    opened = fake_clock.wall
    collect(collections_on, fake_clock, 30, generation=1)
    assert collections_on.excused(threading.get_ident(), opened) == 0


def test_a_collection_before_the_stretch_is_not_excused(
    collections_on: Collections, fake_clock: FakeClock
) -> None:
    """What was over when the stretch began took nothing of it."""
    collect(collections_on, fake_clock, 30)
    assert collections_on.excused(threading.get_ident(), fake_clock.wall + 1) == 0


def test_a_collection_is_excused_in_its_own_thread_only(
    collections_on: Collections, fake_clock: FakeClock
) -> None:
    """To the other threads it is a wait for the GIL, which the clock tells by itself."""
    opened = fake_clock.wall
    other = threading.Thread(target=collect, args=(collections_on, fake_clock, 30))
    other.start()
    other.join()
    assert collections_on.excused(threading.get_ident(), opened) == 0


def test_a_collection_that_had_begun_before_the_guard_is_no_error(
    collections_on: Collections,
) -> None:
    """The callback may be added between the start and the stop of a collection."""
    collections_on.callback("stop", {"generation": 2})
    assert collections_on.excused(threading.get_ident(), 0) == 0


def test_collections_are_heard_of_until_uninstalled() -> None:
    """The callback is taken out again, and what it knew is forgotten."""
    before = list(gc.callbacks)
    collections = Collections(Sources())
    collections.install()
    gc.collect()
    assert collections.elsewhere(0, 0) > 0
    collections.uninstall()
    collections.uninstall()
    assert gc.callbacks == before
    assert collections.elsewhere(0, 0) == 0


# --- the heartbeat of the sampler --------------------------------------------------------------

BEAT = 20 * MS


@pytest.fixture(name="heart")
def _heart(fake_clock: FakeClock) -> Heartbeat:
    """A heart that has beaten, of which the next beat is due in 20 ms."""
    heart = Heartbeat(holds.sources)
    heart.open()
    heart.beat(BEAT)
    return heart


def paused(heart: Heartbeat, fake: FakeClock, since: int) -> int:
    """For how many milliseconds the process stood still since then, as told to a loop thread."""
    return heart.paused(since, fake.wall, 0) // MS


WAITS: dict[str, Callable[[FakeClock], None]] = {
    "as it is due": lambda fake: fake.sleep(BEAT),
    "late as timers are": lambda fake: fake.sleep(BEAT + MISSED_NS),
    "without a processor": lambda fake: fake.queue(500 * MS),
    "without the GIL": lambda fake: fake.starve(500 * MS),
    "without the GIL, which a sleeper keeps": lambda fake: fake.wait_for_gil(500 * MS),
    "while the process computes": lambda fake: fake.sleep(500 * MS, others=450 * MS),
}


@pytest.mark.parametrize("beaten", [True, False], ids=["beaten", "not yet"])
@pytest.mark.parametrize("wait", WAITS)
def test_a_beat_that_is_late_for_a_reason_is_no_stop(
    heart: Heartbeat, fake_clock: FakeClock, wait: str, beaten: bool
) -> None:
    """A sampler may wait for a processor or for the GIL, as anybody may."""
    opened = fake_clock.wall
    WAITS[wait](fake_clock)
    if beaten:
        heart.beat(BEAT)
    assert paused(heart, fake_clock, opened) == 0


@pytest.mark.parametrize("beaten", [True, False], ids=["beaten", "not yet"])
def test_a_process_that_was_stopped_missed_beats(
    heart: Heartbeat, fake_clock: FakeClock, beaten: bool
) -> None:
    """For nothing else explains it; whether or not the sampler was first to go on."""
    opened = fake_clock.wall
    fake_clock.sleep(BEAT)
    fake_clock.stop(500 * MS)
    if beaten:
        heart.beat(BEAT)
    assert paused(heart, fake_clock, opened) == 500


def test_several_stops_are_added_up(heart: Heartbeat, fake_clock: FakeClock) -> None:
    """Those since the stretch began."""
    opened = [fake_clock.wall]
    for milliseconds in (200, 300, 400):
        fake_clock.stop(milliseconds * MS)
        fake_clock.sleep(BEAT)
        heart.beat(BEAT)
        opened.append(fake_clock.wall)
    assert [paused(heart, fake_clock, since) for since in opened] == [900, 700, 400, 0]


def test_a_stop_that_had_begun_counts_from_the_stretch_on(
    heart: Heartbeat, fake_clock: FakeClock
) -> None:
    """A stretch cannot be excused for longer than it lasted."""
    fake_clock.stop(300 * MS)
    opened = fake_clock.wall
    fake_clock.stop(100 * MS)
    heart.beat(BEAT)
    assert paused(heart, fake_clock, opened) == 100


def test_a_beat_is_due_when_the_sampler_said(heart: Heartbeat, fake_clock: FakeClock) -> None:
    """It sleeps longer while nothing lasts."""
    heart.beat(200 * MS)
    opened = fake_clock.wall
    fake_clock.sleep(200 * MS)
    assert paused(heart, fake_clock, opened) == 0
    heart.beat(BEAT)
    assert paused(heart, fake_clock, opened) == 0
    fake_clock.sleep(200 * MS)
    assert paused(heart, fake_clock, opened) == 180


def test_who_asks_may_have_waited_for_a_processor_as_the_sampler_does(
    heart: Heartbeat, fake_clock: FakeClock
) -> None:
    """Before the sampler has come to beat again, its own wait is not yet known."""
    opened = fake_clock.wall
    fake_clock.sleep(BEAT)
    fake_clock.stop(300 * MS)
    assert heart.paused(opened, fake_clock.wall, 280 * MS) == 0


def test_a_sampler_that_has_not_run_since_it_beat_was_not_stopped(
    heart: Heartbeat, fake_clock: FakeClock
) -> None:
    """It is due, but waits for a processor: of that the system tells when it has got one."""
    fake_clock.slices = 7
    heart.beat(BEAT)
    opened = fake_clock.wall
    fake_clock.wall += 500 * MS  # that of another thread, which sleeps
    assert paused(heart, fake_clock, opened) == 0
    fake_clock.queue(0)  # it was woken
    assert paused(heart, fake_clock, opened) == 480


def test_a_late_beat_for_a_sampler_that_has_not_run_tells_nothing(
    fake_clock: FakeClock,
) -> None:
    """A loop thread beats in its place, and was put aside on its way there."""
    heart = Heartbeat(holds.sources)
    fake_clock.slices = 7
    heart.beat(BEAT)
    opened = fake_clock.wall
    fake_clock.stop(500 * MS)
    heart.beat(BEAT)
    assert paused(heart, fake_clock, opened) == 0


def test_a_system_that_counts_no_turns_is_believed(
    fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the sampler has run since it beat is not known there."""
    monkeypatch.setattr(holds.sources, "scheduled", lambda fd: (0, 0))
    heart = Heartbeat(holds.sources)
    heart.beat(BEAT)
    opened = fake_clock.wall
    fake_clock.stop(500 * MS)
    assert paused(heart, fake_clock, opened) == 480


def test_without_a_beat_nothing_is_known(fake_clock: FakeClock) -> None:
    """The sampler may not have been started, or have been stopped."""
    heart = Heartbeat(holds.sources)
    opened = fake_clock.wall
    fake_clock.stop(500 * MS)
    assert paused(heart, fake_clock, opened) == 0
    heart.beat(BEAT)
    assert paused(heart, fake_clock, opened) == 0


@pytest.mark.parametrize("end", [Heartbeat.rest, Heartbeat.close])
def test_no_beat_is_due_while_the_sampler_rests(
    heart: Heartbeat, fake_clock: FakeClock, end: Callable[[Heartbeat], None]
) -> None:
    """It sleeps for as long as no request is watched."""
    end(heart)
    opened = fake_clock.wall
    fake_clock.sleep(10_000 * MS)
    assert paused(heart, fake_clock, opened) == 0
    heart.beat(BEAT)
    assert paused(heart, fake_clock, opened) == 0


def test_a_stretch_is_not_charged_with_a_stop(fake_clock: FakeClock, heart: Heartbeat) -> None:
    """Who sleeps in a debugger, or in a machine that was paused, did not block the loop."""
    thread_clock = ThreadClock(holds.sources, holds.collections, heart)
    opened = fake_clock.wall
    began = thread_clock.begin(opened)
    fake_clock.compute(30 * MS)
    fake_clock.sleep(70 * MS)
    heart.beat(BEAT)
    fake_clock.sleep(BEAT)
    fake_clock.stop(5_000 * MS)
    assert thread_clock.end(began, opened, fake_clock.wall) == (30 * MS, 90 * MS)


@pytest.mark.parametrize(
    ("before", "during", "asleep"),
    [(5, 0, 0), (5, 1, 300), (0, 0, 300)],
    ids=["never", "once", "nobody counts"],
)
def test_who_never_gave_up_the_processor_did_not_sleep(
    fake_clock: FakeClock, before: int, during: int, asleep: int
) -> None:
    """A machine that is paused, or shared with others, stands still while it computes."""
    fake_clock.wakeups = before
    thread_clock = ThreadClock(holds.sources, holds.collections)
    opened = fake_clock.wall
    began = thread_clock.begin(opened)
    fake_clock.compute(30 * MS)
    fake_clock.wakeups += during
    fake_clock.wall += 300 * MS
    charged = thread_clock.end(began, opened, fake_clock.wall)
    assert charged == (30 * MS, asleep * MS)


# --- the system's clocks -----------------------------------------------------------------------


def test_sleep_is_asleep() -> None:
    """On the real clocks, a sleep counts as such, and not as computing."""
    thread_clock = ThreadClock(Sources(), Collections(Sources()))
    opened = time.perf_counter_ns()
    began = thread_clock.begin(opened)
    time.sleep(0.01)
    _, asleep = thread_clock.end(began, opened, time.perf_counter_ns())
    # Other threads of the process may have had the GIL when it woke.
    assert asleep + thread_clock.kept(began) >= 9 * MS


def test_computing_is_on_the_cpu() -> None:
    """On the real clocks, computing counts as such, whatever else the machine does."""
    thread_clock = ThreadClock(Sources(), Collections(Sources()))
    opened = time.perf_counter_ns()
    began = thread_clock.begin(opened)
    until = time.thread_time_ns() + 10 * MS
    while time.thread_time_ns() < until:
        pass
    cpu, _ = thread_clock.end(began, opened, time.perf_counter_ns())
    assert cpu >= 10 * MS


@pytest.mark.parametrize("module", [clock, holds])
def test_no_clock_stands_in_a_namespace_where_it_could_be_replaced(module: object) -> None:
    """Libraries that freeze time replace clocks in every module that imported one by name."""
    assert [value for value in vars(module).values() if value in CLOCKS] == []


def test_a_frozen_clock_does_not_stop_the_guards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time that stands still for the app passes for the guard."""
    frozen = Sources()
    monkeypatch.setattr(time, "perf_counter_ns", lambda: 0)
    assert frozen.wall() > 0


def test_without_figures_of_the_platform_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing tells of queues or wake-ups, they are zero: such waits count as sleep."""
    monkeypatch.setitem(sys.modules, "resource", None)
    sources = Sources()
    assert (sources.switches(), sources.queued(None)) == ((0, 0), 0)


linux_only = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")


def open_schedstats() -> list[str]:
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the descriptor of the listing itself
            links.append(str(descriptor.readlink()))
    return sorted(link for link in links if link.endswith("/schedstat"))


@linux_only
def test_a_clock_that_is_gone_has_no_open_file() -> None:
    """It gives its descriptor back when nobody refers to it any more."""
    before = open_schedstats()
    thread_clock = ThreadClock(Sources(), Collections(Sources()), age=0)
    assert open_schedstats() == before  # most threads of a TestClient's never need it
    time.sleep(0.001)  # it gives up the processor
    thread_clock.refresh()
    thread_clock.refresh()
    assert len(open_schedstats()) == len(before) + 1
    del thread_clock
    assert open_schedstats() == before


def use_the_clock() -> None:
    holds._this_thread.clock.refresh()


@linux_only
def test_who_does_not_lose_the_processor_does_not_wait_for_one() -> None:
    """So the system counts, also beside a thread that asks for the GIL all the time."""
    sources, ended = Sources(), threading.Event()
    queue = sources.open_queue()

    def ask_for_the_gil() -> None:
        while not ended.is_set():
            pass

    beside = threading.Thread(target=ask_for_the_gil)
    beside.start()
    waited = set()
    try:
        for _ in range(2000):
            (_, before), first = sources.switches(), sources.queued(queue)
            sum(range(1000))
            second, (_, after) = sources.queued(queue), sources.switches()
            if before == after:
                waited.add(second - first)
    finally:
        ended.set()
        beside.join()
        assert queue is not None
        os.close(queue)
    assert waited == {0}


@linux_only
def test_a_heart_that_is_closed_has_no_open_file() -> None:
    """The sampler ends with the run; pytest may run again in this process."""
    before = open_schedstats()
    heart = Heartbeat(Sources())
    heart.open()
    assert len(open_schedstats()) == len(before) + 1
    heart.close()
    heart.close()
    assert open_schedstats() == before


@linux_only
def test_the_system_counts_how_often_a_thread_was_given_a_processor() -> None:
    """Once for each sleep at least."""
    sources = Sources()
    queue = sources.open_queue()
    assert queue is not None
    try:
        _, before = sources.scheduled(queue)
        for _ in range(3):
            time.sleep(0.001)
        assert sources.scheduled(queue)[1] >= before + 3
    finally:
        os.close(queue)
    assert sources.scheduled(None) == (0, 0)


@pytest.mark.parametrize(
    ("age", "queued"),
    [(3 * MS, 2 * MS), (MS // 2, 0), (YOUNG_NS, YOUNG_NS - MS), (YOUNG_NS + 1, 90 * MS)],
    ids=["young", "only computed", "just young", "no longer young"],
)
def test_a_young_thread_waited_for_a_processor_where_it_did_not_compute(
    fake_clock: FakeClock, age: int, queued: int
) -> None:
    """That is as good as the system's own word for it, which it takes long to get."""
    fake_clock.cpu, fake_clock.queued = MS, 90 * MS
    before = fake_clock.readings
    thread_clock = ThreadClock(holds.sources, holds.collections, age=age)
    assert thread_clock.last.queued == queued
    assert fake_clock.readings == before + (age > YOUNG_NS)
    fake_clock.queue(300 * MS)
    assert thread_clock.refresh().queued == 390 * MS


def test_the_age_of_a_thread_is_known_from_its_start(guard_installed: Watched) -> None:
    """Where that was seen: not of the main thread, nor of one that Python did not start."""
    ages: list[int | None] = []
    before = holds.sources.wall()
    thread = threading.Thread(target=lambda: ages.append(holds.births.age()))
    thread.start()
    thread.join()
    [age] = ages
    assert age is not None
    assert 0 <= age <= holds.sources.wall() - before
    assert holds.births.age() is None


@linux_only
def test_a_thread_that_ends_leaves_no_file_open() -> None:
    """TestClient starts a loop thread for each request: a descriptor for each would run out."""
    before = open_schedstats()
    for _ in range(3):
        thread = threading.Thread(target=use_the_clock)
        thread.start()
        thread.join()
    assert open_schedstats() == before
