"""Transport: what a process has to tell arrives as it was, as plain JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_asyncguard.model import Endpoint, Finding, ProbeState, RouteCount, Spread, StackFrame
from pytest_asyncguard.transport import Telling, dump, load

repeatable = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)

# A file name that is no valid text has lone surrogates in it.
words = st.text(max_size=8) | st.just("\udcff")
seconds = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
spreads = st.builds(Spread, max=seconds, total=seconds)
tuples_of_words = st.lists(words, max_size=3).map(tuple)


def tuples_of(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=3).map(tuple)


findings = st.builds(
    Finding,
    call=st.none() | words,
    held_seconds=st.none() | spreads,
    cpu_seconds=st.none() | spreads,
    asleep_seconds=st.none() | spreads,
    routes=tuples_of(st.builds(RouteCount)),
    stack=tuples_of(st.builds(StackFrame)),
    tests=tuples_of_words,
    source=st.none() | words,
    file=words,
)
tellings = st.builds(
    Telling,
    findings=tuples_of(findings),
    exercised=st.dictionaries(words, st.tuples(st.integers(0), spreads), max_size=3),
    endpoints=tuples_of(st.builds(Endpoint)),
    requests=st.integers(0),
    loops=tuples_of_words,
    probes=tuples_of(st.builds(ProbeState)),
    inactive=st.none() | words,
    ran=tuples_of(st.tuples(words, st.integers(1))),
    used=tuples_of(st.tuples(words, st.integers(1))),
)


@repeatable
@given(telling=tellings)
def test_what_is_told_arrives(telling: Telling) -> None:
    """Nothing is lost or changed on the way through JSON, nor through what xdist makes of it."""
    assert load(json.loads(json.dumps(dump(telling)))) == telling
    assert load(dump(telling)) == telling


@repeatable
@given(telling=tellings)
def test_what_is_sent_is_plain(telling: Telling) -> None:
    """These types and no other are what xdist takes, not even their subclasses."""

    def plain(value: object) -> bool:
        if type(value) is dict:
            return all(type(key) is str and plain(item) for key, item in value.items())
        if type(value) in (list, tuple):
            return all(map(plain, value))  # type: ignore[call-overload]
        return value is None or type(value) in (str, int, float, bool)

    assert plain(dump(telling))


EMPTY = Telling(exercised={})


@pytest.mark.parametrize(
    ("telling", "worth"),
    [
        (EMPTY, False),
        (replace(EMPTY, exercised={"GET /": (1, Spread(max=0, total=0))}), True),
        (replace(EMPTY, ran=(("app.py", 3),)), True),
        (replace(EMPTY, used=(("app.py", 3),)), True),
        (replace(EMPTY, probes=(ProbeState(name="calls", active=True),)), True),
        (
            replace(
                EMPTY,
                endpoints=(
                    Endpoint(
                        route="GET /",
                        method="GET",
                        path="/",
                        function="f",
                        file=None,
                        line=None,
                        kind="sync",
                        awaits=None,
                    ),
                ),
            ),
            True,
        ),
    ],
)
def test_only_what_says_something_is_sent(telling: Telling, worth: bool) -> None:
    """A suite of thousands of tests without an app sends nothing."""
    assert bool(telling) is worth


def test_a_field_of_a_newer_release_is_no_error() -> None:
    """Workers and controller are one installation; a report that was kept may be of another."""
    data = dump(EMPTY)
    data["newer"] = 1
    assert load(data) == EMPTY
