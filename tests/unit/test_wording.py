from __future__ import annotations

from typing import get_args

import pytest

from pytest_asyncguard.model import Phase
from pytest_asyncguard.wording import PHASES, cost, counted, duration, message, stall, whose


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "<1 ms"),
        (0.000999, "<1 ms"),
        (0.001, "1 ms"),
        (0.2504, "250 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (1.2, "1.2 s"),
        (75.0, "75.0 s"),
    ],
)
def test_a_duration_has_the_digits_that_matter(seconds: float, words: str) -> None:
    """Milliseconds below a second, tenths above, and no 1000 ms between the two."""
    assert duration(seconds) == words


def test_every_phase_has_words() -> None:
    """A phase that the model knows can be told."""
    assert set(PHASES) == set(get_args(Phase))


@pytest.mark.parametrize(
    ("phase", "route", "owner", "words"),
    [
        ("endpoint", "POST /orders", None, "in the endpoint of POST /orders"),
        ("endpoint", "POST /orders", "create", "in the endpoint of POST /orders"),
        ("dependency", "GET /items", None, "in a dependency of GET /items"),
        ("dependency", "GET /items", "current_user", "in dependency current_user of GET /items"),
        ("websocket", "WEBSOCKET /ws", None, "in the handler of WEBSOCKET /ws"),
        ("task", "LIFESPAN", None, "in a task started by the lifespan"),
        ("lifespan", "LIFESPAN", None, "in the lifespan"),
        ("test", "GET /", None, "in the test's own code during GET /"),
        ("test", None, None, "in the test's own code"),
        ("unknown", None, None, "outside any request"),
    ],
)
def test_whose_names_the_part_and_the_request(
    phase: Phase, route: str | None, owner: str | None, words: str
) -> None:
    """The words read as the end of a sentence, with and without a request or a name."""
    assert whose(phase, route, owner) == words


def test_a_quick_call_is_not_said_to_have_held_the_loop() -> None:
    """A double answers at once: the finding is that the call blocks, not that it took long."""
    assert cost(0.25) == "held the event loop for 250 ms"
    assert cost(0.25, most=True) == "held the event loop for up to 250 ms"
    assert cost(0.0002) == "blocks the event loop (<1 ms here)"
    assert cost(None) == "blocks the event loop"


def test_a_stall_is_told_without_a_call() -> None:
    """Nothing is named where nothing is known."""
    assert stall(0.3) == "the event loop was held for 300 ms"
    assert stall(0.3, most=True) == "the event loop was held for up to 300 ms"


def test_a_noun_agrees_with_its_number() -> None:
    """One error, two errors, no errors."""
    assert [counted(n, "error") for n in (0, 1, 2)] == ["0 errors", "1 error", "2 errors"]


def test_a_message_is_one_sentence_that_stands_alone() -> None:
    """What, whose and how long, in the order of the four parts."""
    told = message(
        call="time.sleep",
        detail="0.25",
        rule="sleep",
        phase="endpoint",
        owner=None,
        route="POST /orders",
        held=0.25,
    )
    assert told == "time.sleep(0.25) in the endpoint of POST /orders held the event loop for 250 ms"


def test_a_message_leaves_a_long_detail_to_its_field() -> None:
    """An SQL statement would bury the sentence; reports carry it beside the message."""
    told = message(
        call="Session.execute",
        detail="SELECT " + "x, " * 40,
        rule="sync-database",
        phase="dependency",
        owner="current_user",
        route="GET /",
        held=None,
    )
    assert told == "Session.execute in dependency current_user of GET / blocks the event loop"


@pytest.mark.parametrize(
    ("rule", "begin"),
    [
        ("cpu-stall", "computing in"),
        ("blocked-stall", "waiting in"),
    ],
)
def test_a_message_about_a_stall_says_what_the_loop_was_held_by(rule: str, begin: str) -> None:
    """Without a call the rule is the subject, and an uncertain place is said to be one."""
    told = message(
        call=None,
        detail=None,
        rule=rule,
        phase="endpoint",
        owner=None,
        route="GET /",
        held=0.3,
        spread=4,
        project=False,
    )
    assert told == (
        f"{begin} the endpoint of GET / held the event loop for 300 ms, over 4 lines,"
        " with no line of the project on the stack"
    )


def test_a_message_about_starvation_accuses_the_other_thread() -> None:
    """The request whose route is named did nothing but wait."""
    told = message(
        call=None,
        detail="thread worker",
        rule="starved",
        phase="endpoint",
        owner=None,
        route="GET /",
        held=0.3,
    )
    assert told == (
        "thread worker kept the GIL for 300 ms with a request waiting in the endpoint of GET /"
    )
