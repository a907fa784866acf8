"""Starvation: a request that was ready to run, and the thread that kept the GIL from it."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_asyncguard.guard import Guard, Installation
from pytest_asyncguard.model import Finding
from pytest_asyncguard.options import read
from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.clock import Collections, Heartbeat, Sources, ThreadClock
from pytest_asyncguard.probes.holds import Hold
from pytest_asyncguard.probes.inbox import RawKeeper, WatchedRequest
from pytest_asyncguard.probes.keepers import AGAIN_NS, Keepers
from pytest_asyncguard.probes.requests import grown
from pytest_asyncguard.probes.sampler import INTERVAL_SECONDS, Sampler
from pytest_asyncguard.probes.sightings import GIL_SHARERS
from pytest_asyncguard.probes.stacks import capture

if TYPE_CHECKING:
    from tests.unit.conftest import FakeClock, Watched

MS = 1_000_000
INTERVAL = round(INTERVAL_SECONDS * 1e9)


@contextmanager
def standing(name: str) -> Iterator[threading.Thread]:
    """A thread that stands still in ``wait_here`` for as long as the block lasts."""
    ready, done = threading.Event(), threading.Event()

    def wait_here() -> None:
        ready.set()
        done.wait()

    thread = threading.Thread(target=wait_here, name=name)
    thread.start()
    ready.wait()
    try:
        yield thread
    finally:
        done.set()
        thread.join()


@pytest.fixture(name="ran")
def _ran(monkeypatch: pytest.MonkeyPatch) -> dict[int | None, int]:
    """How long each thread ran on the CPU, by native id, as the test says."""
    figures: dict[int | None, int] = {}

    def scheduled_of(thread: int) -> tuple[int, int] | None:
        return (figures[thread], 0) if thread in figures else None

    monkeypatch.setattr(holds.sources, "scheduled_of", scheduled_of)
    return figures


# --- the clock ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("happens", "kept_ms"),
    [
        (lambda fake: fake.starve(120 * MS), 120),
        (lambda fake: fake.sleep(150 * MS), 0),
        (lambda fake: fake.sleep(150 * MS, others=150 * MS), 0),
        (lambda fake: fake.queue(300 * MS), 0),
        (lambda fake: fake.compute(300 * MS), 0),
    ],
    ids=["starved", "asleep", "asleep beside others", "waiting for a processor", "computing"],
)
def test_only_waiting_for_the_gil_is_starvation(
    fake_clock: FakeClock, happens: Callable[[FakeClock], None], kept_ms: int
) -> None:
    """Sleep, computing, and a crowded machine are nobody else's doing."""
    thread_clock = ThreadClock(holds.sources, holds.collections)
    opened = fake_clock.wall
    began = thread_clock.begin(opened)
    happens(fake_clock)
    thread_clock.end(began, opened, fake_clock.wall)
    assert thread_clock.kept(began) == kept_ms * MS


def test_garbage_that_another_thread_collects_is_not_its_doing(
    fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be anybody's: which thread pays for a full collection is chance."""
    collections = Collections(holds.sources)
    thread_clock = ThreadClock(holds.sources, collections)
    opened = fake_clock.wall
    began = thread_clock.begin(opened)
    collector = threading.Thread(target=lambda: None)
    for took in (30 * MS, 50 * MS):
        monkeypatch.setattr("pytest_asyncguard.probes.clock.get_ident", lambda: collector)
        collections.callback("start", {"generation": 2})
        fake_clock.starve(took)
        collections.callback("stop", {"generation": 2})
    fake_clock.starve(40 * MS)
    thread_clock.end(began, opened, fake_clock.wall)
    assert thread_clock.kept(began) == 40 * MS


def test_a_thread_put_aside_with_the_gil_in_its_hands_is_known(fake_clock: FakeClock) -> None:
    """It computed for 30 ms and waited for a processor for 90: neither is the request's doing."""
    heartbeat = Heartbeat(holds.sources)
    thread_clock = ThreadClock(holds.sources, holds.collections, heartbeat)
    opened = fake_clock.wall
    began = thread_clock.begin(opened)
    fake_clock.starve(120 * MS)
    fake_clock.others -= 90 * MS
    assert thread_clock.end(began, opened, fake_clock.wall) == (0, 90 * MS)
    heartbeat.ready = lambda since: 120 * MS if since == opened else 0
    assert thread_clock.end(began, opened, fake_clock.wall) == (0, 0)
    assert thread_clock.kept(began) == 30 * MS, "nobody is accused of what the machine did"


def test_a_sleep_beside_threads_that_are_ready_is_a_sleep(fake_clock: FakeClock) -> None:
    """It wakes but once, however crowded the machine is."""
    heartbeat = Heartbeat(holds.sources)
    heartbeat.ready = lambda since: 500 * MS
    thread_clock = ThreadClock(holds.sources, holds.collections, heartbeat)
    opened = fake_clock.wall
    began = thread_clock.begin(opened)
    fake_clock.sleep(150 * MS)
    assert thread_clock.end(began, opened, fake_clock.wall) == (0, 150 * MS)


def test_what_the_reading_itself_waits_for_is_after_it(
    fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading schedstat gives up the GIL: to get it back may take long, and is in no figure."""
    thread_clock = ThreadClock(holds.sources, holds.collections)
    opened = fake_clock.wall
    began = thread_clock.begin(opened)
    fake_clock.compute(60 * MS)
    queued = holds.sources.queued

    def slow(fd: int | None) -> int:
        figure = queued(fd)
        fake_clock.starve(100 * MS)
        fake_clock.queue(50 * MS)
        return figure

    monkeypatch.setattr(holds.sources, "queued", slow)
    assert thread_clock.end(began, opened, fake_clock.wall) == (60 * MS, 0)


# --- who it was --------------------------------------------------------------------------------


def test_the_thread_that_computed_most_is_the_keeper(
    ran: dict[int | None, int], functions: Any
) -> None:
    """Since the last look, and not since it was started; with its stack."""
    keepers = Keepers()
    with standing("old") as old, standing("busy") as busy:
        ran.update({old.native_id: 900 * MS, busy.native_id: 5 * MS})
        keepers.look()
        ran.update({old.native_id: 901 * MS, busy.native_id: 25 * MS})
        keeper = keepers.keeper()
    assert keeper is not None
    assert (keeper.name, keeper.ran_ns) == ("busy", 20 * MS)
    assert any("wait_here" in name for name in functions(keeper.stack))


def test_the_first_look_finds_no_keeper(ran: dict[int | None, int]) -> None:
    """Nobody knows yet what of a thread's time on the CPU was lately."""
    keepers = Keepers()
    with standing("old") as thread:
        ran[thread.native_id] = 900 * MS
        assert keepers.keeper() is None


def test_a_thread_started_since_the_last_look_may_be_the_keeper(
    ran: dict[int | None, int],
) -> None:
    """All that it has computed was since."""
    keepers = Keepers()
    keepers.look()
    with standing("new") as thread:
        ran[thread.native_id] = 300 * MS
        keeper = keepers.keeper()
    assert keeper is not None
    assert (keeper.name, keeper.ran_ns) == ("new", 300 * MS)


def test_a_thread_that_did_not_compute_is_no_keeper(ran: dict[int | None, int]) -> None:
    """Most threads of a pool wait for work."""
    keepers = Keepers()
    with standing("idle") as thread:
        ran[thread.native_id] = 900 * MS
        keepers.look()
        assert keepers.keeper() is None


def test_the_tests_own_thread_is_no_keeper(ran: dict[int | None, int]) -> None:
    """What a test computes beside a request starves no app that is deployed; nor do we."""
    keepers = Keepers()
    mine = threading.get_native_id()
    ran[mine] = 0
    keepers.look()
    ran[mine] = 300 * MS
    assert keepers.keeper() is None
    with standing("sampler") as thread:
        keepers._exempt.add(thread.ident or 0)
        ran[thread.native_id] = 0
        keepers.look()
        ran[thread.native_id] = 300 * MS
        assert keepers.keeper() is None


def test_a_thread_with_a_hold_of_its_own_is_no_keeper(
    inbox_open: Watched, ran: dict[int | None, int]
) -> None:
    """It is another loop, whose request is told of what it computes."""
    keepers = Keepers()
    with standing("loop") as thread:
        ran[thread.native_id] = 0
        keepers.look()
        ran[thread.native_id] = 300 * MS
        hold = holds.enter(inbox_open.request(), spawned=False)
        assert hold is not None
        assert thread.ident is not None
        holds.open_holds[thread.ident] = hold
        try:
            assert keepers.keeper() is None
        finally:
            del holds.open_holds[thread.ident]
            holds.leave(hold)


def test_what_the_sampler_saw_during_the_hold_is_not_lost(
    fake_clock: FakeClock, ran: dict[int | None, int]
) -> None:
    """It may look while the hold ends; what it saw before the hold is of no matter."""
    keepers = Keepers()
    before = fake_clock.wall
    with standing("busy") as thread:
        ran[thread.native_id] = 0
        keepers.look()
        fake_clock.starve(300 * MS)
        ran[thread.native_id] = 300 * MS
        by_sampler = keepers.keeper()
        assert by_sampler is not None
        assert keepers.since(before) is by_sampler
        assert keepers.since(fake_clock.wall + 1) is None
        fake_clock.starve(400 * MS)
        ran[thread.native_id] = 700 * MS
        latest = keepers.since(before)
    assert latest is not None
    assert latest.ran_ns == 400 * MS


def test_who_put_a_hold_off_may_have_starved_it(
    inbox_open: Watched, fake_clock: FakeClock, ran: dict[int | None, int]
) -> None:
    """Both are asked at the end of a hold, and each look tells of the time since the one before."""
    keepers = Keepers()
    with standing("busy") as thread:
        ran[thread.native_id] = 0
        keepers.look()
        hold = holds.enter(inbox_open.request(), spawned=False)
        assert hold is not None
        fake_clock.starve(300 * MS)
        ran[thread.native_id] = 300 * MS
        keepers.put_off_in_all(hold)
        keeper = keepers.since(hold.opened)
        holds.leave(hold)
    assert keeper is not None
    assert (keeper.name, keeper.ran_ns) == ("busy", 300 * MS)


def test_what_the_sampler_has_begun_to_find_out_is_waited_for(
    fake_clock: FakeClock, ran: dict[int | None, int]
) -> None:
    """It was served first, and then put aside between its look and its word."""
    keepers = Keepers()
    opened = fake_clock.wall
    found: list[RawKeeper | None] = []
    with standing("busy") as busy, keepers.lock:
        ran[busy.native_id] = 0
        keepers.look()
        fake_clock.starve(300 * MS)
        ran[busy.native_id] = 300 * MS
        asks = threading.Thread(target=lambda: found.append(keepers.since(opened)))
        asks.start()
        asks.join(0.05)
        assert found == []
        by_sampler = keepers.keeper()
    asks.join()
    assert by_sampler is not None
    assert found == [by_sampler]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the CPU time of a thread")
def test_the_cpu_time_of_another_thread_is_that_of_its_own_clock() -> None:
    """Up to what passes between the two readings."""
    figures: list[int] = []
    ready, done = threading.Event(), threading.Event()

    def compute() -> None:
        while time.thread_time_ns() < 20 * MS:
            pass
        figures.append(time.thread_time_ns())
        ready.set()
        done.wait()

    thread = threading.Thread(target=compute)
    thread.start()
    ready.wait()
    try:
        figure = holds.sources.scheduled_of(thread.native_id or 0)
    finally:
        done.set()
        thread.join()
    assert figure is not None
    assert 0.9 < figure[0] / figures[0] < 1.1
    assert figure[1] >= 0
    assert holds.sources.scheduled_of(0) is None, "there is no such thread"


def test_who_was_ready_is_counted_from_the_last_look_before(
    fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Running and waiting for a processor alike, and of all other threads together."""
    figures: dict[int | None, tuple[int, int]] = {}
    monkeypatch.setattr(holds.sources, "scheduled_of", figures.get)
    keepers = Keepers()
    assert keepers.ready(fake_clock.wall) == 0, "nothing is known yet"
    figures[threading.get_native_id()] = 0, 0
    with standing("one") as one, standing("two") as two:
        figures[one.native_id], figures[two.native_id] = (5 * MS, 5 * MS), (0, 0)
        keepers.look()
        fake_clock.compute(10 * MS)
        figures[one.native_id] = 7 * MS, 9 * MS
        keepers.look()
        opened = fake_clock.wall
        fake_clock.compute(10 * MS)
        figures[one.native_id], figures[two.native_id] = (8 * MS, 39 * MS), (2 * MS, 0)
        figures[threading.get_native_id()] = 90 * MS, 90 * MS
        keepers.look()
        assert keepers.ready(opened) == (1 + 30 + 2) * MS
        assert keepers.ready(opened - 1) == (3 + 34 + 2) * MS
        assert keepers.ready(0) == (3 + 34 + 2) * MS, "the oldest look, if all are later"


def looks(keepers: Keepers) -> list[int]:
    """When it was looked."""
    return [taken for taken, _ in keepers._looks]


def test_without_a_hold_that_lasts_looks_are_rare(
    fake_clock: FakeClock, ran: dict[int | None, int]
) -> None:
    """They tell who computed before a hold; that need not be known to the millisecond."""
    keepers, began = Keepers(), fake_clock.wall
    for _ in range(5 * AGAIN_NS // MS):
        keepers.look_around(fake_clock.wall)
        fake_clock.compute(MS)
    assert looks(keepers) == [began + each * AGAIN_NS for each in range(5)]


@pytest.mark.parametrize(
    ("took_ms", "apart_ms"), [(1, 50), (4, 200), (500, 1000)], ids=["few", "many", "too many"]
)
def test_where_there_are_many_threads_looks_are_rarer(
    fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch, took_ms: int, apart_ms: int
) -> None:
    """They take no more than a part of the time, up to a limit."""
    monkeypatch.setattr(threading, "enumerate", lambda: [threading.current_thread()])

    def slow(_: int) -> tuple[int, int]:
        fake_clock.compute(took_ms * MS)
        return 0, 0

    monkeypatch.setattr(holds.sources, "scheduled_of", slow)
    keepers = Keepers()
    while len(keepers._looks) < 3:
        keepers.look_around(fake_clock.wall)
        fake_clock.compute(MS)
    first, second, third = looks(keepers)
    assert second - first == third - second == apart_ms * MS


def test_a_look_that_is_being_taken_is_not_waited_for(
    fake_clock: FakeClock, ran: dict[int | None, int]
) -> None:
    """What opens a hold goes on."""
    keepers = Keepers()
    with keepers.lock:
        thread = threading.Thread(target=keepers.look_around, args=(fake_clock.wall,))
        thread.start()
        thread.join()
    assert looks(keepers) == []


def descriptors() -> set[str]:
    """The files that this process has open."""
    return {str(path) for path in Path("/proc/self/fd").iterdir()}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the CPU time of a thread")
def test_files_of_threads_are_kept_open_as_long_as_they_live() -> None:
    """And no longer, so that a run which starts thousands has few open."""
    keepers, sources = Keepers(), holds.sources
    before = descriptors()
    with standing("one") as one, standing("two") as two:
        keepers.look()
        kept = dict(sources._kept)
        assert {one.native_id, two.native_id} <= set(kept)
        assert len(descriptors()) == len(before) + len(kept)
        keepers.look()
        assert sources._kept == kept
    keepers.look()
    assert set(kept) - set(sources._kept) == {one.native_id, two.native_id}
    sources.keep(())
    assert descriptors() == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the CPU time of a thread")
def test_a_child_process_keeps_no_file_of_its_parent_s() -> None:
    """They tell of threads that it does not have."""
    before = descriptors()
    with standing("one") as one:
        assert holds.sources.scheduled_of(one.native_id or 0) is not None
        holds._forget()
        assert descriptors() == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the CPU time of a thread")
def test_a_thread_that_has_ended_leaves_no_file() -> None:
    """Its identifier may be that of another one since."""
    sources = Sources()
    with standing("one") as one:
        native = one.native_id or 0
        assert sources.scheduled_of(native) is not None
    deadline = time.monotonic() + 60
    while sources.scheduled_of(native) is not None:  # the system takes a moment to end it
        assert time.monotonic() < deadline
    assert sources._kept == {}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the CPU time of a thread")
@pytest.mark.parametrize("mode", ["w", "r"])
def test_a_file_of_the_apps_is_not_closed(tmp_path: Path, mode: str) -> None:
    """An app that closes all files that it knows nothing of closes ours, and takes the numbers."""
    sources, mine = Sources(), threading.get_native_id()
    (tmp_path / "other").write_text("other")
    with (tmp_path / "other").open(mode) as other:
        sources._kept[mine] = other.fileno()
        assert sources.scheduled_of(mine) is not None
        assert os.fstat(other.fileno())
        assert sources._kept[mine] != other.fileno()
    sources.keep(())


# --- what others put off -----------------------------------------------------------------------


Figures = dict[int | None, tuple[int, int]]


@pytest.fixture(name="figures")
def _figures(monkeypatch: pytest.MonkeyPatch) -> Figures:
    """Running and waiting for a processor, by native id, of this thread and one other."""
    figures: Figures = {threading.get_native_id(): (0, 0)}
    monkeypatch.setattr(holds.sources, "scheduled_of", figures.get)
    return figures


@pytest.mark.parametrize(
    "case",
    [(10, 50, 50), (10, 30, 30), (10, 90, 70), (0, 50, 0), (10, 0, 0)],
    ids=[
        "as long as another was ready",
        "not as long",
        "no longer than it slept",
        "a sleep",
        "nobody else was there",
    ],
)
def test_a_thread_that_computes_is_put_off_by_others_that_are_ready(
    inbox_open: Watched,
    fake_clock: FakeClock,
    figures: Figures,
    case: tuple[int, int, int],
) -> None:
    """It gave them the GIL, and they waited for a processor with it; a sleep is a sleep."""
    computed_ms, waited_ms, put_off_ms = case
    keepers = Keepers()
    with standing("other") as other:
        figures[other.native_id] = 0, 0
        keepers.look()
        hold = holds.enter(inbox_open.request(), spawned=False)
        assert hold is not None
        fake_clock.compute(computed_ms * MS)
        fake_clock.sleep(70 * MS)
        figures[threading.get_native_id()] = computed_ms * MS, 0
        figures[other.native_id] = MS if waited_ms else 0, max(0, waited_ms - 1) * MS
        keepers.look()
        # The clock's own reading began with other figures than schedstat's: take them alike.
        hold.began = hold.began._replace(cpu=0, queued=0)
        keepers.put_off(hold)
        assert hold.put_off_ns == put_off_ms * MS
        keepers.put_off(hold)
        assert hold.put_off_ns == put_off_ms * MS, "each look counts once"
        holds.leave(hold)


def test_a_hold_that_others_put_off_is_charged_with_the_rest(
    inbox_open: Watched, fake_clock: FakeClock, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with what they did after the sampler's last look."""
    keepers = Keepers()
    monkeypatch.setattr(holds.alarm, "put_off", keepers.put_off_in_all)
    monkeypatch.setattr(holds.heartbeat, "ready", keepers.ready)
    monkeypatch.setattr(
        holds._this_thread, "clock", ThreadClock(holds.sources, holds.collections, holds.heartbeat)
    )
    request = inbox_open.request()
    with standing("other") as other:
        figures[other.native_id] = 0, 0
        keepers.look()
        hold = holds.enter(request, spawned=False)
        assert hold is not None
        fake_clock.compute(60 * MS)
        fake_clock.sleep(90 * MS)
        figures[threading.get_native_id()] = 60 * MS, 0
        figures[other.native_id] = MS, 89 * MS
        hold.began = hold.began._replace(queued=0)
        holds.leave(hold)
    assert (request.held_ns, list(request.stalls)) == (60 * MS, [])


# --- from the hold to the finding --------------------------------------------------------------


def test_the_sampler_notes_who_computed_while_a_hold_lasts(
    inbox_open: Watched, fake_clock: FakeClock, ran: dict[int | None, int]
) -> None:
    """Once for each look, as long as somebody did."""
    sampler = Sampler()
    request = inbox_open.request()
    with standing("busy") as thread:
        ran[thread.native_id] = 0
        assert not sampler._sample()
        hold = holds.enter(request, spawned=False)
        assert hold is not None
        for _ in range(3):
            ran[thread.native_id] += 15 * MS
            fake_clock.starve(INTERVAL)
            assert sampler._sample()
        fake_clock.compute(INTERVAL)
        assert sampler._sample()
        holds.leave(hold)
    assert [(keeper.name, keeper.ran_ns) for keeper in hold.keepers or ()] == [
        ("busy", 15 * MS)
    ] * 3


@pytest.fixture(name="guard")
def _guard() -> Iterator[Guard]:
    """A guard without its probes, to which this file is the project."""
    settings = read(lambda name: None, lambda name: None, "")
    guard = Guard(settings, str(Path(__file__).parent), lambda text: None)
    guard._installation = Installation()
    guard.begin("test_it", settings)
    guard._inbox.enabled = True
    holds.push_inbox(guard._inbox)
    yield guard
    holds.pop_inbox(guard._inbox)


def starved(guard: Guard, fake: FakeClock, *keepers: RawKeeper, own_ms: int = 20) -> list[Finding]:
    """The findings of a request that was kept from the GIL for 300 ms."""
    request = WatchedRequest(
        None, {"type": "http", "method": "GET", "path": "/", "app": None}, guard._inbox
    )
    hold = holds.enter(request, spawned=False)
    assert hold is not None
    hold.samples = [(fake.wall, capture(sys._getframe()))]
    fake.compute(own_ms * MS)
    fake.starve(300 * MS)
    hold.keepers = list(keepers) or None
    holds.leave(hold)
    request.finish(grown)
    return list(guard.tell(last=True).findings)


def here(thread: int, name: str, ran_ms: int) -> RawKeeper:
    """A keeper that stands on a line of this function."""
    return RawKeeper(thread, name, ran_ms * MS, capture(sys._getframe()))


def test_a_starved_request_names_the_thread_and_blames_its_line(
    guard: Guard, fake_clock: FakeClock
) -> None:
    """A warning, and not a word about the request's own code."""
    [finding] = starved(guard, fake_clock, here(1, "ThreadPoolExecutor-3_0", 280))
    assert (finding.code, finding.severity, finding.function) == ("AG203", "warning", "here")
    assert finding.detail == "thread ThreadPoolExecutor"
    assert finding.held_seconds is not None
    assert finding.held_seconds.max == 0.3
    assert (finding.cpu_seconds, finding.asleep_seconds) == (None, None)
    assert finding.message.startswith(
        "thread ThreadPoolExecutor kept the GIL for 300 ms with a request waiting"
    )


def test_of_several_keepers_the_busiest_is_named(guard: Guard, fake_clock: FakeClock) -> None:
    """By what it computed in all, and not in one look."""
    looks = [here(1, "burst", 60), *(here(2, "steady", 40) for _ in range(5))]
    [finding] = starved(guard, fake_clock, *looks)
    assert finding.detail == "thread steady"


def test_a_request_that_is_slow_by_itself_is_told_as_that(
    guard: Guard, fake_clock: FakeClock
) -> None:
    """One hold, one verdict: its own 120 ms are to be mended first."""
    codes = [f.code for f in starved(guard, fake_clock, here(1, "busy", 280), own_ms=120)]
    assert codes == ["AG201"]


def test_a_thread_that_hardly_computed_is_not_named(guard: Guard, fake_clock: FakeClock) -> None:
    """It cannot have had the GIL; and without a thread to name there is nothing to tell."""
    assert starved(guard, fake_clock, here(1, "idle", 300 // GIL_SHARERS - 1)) == []


def test_c_code_that_kept_the_sampler_out_too_is_looked_for_at_the_end(
    guard: Guard, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the loop thread itself, once it runs again."""
    monkeypatch.setattr(holds.alarm, "look", lambda opened: here(1, "regex", 290))
    [finding] = starved(guard, fake_clock)
    assert (finding.code, finding.detail) == ("AG203", "thread regex")


def test_without_anybody_to_name_nothing_is_told(guard: Guard, fake_clock: FakeClock) -> None:
    """The clock excuses the request, and nobody is accused."""
    assert starved(guard, fake_clock) == []


def test_a_request_within_a_request_keeps_its_starvation(
    guard: Guard, fake_clock: FakeClock
) -> None:
    """An app called inline by another one: the outer request was not starved as well."""
    outer, inner = (
        WatchedRequest(None, {"type": "http", "path": path}, guard._inbox)
        for path in ("/outer", "/inner")
    )
    first = holds.enter(outer, spawned=False)
    second = holds.enter(inner, spawned=False)
    assert first is not None
    assert second is not None
    fake_clock.starve(300 * MS)
    first.keepers = second.keepers = [here(1, "busy", 280)]
    holds.leave(second)
    holds.leave(first)
    assert [len(request.stalls) for request in (outer, inner)] == [0, 1]


def starved_by(request: WatchedRequest, compute: Callable[[], object]) -> Hold:
    """A hold in which another thread most likely keeps the GIL while it computes."""
    begins, done = threading.Event(), threading.Event()

    def run() -> None:
        begins.set()
        compute()
        done.wait()  # as the threads of a pool do: one that has ended has no name any more

    thread = threading.Thread(target=run, name="keeper")
    hold = holds.enter(request, spawned=False)
    assert hold is not None
    thread.start()
    while not begins.is_set():
        pass
    for _ in range(1000):
        pass
    holds.leave(hold)
    done.set()
    thread.join()
    return hold


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the CPU time of a thread")
def test_a_real_thread_that_keeps_the_gil_is_found(guard_installed: Watched) -> None:
    """C code sorts for at least three times the threshold while a request is ready to run."""
    numbers = list(range(100_000))
    began = time.thread_time()
    while sorted(numbers, key=float) and (took := time.thread_time() - began) < 0.3:
        numbers *= 2
        began = time.thread_time()
    assert took >= 0.3
    guard_installed.inbox.threshold_ns = 100 * MS
    request = guard_installed.request()
    keepers: Keepers = holds.alarm.look.__self__  # type: ignore[union-attr]
    while not keepers._looks:
        time.sleep(INTERVAL_SECONDS)
    hold = None
    while hold is None or hold.clock.last.wall - hold.opened < 200 * MS:
        hold = starved_by(request, lambda: sorted(numbers, key=float))
    assert "keeper" in [keeper.name for keeper in hold.keepers or ()]
