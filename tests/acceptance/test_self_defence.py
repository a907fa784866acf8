"""A part of the guard that fails is switched off and named; the user's tests keep their outcome."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Run, RunPytest

APP = """
    import asyncio
    import sqlite3
    import threading
    import time

    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route


    async def block(request):
        for _ in range(2):
            time.sleep(0.001)
            open("/etc/hostname").close()
            with sqlite3.connect(":memory:") as connection:
                connection.execute("select 1")
            connection.close()
        return PlainTextResponse("done")


    async def stall(request):
        time.sleep(0.001)
        until = time.thread_time() + 0.15
        while time.thread_time() < until:
            pass
        return PlainTextResponse("done")


    async def caught(request):
        try:
            time.sleep(-1)
        except Exception as error:
            return PlainTextResponse(f"caught {error!r}")


    async def tasks(request):
        async def child():
            await asyncio.sleep(0)
            time.sleep(0.001)
            return "done"

        return PlainTextResponse(" ".join(await asyncio.gather(child(), child())))


    async def clean(request):
        await asyncio.sleep(0)
        return PlainTextResponse("done")


    app = Starlette(
        routes=[
            Route(f"/{each.__name__}", each) for each in (block, stall, caught, tasks, clean)
        ]
    )
"""

TESTS = """
    import time

    import pytest
    from starlette.testclient import TestClient

    from app import app


    def test_block():
        assert TestClient(app).get("/block").text == "done"


    def test_stall():
        assert TestClient(app).get("/stall").text == "done"


    def test_caught():
        assert TestClient(app).get("/caught").text.startswith("caught ValueError(")


    def test_tasks():
        assert TestClient(app).get("/tasks").text == "done done"


    def test_clean():
        with TestClient(app) as client:
            assert client.get("/clean").text == "done"


    def test_wrong():
        assert TestClient(app).get("/clean").text == "wrong"


    @pytest.mark.xfail(strict=True)
    def test_expected():
        assert TestClient(app).get("/clean").text == "wrong"
"""

BREAK = """
    import importlib
    import sys

    import pytest


    @pytest.fixture(autouse=True, scope="session")
    def broken():
        def fail(*args, **kwargs):
            raise LookupError("provoked")

        # Not with the fixture monkeypatch: what is broken stays so to the end.
        owner = importlib.import_module({module!r})
        *path, name = {attribute!r}.split(".")
        for each in path:
            owner = getattr(owner, each)
        setattr(owner, name, fail)
"""

WITHOUT = {
    "test_block": "passed",
    "test_stall": "passed",
    "test_caught": "passed",
    "test_tasks": "passed",
    "test_clean": "passed",
    "test_wrong": "failed",
    "test_expected": "xfailed",
}
"""The tests' own outcomes."""

PROBES = "pytest_asyncguard.probes"
BROKEN = {
    f"{PROBES}.calls:report": "calls",
    f"{PROBES}.audit:report": "audit",
    f"{PROBES}.sqlite:report": "sqlite",
    f"{PROBES}.sampler:capture": "sampler",
    f"{PROBES}.requests:WatchedRequest": "requests",
    f"{PROBES}.holds:Hold.__init__": "holds",
    f"{PROBES}.holds:RawStall": "holds",
    f"{PROBES}.clock:ThreadClock.refresh": "holds",
    f"{PROBES}.stacks:Reader.read": "stacks",
    "pytest_asyncguard.decide:Decider.judge": "decide",
    "pytest_asyncguard.attribute:Attributor.attribute": "attribute",
    "pytest_asyncguard.census:endpoints": "census",
}
"""What is made to raise whenever it is used, and the part that is to be named for it."""


@pytest.fixture(name="broken", scope="module", params=[*BROKEN])
def _broken(request: pytest.FixtureRequest) -> str:
    """What is broken, as module and attribute."""
    name: str = request.param
    return name


@pytest.fixture(name="run", scope="module")
def _run(run_pytest: RunPytest, broken: str) -> Run:
    """A run in which one part of the guard raises; warnings are errors in it."""
    module, _, attribute = broken.partition(":")
    files = {
        "app.py": APP,
        "test_app.py": TESTS,
        "conftest.py": BREAK.format(module=module, attribute=attribute),
    }
    return run_pytest(files, "--asyncguard", "--asyncguard-mode=report", "-Werror")


def test_tests_keep_their_outcome(run: Run) -> None:
    """Whatever fails in the guard, each test ends as it does without it, also under -W error."""
    assert run.outcomes == WITHOUT, run.output
    assert run.exit_code == 1


def test_one_warning_names_the_part(run: Run, broken: str) -> None:
    """Among pytest's warnings stands one that says which part failed, and why."""
    said = re.findall(r"AsyncguardInternalWarning: asyncguard: (.*)", run.stdout)
    assert said == [f"{BROKEN[broken]} failed and is switched off: LookupError: provoked"], (
        run.output
    )
    assert "warnings summary" in run.stdout


def test_no_traceback_of_ours(run: Run) -> None:
    """What is shown of a failed test is the test's own, and nothing of the guard's."""
    assert "INTERNALERROR" not in run.output
    assert "pytest_asyncguard/" not in run.stdout.partition("= warnings summary =")[0]
    # Other people's may be there: an old TestClient leaves streams open, and anyio says so.
    assert "pytest_asyncguard" not in run.stderr


# --- the self-check --------------------------------------------------------------------------

BLIND = {
    "calls.CallProbe.install": "a known blocking call was not seen",
    "steps_asyncio.AsyncioSteps.install": "a known blocking call in a callback was not seen",
}
"""What does nothing, and what the self-check then says."""


def blinded(run_pytest: RunPytest, without: str, *arguments: str) -> Run:
    """A run whose guard lacks a part, since a plugin that was loaded before took it out."""
    module, owner, name = without.split(".")
    breaker = f"""
        import {PROBES}.{module}

        {PROBES}.{module}.{owner}.{name} = lambda self: None
    """
    files = {"breaker.py": breaker, "app.py": APP, "test_app.py": PASSING}
    return run_pytest(files, "-pbreaker", "--asyncguard", *arguments)


PASSING = """
    from starlette.testclient import TestClient

    from app import app


    def test_clean():
        assert TestClient(app).get("/clean").text == "done"
"""


@pytest.mark.parametrize("without", BLIND)
def test_a_blind_guard_says_so_and_fails(run_pytest: RunPytest, without: str) -> None:
    """A guard that misses a known block is INACTIVE; that the tests pass then proves nothing."""
    run = blinded(run_pytest, without)
    assert f"asyncguard: INACTIVE ({BLIND[without]})" in run.lines
    assert run.outcomes == {"test_clean": "passed"}, run.output
    assert run.exit_code == 1


@pytest.mark.parametrize(("mode", "exit_code"), [("fail-run", 1), ("report", 0)])
def test_a_blind_guard_fails_in_the_failing_modes(
    run_pytest: RunPytest, mode: str, exit_code: int
) -> None:
    """Mode report lets it pass, and says INACTIVE all the same."""
    without = "calls.CallProbe.install"
    run = blinded(run_pytest, without, f"--asyncguard-mode={mode}")
    assert run.exit_code == exit_code, run.output
    assert f"INACTIVE, nothing was watched: {BLIND[without]}" in " ".join(run.stdout.split())


def test_a_probe_that_cannot_be_installed(run_pytest: RunPytest) -> None:
    """It is left out with its reason, in the header and in the report; the run goes on."""
    breaker = f"""
        import {PROBES}.sqlite


        def install(self):
            raise LookupError("provoked")


        {PROBES}.sqlite.SqliteProbe.install = install
    """
    files = {"breaker.py": breaker, "app.py": APP, "test_app.py": PASSING}
    run = run_pytest(files, "-pbreaker", "--asyncguard")
    reason = "LookupError: provoked"
    assert f"asyncguard: INACTIVE (sqlite: {reason})" in run.lines, run.output
    assert run.exit_code == 1
    inactive = [probe for probe in run.report["run"]["probes"] if not probe["active"]]
    assert inactive == [{"name": "sqlite", "active": False, "reason": reason}]
