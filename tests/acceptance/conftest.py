"""Whole runs of pytest, as a user starts them, on projects given as source.

One run takes seconds. So a module makes few of them, in fixtures of its own scope, and many tests
look at what came out; `run_guarded` of the folder above is for what one test needs alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

Outcome = Literal["passed", "failed", "error", "skipped", "xfailed", "both"]
"""``both``: the test failed and its teardown did, too."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of pytest left behind: its folder, what it printed, its reports."""

    folder: Path
    exit_code: int
    stdout: str
    stderr: str
    outcomes: Mapping[str, Outcome]
    messages: Mapping[str, str]

    @property
    def output(self) -> str:
        """All that it printed: what a failing assertion should show."""
        return self.stdout + self.stderr

    @property
    def lines(self) -> list[str]:
        return self.stdout.splitlines()

    @property
    def report(self) -> dict[str, Any]:
        path = self.folder / "report.json"
        assert path.is_file(), self.output
        report: dict[str, Any] = json.loads(path.read_bytes())
        return report

    @property
    def findings(self) -> list[dict[str, Any]]:
        findings: list[dict[str, Any]] = self.report["findings"]
        return findings

    def of_test(self, name: str) -> list[dict[str, Any]]:
        """The findings of the test function (or parametrised test) of this name."""
        return [
            finding
            for finding in self.findings
            if any(test.rpartition("::")[2] == name for test in finding["tests"])
        ]

    def told(self, finding: Mapping[str, Any]) -> tuple[str, str, str]:
        """Rule, source line and route of a finding."""
        return finding["rule"], (finding["source"] or "").strip(), finding["route"] or ""


RunPytest = Callable[..., Run]
ASYNCGUARD = "pytest_asyncguard.plugin"


@pytest.fixture(name="run_pytest", scope="session")
def _run_pytest(tmp_path_factory: pytest.TempPathFactory) -> RunPytest:
    """Run pytest in a process of its own over a folder of ``files``.

    Plugins are not found by their entry points but named, unless ``autoload`` is true: that saves
    half the time.
    """

    def run_pytest(
        files: Mapping[str, str],
        *arguments: str,
        plugins: tuple[str, ...] = (ASYNCGUARD,),
        autoload: bool = False,
        report: bool = True,
        python: tuple[str, ...] = (),
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> Run:
        folder = tmp_path_factory.mktemp("project")
        for name, source in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source), encoding="utf-8")
        command = [sys.executable, *python, "-m", "pytest", "--junitxml=junit.xml"]
        if not autoload:
            command += [f"-p{name}" for name in plugins]
        if report:
            command += ["--asyncguard-report=json:report.json"]
        done = subprocess.run(
            [*command, *arguments],
            cwd=folder,
            env={**_environment(autoload=autoload), **(environment or {})},
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        outcomes, messages = _junit(folder / "junit.xml")
        return Run(folder, done.returncode, done.stdout, done.stderr, outcomes, messages)

    return run_pytest


def _environment(*, autoload: bool) -> dict[str, str]:
    """The environment of these tests, without what would set up the inner pytest."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "COV_"))
        and name not in {"CI", "FORCE_COLOR", "NO_COLOR"}
    }
    kept["COLUMNS"] = "80"
    if not autoload:
        kept["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return kept


def _junit(path: Path) -> tuple[dict[str, Outcome], dict[str, str]]:
    """The outcome of each test, and the message of each that did not pass, by its name."""
    outcomes: dict[str, Outcome] = {}
    messages: dict[str, str] = {}
    if not path.is_file():
        return outcomes, messages
    for case in ET.parse(path).getroot().iter("testcase"):
        name = case.get("name", "")
        outcome: Outcome = "passed"
        for child in case:
            if child.tag in ("failure", "error", "skipped"):
                kind = "xfailed" if child.get("type") == "pytest.xfail" else child.tag
                outcome = "failed" if kind == "failure" else kind  # type: ignore[assignment]
                messages[name] = child.get("message", "")
        # A test whose teardown fails as well has two entries.
        outcomes[name] = "both" if name in outcomes and outcome != outcomes[name] else outcome
    return outcomes, messages
