"""What a known call costs over the bare call: under the guard, and under blockbuster.

The callee is ``hashlib.pbkdf2_hmac`` with one round, which takes two microseconds and is in the
catalogue. Off the loop it is called in a worker thread; on the loop by an async endpoint behind so
much middleware that its stack is so many frames deep, or with ``--own`` by a function of the
app's that calls itself so often. There the guard takes the stack and measures each call;
blockbuster, in whose list the callee is put, raises its error, which is caught. Each tool has a
process of its own. Its calls and bare ones take turns, and what counts is the quickest of the
turns, in CPU time: whatever else a machine does only adds to that.

    python benchmarks/call_cost.py
    python benchmarks/call_cost.py --frames 60 --turns 301
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import hashlib
import importlib
import json
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tools import TOOLS, version, versions

CALLS: Final = 200
"""How often a turn calls."""
BARE: Final = hashlib.pbkdf2_hmac
ARGUMENTS: Final = ("sha256", b"password", b"salt", 1)

Way = Callable[..., Any]


def under_asyncguard() -> Way:
    """The callee as the app finds it when the guard is on."""
    guard = importlib.import_module("pytest_asyncguard.guard")
    options = importlib.import_module("pytest_asyncguard.options")
    settings = options.Settings(rule={}, call={})
    guard.Guard(settings, str(Path(__file__).parent), print).start()
    return hashlib.pbkdf2_hmac


def under_blockbuster() -> Way:
    """The callee in the wrapper that blockbuster has for what is in its list."""
    blockbuster = importlib.import_module("blockbuster.blockbuster")
    wrapped = blockbuster._wrap_blocking([], [], BARE, "pbkdf2_hmac", [], lambda *_: False)  # noqa: SLF001 - it has no other way to wrap one function

    def call(*args: Any) -> None:
        with contextlib.suppress(blockbuster.BlockingError):
            wrapped(*args)

    return call


UNDER: Final = {"asyncguard": under_asyncguard, "blockbuster": under_blockbuster}


def turn(call: Way) -> float:
    """The CPU time of one call, in microseconds."""
    before = time.thread_time_ns()
    for _ in range(CALLS):
        call(*ARGUMENTS)
    return (time.thread_time_ns() - before) / CALLS / 1000


def over(call: Way, turns: int) -> float:
    """What ``call`` takes over the bare call: the quickest turn of each."""
    gc.disable()  # whoever comes when a generation is full would pay for its collection
    bare, taken = [], []
    for _ in range(turns):
        bare.append(turn(BARE))
        taken.append(turn(call))
        gc.collect(0)
    gc.enable()
    return min(taken) - min(bare)


def deep(frames: int, function: Callable[[], Any]) -> Any:
    """What ``function`` answers, called from a stack that is ``frames`` deeper."""
    return function() if frames <= 0 else deep(frames - 1, function)


def depth() -> int:
    """How many frames there are on the stack, without this one."""
    return sum(1 for _ in traceback.walk_stack(None)) - 1


def measure(tool: str, frames: int, turns: int, *, own: bool) -> list[float]:
    """Off the loop, and on it."""
    call = UNDER[tool]()
    fastapi = importlib.import_module("fastapi")
    testclient = importlib.import_module("fastapi.testclient")
    cors = importlib.import_module("fastapi.middleware.cors").CORSMiddleware
    found: list[float] = []

    def app_behind(middleware: int) -> Any:
        app = fastapi.FastAPI()
        for _ in range(middleware):
            app.add_middleware(cors)

        @app.get("/off")
        def off() -> None:
            found.append(over(call, turns))

        @app.get("/depth")
        async def depth_there() -> int:
            return depth()

        @app.get("/on")
        async def on() -> None:
            missing = frames - depth()
            found.append(deep(missing, lambda: over(call, turns)))

        return app

    app = app_behind(0)
    with testclient.TestClient(app) as client:
        client.get("/off")
        missing = frames - client.get("/depth").json()
    with testclient.TestClient(app if own else app_behind(missing)) as client:
        client.get("/on")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=60, help="on the stack (default: 60)")
    parser.add_argument("--own", action="store_true", help="frames of the app's, not of middleware")
    parser.add_argument("--turns", type=int, default=301, help="of each way (default: 301)")
    parser.add_argument("--measure", choices=UNDER, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure, given.frames, given.turns, own=given.own)))
        return
    tools = [TOOLS[name] for name in UNDER if version(TOOLS[name].package) is not None]
    print(f"{datetime.now(UTC):%Y-%m-%d}: {versions(tools)}\n")
    print(f"| microseconds a call | off the loop | on the loop, {given.frames} frames |")
    print("| --- | --- | --- |")
    for tool in tools:
        answer = subprocess.run(
            [sys.executable, __file__, "--measure", tool.name, *sys.argv[1:]],
            check=True,
            stdout=subprocess.PIPE,
        )
        off, on = json.loads(answer.stdout)
        print(f"| {tool.name} | {off:+.2f} | {on:+.2f} |")


if __name__ == "__main__":
    main()
