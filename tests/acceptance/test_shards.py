"""One suite, however its tests are spread over workers and machines: one report."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pytest_asyncguard.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Run, RunPytest

APP = """
    import driver
    import time

    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route


    def helper():
        time.sleep(0.001)


    async def block(request):
        helper()
        return PlainTextResponse("done")


    async def other(request):
        helper()
        return PlainTextResponse("done")


    async def file(request):
        open(__file__).close()
        return PlainTextResponse("done")


    async def ignored(request):
        time.sleep(0.001)  # asyncguard: ignore[sleep] why
        return PlainTextResponse("done")


    async def mistaken(request):
        time.sleep(0.002)  # asyncguard: ignore[file] another rule
        return PlainTextResponse("done")


    async def unused(request):
        return PlainTextResponse("done")  # asyncguard: ignore[sleep]


    async def never(request):
        return PlainTextResponse("done")


    ENDPOINTS = block, other, file, ignored, mistaken, unused, never
    app = Starlette(routes=[Route(f"/{each.__name__}", each) for each in ENDPOINTS])
    get = driver.getting(app)
"""
TESTS = """
    import pytest

    from app import get


    @pytest.mark.parametrize("number", range({}))
    @pytest.mark.parametrize("name", {})
    def test_get(name, number):
        assert get(f"/{{name}}") == 200
"""
FILES = {
    "app.py": APP,
    "test_a.py": TESTS.format(2, ["block", "file"]),
    "test_b.py": TESTS.format(2, ["block", "other", "ignored"]),
    "test_c.py": TESTS.format(1, ["unused", "mistaken"]),
}
XDIST = ("pytest_asyncguard.plugin", "xdist.plugin")


def comparable(report: dict[str, Any]) -> dict[str, Any]:
    """A report without what differs from run to run."""

    def plain(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: plain(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [plain(each) for each in value]
        if key in ("max", "total", "held_seconds") and value is not None:
            return "measured"
        return re.split(" (held|blocks) the", value)[0] if key == "message" else value

    made: dict[str, Any] = plain({**report, "run": {}})
    return made


@pytest.fixture(name="plain", scope="module")
def _plain(run_pytest: RunPytest) -> Run:
    """The run in one process."""
    return run_pytest(FILES, "--asyncguard")


def test_the_suite_has_something_of_everything(plain: Run) -> None:
    """What the others are compared with is worth it."""
    counts = plain.report["summary"]
    assert (counts["errors"], counts["warnings"], counts["ignored"]) == (2, 1, 1), plain.output
    assert (counts["endpoints"], counts["exercised"]) == (7, 6)
    assert len(plain.report["unused_ignores"]) == (2 if sys.version_info >= (3, 12) else 1)
    assert {row["route"] for row in plain.findings[0]["routes"]} == {"GET /block", "GET /other"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("-n2",),
        ("-n4", "--dist=loadscope"),
        ("-n2", "--dist=loadfile"),
        ("-n2", "--dist=worksteal"),
        ("-nauto", "--maxprocesses=2"),
        ("--tx", "2*popen", "--dist=load"),
    ],
    ids=" ".join,
)
def test_many_workers_make_the_same_report(
    run_pytest: RunPytest, plain: Run, arguments: tuple[str, ...]
) -> None:
    """In the same order, and as complete."""
    run = run_pytest(FILES, "--asyncguard", *arguments, plugins=XDIST)
    assert comparable(run.report) == comparable(plain.report), run.output
    assert run.report["run"]["complete"]
    assert run.report["run"]["requests"] == plain.report["run"]["requests"]
    assert run.exit_code == plain.exit_code == 1


def test_shards_that_are_merged_make_the_same_report(
    run_pytest: RunPytest, plain: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three machines with a part of the tests each; the verdict is that of one.

    Of the lines that ran their reports have those on the stack of a finding only.
    """
    parts = []
    for shard in ("test_a.py", "test_b.py", "test_c.py"):
        run = run_pytest(FILES, "--asyncguard", shard)
        assert (run.report["run"]["complete"], run.report["unused_ignores"]) == (False, [])
        parts.append(str(run.folder / "report.json"))
    monkeypatch.chdir(plain.folder)
    merged = tmp_path / "all.json"
    assert main(["merge", *parts, "-o", str(merged), "--complete"]) == 0
    report = json.loads(merged.read_bytes())
    whole = plain.report
    assert [each["reason"] for each in report["unused_ignores"]] == ["another rule"]
    whole["unused_ignores"] = [each for each in whole["unused_ignores"] if each["reason"]]
    assert comparable(report) == comparable(whole)
    assert (report["run"]["requests"], report["run"]["tests"]) == (12, 12)
    assert main(["gate", str(merged)]) == 1


KILLED = """
    import os
    import signal

    from app import get


    def test_killed():
        get("/never")
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_worker_that_is_killed_loses_nothing_that_was_told(
    run_pytest: RunPytest, plain: Run
) -> None:
    """The findings of the tests that were done are there, and the run is not called complete."""
    arguments = ("--asyncguard", "-n1", "--max-worker-restart=0")
    run = run_pytest({**FILES, "test_b_.py": KILLED}, *arguments, plugins=XDIST)
    assert "crashed while running 'test_b_.py::test_killed'" in run.stdout, run.output
    assert (run.report["run"]["complete"], run.report["run"]["tests"]) == (False, 10)
    assert run.report["unused_ignores"] == []
    done = [each for each in plain.findings if "test_c" not in each["tests"][0]]
    seen, wanted = comparable(run.report), comparable({**plain.report, "findings": done})
    assert seen["findings"] == wanted["findings"]
    assert len(done) == 3
    rows = {row["route"]: row["requests"] for row in run.report["endpoints"]}
    assert (rows["GET /other"], rows["GET /unused"], rows["GET /never"]) == (2, 0, 0)
