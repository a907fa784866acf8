from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from pytest_asyncguard.gate import judge
from pytest_asyncguard.model import Mode, RunReport, Summary, UnusedIgnore

GOLDEN: dict[str, Any] = runpy.run_path(
    str(Path(__file__).parents[1] / "golden" / "__init__.py"), run_name="golden"
)
UNUSED = UnusedIgnore(file="app.py", line=3, rules=("sleep",), reason=None)


def report(errors: int = 0, warnings: int = 0, requests: int = 42, **fields: Any) -> RunReport:
    counts = Summary(
        verdict="clean",
        errors=errors,
        warnings=warnings,
        baselined=fields.pop("baselined", 0),
        ignored=0,
        endpoints=0,
        exercised=0,
        blocking=0,
        held_seconds=0,
    )
    made: RunReport = GOLDEN["report"](requests=requests, summary=counts, **fields)
    return made


@pytest.mark.parametrize(
    ("mode", "failed", "sentence"),
    [
        ("fail-tests", True, "asyncguard: 3 places block the event loop (2 errors, 1 warning)"),
        (
            "fail-run",
            True,
            "asyncguard: the run fails: 3 places block the event loop (2 errors, 1 warning)",
        ),
        (
            "report",
            False,
            (
                "asyncguard: 3 places block the event loop (2 errors, 1 warning);"
                " mode report, so nothing fails"
            ),
        ),
    ],
)
def test_errors_fail_the_run_in_the_failing_modes(mode: Mode, failed: bool, sentence: str) -> None:
    """The sentence says why a run fails, and why one with errors does not."""
    verdict = judge(report(errors=2, warnings=1), mode)
    assert (verdict.failed, verdict.sentence) == (failed, sentence)


def test_warnings_fail_only_a_strict_run() -> None:
    """Warnings are shown; --asyncguard-strict makes errors of them."""
    lenient = judge(report(warnings=1), "fail-tests")
    strict = judge(report(warnings=1), "fail-tests", strict=True)
    assert not lenient.failed
    assert lenient.sentence == "asyncguard: 1 place blocks the event loop (1 warning)"
    assert strict.failed
    assert strict.sentence == "asyncguard: 1 place blocks the event loop (1 warning, strict)"
    assert not judge(report(warnings=1), "report", strict=True).failed


@pytest.mark.parametrize("mode", ["fail-tests", "fail-run", "report"])
def test_a_clean_run_passes(mode: Mode) -> None:
    """The one sentence of a clean run is the same in every mode."""
    verdict = judge(report(), mode, strict=True)
    assert not verdict.failed
    assert verdict.sentence == "asyncguard: no blocking call in 42 requests"


def test_a_run_with_nothing_new_says_new() -> None:
    """The baseline holds blocking calls, so it would be wrong to say that there are none."""
    sentence = judge(report(requests=1, baselined=3), "fail-tests").sentence
    assert sentence == "asyncguard: no new blocking call in 1 request"


@pytest.mark.parametrize("mode", ["fail-tests", "fail-run", "report"])
def test_a_run_without_a_request_says_so_and_passes(mode: Mode) -> None:
    """Silence would read as a clean bill; failing would punish suites that have no app."""
    verdict = judge(report(requests=0), mode)
    assert not verdict.failed
    assert verdict.sentence == (
        "asyncguard: no request was watched: no test called an app in its own process"
    )
    empty = judge(report(requests=0, tests=0), mode)
    assert empty.sentence == "asyncguard: no request was watched: no test ran"


@pytest.mark.parametrize(
    ("mode", "failed"), [("fail-tests", True), ("fail-run", True), ("report", False)]
)
def test_a_blind_guard_fails_the_run_in_the_failing_modes(mode: Mode, failed: bool) -> None:
    """That a guard which sees nothing found nothing must not pass for a clean run."""
    verdict = judge(report(requests=0), mode, inactive="a sleep of its own went unseen")
    assert verdict.failed is failed
    assert "INACTIVE, nothing was watched: a sleep of its own went unseen" in verdict.sentence


def test_strict_leaves_no_permission_standing_that_nothing_asks_for() -> None:
    """Unused ignores and stale baseline entries fail a strict run, and no other."""
    left = report(unused_ignores=(UNUSED,), stale_baseline=("a" * 16, "b" * 16))
    assert not judge(left, "fail-tests").failed
    verdict = judge(left, "fail-tests", strict=True)
    assert verdict.failed
    assert verdict.sentence == (
        "asyncguard: no blocking call in 42 requests, but 1 ignore comment without effect"
        " and 2 findings of the baseline not seen (strict)"
    )
