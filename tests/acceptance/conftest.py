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


DRIVER = '''
    """Requests to an app, without a client that takes half a second to import."""

    import asyncio
    import functools


    def getting(app):
        return functools.partial(get, app)


    def get(app, path):
        sent = []

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": path, "raw_path": path.encode(), "root_path": "",
            "query_string": b"", "headers": [], "client": ("c", 1), "server": ("s", 80),
        }
        asyncio.run(app(scope, receive, send))
        return sent[0]["status"]
'''
"""What stands as ``driver.py`` beside the files of each project."""
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
        for name, source in {"driver.py": DRIVER, **files}.items():
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


# --- a project with a baseline ----------------------------------------------------------------

BASELINE = "asyncguard-baseline.json"

SITES_APP = '''
    """An app whose endpoints are the functions called ``site_*`` in its modules."""

    import driver
    import glob
    import importlib

    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    modules = [importlib.import_module(path[:-3]) for path in sorted(glob.glob("sites_*.py"))]


    def endpoint(site):
        async def call(request):
            await site()
            return PlainTextResponse("done")

        return call


    routes = {
        f"/{module.__name__}/{name}": endpoint(site)
        for module in modules
        for name, site in vars(module).items()
        if name.startswith("site_")
    }
    app = Starlette(routes=[Route(path, call) for path, call in routes.items()])
    get = driver.getting(app)
'''
SITES_TESTS = """
    import pytest

    from app import get, routes


    @pytest.mark.parametrize("path", sorted(routes))
    def test_site(path):
        assert get(path) == 200
"""
SITE = "\n\nasync def site_{0}():\n    time.sleep(0.0001 * {0})\n"


@dataclass(frozen=True, slots=True)
class Ran:
    exit_code: int
    output: str
    report: dict[str, Any]

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many sites are new, baselined and stale."""
        summary = self.report["summary"]
        return summary["errors"], summary["baselined"], len(self.report["stale_baseline"])

    @property
    def failed(self) -> list[str]:
        lines = self.output.splitlines()
        return sorted(line.split()[1] for line in lines if line.startswith("FAILED "))


class Project:
    """A folder with an app, its tests and, where there is one, its baseline."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("driver.py", textwrap.dedent(DRIVER))
        self.write("app.py", textwrap.dedent(SITES_APP))
        self.write("test_app.py", textwrap.dedent(SITES_TESTS))
        self.write("pytest.ini", f"[pytest]\nasyncguard_baseline = {BASELINE}\n")

    @property
    def path(self) -> Path:
        return self.folder / BASELINE

    @property
    def entries(self) -> list[dict[str, Any]]:
        entries: list[Any] = json.loads(self.path.read_bytes())["entries"]
        return [entry for entry in entries if entry != "end"]

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def sites(self, name: str, *numbers: int) -> None:
        """Write a module with a site for each number."""
        self.write(name, "import time\n" + "".join(SITE.format(number) for number in numbers))

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new, 1))

    def run(self, *arguments: str, plugins: tuple[str, ...] = ()) -> Ran:
        (self.folder / "report.json").unlink(missing_ok=True)
        done = subprocess.run(
            [
                *(sys.executable, "-B", "-m", "pytest", f"-p{ASYNCGUARD}"),
                *(f"-p{name}" for name in plugins),
                *("-rf", "--asyncguard", "--asyncguard-report=json:report.json", *arguments),
            ],
            cwd=self.folder,
            env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        path = self.folder / "report.json"
        report = json.loads(path.read_bytes()) if path.exists() else {}
        return Ran(done.returncode, done.stdout + done.stderr, report)

    def update(self, *arguments: str) -> Ran:
        return self.run("--asyncguard-update-baseline", *arguments)


@pytest.fixture(name="project")
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("PYTEST_ADDOPTS", "GITHUB_ACTIONS", "PYTEST_XDIST_WORKER"):
        monkeypatch.delenv(name, raising=False)
    return Project(tmp_path)


@pytest.fixture(name="small")
def _small(project: Project) -> Project:
    """A project with three sites, all of which are in its baseline."""
    project.sites("sites_a.py", 1, 2, 3)
    assert project.update().exit_code == 0
    return project
