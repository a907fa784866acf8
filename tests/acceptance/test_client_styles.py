"""However a test reaches the app: what the app blocks is found, what the test does is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Run, RunPytest

APPS = """
    import asyncio
    import contextlib
    import time

    from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, WebSocket
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse, StreamingResponse
    from starlette.routing import Mount, Route, Router, WebSocketRoute


    @contextlib.asynccontextmanager
    async def lifespan(app):
        yield {"ready": True}


    app = FastAPI(lifespan=lifespan)
    router = APIRouter(prefix="/api/{version}")


    @app.get("/block")
    async def block():
        time.sleep(0.001)  # block
        return "done"


    @app.get("/clean")
    async def clean():
        await asyncio.sleep(0)
        return "done"


    @app.get("/sync")
    def sync():
        time.sleep(0.001)  # in a worker thread
        return "done"


    @app.get("/nap")
    async def nap():
        await asyncio.sleep(0.05)
        return "done"


    @app.get("/task")
    async def task():
        async def child():
            await asyncio.sleep(0)
            time.sleep(0.001)  # task

        await asyncio.gather(child(), child())
        return "done"


    @app.get("/background")
    async def background(tasks: BackgroundTasks):
        async def job():
            time.sleep(0.001)  # background

        tasks.add_task(job)
        return "done"


    @app.get("/stream")
    async def stream():
        async def body():
            yield "one"
            time.sleep(0.001)  # stream
            yield "two"

        return StreamingResponse(body())


    @app.websocket("/ws")
    async def ws(socket: WebSocket):
        await socket.accept()
        await socket.receive_text()
        time.sleep(0.001)  # websocket
        await socket.send_text("done")
        await socket.close()


    @router.get("/included/{item}")
    async def included(item: int):
        time.sleep(0.001)  # included
        return "done"


    app.include_router(router)


    async def starlette_endpoint(request):
        time.sleep(0.001)  # starlette
        return PlainTextResponse("done")


    async def starlette_ws(socket):
        await socket.accept()
        time.sleep(0.001)  # starlette websocket
        await socket.send_text("done")
        await socket.close()


    starlette_app = Starlette(
        routes=[
            Route("/items/{item}", starlette_endpoint),
            WebSocketRoute("/ws", starlette_ws),
            Mount("/fastapi", app),
        ]
    )


    async def bare_endpoint(request):
        time.sleep(0.001)  # bare
        return PlainTextResponse("done")


    bare_router = Router(routes=[Route("/bare/{item}", bare_endpoint)])


    async def inner_endpoint(request):
        time.sleep(0.001)  # inner
        return PlainTextResponse("done")


    inner = Starlette(routes=[Route("/inner/{item}", inner_endpoint)])
    outer = FastAPI()
    outer.mount("/mounted", inner)


    class Subclass(FastAPI):
        async def __call__(self, scope, receive, send):
            await super().__call__(scope, receive, send)


    subclass = Subclass()


    @subclass.get("/subclass")
    async def in_subclass():
        time.sleep(0.001)  # subclass
        return "done"
"""

SYNC = """
    import asyncio
    import contextlib
    import threading
    import time
    import urllib.request

    import httpx
    import pytest
    import starlette.testclient
    import uvicorn
    from fastapi.testclient import TestClient

    import apps


    def get(app, path, **settings):
        assert "done" in TestClient(app, **settings).get(path).text


    def test_outside_with():
        get(apps.app, "/block")


    def test_inside_with():
        with TestClient(apps.app) as client:
            assert client.get("/block").json() == "done"
            assert client.get("/clean").json() == "done"


    def test_clean():
        get(apps.app, "/clean")
        with TestClient(apps.app) as client:
            assert client.get("/clean").json() == "done"


    def test_def_endpoint():
        get(apps.app, "/sync")


    def test_tasks():
        get(apps.app, "/task")


    def test_background():
        get(apps.app, "/background")


    def test_stream():
        assert TestClient(apps.app).get("/stream").text == "onetwo"


    def test_websocket():
        with TestClient(apps.app).websocket_connect("/ws") as socket:
            socket.send_text("hello")
            assert socket.receive_text() == "done"


    def test_included_router():
        get(apps.app, "/api/v1/included/7")


    def test_root_path():
        get(apps.app, "/block", root_path="/behind/a/proxy")


    def test_starlette():
        get(apps.starlette_app, "/items/3")


    def test_starlette_websocket():
        with TestClient(apps.starlette_app).websocket_connect("/ws") as socket:
            assert socket.receive_text() == "done"


    def test_fastapi_in_starlette():
        get(apps.starlette_app, "/fastapi/api/v1/included/7")


    def test_bare_router():
        get(apps.bare_router, "/bare/5")


    def test_starlette_in_fastapi():
        get(apps.outer, "/mounted/inner/5")


    def test_subclass():
        get(apps.subclass, "/subclass")


    def test_by_hand():
        sent = []
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": "/block", "raw_path": b"/block", "root_path": "",
            "query_string": b"", "headers": [], "client": None, "server": None,
        }

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        asyncio.run(apps.app(scope, receive, send))
        assert sent[0]["status"] == 200


    @contextlib.contextmanager
    def served(app):
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", loop="asyncio"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.01)  # the test's
        try:
            yield "http://127.0.0.1:%d" % server.servers[0].sockets[0].getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


    def test_uvicorn():
        with served(apps.app) as url:
            with urllib.request.urlopen(url + "/block") as response:
                assert b"done" in response.read()
            assert httpx.get(url + "/clean").json() == "done"


    def test_uvicorn_clean():
        with served(apps.app) as url, httpx.Client(base_url=url) as client:
            assert client.get("/clean").json() == "done"
            assert client.get("/sync").json() == "done"


    @pytest.fixture
    def napping():
        time.sleep(0.002)  # the test's
        yield
        time.sleep(0.002)  # the test's


    def test_own_sleep(napping):
        time.sleep(0.002)  # the test's
        with TestClient(apps.app) as client:
            time.sleep(0.12)  # the test's
            assert client.get("/clean").json() == "done"
            time.sleep(0.002)  # the test's


    def test_which_httpx():
        print("TestClient uses", getattr(starlette.testclient, "httpx").__name__)
"""

ASYNC = """
    import asyncio
    import time

    import httpx
    import httpx2
    import pytest

    import apps

    MARK
    both = pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])


    def connect(library, app=apps.app):
        transport = library.ASGITransport(app=app)
        return library.AsyncClient(transport=transport, base_url="http://test")


    @both
    async def test_PREFIX_block(library):
        async with connect(library) as client:
            assert (await client.get("/block")).json() == "done"


    @both
    async def test_PREFIX_task(library):
        async with connect(library) as client:
            assert (await client.get("/task")).json() == "done"


    @both
    async def test_PREFIX_clean(library):
        async with connect(library) as client:
            assert (await client.get("/clean")).json() == "done"
            assert (await client.get("/sync")).json() == "done"


    @both
    async def test_PREFIX_many_at_once(library):
        async with connect(library) as client:
            paths = ["/block", "/nap", "/clean", "/task"] * 5
            responses = await asyncio.gather(*map(client.get, paths))
            assert [response.json() for response in responses] == ["done"] * 20


    @FIXTURE
    async def client():
        time.sleep(0.002)  # the test's
        async with connect(httpx) as client:
            await client.get("/clean")
            time.sleep(0.12)  # the test's
            yield client
            time.sleep(0.002)  # the test's


    async def test_PREFIX_own_sleep(client):
        time.sleep(0.002)  # the test's
        assert (await client.get("/clean")).json() == "done"
        time.sleep(0.12)  # the test's: its task has just called the app inline
        await asyncio.sleep(0)
        time.sleep(0.12)  # the test's


    async def test_PREFIX_own_sleep_while_the_app_waits(client):
        async def nap():
            await asyncio.sleep(0.01)
            time.sleep(0.12)  # the test's: the request is suspended meanwhile

        responses = await asyncio.gather(client.get("/nap"), client.get("/nap"), nap())
        assert responses[0].json() == "done"


    async def test_PREFIX_own_sleep_in_a_transport(client):
        class Slow(httpx.ASGITransport):
            async def handle_async_request(self, request):
                time.sleep(0.002)  # the test's
                response = await super().handle_async_request(request)
                time.sleep(0.002)  # the test's
                return response

        transport = Slow(app=apps.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as slow:
            assert (await slow.get("/clean")).json() == "done"
"""


def of_asyncio(prefix: str, mark: str, fixture: str) -> str:
    """The asynchronous tests, for one plugin."""
    return ASYNC.replace("PREFIX", prefix).replace("MARK", mark).replace("FIXTURE", fixture)


FILES = {
    "apps.py": APPS,
    "test_sync.py": SYNC,
    "test_strict.py": of_asyncio(
        "strict",
        "import pytest_asyncio; pytestmark = pytest.mark.asyncio",
        "pytest_asyncio.fixture",
    ),
    "test_anyio.py": of_asyncio("anyio", "pytestmark = pytest.mark.anyio", "pytest.fixture"),
    "conftest.py": """
        import pytest

        @pytest.fixture
        def anyio_backend():
            return "asyncio"
    """,
    "pytest.ini": "[pytest]\nasyncio_default_fixture_loop_scope = function\n",
}
GUARD = "pytest_asyncguard.plugin"


@pytest.fixture(name="run", scope="module")
def _run(run_pytest: RunPytest) -> Run:
    """All styles in one run, with pytest-asyncio in strict mode beside anyio's plugin."""
    plugins = (GUARD, "pytest_asyncio.plugin", "anyio.pytest_plugin")
    return run_pytest(FILES, "--asyncguard", "-rA", "--asyncio-mode=strict", plugins=plugins)


@pytest.fixture(name="auto", scope="module")
def _auto(run_pytest: RunPytest) -> Run:
    """pytest-asyncio in auto mode."""
    files = {**FILES, "test_auto.py": of_asyncio("auto", "", "pytest.fixture")}
    plugins = (GUARD, "pytest_asyncio.plugin")
    return run_pytest(files, "--asyncguard", "--asyncio-mode=auto", "test_auto.py", plugins=plugins)


@pytest.fixture(name="without_httpx2", scope="module")
def _without_httpx2(run_pytest: RunPytest) -> Run:
    """TestClient as it is where httpx2 is not installed."""
    files = {**FILES, "conftest.py": "import sys; sys.modules['httpx2'] = None\n"}
    return run_pytest(files, "--asyncguard", "-rA", "test_sync.py")


BLOCKS = {
    "test_outside_with": {"GET /block": "# block"},
    "test_inside_with": {"GET /block": "# block"},
    "test_tasks": {"GET /task": "# task"},
    "test_background": {"GET /background": "# background"},
    "test_stream": {"GET /stream": "# stream"},
    "test_websocket": {"WEBSOCKET /ws": "# websocket"},
    "test_included_router": {"GET /api/{version}/included/{item}": "# included"},
    "test_root_path": {"GET /block": "# block"},
    "test_starlette": {"GET /items/{item}": "# starlette"},
    "test_starlette_websocket": {"WEBSOCKET /ws": "# starlette websocket"},
    "test_fastapi_in_starlette": {"GET /fastapi/api/{version}/included/{item}": "# included"},
    "test_bare_router": {"GET /bare/{item}": "# bare"},
    "test_starlette_in_fastapi": {"GET /mounted/inner/{item}": "# inner"},
    "test_subclass": {"GET /subclass": "# subclass"},
    "test_by_hand": {"GET /block": "# block"},
    "test_uvicorn": {"GET /block": "# block"},
}
"""Tests without an event loop of their own: the routes that block in them, and by which line."""

CLEAN = ("test_clean", "test_def_endpoint", "test_uvicorn_clean", "test_own_sleep")

BLOCKS_ASYNC = {
    "block[httpx]": {"# block"},
    "block[httpx2]": {"# block"},
    "task[httpx]": {"# task"},
    "task[httpx2]": {"# task"},
    "many_at_once[httpx]": {"# block", "# task"},
    "many_at_once[httpx2]": {"# block", "# task"},
}

CLEAN_ASYNC = (
    "clean[httpx]",
    "clean[httpx2]",
    "own_sleep",
    "own_sleep_while_the_app_waits",
    "own_sleep_in_a_transport",
)


def check(run: Run, test: str, marks: set[str]) -> None:
    """``test`` fails for just these lines, each of which sleeps; for none, it passes."""
    findings = run.of_test(test)
    assert {line(finding) for finding in findings} == marks, run.output
    assert {finding["rule"] for finding in findings} <= {"sleep"}
    assert run.outcomes[test] == ("failed" if marks else "passed"), run.output


def line(finding: dict[str, str]) -> str:
    """The comment that marks the line of a finding."""
    return finding["source"][finding["source"].index("# ") :]


@pytest.mark.parametrize("test", BLOCKS)
def test_a_client_without_a_loop(run: Run, test: str) -> None:
    """TestClient in and outside ``with``, uvicorn, and a bare call of the app: all are watched."""
    check(run, test, set(BLOCKS[test].values()))
    for finding in run.of_test(test):
        assert BLOCKS[test].keys() <= {row["route"] for row in finding["routes"]}


@pytest.mark.parametrize("test", CLEAN)
def test_a_client_without_a_loop_that_finds_nothing(run: Run, test: str) -> None:
    """What does not block is silent, and so is what the test's own body and fixtures do."""
    check(run, test, set())


@pytest.mark.parametrize("test", BLOCKS)
def test_over_httpx_where_httpx2_is_missing(without_httpx2: Run, test: str) -> None:
    """TestClient falls back to httpx, and is watched all the same."""
    assert "TestClient uses httpx\n" in without_httpx2.stdout
    check(without_httpx2, test, set(BLOCKS[test].values()))


@pytest.mark.parametrize("plugin", ["strict", "anyio"])
@pytest.mark.parametrize("test", BLOCKS_ASYNC)
def test_an_inline_client(run: Run, plugin: str, test: str) -> None:
    """ASGITransport of httpx and of httpx2, under pytest-asyncio and under anyio's plugin."""
    check(run, f"test_{plugin}_{test}", BLOCKS_ASYNC[test])


@pytest.mark.parametrize("plugin", ["strict", "anyio"])
@pytest.mark.parametrize("test", CLEAN_ASYNC)
def test_an_inline_client_that_finds_nothing(run: Run, plugin: str, test: str) -> None:
    """The test's task runs the app inline, and is its own again as soon as the app suspends."""
    check(run, f"test_{plugin}_{test}", set())


@pytest.mark.parametrize("test", [*BLOCKS_ASYNC, *CLEAN_ASYNC])
def test_pytest_asyncio_in_auto_mode(auto: Run, test: str) -> None:
    """In auto mode, in which fixtures are pytest's own, it is the same."""
    check(auto, f"test_auto_{test}", BLOCKS_ASYNC.get(test, set()))


def test_nothing_of_the_tests_is_blamed(run: Run, auto: Run, without_httpx2: Run) -> None:
    """No finding lies in a test file, in no style."""
    for each in (run, auto, without_httpx2):
        assert {finding["file"] for finding in each.findings} == {"apps.py"}


def test_each_finding_names_its_phase(run: Run) -> None:
    """The part of the request is told apart in every style."""
    phases = {line(finding): finding["phase"] for finding in run.findings}
    assert phases == {
        "# block": "endpoint",
        "# task": "task",
        "# background": "background",
        "# stream": "stream",
        "# websocket": "websocket",
        "# included": "endpoint",
        "# starlette": "endpoint",
        "# starlette websocket": "websocket",
        "# bare": "endpoint",
        "# inner": "endpoint",
        "# subclass": "endpoint",
    }
