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
    "calls": (f"{PROBES}.calls", "capture"),
    "calls condition": (f"{PROBES}.calls", "can_block"),
    "audit": (f"{PROBES}.audit", "capture"),
    "sqlite": (f"{PROBES}.sqlite", "capture"),
    "sampler": (f"{PROBES}.sampler", "capture"),
    "requests": (f"{PROBES}.requests", "WatchedRequest"),
    "holds": (f"{PROBES}.holds", "RawStall"),
    "clock": (f"{PROBES}.clock", "ThreadClock.read"),
    "stacks": (f"{PROBES}.stacks", "Reader.read"),
    "decide": ("pytest_asyncguard.decide", "Decider.judge"),
    "attribute": ("pytest_asyncguard.attribute", "Attributor.attribute"),
    "census": ("pytest_asyncguard.census", "endpoints"),
}
"""What is broken; the part that is to be named is the first word."""


@pytest.fixture(name="run", scope="module", params=[*BROKEN])
def _run(run_pytest: RunPytest, request: pytest.FixtureRequest) -> tuple[str, Run]:
    """A run in which one part of the guard raises whenever it is used."""
    module, attribute = BROKEN[request.param]
    files = {
        "app.py": APP,
        "test_app.py": TESTS,
        "conftest.py": BREAK.format(module=module, attribute=attribute),
    }
    run = run_pytest(files, "--asyncguard", "--asyncguard-mode=report", "-Werror")
    return request.param.partition(" ")[0], run


def test_tests_keep_their_outcome(run: tuple[str, Run]) -> None:
    """Whatever fails in the guard, each test ends as it does without it, also under -W error."""
    assert run[1].outcomes == WITHOUT, run[1].output
    assert run[1].exit_code == 1


def test_one_warning_names_the_part(run: tuple[str, Run]) -> None:
    """Among pytest's warnings stands one that says which part failed, and why."""
    part, output = run[0], run[1].stdout
    said = re.findall(r"AsyncguardInternalWarning: asyncguard: (.*)", output)
    assert said == [f"{part} failed and is switched off: LookupError: provoked"], output
    assert "warnings summary" in output


def test_no_traceback_of_ours(run: tuple[str, Run]) -> None:
    """The failure of a test shows the test's own lines, and nothing of the guard's."""
    assert "INTERNALERROR" not in run[1].output
    assert "pytest_asyncguard/" not in run[1].stdout.partition("= warnings summary =")[0]
    assert "Traceback" not in run[1].stderr
