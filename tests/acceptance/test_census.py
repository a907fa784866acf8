"""The census: an endpoint counts as exercised where a request got as far as its own code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Run, RunPytest

APP = """
    import time
    from collections.abc import AsyncIterator

    from fastapi import APIRouter, Depends, FastAPI, HTTPException, WebSocket
    from fastapi.responses import JSONResponse, StreamingResponse
    from fastapi.routing import APIRoute
    from pydantic import BaseModel
    from starlette.responses import PlainTextResponse

    app = FastAPI()


    class Item(BaseModel):
        name: str


    class Cached(APIRoute):
        def get_route_handler(self):
            async def cached(request):
                return PlainTextResponse("cached")

            return cached


    class Turning:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            if scope["type"] == "http" and scope["path"].startswith("/closed"):
                await PlainTextResponse("closed", status_code=503)(scope, receive, send)
            else:
                await self.app(scope, receive, send)


    app.add_middleware(Turning)
    cached = APIRouter(route_class=Cached)


    async def user(token: str = ""):
        if token != "right":
            raise HTTPException(401)
        return token


    def slow_user():
        time.sleep(0.001)
        raise HTTPException(401)


    @app.get("/mine")
    async def mine(user=Depends(user)):
        return user


    @app.get("/ours")
    async def ours(user=Depends(user)):
        return user


    @app.post("/items")
    async def add(item: Item):
        return item


    @app.get("/items/{number}")
    async def read(number: int):
        return number


    @app.get("/closed")
    async def closed():
        return {}


    @cached.get("/cached")
    async def behind_a_cache():
        return {}


    @app.get("/missing")
    async def missing():
        raise HTTPException(404)


    @app.get("/broken")
    async def broken():
        raise LookupError


    @app.get("/stream")
    async def stream():
        async def rows() -> AsyncIterator[str]:
            yield "1"

        return StreamingResponse(rows())


    @app.websocket("/chat")
    async def chat(socket: WebSocket):
        await socket.accept()
        await socket.close()


    @app.websocket("/private")
    async def private(socket: WebSocket, number: int):
        await socket.accept()


    @app.get("/constant")
    def constant():
        return {"answer": 42}


    @app.get("/thread")
    def thread():
        time.sleep(0.001)
        return {}


    @app.get("/long")
    def long():
        time.sleep(1.2)
        return {}


    @app.get("/never")
    async def never():
        time.sleep(0.001)
        return {}


    async def plain(request):
        return PlainTextResponse("")


    app.add_route("/plain", plain)
    app.include_router(cached)
"""

TESTS = """
    import pytest
    from fastapi.testclient import TestClient
    from starlette.websockets import WebSocketDisconnect

    from app import app

    client = TestClient(app, raise_server_exceptions=False)
    ASKED = {
        "/mine": 401,
        "/ours": 401,
        "/ours?token=right": 200,
        "/items/one": 422,
        "/closed": 503,
        "/cached": 200,
        "/missing": 404,
        "/broken": 500,
        "/stream": 200,
        "/constant": 200,
        "/thread": 200,
        "/long": 200,
        "/never": 200,
        "/plain": 200,
    }


    @pytest.mark.parametrize("path", ASKED)
    def test_get(path):
        assert client.get(path).status_code == ASKED[path]


    @pytest.mark.parametrize("content", ["{", "{}"])
    def test_post(content):
        headers = {"content-type": "application/json"}
        response = client.post("/items", content=content, headers=headers)
        assert response.status_code == 422


    def test_chat():
        with client.websocket_connect("/chat"):
            pass


    def test_private():
        with pytest.raises(WebSocketDisconnect):
            with client.websocket_connect("/private"):
                pass
"""

TURNED_DOWN = "Every request for it was turned down before it ran."


@pytest.fixture(name="run", scope="module")
def _run(run_pytest: RunPytest) -> Run:
    return run_pytest({"app.py": APP, "test_app.py": TESTS}, "--asyncguard", "-v")


@pytest.fixture(name="census", scope="module")
def _census(run: Run) -> dict[str, dict[str, Any]]:
    return {row["route"]: row for row in run.report["endpoints"]}


@pytest.mark.parametrize(
    "route",
    [
        "GET /mine",
        "POST /items",
        "GET /items/{number}",
        "GET /closed",
        "GET /cached",
        "WEBSOCKET /private",
    ],
)
def test_what_was_turned_down_before_is_not_exercised(
    census: dict[str, dict[str, Any]], route: str
) -> None:
    """By a dependency, for its input, by middleware or a route class: its code never ran."""
    row = census[route]
    assert (row["requests"], row["tests"], row["verdict"]) == (0, 0, "unexercised")
    assert row["advice"] == TURNED_DOWN


@pytest.mark.parametrize(
    "route",
    [
        "GET /ours",
        "GET /missing",
        "GET /broken",
        "GET /stream",
        "GET /plain",
        "GET /constant",
        "WEBSOCKET /chat",
    ],
)
def test_what_ran_is_exercised_whatever_it_answered(
    census: dict[str, dict[str, Any]], route: str
) -> None:
    """Its own 404 or 500 is an answer, too; a request that was turned down beside it adds none."""
    row = census[route]
    assert (row["requests"], row["tests"], row["verdict"]) == (1, 1, "clean")


@pytest.mark.parametrize(
    ("route", "advice"),
    [
        ("GET /never", "It never awaits: make it a plain `def`."),
        (
            "GET /constant",
            "It only returns data: as an `async def` it saves the way to a worker thread.",
        ),
        ("GET /thread", None),
        ("GET /ours", None),
    ],
)
def test_advice_is_about_the_function_itself(
    census: dict[str, dict[str, Any]], route: str, advice: str | None
) -> None:
    """What blocks the loop belongs into a thread, and what does nothing does not."""
    assert census[route]["advice"] == advice


def test_a_thread_that_is_kept_for_long_is_told(census: dict[str, dict[str, Any]]) -> None:
    """It is free of the loop, and may still be what the others wait for."""
    row = census["GET /long"]
    assert row["verdict"] == "clean"
    assert row["advice"].startswith("It kept one of the 40 worker threads for 1.")


def test_every_request_is_counted_as_watched(run: Run) -> None:
    """Those that were turned down as well."""
    assert run.report["run"]["requests"] == 18


def test_the_terminal_says_so(run: Run) -> None:
    """With -v every endpoint has its line, and the advice stands below."""
    assert "10 of 16 endpoints exercised, 1 blocks" in run.lines
    line = run.lines.index("unexercised  GET /mine")
    assert run.lines[line + 1].strip() == TURNED_DOWN
