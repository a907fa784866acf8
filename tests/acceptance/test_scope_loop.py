"""With the scope ``loop``, what tests and fixtures do to their own loop counts, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Run, RunPytest

APP = """
    import time

    import anyio
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route


    async def block(request):
        time.sleep(0.001)  # the app's
        return PlainTextResponse("done")


    async def clean(request):
        await anyio.sleep(0)
        return PlainTextResponse("done")


    app = Starlette(routes=[Route("/block", block), Route("/clean", clean)])
"""

TESTS = """
    import time

    import anyio
    import httpx
    import pytest
    from starlette.testclient import TestClient

    from app import app

    pytestmark = pytest.mark.anyio


    @pytest.fixture(
        params=[
            pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
            pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
            pytest.param(("trio", {}), id="trio"),
        ]
    )
    def anyio_backend(request):
        return request.param


    def connect():
        transport = httpx.ASGITransport(app=app)
        return httpx.AsyncClient(transport=transport, base_url="http://test")


    async def test_sleep(anyio_backend):
        time.sleep(0.001)  # the test's
        await anyio.sleep(0)


    async def test_sleep_later(anyio_backend):
        await anyio.sleep(0.001)
        time.sleep(0.001)  # the test's, later


    async def test_task(anyio_backend):
        async def child():
            await anyio.sleep(0)
            time.sleep(0.001)  # of a task

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(child)


    async def test_compute(anyio_backend):
        end = time.thread_time() + 0.15
        while time.thread_time() < end:  # too long
            pass


    async def test_clean(anyio_backend):
        async with connect() as client:
            assert (await client.get("/clean")).text == "done"
        await anyio.to_thread.run_sync(time.sleep, 0.001)


    async def test_app(anyio_backend):
        async with connect() as client:
            assert (await client.get("/block")).text == "done"


    async def test_both(anyio_backend):
        async with connect() as client:
            time.sleep(0.001)  # before
            assert (await client.get("/clean")).text == "done"
            time.sleep(0.001)  # after


    @pytest.fixture
    async def slow(anyio_backend):
        time.sleep(0.001)  # set up
        yield
        time.sleep(0.001)  # torn down


    async def test_fixture(slow):
        await anyio.sleep(0)
"""

SYNC = """
    import asyncio
    import time

    import pytest
    from starlette.testclient import TestClient

    from app import app


    def test_no_loop():
        time.sleep(0.001)
        with TestClient(app) as client:
            time.sleep(0.001)
            assert client.get("/clean").text == "done"


    def test_own_loop():
        async def main():
            time.sleep(0.001)  # in a loop of its own

        asyncio.run(main())


    @pytest.mark.asyncguard(enabled=False)
    def test_not_watched():
        async def main():
            time.sleep(0.001)

        asyncio.run(main())
"""

ASYNCIO = """
    import asyncio
    import time

    import httpx
    import pytest

    from app import app

    pytestmark = pytest.mark.asyncio


    async def test_asyncio_sleep():
        time.sleep(0.001)  # under pytest-asyncio


    async def test_asyncio_callback():
        asyncio.get_running_loop().call_soon(time.sleep, 0.001)
        await asyncio.sleep(0)


    async def test_asyncio_both():
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://test"
        ) as client:
            assert (await client.get("/block")).text == "done"
            time.sleep(0.001)  # after the app's
"""

FILES = {"app.py": APP, "test_anyio.py": TESTS, "test_sync.py": SYNC, "test_asyncio.py": ASYNCIO}
PLUGINS = ("pytest_asyncguard.plugin", "anyio.pytest_plugin", "pytest_asyncio.plugin")
INI = "[pytest]\nasyncio_default_fixture_loop_scope = function\n"
LOOPS = ("asyncio", "uvloop", "trio")


@pytest.fixture(name="loop", scope="module")
def _loop(run_pytest: RunPytest) -> Run:
    """A run with the scope ``loop``."""
    files = {**FILES, "pytest.ini": INI + "asyncguard_scope = loop\n"}
    return run_pytest(files, "--asyncguard", plugins=PLUGINS)


@pytest.fixture(name="app", scope="module")
def _app(run_pytest: RunPytest) -> Run:
    """The same with the default scope."""
    return run_pytest({**FILES, "pytest.ini": INI}, "--asyncguard", plugins=PLUGINS)


def seen(run: Run, test: str) -> set[tuple[str, str, str | None, str]]:
    """Rule, comment at the end of the line, route and phase of what is reported of a test."""
    return {
        (each["rule"], (each["source"] or "").partition("# ")[2], row["route"], row["phase"])
        for each in run.of_test(test)
        for row in each["routes"]
    }


OWN = {
    "test_sleep": {("sleep", "the test's")},
    "test_sleep_later": {("sleep", "the test's, later")},
    "test_task": {("sleep", "of a task")},
    "test_compute": {("cpu-stall", "too long")},
    "test_both": {("sleep", "before"), ("sleep", "after")},
    "test_fixture": {("sleep", "set up"), ("sleep", "torn down")},
}
"""What the tests themselves do to their loop: rule, and comment of the line."""


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("name", OWN)
def test_the_tests_own_block(loop: Run, name: str, kind: str) -> None:
    """It is found on every loop, without a route, in the phase ``test``."""
    assert seen(loop, f"{name}[{kind}]") == {
        (rule, comment, None, "test") for rule, comment in OWN[name]
    }, loop.output


@pytest.mark.parametrize("kind", LOOPS)
def test_it_fails_the_test(loop: Run, kind: str) -> None:
    """As the app's does."""
    for name in OWN:
        wanted = "both" if name == "test_fixture" else "failed"
        assert loop.outcomes[f"{name}[{kind}]"] == wanted, loop.output
    assert loop.outcomes[f"test_clean[{kind}]"] == "passed"


@pytest.mark.parametrize("kind", LOOPS)
def test_what_the_app_does_stays_its_own(loop: Run, app: Run, kind: str) -> None:
    """With its route and phase, in either scope."""
    for run in (loop, app):
        assert seen(run, f"test_app[{kind}]") == {
            ("sleep", "the app's", "GET /block", "endpoint")
        }, run.output


def test_under_pytest_asyncio(loop: Run) -> None:
    """Tests and callbacks that they schedule."""
    assert seen(loop, "test_asyncio_sleep") == {("sleep", "under pytest-asyncio", None, "test")}
    assert [rule for rule, *_ in seen(loop, "test_asyncio_callback")] == ["sleep"]
    assert seen(loop, "test_asyncio_both") == {
        ("sleep", "after the app's", None, "test"),
        ("sleep", "the app's", "GET /block", "endpoint"),
    }


def test_a_test_without_a_loop_is_free(loop: Run) -> None:
    """Where no loop waits for it, a test may sleep, also beside the TestClient's loop."""
    assert seen(loop, "test_no_loop") == set()
    assert loop.outcomes["test_no_loop"] == "passed"


def test_any_loop_of_the_test(loop: Run) -> None:
    """Also one that it runs itself, unless its marker says that it is not watched."""
    assert seen(loop, "test_own_loop") == {("sleep", "in a loop of its own", None, "test")}
    assert seen(loop, "test_not_watched") == set()
    assert loop.outcomes["test_not_watched"] == "passed"


@pytest.mark.parametrize("kind", LOOPS)
def test_the_default_scope_leaves_them_alone(app: Run, kind: str) -> None:
    """What tests and fixtures do is not the app's."""
    for name in (*OWN, "test_clean"):
        assert seen(app, f"{name}[{kind}]") == set()
        assert app.outcomes[f"{name}[{kind}]"] == "passed", app.output


def test_the_header_and_the_report_say_so(loop: Run, app: Run) -> None:
    """Which scope it was."""
    assert "asyncguard: fail-tests, threshold 100 ms, scope loop" in loop.lines
    assert "asyncguard: fail-tests, threshold 100 ms, scope app" in app.lines
    assert loop.report["settings"]["scope"] == "loop"
    assert sorted(loop.report["run"]["loops"]) == sorted(LOOPS)


def test_the_terminal_names_no_route(loop: Run) -> None:
    """A block outside any request is said to be the test's."""
    assert "in the test's own code" in loop.stdout
    assert "None" not in loop.stdout.partition("= asyncguard =")[2]
