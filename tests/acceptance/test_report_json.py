"""The JSON report: valid against its schema whatever the run, and told nobody's secrets."""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Run, RunPytest

API = """
    import asyncio
    import sqlite3
    import subprocess
    import time

    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    database = sqlite3.connect(":memory:", check_same_thread=False)


    async def block(request):
        time.sleep(0.001)
        return PlainTextResponse("done")


    async def secret(request):
        name = request.path_params["name"]
        database.execute(f"select '{name}', 4711 where 'x' = ?", [name])
        subprocess.run(["true", f"--password={name}"])
        return PlainTextResponse("done")


    def nap(seconds):
        time.sleep(seconds)


    async def often(request):
        nap(0.001)
        return PlainTextResponse("done")


    async def long(request):
        nap(0.02)
        return PlainTextResponse("done")


    async def file(request):
        open(__file__).close()
        return PlainTextResponse("done")


    async def stall(request):
        end = time.thread_time() + 0.15
        while time.thread_time() < end:
            pass
        return PlainTextResponse("done")


    async def clean(request):
        return PlainTextResponse("done")


    def sync(request):
        return PlainTextResponse("done")


    app = Starlette(
        routes=[
            Route("/secret/{name}", secret),
            *(Route(f"/{each.__name__}", each) for each in (block, file, stall, clean, sync)),
            *(Route(f"/{each.__name__}", each) for each in (often, long)),
        ]
    )
"""

CLIENT = """
    import asyncio

    from shop.web.api import app


    def get(path):
        sent = []
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": path, "raw_path": path.encode(), "root_path": "",
            "query_string": b"token=hunter2",
            "headers": [(b"authorization", b"Bearer hunter2"), (b"cookie", b"session=hunter2")],
            "client": None, "server": None,
        }

        async def receive():
            return {"type": "http.request", "body": b"hunter2", "more_body": False}

        async def send(message):
            sent.append(message)

        asyncio.run(app(scope, receive, send))
        return sent[0]["status"]
"""

TESTS = """
    import pytest

    from shop.web.client import get


    @pytest.mark.parametrize("path", ["block", "file", "stall", "clean"])
    def test_get(path):
        assert get("/" + path) == 200


    def test_secret():
        assert get("/secret/hunter2") == 200


    def test_block_again():
        assert get("/block") == 200


    def test_shared():
        assert [get("/" + path) for path in ("often", "often", "long")] == [200] * 3
"""

FILES = {
    "shop/__init__.py": "",
    "shop/web/__init__.py": "",
    "shop/web/api.py": API,
    "shop/web/client.py": CLIENT,
    "tests/test_api.py": TESTS,
    "pytest.ini": "[pytest]\npythonpath = .\nasyncguard_threshold = 90ms\n",
}
SCHEMA = json.loads((Path(__file__).parents[1] / "report.schema.json").read_bytes())
Report = dict[str, Any]


def validate(report: Report) -> None:
    """Raise for what the schema does not allow."""
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(SCHEMA, format_checker=checker).validate(report)


def printed(run: Run) -> Report:
    """The one report in what it printed."""
    start = run.stdout.index('{\n  "schema_version"')
    report, end = json.JSONDecoder().raw_decode(run.stdout[start:])
    assert run.stdout[start + end] == "\n"
    found: Report = report
    return found


@pytest.fixture(name="run", scope="module")
def _run(run_pytest: RunPytest) -> Run:
    """A run with findings of several kinds."""
    return run_pytest(FILES, "--asyncguard")


RUNS = {
    "warnings": ("-k", "file"),
    "clean": ("-k", "clean"),
    "nothing watched": ("-k", "nothing"),
    "strict": ("--asyncguard-strict", "--asyncguard-rule=sleep=off", "--asyncguard-mode=report"),
    "stopped": ("-x",),
    "not collected": ("tests/missing.py",),
}


@pytest.fixture(name="other", scope="module", params=RUNS)
def _other(run_pytest: RunPytest, request: pytest.FixtureRequest) -> Run:
    """Runs that come out otherwise."""
    return run_pytest(FILES, "--asyncguard", *RUNS[request.param])


# --- what it says ----------------------------------------------------------------------------


def test_it_is_valid(run: Run) -> None:
    """The report of an ordinary run keeps to the schema."""
    validate(run.report)
    assert {finding["rule"] for finding in run.findings} == {
        "sleep",
        "file",
        "cpu-stall",
        "sync-database",
        "subprocess",
    }


def test_it_is_valid_however_the_run_ends(other: Run) -> None:
    """So does that of a run which found nothing, watched nothing, or stopped early."""
    validate(other.report)


def test_a_stopped_or_partial_run_is_not_complete(run: Run, other: Run) -> None:
    """Only a whole run may say that something does not happen any more."""
    assert run.report["run"]["complete"] is True
    whole = "--asyncguard-strict" in other.stdout or other.report["settings"]["strict"]
    assert other.report["run"]["complete"] is whole, other.output


def test_paths_are_relative(run: Run) -> None:
    """Files of the project are told relative to rootdir, with slashes; no path leads out of it."""
    files = {finding["file"] for finding in run.findings}
    assert files == {"shop/web/api.py"}
    assert {row["file"] for row in run.report["endpoints"]} == {"shop/web/api.py"}
    own = {
        frame["file"] for finding in run.findings for frame in finding["stack"] if frame["project"]
    }
    assert own == {"shop/web/api.py"}
    assert str(run.folder) not in (run.folder / "report.json").read_text(encoding="utf-8")
    assert {test for finding in run.findings for test in finding["tests"]} >= {
        "tests/test_api.py::test_secret",
        "tests/test_api.py::test_get[block]",
    }


def test_paths_are_relative_to_rootdir_from_wherever(run_pytest: RunPytest) -> None:
    """The folder in which pytest was started has no influence, but on where the report goes."""
    run = run_pytest(FILES, "--asyncguard", "--rootdir=.", "-c", "pytest.ini", "tests/test_api.py")
    assert {finding["file"] for finding in run.findings} == {"shop/web/api.py"}
    assert all(test.startswith("tests/") for each in run.findings for test in each["tests"])


def test_the_facts(run: Run) -> None:
    """What ran, on what, how it was set; counts that agree with the lists."""
    report = run.report
    facts = report["run"]
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["tests"] == 7
    assert facts["requests"] == 9
    assert facts["workers"] == 1
    assert facts["loops"] == ["asyncio"]
    assert {"pytest", "starlette"} <= set(facts["packages"])
    assert all(probe["active"] for probe in facts["probes"]), facts["probes"]
    assert datetime.fromisoformat(facts["started"]).tzinfo is not None
    summary = report["summary"]
    severities = [finding["severity"] for finding in report["findings"]]
    assert (summary["errors"], summary["warnings"]) == (5, 1)
    assert (severities.count("error"), severities.count("warning")) == (5, 1)
    assert (summary["endpoints"], summary["exercised"], summary["blocking"]) == (8, 7, 5)


def test_the_settings(run: Run) -> None:
    """Every option stands there as it was in force, by its ini name without the prefix."""
    assert run.report["settings"] == {
        **run.report["settings"],
        "enabled": True,
        "mode": "fail-tests",
        "scope": "app",
        "threshold": 0.09,
        "rules": {},
        "strict": False,
        "calls": {},
        "doubles": True,
        "source": [],
        "reports": ["json:report.json"],
    }


def test_one_finding_for_each_site(run: Run) -> None:
    """With the number of its sightings and all of its tests."""
    (finding,) = [each for each in run.findings if each["function"] == "block"]
    assert finding["count"] == 2
    assert finding["tests"] == [
        "tests/test_api.py::test_block_again",
        "tests/test_api.py::test_get[block]",
    ]
    assert finding["routes"] == [{"route": "GET /block", "phase": "endpoint", "count": 2}]
    assert finding["detail"] == "0.001 s"
    assert finding["source"].strip() == "time.sleep(0.001)"
    assert (finding["column"], finding["end_column"]) == (5, 22)
    assert finding["held_seconds"]["total"] >= finding["held_seconds"]["max"] >= 0.001


def test_what_a_finding_says_belongs_together(run: Run) -> None:
    """Route, stack and hint are those of the same sightings, also where another was longer."""
    (finding,) = [each for each in run.findings if each["function"] == "nap"]
    assert finding["route"] == "GET /often"
    assert "often" in [frame["function"] for frame in finding["stack"]]
    assert "`often`" in finding["hint"]
    assert "GET /often" in finding["message"]
    assert finding["held_seconds"]["max"] >= 0.02


def test_the_same_run_gives_the_same_fingerprints(run: Run, run_pytest: RunPytest) -> None:
    """Also where lines have moved and the tests have other names."""
    moved = {
        **FILES,
        "shop/web/api.py": API.replace("import asyncio", "# a comment\n\n    import asyncio"),
        "tests/test_api.py": TESTS.replace("def test_", "def test_of_"),
    }
    again = run_pytest(moved, "--asyncguard")
    before = {finding["source"]: finding["fingerprint"] for finding in run.findings}
    assert {each["source"]: each["fingerprint"] for each in again.findings} == before
    lines = [{each["source"]: each["line"] for each in one.findings} for one in (run, again)]
    assert lines[0] != lines[1]


def test_nothing_of_the_requests_data(run: Run) -> None:
    """No literal or bound value of SQL, no argument of a command, no path, query, header, body."""
    text = (run.folder / "report.json").read_text(encoding="utf-8")
    assert "hunter2" not in text
    assert "hunter2" not in run.stdout
    (finding,) = [each for each in run.findings if each["rule"] == "sync-database"]
    assert finding["detail"] == "select ?, ? where ? = ?"
    assert finding["route"] == "GET /secret/{name}"
    (finding,) = [each for each in run.findings if each["rule"] == "subprocess"]
    assert finding["detail"] == "true"


# --- where it goes ---------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("-q",), ("-qq",), ("-p", "no:terminal")])
def test_to_standard_output(run_pytest: RunPytest, options: tuple[str, ...]) -> None:
    """``-`` prints it, whole and valid, whatever else is printed, or nothing else."""
    run = run_pytest(FILES, "--asyncguard", "--asyncguard-report=json:-", *options, report=False)
    report = printed(run)
    validate(report)
    assert len(report["findings"]) == 6
    assert report["settings"]["reports"] == ["json:-"]
    assert run.exit_code == 1
    assert not (run.folder / "-").exists()


def test_to_several_places(run_pytest: RunPytest, tmp_path: Path) -> None:
    """Folders are made, names are relative to where pytest was started, each file is named."""
    elsewhere = tmp_path / "reports" / "of today" / "guard.json"
    run = run_pytest(
        FILES,
        "--asyncguard",
        "--asyncguard-report=json",
        "--asyncguard-report=json:build/guard/report.json",
        f"--asyncguard-report=json:{elsewhere}",
        "--asyncguard-report=json:-",
        report=False,
    )
    texts = {
        path.read_text(encoding="utf-8")
        for path in (
            run.folder / "asyncguard.json",
            run.folder / "build/guard/report.json",
            elsewhere,
        )
    }
    assert len(texts) == 1, run.output
    assert printed(run) == json.loads(texts.pop())
    for name in ("asyncguard.json", "build/guard/report.json", str(elsewhere)):
        assert f"asyncguard: wrote {name}" in " ".join(run.stdout.split())
    assert [path.name for path in (run.folder / "build/guard").iterdir()] == ["report.json"]


@pytest.mark.parametrize("path", ["shop", "pytest.ini/report.json"])
def test_a_report_that_cannot_be_written(run_pytest: RunPytest, path: str) -> None:
    """The output and the other reports are not lost for it; one line says so, and the run fails."""
    run = run_pytest(
        FILES,
        "--asyncguard",
        "--color=yes",
        f"--asyncguard-report=json:{path}",
        "-k",
        "clean",
    )
    assert "INTERNALERROR" not in run.output
    assert "Traceback" not in run.output
    said = [line for line in (run.stdout + run.stderr).splitlines() if "cannot write" in line]
    assert len(said) == 1, run.output
    assert path in said[0]
    if run.exit_code == 4:  # noticed before a test ran
        assert said[0].startswith("ERROR: --asyncguard-report")
        return
    assert run.exit_code == 1
    assert re.match(r"\x1b\[31m", said[0])
    assert "1 passed" in run.stdout
    validate(run.report)
