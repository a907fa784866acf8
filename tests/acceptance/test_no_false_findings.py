"""Code that does not block the loop, or is not the app's, is never accused of it."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Run, RunPytest

APP = """
    import asyncio
    import concurrent.futures
    import contextlib
    import contextvars
    import functools
    import io
    import logging
    import os
    import pathlib
    import queue
    import signal
    import sqlite3
    import sys
    import tempfile
    import threading
    import time
    import traceback
    import typing
    import warnings
    import zoneinfo

    import aiosqlite
    import anyio
    import sqlalchemy
    from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, UploadFile, WebSocket
    from fastapi.responses import FileResponse, StreamingResponse
    from fastapi.staticfiles import StaticFiles
    from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
    from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
    from starlette.concurrency import run_in_threadpool

    HERE = pathlib.Path(__file__).parent
    logger = logging.getLogger("shop")
    threads = concurrent.futures.ThreadPoolExecutor(1)
    processes = concurrent.futures.ProcessPoolExecutor(1)
    engine = create_async_engine("sqlite+aiosqlite://")
    Session = async_sessionmaker(engine)


    def work():
        time.sleep(0.002)  # in a worker thread
        with sqlite3.connect(":memory:") as connection:
            connection.execute("select 1")
        connection.close()
        return (HERE / "page.html").read_text()


    class Part(BaseModel):
        name: str
        size: typing.Literal["S", "M", "L"] = "M"


    class Line(BaseModel):
        model_config = ConfigDict(defer_build=True)
        price: float = Field(gt=0)
        parts: list[Part] = []


    def in_thread():
        return work()


    def opened():
        time.sleep(0.002)  # in a worker thread, as of every def dependency
        yield
        time.sleep(0.002)


    app = FastAPI(description="a shop")
    app.mount("/static", StaticFiles(directory=HERE))


    @app.get("/block")
    async def block():
        time.sleep(0.001)  # the one line that blocks


    @app.get("/def")
    def sync(a=Depends(in_thread), b=Depends(opened)):
        work()


    @app.get("/run_in_threadpool")
    async def in_threadpool():
        await run_in_threadpool(work)


    @app.get("/to_thread")
    async def to_thread():
        await asyncio.to_thread(work)


    @app.get("/anyio")
    async def anyio_thread():
        await anyio.to_thread.run_sync(work)


    @app.get("/executor")
    async def executor():
        await asyncio.get_running_loop().run_in_executor(None, work)
        await asyncio.get_running_loop().run_in_executor(threads, work)
        await asyncio.wrap_future(threads.submit(work))


    @app.get("/private_loop")
    async def private_loop():
        async def main():
            time.sleep(0.002)  # holds the worker thread's loop, and nobody else's
            await asyncio.sleep(0)
            time.sleep(0.002)

        await asyncio.to_thread(asyncio.run, main())


    @app.get("/background")
    async def background(tasks: BackgroundTasks):
        tasks.add_task(work)


    @app.get("/thread")
    async def thread():
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        for target in (work, functools.partial(context.run, work)):
            threading.Thread(
                target=lambda: (target(), loop.call_soon_threadsafe(done.set))
            ).start()
            await done.wait()
            done.clear()


    @app.get("/no_wait")
    async def no_wait():
        lock, ready, items = threading.Lock(), threading.Event(), queue.Queue()
        with lock:
            ready.set()
        assert ready.wait()
        items.put(1)
        assert items.get() == 1
        with contextlib.suppress(queue.Empty):
            items.get(block=False)
        future = concurrent.futures.Future()
        future.set_result(1)
        assert future.result() == 1
        time.sleep(0)


    @app.get("/aiosqlite")
    async def over_aiosqlite():
        async with aiosqlite.connect(HERE / "shop.sqlite") as db:
            await db.execute("create table if not exists line (price)")
            await db.execute("insert into line values (1)")
            await db.commit()
            async with db.execute("select * from line") as cursor:
                return len([row async for row in cursor])


    @app.get("/async_session")
    async def async_session():
        async with Session() as session:
            assert (await session.execute(sqlalchemy.text("select 1"))).scalar() == 1
            await session.commit()


    @app.post("/upload")
    async def upload(file: UploadFile):
        return len(await file.read())


    @app.get("/file")
    async def file():
        return FileResponse(HERE / "page.html")


    @app.get("/stream")
    async def stream():
        def lines():
            yield "one"
            time.sleep(0.002)  # a plain generator runs in a worker thread
            yield "two"

        return StreamingResponse(lines())


    @app.get("/subprocess")
    async def subprocess():
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec("cat", stdin=pipe, stdout=pipe)
        assert await process.communicate(b"meow") == (b"meow", None)
        process = await asyncio.create_subprocess_shell("exit 3")
        assert await process.wait() == 3


    @app.get("/import")
    async def light_import():
        import colorsys  # from the standard library
        import light

        assert light.VALUE == 1


    @app.get("/heavy")
    async def heavy_import():
        import heavy

        assert heavy.VALUE == 1


    @app.get("/pool")
    async def pool():
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(processes, abs, -1) == 1


    @app.get("/zone")
    async def zone():
        with contextlib.suppress(zoneinfo.ZoneInfoNotFoundError):
            zoneinfo.ZoneInfo("Europe/Paris")


    @app.post("/validate")
    async def validate(line: Line) -> Line:
        return TypeAdapter(list[Line]).validate_python([line])[0]


    @app.get("/log")
    async def log():
        logger.warning("told to a stream")
        try:
            raise LookupError("seen")
        except LookupError:
            logger.exception("caught")
            logger.error("the same", exc_info=True, stack_info=True)


    @app.get("/traceback")
    async def traceback_():
        try:
            Line.model_validate({"price": -1})
        except ValueError as error:
            traceback.print_exc()
            traceback.TracebackException.from_exception(error, capture_locals=True)
            warnings.warn("shown", stacklevel=1)
            return len(traceback.format_exc())


    @app.get("/print")
    async def print_():
        print("told to the terminal", flush=True)
        print("told as an error", file=sys.stderr, flush=True)
        sys.__stdout__.flush()
        os.write(1, b"told to the descriptor\\n")


    @app.get("/assert")
    async def assert_():
        import rewritten

        rewritten.compare([1, 2, 3], [1, 2, 4])


    @app.get("/raise/{what}")
    async def raise_(what):
        raise HTTPException(418, what) if what == "http" else LookupError(what)


    @app.get("/stop/{pipe}")
    async def stop(pipe: int):
        await asyncio.sleep(0.05)
        before = time.monotonic()
        os.write(pipe, b"stopping")
        os.kill(os.getpid(), signal.SIGSTOP)
        end = time.thread_time() + 0.02  # a thread of many is stopped a moment later
        while time.monotonic() - before < 0.2 and time.thread_time() < end:
            pass
        return time.monotonic() - before


    @app.get("/collect")
    async def collect():
        import gc

        # As CPython does it by itself, and not because somebody asked for it.
        getattr(gc.collect, "__wrapped__", gc.collect)()


    @app.get("/compute")
    async def compute():
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass


    @app.websocket("/ws")
    async def ws(socket: WebSocket):
        await socket.accept()
        while (text := await socket.receive_text()) != "bye":
            await run_in_threadpool(work)
            await socket.send_text(text)
        await socket.close()


    debugging = FastAPI(debug=True)


    @debugging.get("/")
    async def raise_in_debug():
        raise LookupError("shown with its source")
"""

LIGHT = "VALUE = len(open(__file__).read()) and 1\n"

HEAVY = """
    import time

    end = time.thread_time() + 0.2
    while time.thread_time() < end:
        pass
    VALUE = 1
"""

REWRITTEN = """
    def compare(one, other):
        assert one == other, "explained at length"
"""

CONFTEST = """
    import pytest

    pytest.register_assert_rewrite("rewritten")
"""

TESTS = """
    import asyncio
    import gc
    import logging
    import os
    import subprocess
    import sys
    import threading
    import time

    import httpx
    import pytest
    from fastapi.testclient import TestClient

    import app as shop


    def by_test_client(method, path, app=shop.app, **settings):
        with TestClient(app) as client:
            return client.request(method, path, **settings)


    def by_transport(method, path, app=shop.app, **settings):
        async def main():
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **settings)

        return asyncio.run(main())


    @pytest.fixture(params=[by_test_client, by_transport])
    def send(request):
        time.sleep(0.002)  # the test's
        yield request.param
        time.sleep(0.002)  # the test's


    def test_block():
        assert by_test_client("GET", "/block").status_code == 200


    PATHS = (
        "def", "run_in_threadpool", "to_thread", "anyio", "executor", "private_loop", "background",
        "thread", "no_wait", "aiosqlite", "async_session", "file", "stream", "subprocess",
        "import", "zone", "log", "traceback", "print", "static/page.html", "openapi.json", "docs",
    )


    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.filterwarnings("ignore:shown")
    def test_get(send, path):
        for _ in range(2):
            assert send("GET", "/" + path).status_code == 200
            time.sleep(0.001)  # the test's


    @pytest.mark.parametrize("path", ["heavy", "pool"])
    def test_other(path):
        for _ in range(2):
            assert by_test_client("GET", "/" + path).status_code == 200


    # An old Starlette lets a file that outgrows memory go to disk on the loop.
    LARGE = [3_000_000] if hasattr(shop.UploadFile, "_will_roll") else []


    @pytest.mark.parametrize("size", [10, *LARGE])
    def test_upload(send, size):
        answer = send("POST", "/upload", files={"file": ("a.txt", b"x" * size)})
        assert answer.json() == size


    def test_validate(send):
        line = {"price": 1, "parts": [{"name": "wheel"}]}
        assert send("POST", "/validate", json=line).json()["parts"][0]["size"] == "M"
        assert send("POST", "/validate", json={"price": "much"}).status_code == 422


    def test_logged(send, caplog):
        send("GET", "/log")
        assert caplog.messages == ["told to a stream", "caught", "the same"]
        assert "LookupError: seen" in caplog.text


    def test_handler(send):
        handler = logging.StreamHandler(sys.stderr)
        shop.logger.addHandler(handler)
        try:
            assert send("GET", "/log").status_code == 200
        finally:
            shop.logger.removeHandler(handler)


    def test_captured(send, capfd):
        send("GET", "/print")
        assert "told to the descriptor" in capfd.readouterr().out


    def test_explained(send):
        with pytest.raises(AssertionError) as caught:
            send("GET", "/assert")
        assert "At index 2 diff" in str(caught.value)  # it was rewritten, and explained


    def test_raised(send):
        assert send("GET", "/raise/http").status_code == 418
        with pytest.raises(LookupError):
            send("GET", "/raise/it")
        with TestClient(shop.app, raise_server_exceptions=False) as client:
            assert client.get("/raise/it").status_code == 500


    def test_raised_in_debug():
        client = TestClient(shop.debugging, raise_server_exceptions=False)
        answer = client.get("/", headers={"accept": "text/html"})
        assert "shown with its source" in answer.text


    def test_websocket():
        with TestClient(shop.app).websocket_connect("/ws") as socket:
            socket.send_text("hello")
            time.sleep(0.15)  # the test's
            assert socket.receive_text() == "hello"
            socket.send_text("bye")


    WAKER = '''if True:
        import os, signal, sys, time
        sys.stdin.buffer.read(1)
        while os.getppid() == int(sys.argv[1]):
            time.sleep(0.3)
            os.kill(int(sys.argv[1]), signal.SIGCONT)
    '''


    @pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGSTOP")
    def test_stopped(send):
        command = [sys.executable, "-c", WAKER, str(os.getpid())]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as waker:
            try:
                stopped = send("GET", f"/stop/{waker.stdin.fileno()}").json()
            finally:
                waker.kill()
        assert stopped > 0.2


    @pytest.fixture(scope="module")
    def heap():
        kept = []
        while True:
            before = time.thread_time()
            gc.collect()
            if time.thread_time() - before > 0.06:
                break
            kept.append([[] for _ in range(500_000)])
        yield
        kept.clear()


    @pytest.mark.asyncguard(threshold="40ms")
    def test_collected_inside(send, heap):
        assert send("GET", "/collect").status_code == 200


    @pytest.mark.asyncguard(threshold="40ms")
    def test_collected_elsewhere(send, heap):
        done = threading.Event()

        def collect():
            while not done.is_set():
                gc.collect()

        thread = threading.Thread(target=collect)
        thread.start()
        try:
            for _ in range(2):
                assert send("GET", "/compute").status_code == 200
        finally:
            done.set()
            thread.join()
"""

BREAKPOINT = """
    import os
    import pdb
    import subprocess
    import sys

    import pytest
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    app = FastAPI()


    @app.get("/breakpoint")
    async def stops():
        answer = "not asked"
        breakpoint()
        return answer


    @app.get("/set_trace")
    async def stops_in_pdb():
        answer = "not asked"
        pdb.set_trace()
        return answer


    @pytest.fixture
    def slow_developer():
        # Thinks for longer than the threshold before each answer.
        script = "for line in w 'p answer' '!answer = 42' c; do sleep 0.15; echo $line; done"
        kept = os.dup(0)
        with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE) as developer:
            os.dup2(developer.stdout.fileno(), 0)
            yield
        os.dup2(kept, 0)
        os.close(kept)


    @pytest.mark.parametrize("path", ["/breakpoint", "/set_trace"])
    def test_asked(slow_developer, path):
        assert TestClient(app).get(path).json() == 42
"""

LOGGED = """
    import logging
    import time

    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    app = FastAPI()


    @app.get("/log")
    async def log():
        logging.getLogger("shop").warning("told")
        try:
            raise LookupError("seen")
        except LookupError:
            logging.getLogger("shop").exception("caught")


    @app.get("/block")
    async def block():
        time.sleep(0.001)


    def test_logged():
        for _ in range(2):
            assert TestClient(app).get("/log").status_code == 200


    def test_block():
        assert TestClient(app).get("/block").status_code == 200
"""

FILES = {
    "app.py": APP,
    "light.py": LIGHT,
    "heavy.py": HEAVY,
    "rewritten.py": REWRITTEN,
    "conftest.py": CONFTEST,
    "test_app.py": TESTS,
    "page.html": "<h1>hello</h1>",
}
CONTROL = {"test_block"}
"""The one test that has to fail: it shows that the guard was on."""


@pytest.fixture(name="run", scope="module")
def _run(run_pytest: RunPytest) -> Run:
    """One run with all of it."""
    return run_pytest(FILES, "--asyncguard")


@pytest.fixture(name="covered", scope="module")
def _covered(run_pytest: RunPytest) -> Run:
    """The same, as far as it computes, under coverage."""
    if importlib.util.find_spec("coverage") is None:
        pytest.skip("coverage is not installed")
    chosen = "not stopped and not collected and not upload and not by_transport"
    coverage = ("-m", "coverage", "run", "--branch", "--source=.")
    return run_pytest(FILES, "--asyncguard", "-k", chosen, python=coverage)


@pytest.fixture(name="asked", scope="module")
def _asked(run_pytest: RunPytest) -> Run:
    """A developer answers the debugger, slowly."""
    return run_pytest({"test_app.py": BREAKPOINT}, "--asyncguard", "-s")


def failed(run: Run) -> set[str]:
    """The tests that did not pass."""
    return {name for name, outcome in run.outcomes.items() if outcome != "passed"}


def found(run: Run) -> list[tuple[str, str, str, str]]:
    """Severity, rule, place and route of what is reported, without the control."""
    return [
        (each["severity"], each["rule"], f"{each['file']}:{each['source']}", each["route"])
        for each in run.findings
        if each["route"] != "GET /block"
    ]


def warned_of(run: Run, *routes: str) -> list[tuple[str, str, str, str]]:
    """What is reported of other routes, or is more than a warning."""
    return [each for each in found(run) if each[3] not in routes or each[0] != "warning"]


def test_it_was_watched(run: Run) -> None:
    """The one line that blocks is found, so the guard was on, and it saw the other requests."""
    (block,) = run.of_test("test_block")
    assert run.told(block) == (
        "sleep",
        "time.sleep(0.001)  # the one line that blocks",
        "GET /block",
    )
    assert {row["route"] for row in run.report["endpoints"] if not row["requests"]} == set()


def test_nothing_else_fails(run: Run) -> None:
    """Every other test passes in mode fail-tests."""
    assert failed(run) == CONTROL, run.output


def test_nothing_else_is_found(run: Run) -> None:
    """Nothing is reported, not as a warning either, but of a module that computes as it loads."""
    assert warned_of(run, "GET /heavy") == [], run.output


def test_a_heavy_import_is_a_warning(run: Run) -> None:
    """It stalls the loop, and once per process: it is shown, and fails no test."""
    assert [each[:2] for each in found(run) if each[3] == "GET /heavy"] == [
        ("warning", "cpu-stall")
    ]


def test_coverage(covered: Run) -> None:
    """Measuring coverage of branches is not the app's work, and changes no verdict."""
    assert failed(covered) == CONTROL, covered.output
    assert warned_of(covered, "GET /heavy") == [], covered.output
    assert (covered.folder / ".coverage").is_file()


def test_a_breakpoint(asked: Run) -> None:
    """However long the developer thinks, neither waiting nor reading the answer is a finding."""
    assert asked.outcomes == {
        "test_asked[/breakpoint]": "passed",
        "test_asked[/set_trace]": "passed",
    }
    assert asked.stdout.count("'not asked'") == 2
    assert found(asked) == [], asked.output
    assert asked.exit_code == 0


def test_a_breakpoint_under_capture(run_pytest: RunPytest) -> None:
    """Where pytest has to give the terminal back first, that is no finding either."""
    at_once = BREAKPOINT.replace("(slow_developer, path)", "(path)")
    run = run_pytest({"test_app.py": at_once}, "--asyncguard", stdin="!answer = 42\nc\n" * 2)
    assert set(run.outcomes.values()) == {"passed"}, run.output
    assert found(run) == [], run.output


@pytest.mark.parametrize("option", ["--log-file=all.log", "--log-cli-level=INFO"])
def test_the_log_of_pytest(run_pytest: RunPytest, option: str) -> None:
    """What pytest does with log records, in a file or on the terminal, is not the app's."""
    run = run_pytest({"test_app.py": LOGGED}, "--asyncguard", option)
    assert failed(run) == CONTROL, run.output
    assert found(run) == [], run.output
