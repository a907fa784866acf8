"""The inbox: what is left of a request that is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.requests import grown

if TYPE_CHECKING:
    from tests.unit.conftest import FakeClock, Watched

MS = 1_000_000


def endpoint() -> None:
    raise AssertionError("only its name counts")


class Unhashable:
    """An endpoint that cannot be a key."""

    __hash__: Any = None


def test_requests_to_one_endpoint_are_counted_together(
    inbox_open: Watched, fake_clock: FakeClock
) -> None:
    """Their time is added up, and the longest is kept, whichever came first."""
    route = object()
    for spent, in_thread in ((3, 0), (9, 40), (5, 20)):
        request = inbox_open.request(endpoint=endpoint, route=route, method="GET")
        holds.step(request, fake_clock.compute, spent * MS)
        request.thread_ns = in_thread * MS
        request.finish(grown)
    [[tally]] = inbox_open.inbox.tallies.values()
    assert (tally.count, tally.reached) == (3, 3)
    assert (tally.held_ns, tally.held_max_ns) == (17 * MS, 9 * MS)
    assert tally.thread_ns == 40 * MS
    assert inbox_open.inbox.requests == {}


def test_requests_that_differ_in_anything_are_counted_apart(inbox_open: Watched) -> None:
    """One function may serve several routes, methods and mounts, and several routers."""
    one, other = object(), object()
    scopes: list[dict[str, Any]] = [
        {"route": one, "method": "GET"},
        {"route": other, "method": "GET"},
        {"route": one, "method": "POST"},
        {"route": one, "method": "GET", "root_path": "/mounted"},
        {"route": one, "method": "GET", "fastapi": {"effective_route_context": other}},
        {"path": "/a"},
        {"path": "/b"},
    ]
    for scope in scopes * 2:
        inbox_open.request(endpoint=endpoint, **scope).finish(grown)
    tallies = [tally for found in inbox_open.inbox.tallies.values() for tally in found]
    assert [tally.count for tally in tallies] == [2] * len(scopes)


def test_a_request_to_what_cannot_be_hashed_is_kept_itself(inbox_open: Watched) -> None:
    """It is counted as any other, without being tallied."""
    request = inbox_open.request(endpoint=Unhashable(), route=object())
    request.finish(grown)
    assert list(inbox_open.inbox.requests.values()) == [request]
    assert inbox_open.inbox.tallies == {}
