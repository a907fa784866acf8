from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["pytester"]

# For example_app. Last, so that the package under test is the installed one.
sys.path.append(str(Path(__file__).parents[1]))


@dataclass(frozen=True, slots=True)
class GuardedRun:
    """What a run with the guard printed and what it reported."""

    result: pytest.RunResult
    report: dict[str, Any]


RunGuarded = Callable[..., GuardedRun]


@pytest.fixture(name="run_guarded")
def _run_guarded(pytester: pytest.Pytester) -> RunGuarded:
    """Run pytest as a user does, with the guard on, over an app and its tests given as source."""

    def run_guarded(app: str, tests: str, *arguments: str) -> GuardedRun:
        pytester.makepyfile(app=app, test_app=tests)
        result = pytester.runpytest_subprocess(
            "--asyncguard", "--asyncguard-report=json:report.json", *arguments
        )
        report = pytester.path / "report.json"
        return GuardedRun(result, json.loads(report.read_bytes()))

    return run_guarded
