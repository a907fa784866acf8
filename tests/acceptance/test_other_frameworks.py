"""Apps that are not Starlette's are watched where a client calls them, by the path asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Run, RunPytest


def can_import(name: str) -> bool:
    """Whether it is there and works: Litestar does not beside an old python-multipart."""
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


BARE = """
    import time


    async def app(scope, receive, send):
        time.sleep(0.001)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})
"""

OBJECT = """
    import time


    class App:
        async def __call__(self, scope, receive, send):
            time.sleep(0.001)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"done"})


    app = App()
"""

AROUND = """
    import time

    from fastapi import FastAPI

    shop = FastAPI()


    @shop.get("/items/{item_id}")
    async def read_item(item_id: int):
        return item_id


    async def app(scope, receive, send):
        time.sleep(0.001)
        await shop(scope, receive, send)
"""

LITESTAR = """
    import time

    import litestar


    @litestar.get("/items/1")
    async def read_item() -> int:
        time.sleep(0.001)
        return 1


    @litestar.get("/thread", sync_to_thread=True)
    def in_thread() -> int:
        time.sleep(0.001)
        return 1


    app = litestar.Litestar([read_item, in_thread])
"""

QUART = """
    import time

    import quart

    app = quart.Quart(__name__)


    @app.get("/items/1")
    async def read_item():
        time.sleep(0.001)
        return "1"


    @app.get("/thread")
    def in_thread():
        time.sleep(0.001)
        return "1"
"""

TESTS = """
    import anyio
    import httpx
    import pytest
    from starlette.testclient import TestClient

    from app import app

    PATHS = {paths}


    @pytest.mark.parametrize("path", PATHS)
    def test_testclient(path):
        client = TestClient(app)
        assert client._transport.app is app
        assert client.get(path).status_code == 200
        assert client._transport.app is app


    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("backend", {backends})
    def test_transport(backend, path):
        async def main():
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                assert (await client.get(path)).status_code == 200
            assert transport.app is app

        anyio.run(main, backend=backend)
"""

LITESTAR_OWN = """
    from litestar.testing import TestClient

    from app import app


    def test_its_own_client():
        with TestClient(app) as client:
            assert client.get("/items/1").status_code == 200
"""

QUART_OWN = """
    import asyncio

    from app import app


    def test_its_own_client():
        async def main():
            assert (await app.test_client().get("/items/1")).status_code == 200

        asyncio.run(main())
"""

BOTH = ("asyncio", "trio")


def run_of(run_pytest: RunPytest, app: str, *paths: str, backends: tuple[str, ...] = BOTH) -> Run:
    tests = TESTS.format(paths=list(paths), backends=list(backends))
    return run_pytest({"app.py": app, "test_app.py": tests}, "--asyncguard")


def told(run: Run) -> list[dict[str, Any]]:
    keys = ("rule", "function", "route", "phase", "hint")
    return [{key: finding[key] for key in keys} for finding in run.findings]


@pytest.mark.parametrize(
    ("app", "function"), [(BARE, "app"), (OBJECT, "App.__call__")], ids=["function", "object"]
)
def test_any_callable(run_pytest: RunPytest, app: str, function: str) -> None:
    """It is one endpoint, and what it would be as a plain function nobody knows."""
    run = run_of(run_pytest, app, "/items/1")
    assert told(run) == [
        {
            "rule": "sleep",
            "function": function,
            "route": "GET /items/1",
            "phase": "endpoint",
            "hint": "Use `await asyncio.sleep(0.001)`.",
        }
    ], run.output
    assert set(run.outcomes.values()) == {"failed"}
    assert run.report["run"]["requests"] == 3


def test_a_function_around_an_app(run_pytest: RunPytest) -> None:
    """It is middleware of the app inside it, whose request is counted once."""
    run = run_of(run_pytest, AROUND, "/items/1")
    (finding,) = told(run)
    assert (finding["route"], finding["phase"]) == ("GET /items/{item_id}", "middleware")
    assert run.report["run"]["requests"] == 3


@pytest.mark.skipif(not can_import("litestar"), reason="needs litestar")
@pytest.mark.parametrize("own", [False, True])
def test_litestar(run_pytest: RunPytest, own: bool) -> None:
    """Its handlers on the loop are watched, by its own client too, and those in threads free."""
    if own:
        files = {"app.py": LITESTAR, "test_app.py": LITESTAR_OWN}
        run = run_pytest(files, "--asyncguard")
    else:
        run = run_of(run_pytest, LITESTAR, "/items/1", "/thread")
    (finding,) = told(run)
    assert (finding["function"], finding["route"]) == ("read_item", "GET /items/1")
    assert finding["phase"] == "endpoint"


@pytest.mark.skipif(not can_import("quart"), reason="needs quart")
@pytest.mark.parametrize("own", [False, True])
def test_quart(run_pytest: RunPytest, own: bool) -> None:
    """The same for Quart, which knows asyncio alone and handles requests in tasks."""
    if own:
        run = run_pytest({"app.py": QUART, "test_app.py": QUART_OWN}, "--asyncguard")
    else:
        run = run_of(run_pytest, QUART, "/items/1", "/thread", backends=("asyncio",))
    (finding,) = told(run)
    assert (finding["function"], finding["route"]) == ("read_item", "GET /items/1")
    assert finding["phase"] == "endpoint"
