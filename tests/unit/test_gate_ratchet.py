"""What the gate asks beside that nothing new blocks."""

from __future__ import annotations

import runpy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_asyncguard.gate import Demands, judge, without
from pytest_asyncguard.model import CensusRow, Finding, Mode, RunReport

GOLDEN: dict[str, Any] = runpy.run_path(
    str(Path(__file__).parents[1] / "golden" / "__init__.py"), run_name="golden"
)


def rows(*routes: str) -> tuple[CensusRow, ...]:
    """Endpoints, exercised but for those with a question mark."""
    return tuple(
        GOLDEN["endpoint"](
            route.removesuffix("?"), *(("unexercised",) if "?" in route else ("clean", 1))
        )
        for route in routes
    )


def report(*routes: str, **fields: Any) -> RunReport:
    made: RunReport = GOLDEN["report"](endpoints=rows(*routes), **fields)
    return made


FOUR = ("GET /a", "GET /b", "GET /c?", "GET /health?")


@pytest.mark.parametrize(
    ("percent", "exempt", "sentence"),
    [
        (0.0, (), ""),
        (50.0, (), ""),
        (50.1, (), "2 of 4 endpoints exercised, fewer than 50.1%"),
        (60.0, ("GET /health",), ""),
        (100.0, ("/health",), "2 of 3 endpoints exercised, fewer than 100%"),
        (100.0, ("/[ch]*",), ""),
        (1.0, ("/*",), "0 of 0 endpoints exercised, fewer than 1%"),
    ],
)
def test_too_few_endpoints_fail_the_run(
    percent: float, exempt: Sequence[str], sentence: str
) -> None:
    """A route that never ran is not proven clean; those that are exempt are not counted."""
    demands = Demands(min_exercised=percent, exempt=exempt)
    verdict = judge(report(*FOUR), "fail-tests", demands=demands)
    assert verdict.failed is bool(sentence)
    assert verdict.sentence.endswith(f", but {sentence}" if sentence else " requests")


def test_a_partial_run_is_not_asked_for_endpoints() -> None:
    """What one test exercises says nothing of the suite."""
    made = report(*FOUR)
    made = replace(made, run=replace(made.run, complete=False))
    assert not judge(made, "fail-tests", demands=Demands(min_exercised=100.0)).failed


@pytest.mark.parametrize(
    ("demands", "clause"),
    [
        (Demands(expired=1), "1 has expired in the baseline"),
        (Demands(expired=2), "2 have expired in the baseline"),
        (Demands(broken=["calls: x"]), "a part of the guard failed (calls: x)"),
        (Demands(broken=["a: x", "b: y"]), "parts of the guard failed (a: x, b: y)"),
        (Demands(wrong=["a.py:1: x"]), "1 ignore comment is wrong"),
        (Demands(wrong=["a.py:1: x"] * 2), "2 ignore comments are wrong"),
        (Demands(unwritten=["a.json (disk full)"]), "a.json (disk full) was not written"),
        (
            Demands(unwritten=["a (x)", "b (y)"], expired=1),
            "a (x), b (y) were not written and 1 has expired in the baseline",
        ),
    ],
)
def test_each_demand_has_its_words(demands: Demands, clause: str) -> None:
    """The sentence names every reason why the run fails."""
    verdict = judge(report(), "fail-run", demands=demands)
    assert verdict.failed
    assert verdict.sentence == (
        f"asyncguard: the run fails: no blocking call in 42 requests, but {clause}"
    )


def test_mode_report_fails_for_a_lost_report_only() -> None:
    """Findings are for information there; a file that somebody asked for is not."""
    told = Demands(wrong=["x"], expired=1, broken=["calls: x"])
    assert not judge(report(), "report", demands=told).failed
    lost = judge(report(), "report", demands=Demands(unwritten=["a.json (disk full)"]))
    assert lost.failed
    assert lost.sentence.startswith("asyncguard: the run fails: ")


def test_a_pattern_without_a_method_is_a_path() -> None:
    """One with it is a whole route."""
    all_rows = rows("GET /a", "POST /a", "GET /a/b", "WEBSOCKET /ws")

    def left(*exempt: str) -> list[str]:
        return [row.route for row in without(all_rows, exempt)]

    assert left("/a") == ["GET /a/b", "WEBSOCKET /ws"]
    assert left("POST /a") == ["GET /a", "GET /a/b", "WEBSOCKET /ws"]
    assert left("GET *", "WEBSOCKET /ws") == ["POST /a"]
    assert left() == [row.route for row in all_rows]


SLEEP: Finding = GOLDEN["sighting"]("app.py:3 in f", "time.sleep(1)")


@pytest.mark.parametrize(
    ("mode", "failing", "failed", "words"),
    [
        ("fail-tests", {SLEEP.fingerprint}, True, "(1 error)"),
        ("fail-tests", set(), False, "(1 error), in tests that expect or only report it"),
        ("fail-run", set(), False, "(1 error), in tests that expect or only report it"),
        ("report", {SLEEP.fingerprint}, True, "the run fails: 1 place"),
        ("report", set(), False, "(1 error); mode report, so nothing fails"),
        ("report", None, False, "(1 error); mode report, so nothing fails"),
        ("fail-tests", None, True, "(1 error)"),
    ],
)
def test_a_test_may_have_a_mode_of_its_own(
    mode: Mode, failing: set[str] | None, failed: bool, words: str
) -> None:
    """A finding fails the run if one of the tests that met it is in a mode in which it does."""
    made: RunReport = GOLDEN["report"]([SLEEP])
    verdict = judge(made, mode, demands=Demands(failing=failing))
    assert verdict.failed is failed
    assert words in verdict.sentence
