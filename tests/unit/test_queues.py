"""Queues: to wait for one that is empty or full is seen, and ``SimpleQueue`` stays what it is."""

from __future__ import annotations

import concurrent.futures
import queue
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.clock import SHARED_NS

if TYPE_CHECKING:
    from tests.unit.conftest import FakeClock, Watched


def on_loop(watched: Watched, function: Callable[[], Any]) -> Any:
    return holds.step(watched.request(), lambda _: function(), None)


@pytest.mark.parametrize("arguments", [{"timeout": 0.001}, {"block": True, "timeout": 0.001}])
def test_getting_from_an_empty_one_is_seen(guard_installed: Watched, arguments: Any) -> None:
    """It waits for somebody to put something in."""
    items: queue.SimpleQueue[int] = queue.SimpleQueue()
    with pytest.raises(queue.Empty):
        on_loop(guard_installed, lambda: items.get(**arguments))
    assert guard_installed.names() == ["queue.SimpleQueue.get"]


def test_getting_what_is_there_or_without_waiting_is_free(guard_installed: Watched) -> None:
    """As with any other queue."""
    items: queue.SimpleQueue[int] = queue.SimpleQueue()

    def use() -> None:
        items.put(1)
        items.get()
        for arguments in ({"block": False}, {"timeout": 0}):
            with pytest.raises(queue.Empty):
                items.get(**arguments)
        with pytest.raises(queue.Empty):
            items.get_nowait()

    on_loop(guard_installed, use)
    assert guard_installed.names() == []


@pytest.mark.parametrize("arguments", [{"timeout": 0.001}, {"block": True, "timeout": 0.001}])
def test_putting_into_a_full_one_is_seen(guard_installed: Watched, arguments: Any) -> None:
    """It waits for somebody to take something out."""
    items: queue.Queue[int] = queue.Queue(1)
    items.put(1)
    with pytest.raises(queue.Full):
        on_loop(guard_installed, lambda: items.put(2, **arguments))
    assert guard_installed.names() == ["queue.Queue.put"]


def test_putting_where_there_is_room_or_without_waiting_is_free(
    guard_installed: Watched, fake_clock: FakeClock
) -> None:
    """Nor is it measured: anyio hands a plain endpoint over to its thread by it."""
    room: queue.Queue[int] = queue.Queue()
    full: queue.Queue[int] = queue.Queue(1)
    full.put(1)

    def use() -> None:
        fake_clock.compute(2 * SHARED_NS)
        read = fake_clock.full_readings
        room.put(1)
        for arguments in ({"block": False}, {"timeout": 0}):
            with pytest.raises(queue.Full):
                full.put(2, **arguments)
        with pytest.raises(queue.Full):
            full.put_nowait(2)
        assert fake_clock.full_readings == read

    on_loop(guard_installed, use)
    assert guard_installed.names() == []


def test_an_executor_that_hands_over_its_work_is_free(guard_installed: Watched) -> None:
    """Its threads get from such a queue, and they are not the loop's."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        on_loop(guard_installed, lambda: pool.submit(int))
    assert "queue.SimpleQueue.get" not in guard_installed.names()


def test_it_is_still_the_class_that_it_was(guard_installed: Watched) -> None:
    """By its name, and for whoever took the class before it was watched."""
    (before,) = queue.SimpleQueue.__bases__
    items: queue.SimpleQueue[int] = queue.SimpleQueue()
    assert isinstance(items, before)
    assert not hasattr(items, "__dict__")
    assert (type(items).__name__, type(items).__module__) == (before.__name__, before.__module__)
    assert type(items) is queue.SimpleQueue
