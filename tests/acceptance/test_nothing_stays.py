"""After a run with the guard its process is as it was, also where pytest runs inside pytest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Run, RunPytest

APP = """
    import asyncio
    import logging
    import sqlite3
    import subprocess
    import threading
    import time
    from time import sleep
    from unittest import mock

    import anyio
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route


    async def block(request):
        time.sleep(0.001)
        sleep(0.001)
        subprocess.run(["true"])
        with sqlite3.connect(":memory:") as connection:
            connection.execute("select 1")
        connection.close()
        return PlainTextResponse("done")


    async def clean(request):
        await anyio.sleep(0)
        return PlainTextResponse("done")


    app = Starlette(routes=[Route("/block", block), Route("/clean", clean)])
"""

TESTS = """
    import time
    from unittest import mock

    import anyio
    import httpx
    import pytest
    import requests
    import sqlalchemy
    import trio
    import uvloop
    from starlette.testclient import TestClient

    from app import app


    @pytest.mark.parametrize("path", ["/block", "/clean"])
    def test_get(path):
        with TestClient(app) as client:
            assert client.get(path).text == "done"


    @pytest.mark.parametrize("backend", ["asyncio", "uvloop", "trio"])
    def test_loops(backend):
        async def main():
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                assert (await client.get("/clean")).text == "done"

        settings = {"backend_options": {"use_uvloop": True}} if backend == "uvloop" else {}
        anyio.run(main, backend="trio" if backend == "trio" else "asyncio", **settings)


    def test_doubles(monkeypatch):
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        with mock.patch("subprocess.run"), mock.patch.object(requests.Session, "get"):
            TestClient(app).get("/block")


    def test_database():
        engine = sqlalchemy.create_engine("sqlite://")
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("select 1"))
        engine.dispose()
"""

COMPARE = '''
import gc
import json
import sys
import threading
import types

import pytest

early = sys.argv[1] == "early"
if early:
    import asyncio, logging, queue, socket, sqlite3, ssl, subprocess, unittest.mock
    import anyio, requests, sqlalchemy, starlette.applications, starlette.testclient, trio, uvloop


def snapshot(modules):
    """Every attribute of these modules, and of every class in them, as the object that it is."""
    seen = {}
    for name, module in sorted(modules.items()):
        for attribute, value in list(vars(module).items()):
            seen[f"{name}:{attribute}"] = value
            if isinstance(value, type):
                for inner, item in list(vars(value).items()):
                    seen[f"{name}:{attribute}.{inner}"] = item
    return seen


def of_ours(value):
    """Whether it is the plugin's, or does what the plugin has put there."""
    value = getattr(value, "__func__", value)
    code = getattr(value, "__code__", None)
    home = str(type(value).__module__)
    return home.startswith("pytest_asyncguard") or "/pytest_asyncguard/" in getattr(
        code, "co_filename", ""
    )


def listening():
    return {
        "finders": list(sys.meta_path),
        "hooks": list(sys.path_hooks),
        "collecting": list(gc.callbacks),
        "threads": [thread.name for thread in threading.enumerate()],
        "tracing": [sys.gettrace(), sys.getprofile(), threading.gettrace()],
        "unraisable": [sys.excepthook, sys.unraisablehook, threading.excepthook],
    }


def others():
    return {
        name: module
        for name, module in sys.modules.items()
        if isinstance(module, types.ModuleType)
        and name.partition(".")[0] not in ("pytest_asyncguard", "__main__", "app", "test_app")
    }


class Watch:
    """Looks while the guard is on."""

    def pytest_runtest_teardown(self):
        answer["during"] = sorted(
            name for name, value in snapshot(others()).items() if of_ours(value)
        )
        if early:
            now = snapshot(before_modules)
            answer["patched"] = sorted(
                name for name in before if before[name] is not now.get(name, answer)
            )


answer = {}
before_modules, before, listened = others(), snapshot(others()), listening()
pytest.main(["-q", "-pno:asyncguard", "test_app.py"] if sys.argv[2] == "off" else
    ["-q", "-ppytest_asyncguard.plugin", "--asyncguard", "--asyncguard-report=json:report.json",
     "--asyncguard-call=json.dumps", "test_app.py"], plugins=[Watch()])
after = snapshot(before_modules)
answer["changed"] = sorted(
    name for name in {*before, *after} if before.get(name, answer) is not after.get(name, answer)
)
answer["left"] = sorted(name for name, value in snapshot(others()).items() if of_ours(value))
now = listening()
answer["listening"] = {name: now[name] == listened[name] for name in now}
answer["app"] = sorted(
    name
    for name, value in snapshot({"app": sys.modules["app"]}).items()
    if of_ours(value)
)
print(json.dumps(answer), file=open("answer.json", "w"))
'''

INNER = """
    import time

    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient


    async def inner(request):
        time.sleep(0.001)  # inner
        return PlainTextResponse("done")


    app = Starlette(routes=[Route("/inner", inner)])


    def test_inner():
        assert TestClient(app).get("/inner").text == "done"
"""

NESTED = """
    import pathlib
    import threading
    import time

    import pytest
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient

    pytest_plugins = ["pytester"]
    INNER = pathlib.Path("inner.py").read_text()
    GUARD = ("-ppytest_asyncguard.plugin", "--asyncguard")


    async def outer(request):
        time.sleep(0.001)  # outer
        return PlainTextResponse("done")


    app = Starlette(routes=[Route("/outer", outer)])


    def watchers():
        return sum(thread.name.startswith("asyncguard") for thread in threading.enumerate())


    def test_before():
        assert TestClient(app).get("/outer").text == "done"


    def test_inside(pytester):
        pytester.makepyfile(INNER)
        assert watchers() == 1
        result = pytester.runpytest_inprocess(*GUARD)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*AG101 sleep: time.sleep*", "*in the endpoint of GET /inner"])
        assert watchers() == 1


    def test_inside_in_another_mode(pytester):
        pytester.makepyfile(INNER)
        result = pytester.runpytest_inprocess(*GUARD, "--asyncguard-mode=report")
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(["*AG101 sleep: time.sleep*"])


    def test_inside_another_process(pytester):
        pytester.makepyfile(INNER)
        pytester.runpytest_subprocess(*GUARD).assert_outcomes(failed=1)


    def test_after():
        assert TestClient(app).get("/outer").text == "done"
"""

IN_TURN = """
    import pathlib
    import sys
    import threading
    import time

    import starlette.applications

    pytest_plugins = ["pytester"]
    INNER = pathlib.Path("inner.py").read_text()
    Starlette = starlette.applications.Starlette
    sleep, called = time.sleep, Starlette.__call__


    def test_in_turn(pytester):
        pytester.makepyfile(INNER)
        for _ in range(3):
            finders, threads = list(sys.meta_path), threading.enumerate()
            result = pytester.runpytest_inprocess("-ppytest_asyncguard.plugin", "--asyncguard")
            result.assert_outcomes(failed=1)
            assert time.sleep is sleep
            assert Starlette.__call__ is called
            assert sys.meta_path == finders
            assert threading.enumerate() == threads
"""

Answer = dict[str, Any]


def compare(folder: Path, *arguments: str) -> Answer:
    """What a process that ran pytest has found changed in itself."""
    for name, source in {"app.py": APP, "test_app.py": TESTS, "compare.py": COMPARE}.items():
        (folder / name).write_text(textwrap.dedent(source), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name[:7] != "PYTEST_"}
    done = subprocess.run(
        [sys.executable, "compare.py", *arguments],
        cwd=folder,
        env={**environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    path = folder / "answer.json"
    assert path.is_file(), done.stdout + done.stderr
    answer: Answer = json.loads(path.read_text(encoding="utf-8"))
    return answer


@pytest.fixture(name="off", scope="module")
def _off(tmp_path_factory: pytest.TempPathFactory) -> Answer:
    """Without the guard, what it patches being there before pytest starts."""
    return compare(tmp_path_factory.mktemp("off"), "early", "off")


@pytest.fixture(name="early", scope="module")
def _early(tmp_path_factory: pytest.TempPathFactory) -> Answer:
    """With the guard, what it patches being there before pytest starts."""
    return compare(tmp_path_factory.mktemp("early"), "early", "on")


@pytest.fixture(name="late", scope="module")
def _late(tmp_path_factory: pytest.TempPathFactory) -> Answer:
    """With the guard, what it patches being imported while the tests run."""
    return compare(tmp_path_factory.mktemp("late"), "late", "on")


@pytest.fixture(name="nested", scope="module")
def _nested(run_pytest: RunPytest) -> Run:
    """One run inside another, with the guard on both levels."""
    return run_pytest({"test_app.py": NESTED, "inner.py": INNER}, "--asyncguard")


def test_every_attribute_is_the_object_that_it_was(off: Answer, early: Answer) -> None:
    """A run with the guard changes what a run without it changes, and no more."""
    more = set(early["changed"]) - set(off["changed"])
    # SQLAlchemy's own note that somebody listened to a class once, which it never takes back, and
    # Python's own of a warning: an old TestClient leaves streams open, and when they are collected
    # is anybody's guess.
    notes = ("._has_events", ":__warningregistry__")
    assert {name for name in more if not name.endswith(notes)} == set()


def test_the_comparison_can_see(off: Answer, early: Answer, late: Answer) -> None:
    """While the guard is on, the same comparison shows what is patched: it proves something."""
    patched = set(early["patched"]) - set(off["patched"])
    assert {"time:sleep", "asyncio.events:Handle._run", "json:dumps"} <= patched
    assert {"starlette.applications:Starlette.__call__", "trio:run"} <= patched
    assert off["during"] == []
    assert {"time:sleep", "requests.sessions:Session.request", "trio:run"} <= set(late["during"])


@pytest.mark.parametrize("when", ["early", "late"])
def test_nothing_of_ours_is_left(request: pytest.FixtureRequest, when: str) -> None:
    """No module has a function of the guard's, neither patched in nor imported from elsewhere."""
    answer: Answer = request.getfixturevalue(when)
    assert answer["left"] + answer["app"] == []


@pytest.mark.parametrize("when", ["early", "late"])
def test_nothing_listens_any_more(request: pytest.FixtureRequest, when: str) -> None:
    """Import finders, callbacks of the garbage collector, threads and tracing are as before."""
    answer: Answer = request.getfixturevalue(when)
    assert {name for name, same in answer["listening"].items() if not same} == set()


def test_each_level_has_its_own_findings(nested: Run) -> None:
    """The outer run reports what the outer app did, the inner run what the inner app did."""
    assert nested.outcomes == {
        "test_before": "failed",
        "test_inside": "passed",
        "test_inside_in_another_mode": "passed",
        "test_inside_another_process": "passed",
        "test_after": "failed",
    }, nested.output
    (finding,) = nested.findings
    assert nested.told(finding) == ("sleep", "time.sleep(0.001)  # outer", "GET /outer")
    assert [test.rpartition("::")[2] for test in finding["tests"]] == ["test_after", "test_before"]
    assert nested.report["run"]["requests"] == 2


def test_runs_in_turn(run_pytest: RunPytest) -> None:
    """In a process that runs pytest again and again, each run installs and removes everything."""
    files = {"test_app.py": IN_TURN, "inner.py": INNER}
    run = run_pytest(files, plugins=(), report=False)
    assert run.outcomes == {"test_in_turn": "passed"}, run.output
