"""Nothing changes for what is watched: answers, exceptions, order of events, functions."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Run, RunPytest

APP = """
    import asyncio
    import concurrent.futures
    import contextvars
    import pathlib
    import queue
    import re
    import socket
    import sqlite3
    import subprocess
    import sys
    import threading
    import time

    from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request, WebSocket
    from fastapi.responses import JSONResponse, StreamingResponse

    app = FastAPI()
    events = []
    who = contextvars.ContextVar("who", default="nobody")


    class Odd(Exception):
        pass


    @app.exception_handler(Odd)
    async def odd(request, error):
        time.sleep(0.001)
        return JSONResponse({"odd": list(error.args)}, status_code=418)


    @app.middleware("http")
    async def around(request, call_next):
        events.append("middleware in")
        time.sleep(0)
        response = await call_next(request)
        events.append("middleware out")
        response.headers["x-around"] = "yes"
        return response


    async def opened():
        events.append("dependency in")
        time.sleep(0.001)
        try:
            yield 5
        except Exception as error:
            events.append(f"dependency saw {error!r}")
            raise
        finally:
            time.sleep(0.001)
            events.append("dependency out")


    def refused():
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        return socket.create_connection(("127.0.0.1", port))


    def statement():
        with sqlite3.connect(":memory:") as connection:
            connection.execute("create table t (a)")
            connection.execute("insert into t values (?)", ("x",))
            return connection.execute("select * from missing").fetchall()


    def failing_job():
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            return pool.submit(int, "seven").result()


    class Cause(Exception):
        pass


    def raised_from():
        try:
            time.sleep(-1)
        except ValueError as error:
            raise Cause("from", 1) from error


    RAISING = {
        "negative": lambda: time.sleep(-1),
        "keyword": lambda: time.sleep(secs=1),
        "text": lambda: time.sleep("1"),
        "nothing": lambda: time.sleep(),
        "connection": refused,
        "statement": statement,
        "file": lambda: open("missing/file"),
        "folder": lambda: pathlib.Path("missing").iterdir().__next__(),
        "command": lambda: subprocess.run([sys.executable, "-c", "exit(3)"], check=True),
        "program": lambda: subprocess.run(["no-such-program"]),
        "arguments": lambda: subprocess.run(),
        "queue": lambda: queue.Queue().get(timeout=0.001),
        "job": failing_job,
        "future": lambda: concurrent.futures.Future().result(timeout=0.001),
        "barrier": lambda: threading.Barrier(2).wait(timeout=0.001),
        "host": lambda: socket.getaddrinfo("127.0.0.1", "no-such-service"),
        "cause": raised_from,
        "odd": lambda: time.sleep(0.001) or raise_(Odd("a", 1)),
        "http": lambda: time.sleep(0.001) or raise_(HTTPException(409, "busy")),
    }


    def raise_(error):
        raise error


    def read():
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(b"hello")
            buffer = bytearray(8)
            return [theirs.recv_into(buffer), buffer.decode(errors="replace")]


    def rows():
        with sqlite3.connect(":memory:") as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute("select ? as a, 'b' as b", (1,))]


    def produce():
        waited = queue.Queue()
        threading.Timer(0.01, waited.put, [["made"]]).start()
        return waited.get()


    RETURNING = {
        "sleep": lambda: time.sleep(0.001),
        "read": read,
        "rows": rows,
        "command": lambda: subprocess.run(
            [sys.executable, "-c", "print(input())"], input="text", capture_output=True, text=True
        ).stdout,
        "output": lambda: subprocess.check_output([sys.executable, "-c", "print(4)"]).decode(),
        "event": lambda: threading.Event().wait(0.001),
        "queue": produce,
        "address": lambda: socket.getaddrinfo("127.0.0.1", 80, proto=socket.IPPROTO_TCP)[0][4],
    }


    @app.get("/return/{name}")
    async def returning(name):
        return {"value": RETURNING[name]()}


    @app.get("/raise/{name}")
    async def raising(name, value: int = Depends(opened)):
        events.append("endpoint")
        return RAISING[name]()


    @app.get("/catch/{name}")
    async def catching(name):
        try:
            RAISING[name]()
        except Exception as error:
            return {"type": type(error).__name__, "args": [str(arg) for arg in error.args]}


    @app.get("/order")
    async def order(tasks: BackgroundTasks, value: int = Depends(opened)):
        loop = asyncio.get_running_loop()

        async def child(name):
            for number in range(3):
                events.append(f"{name}{number} for {who.get()}")
                time.sleep(0.0005)
                await asyncio.sleep(0)

        async def job():
            events.append("background")
            time.sleep(0.001)

        who.set("endpoint")
        tasks.add_task(job)
        loop.call_soon(events.append, "soon")
        loop.call_later(0, events.append, "later")
        children = [asyncio.create_task(child(name)) for name in "ab"]
        events.append("started")
        time.sleep(0.001)
        await asyncio.gather(*children)
        try:
            async with asyncio.timeout(0.005):
                await asyncio.sleep(60)
        except TimeoutError:
            events.append("timeout")
        doomed = asyncio.create_task(asyncio.sleep(60))
        doomed.cancel("why")
        try:
            await doomed
        except asyncio.CancelledError as error:
            events.append(f"cancelled {error.args}")
        return value


    @app.get("/forever")
    async def forever():
        try:
            time.sleep(0.001)
            await asyncio.sleep(60)
        except BaseException as error:
            text = re.sub("scope [0-9a-f]+|Task-[0-9]+|/[^ :]+/", "", repr(error))
            events.append(f"forever saw {text}")
            raise
        finally:
            events.append("forever out")


    @app.get("/stream")
    async def stream():
        async def body():
            try:
                for number in range(3):
                    time.sleep(0.0005)
                    events.append(f"yield {number}")
                    yield f"{number};"
            finally:
                events.append("stream out")

        return StreamingResponse(body())


    @app.websocket("/ws")
    async def ws(websocket: WebSocket):
        await websocket.accept()
        while True:
            text = await websocket.receive_text()
            time.sleep(0.001)
            await websocket.send_text(text * 2)
            if text == "bad":
                time.sleep(-1)
"""

TESTS = """
    import asyncio
    import json
    import os
    import pathlib
    import traceback

    import httpx
    import pytest
    from fastapi.testclient import TestClient
    from starlette.websockets import WebSocketDisconnect

    import app as module

    HERE = os.path.dirname(module.__file__)
    seen = {}


    @pytest.fixture(autouse=True, scope="module")
    def told():
        yield
        pathlib.Path("seen.json").write_text(json.dumps(seen))


    @pytest.fixture
    def see(request):
        module.events.clear()
        mine = seen.setdefault(request.node.name, {})
        yield mine
        mine["events"] = list(module.events)


    def chain(error):
        \"\"\"An exception as its handler sees it, with the frames that are the user's.\"\"\"
        if error is None:
            return None
        frames = [
            (frame.f_code.co_name, line)
            for frame, line in traceback.walk_tb(error.__traceback__)
            if os.path.dirname(frame.f_code.co_filename) == HERE
        ]
        return {
            "type": type(error).__name__,
            "args": repr(error.args),
            "frames": frames,
            "notes": getattr(error, "__notes__", []),
            "cause": chain(error.__cause__),
            "context": type(error.__context__).__name__,
        }


    def response_of(response):
        return [response.status_code, sorted(response.headers.items()), response.text]


    def test_inline_first(see):
        # Before any other: nobody has made a task yet.
        async def name():
            return asyncio.current_task().get_name()

        see["task"] = asyncio.run(name())


    @pytest.mark.parametrize("name", module.RETURNING)
    def test_return(see, name):
        see["response"] = response_of(TestClient(module.app).get(f"/return/{name}"))


    @pytest.mark.parametrize("name", module.RAISING)
    def test_raise(see, name):
        try:
            see["response"] = response_of(TestClient(module.app).get(f"/raise/{name}"))
        except Exception as error:
            see["error"] = chain(error)


    @pytest.mark.parametrize("name", ["negative", "connection", "statement", "odd"])
    def test_answer_500(see, name):
        client = TestClient(module.app, raise_server_exceptions=False)
        see["response"] = response_of(client.get(f"/raise/{name}"))


    @pytest.mark.parametrize("name", module.RAISING)
    def test_catch(see, name):
        see["response"] = response_of(TestClient(module.app).get(f"/catch/{name}"))


    @pytest.mark.parametrize("path", ["/order", "/stream", "/missing", "/order?value=x"])
    def test_order(see, path):
        with TestClient(module.app) as client:
            see["response"] = response_of(client.get(path))


    def test_websocket(see):
        see["answers"] = []
        try:
            with TestClient(module.app).websocket_connect("/ws") as websocket:
                for text in ("one", "two", "bad", "more"):
                    websocket.send_text(text)
                    see["answers"].append(websocket.receive_text())
        except (ValueError, WebSocketDisconnect) as error:
            see["error"] = chain(error)


    def inline(function):
        async def main():
            transport = httpx.ASGITransport(app=module.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await function(client)

        return asyncio.run(main())


    def test_inline_order(see):
        async def function(client):
            module.who.set("test")
            response = await client.get("/order")
            return [*response_of(response), module.who.get()]

        see["response"] = inline(function)


    @pytest.mark.parametrize("name", ["negative", "job", "cause"])
    def test_inline_raise(see, name):
        async def function(client):
            try:
                await client.get(f"/raise/{name}")
            except Exception as error:
                return chain(error)

        see["error"] = inline(function)


    def test_inline_cancel(see):
        async def function(client):
            task = asyncio.create_task(client.get("/forever"))
            await asyncio.sleep(0.02)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError as error:
                return chain(error)

        see["error"] = inline(function)


    def test_inline_timeout(see):
        async def function(client):
            try:
                async with asyncio.timeout(0.02):
                    await client.get("/forever")
            except TimeoutError as error:
                return chain(error)

        see["error"] = inline(function)


    def test_inline_at_once(see):
        async def function(client):
            paths = ["/stream", "/order", "/return/sleep", "/catch/negative"]
            return [response_of(each) for each in await asyncio.gather(*map(client.get, paths))]

        see["responses"] = inline(function)


    def test_thrown_away(see):
        # A coroutine that is closed before it is done gets its GeneratorExit.
        async def receive():
            await asyncio.sleep(60)

        async def send(message):
            pass

        async def main():
            scope = {
                "type": "http", "method": "GET", "path": "/forever", "raw_path": b"/forever",
                "headers": [], "query_string": b"", "root_path": "", "http_version": "1.1",
                "scheme": "http", "server": None, "client": None, "asgi": {"version": "3.0"},
            }
            coroutine = module.app.router(scope, receive, send)
            coroutine.send(None)
            coroutine.close()

        try:
            asyncio.run(main())
        except BaseException as error:
            see["error"] = chain(error)
"""

FUNCTIONS = """
    import copy
    import functools
    import inspect
    import json
    import pathlib
    import pickle
    import queue
    import re
    import socket
    import sqlite3
    import subprocess
    import threading
    import time
    from unittest import mock

    import pytest
    import starlette.applications
    from time import sleep

    FUNCTIONS = {
        "time.sleep": time.sleep,
        "socket.socket.recv": socket.socket.recv,
        "socket.create_connection": socket.create_connection,
        "socket.getaddrinfo": socket.getaddrinfo,
        "socket.gethostbyname": socket.gethostbyname,
        "subprocess.run": subprocess.run,
        "subprocess.Popen.wait": subprocess.Popen.wait,
        "subprocess.Popen.__init__": subprocess.Popen.__init__,
        "threading.Event.wait": threading.Event.wait,
        "threading.Semaphore.acquire": threading.Semaphore.acquire,
        "queue.Queue.get": queue.Queue.get,
        "sqlite3.connect": sqlite3.connect,
        "starlette.applications.Starlette.__call__": starlette.applications.Starlette.__call__,
    }
    MODULE_LEVEL = [name for name in FUNCTIONS if inspect.ismodule(eval(name.rpartition(".")[0]))]
    seen = {}
    seen_pickled = {}


    @pytest.fixture(autouse=True, scope="module")
    def told():
        yield
        pathlib.Path("functions.json").write_text(json.dumps(seen))
        pathlib.Path("pickled.json").write_text(json.dumps(seen_pickled))


    @pytest.fixture
    def see(request):
        return seen.setdefault(request.node.name, {})


    def attempt(function, *args, **kwargs):
        try:
            return re.sub("0x[0-9a-f]+", "0x", str(function(*args, **kwargs)))
        except Exception as error:
            return re.sub("0x[0-9a-f]+", "0x", repr(error))


    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_face(see, name):
        function = FUNCTIONS[name]
        see["signature"] = attempt(inspect.signature, function)
        see["doc"] = attempt(inspect.getdoc, function)
        see["source"] = attempt(inspect.getsource, function)
        see["asynchronous"] = inspect.iscoroutinefunction(function)
        for attribute in ("__name__", "__qualname__"):
            see[attribute] = getattr(function, attribute)
        seen_pickled[name] = pickle.dumps(function, 4).hex()
        assert pickle.loads(pickle.dumps(function)) is function
        assert copy.copy(function) is function
        assert copy.deepcopy([function]) == [function]
        assert len({function, copy.deepcopy(function)}) == 1


    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_autospec(see, name):
        owner, _, attribute = name.rpartition(".")
        before = FUNCTIONS[name]
        with mock.patch.object(eval(owner), attribute, autospec=True) as double:
            see["kind"] = type(double).__name__
            kinds = [str(each.kind) for each in inspect.signature(double).parameters.values()]
            see["parameters"] = [list(inspect.signature(double).parameters), kinds]
            see["too many"] = attempt(double, *range(30))[:9]
        assert getattr(eval(owner), attribute) is before


    @pytest.mark.parametrize("name", MODULE_LEVEL)
    def test_class_attribute(see, name):
        class Holder:
            kept = FUNCTIONS[name]

        # A Python function becomes a method, a built-in one does not.
        see["bound"] = inspect.ismethod(Holder().kept)
        see["same"] = Holder().kept is FUNCTIONS[name]
        see["on the class"] = Holder.kept is FUNCTIONS[name]


    def test_kept_sleep():
        class Retry:
            pause = time.sleep
            imported = sleep
            part = functools.partial(time.sleep, 0)

        assert Retry().pause(0) is None
        assert Retry().imported(0) is None
        assert Retry().part() is None
        assert Retry.pause is sleep is time.sleep


    def test_mocked():
        with mock.patch("time.sleep") as double:
            time.sleep(5)
        double.assert_called_once_with(5)
        with mock.patch("socket.create_connection", autospec=True) as double:
            with pytest.raises(TypeError):
                socket.create_connection()
            socket.create_connection(("host", 1), timeout=2)
        double.assert_called_once_with(("host", 1), timeout=2)


    def test_wrapped(monkeypatch):
        calls = []
        original = time.sleep

        @functools.wraps(original)
        def spy(seconds):
            calls.append(seconds)
            return original(0)

        monkeypatch.setattr(time, "sleep", spy)
        time.sleep(3)
        assert calls == [3]
        monkeypatch.undo()
        assert time.sleep is original
"""

FILES = {"app.py": APP, "test_app.py": TESTS, "test_functions.py": FUNCTIONS}


@pytest.fixture(name="off", scope="module")
def _off(run_pytest: RunPytest) -> Run:
    """Without the guard."""
    return run_pytest(FILES, plugins=(), report=False)


@pytest.fixture(name="on", scope="module")
def _on(run_pytest: RunPytest) -> Run:
    """With the guard, which lets the tests pass."""
    return run_pytest(FILES, "--asyncguard", "--asyncguard-mode=report")


def seen(run: Run, name: str = "seen.json") -> dict[str, Any]:
    """What the tests of a run wrote down."""
    path = run.folder / name
    assert path.is_file(), run.output
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def differences(off: Run, on: Run, name: str, start: str) -> dict[str, tuple[Any, Any]]:
    """What tests whose name starts so saw otherwise with the guard."""
    before, after = seen(off, name), seen(on, name)
    assert before.keys() == after.keys()
    chosen = [test for test in before if test.startswith(start)]
    assert chosen, start
    return {test: (before[test], after[test]) for test in chosen if before[test] != after[test]}


def test_the_tests_have_the_same_outcome(off: Run, on: Run) -> None:
    """Every test passes, with the guard and without."""
    assert set(off.outcomes.values()) == {"passed"}, off.output
    assert on.outcomes == off.outcomes, on.output


def test_the_guard_was_on(on: Run) -> None:
    """It saw what it left alone: blocking calls that succeed, that fail, and that are caught."""
    routes = {row["route"] for finding in on.findings for row in finding["routes"]}
    wanted = {"/return/{name}", "/raise/{name}", "/catch/{name}", "/order", "/stream", "/forever"}
    assert {f"GET {path}" for path in wanted} | {"WEBSOCKET /ws"} <= routes
    assert on.report["run"]["requests"] > 50


@pytest.mark.parametrize("start", ["test_return[", "test_answer_500[", "test_order["])
def test_the_same_responses(off: Run, on: Run, start: str) -> None:
    """Status, headers, body and the order of events are the same."""
    assert differences(off, on, "seen.json", start) == {}


def test_the_same_exceptions(off: Run, on: Run) -> None:
    """Where a blocking call raises: type, arguments, causes and the user's frames are the same."""
    assert differences(off, on, "seen.json", "test_raise[") == {}
    errors = [test for test, facts in seen(on).items() if facts.get("error")]
    assert len(errors) > 15


def test_the_same_where_the_app_catches_it(off: Run, on: Run) -> None:
    """``except Exception`` around a blocking call catches what the call raised, and no more."""
    assert differences(off, on, "seen.json", "test_catch[") == {}


@pytest.mark.parametrize("start", ["test_websocket", "test_inline", "test_thrown_away"])
def test_the_same_in_every_driver(off: Run, on: Run, start: str) -> None:
    """Websockets, and apps called inline that are cancelled, timed out, interleaved or dropped."""
    assert differences(off, on, "seen.json", start) == {}


def test_functions_keep_their_face(off: Run, on: Run) -> None:
    """Name, signature, source and documentation of what is wrapped are the original's."""
    assert differences(off, on, "functions.json", "test_face[") == {}


def test_functions_can_be_pickled(off: Run, on: Run) -> None:
    """A wrapped function is pickled by a name under which any other process finds the original."""
    before, after = seen(off, "pickled.json"), seen(on, "pickled.json")
    assert before.keys() == after.keys()
    for name, pickled in before.items():
        original, copied = (pickle.loads(bytes.fromhex(each)) for each in (pickled, after[name]))
        assert copied is original or copied == original, name


def test_functions_can_be_doubled(off: Run, on: Run) -> None:
    """``mock.patch(..., autospec=True)`` makes the same double of what is wrapped."""
    assert differences(off, on, "functions.json", "test_autospec[") == {}


def test_functions_can_be_kept_in_a_class(off: Run, on: Run) -> None:
    """What did not become a method does not, and what did does."""
    assert differences(off, on, "functions.json", "test_class_attribute[") == {}
