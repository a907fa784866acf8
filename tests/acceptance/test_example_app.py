"""The guard over the sample application, held against its table in both directions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from example_app.expected import SAMPLE, UNEXERCISED, Expected, expected, verdict
from example_app.tests.routes import all_routes
from pytest_asyncguard.catalog import built_rules

ROOT = Path(__file__).parents[2]
ROWS = expected(built_rules())


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """What the table says of a finding, and nothing more."""

    file: str
    line: int
    code: str
    rule: str
    severity: str
    call: str
    function: str
    routes: tuple[tuple[str, str], ...]

    @classmethod
    def wanted(cls, row: Expected) -> Found:
        """Read it off the table."""
        return cls(
            file=row.path,
            line=row.line,
            code=row.code,
            rule=row.rule,
            severity=row.severity,
            call=row.call or "",
            function=row.function,
            routes=((row.route, row.phase),),
        )

    @classmethod
    def reported(cls, finding: dict[str, Any]) -> Found:
        """Read it off the report."""
        return cls(
            file=finding["file"],
            line=finding["line"],
            code=finding["code"],
            rule=finding["rule"],
            severity=finding["severity"],
            call=finding["call"] or "",
            function=finding["function"],
            routes=tuple(sorted((row["route"] or "", row["phase"]) for row in finding["routes"])),
        )


@dataclass(frozen=True, slots=True)
class Run:
    """What one run left behind: its exit code and output, the report, and the tests that failed."""

    exit_code: int
    output: str
    report: dict[str, Any]
    failed: frozenset[str]

    @property
    def found(self) -> list[Found]:
        """What the report says of each finding."""
        return [Found.reported(finding) for finding in self.report["findings"]]

    @property
    def census(self) -> dict[str, dict[str, Any]]:
        """The app's own endpoints by route, without those that FastAPI adds for its documents."""
        rows = (row for row in self.report["endpoints"] if row["file"])
        return {row["route"]: row for row in rows if row["file"].startswith("example_app/")}


@pytest.fixture(name="run", scope="module")
def _run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run of the sample application's tests under the guard, as the README shows it.

    But for the folder: named on the command line it would be a part of the project's tests.
    """
    folder = tmp_path_factory.mktemp("example_app")
    report, junit = folder / "report.json", folder / "junit.xml"
    command = [sys.executable, "-m", "pytest", "--asyncguard", f"--asyncguard-report=json:{report}"]
    done = subprocess.run(
        [*command, f"--junitxml={junit}", "-p", "no:cacheprovider", "-o", "testpaths=example_app"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    output = done.stdout + done.stderr
    assert report.is_file(), output
    assert junit.is_file(), output
    return Run(
        exit_code=done.returncode,
        output=output,
        report=json.loads(report.read_text(encoding="utf-8")),
        failed=_failed(junit),
    )


def _failed(junit: Path) -> frozenset[str]:
    """Name the test cases that failed or could not be set up, as JUnit names them."""
    cases = ET.parse(junit).getroot().iter("testcase")
    return frozenset(
        f"{case.get('classname')}.{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    )


def _as_in_junit(node_id: str) -> str:
    path, _, name = node_id.partition("::")
    return f"{path.removesuffix('.py').replace('/', '.')}.{name}"


def _listed(found: Iterable[Found]) -> str:
    return "\n".join(map(str, sorted(found)))


def test_the_table_is_switched_on() -> None:
    """The rules that the backbone brings are built, so the table cannot shrink in silence."""
    backbone = {"sleep", "sync-database", "socket", "subprocess", "thread-wait", "file"}
    assert backbone | {"cpu-stall", "blocked-stall"} <= {row.rule for row in ROWS}


def test_nothing_is_missed(run: Run) -> None:
    """Every row is found: rule, severity, call, line, function, route and phase."""
    missed = {Found.wanted(row) for row in ROWS} - set(run.found)
    assert not missed, _listed(missed)


def test_nothing_else_is_named(run: Run) -> None:
    """Every finding is a row, and no row is found twice."""
    invented = set(run.found) - {Found.wanted(row) for row in ROWS}
    assert not invented, _listed(invented)
    assert len(run.found) == len(set(run.found))


def test_each_finding_shows_its_line(run: Run) -> None:
    """The source line of a finding is the marked one, and its columns lie within that line."""
    for finding in run.report["findings"]:
        lines = (ROOT / finding["file"]).read_text(encoding="utf-8").splitlines()
        line = lines[finding["line"] - 1]
        assert finding["source"].strip() == line.strip()
        if finding["column"] is not None and finding["end_line"] == finding["line"]:
            assert 1 <= finding["column"] < finding["end_column"] <= len(line) + 1


def test_each_finding_says_what_to_write_instead(run: Run) -> None:
    """In words of the user's own code, as the table has them."""
    said = {(each["file"], each["line"]): each["hint"] for each in run.report["findings"]}
    for row in ROWS:
        assert said[row.path, row.line].startswith(row.hint), row.marker


def test_the_census_has_a_verdict_on_every_endpoint(run: Run) -> None:
    """Blocked, warned of, clean or unexercised: each endpoint as the table has it."""
    verdicts = {route: row["verdict"] for route, row in run.census.items()}
    assert verdicts == {route: verdict(route, ROWS) for route in all_routes()}


@pytest.mark.parametrize("route", SAMPLE)
def test_the_sample_is_clean(run: Run, route: str) -> None:
    """The four sample endpoints were exercised, and nothing is held against them."""
    row = run.census[route]
    assert (row["verdict"], row["findings"]) == ("clean", [])
    assert row["requests"] > 0


@pytest.mark.parametrize("route", UNEXERCISED)
def test_an_unexercised_endpoint_is_not_called_clean(run: Run, route: str) -> None:
    """An endpoint that no test asked for is named as such, also one that would block."""
    row = run.census[route]
    assert (row["verdict"], row["requests"], row["tests"]) == ("unexercised", 0, 0)


def test_the_run_fails_by_its_findings_alone(run: Run) -> None:
    """Exit code 1, and just the tests fail that an error was found in."""
    blamed = {
        _as_in_junit(test)
        for finding in run.report["findings"]
        if finding["severity"] == "error"
        for test in finding["tests"]
    }
    assert run.exit_code == 1, run.output
    assert run.failed == blamed


def test_the_summary_counts_what_is_listed(run: Run) -> None:
    """The summary's numbers are those of the table and of the census."""
    summary, verdicts = run.report["summary"], [row["verdict"] for row in run.report["endpoints"]]
    assert summary["verdict"] == "errors"
    assert summary["errors"] == sum(row.severity == "error" for row in ROWS)
    assert summary["warnings"] == sum(row.severity == "warning" for row in ROWS)
    assert summary["blocking"] == verdicts.count("blocks")
    assert summary["endpoints"] == len(verdicts)
    assert summary["exercised"] == len(verdicts) - verdicts.count("unexercised")


def test_the_run_was_whole(run: Run) -> None:
    """All tests ran, on asyncio only, and every probe was active."""
    about = run.report["run"]
    assert about["complete"]
    assert about["loops"] == ["asyncio"]
    assert [probe["name"] for probe in about["probes"] if not probe["active"]] == []
