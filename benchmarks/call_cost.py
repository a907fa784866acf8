"""What a known call costs: the bare call, that call under the guard, and under blockbuster.

The callee is ``hashlib.pbkdf2_hmac`` with one round, which takes a microsecond and is in the
catalogue. Off the loop it is called in a worker thread; on the loop by an async endpoint that
stands so many frames deep. The guard takes the stack and measures each call there, blockbuster
raises its error, which is caught. The ways take turns of some hundred calls, and what counts is
the quickest of the turns, in CPU time: whatever else a machine does only adds to that.

    python benchmarks/call_cost.py
    python benchmarks/call_cost.py --frames 60 --turns 301
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import hashlib
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tools import TOOLS, versions

CALLS: Final = 200
"""How often a turn calls."""
BARE: Final = hashlib.pbkdf2_hmac
ARGUMENTS: Final = ("sha256", b"password", b"salt", 1)

Way = Callable[..., Any]


def turn(call: Way, error: type[Exception]) -> float:
    """The CPU time of one call, in microseconds."""
    before = time.thread_time_ns()
    for _ in range(CALLS):
        with contextlib.suppress(error):
            call(*ARGUMENTS)
    return (time.thread_time_ns() - before) / CALLS / 1000


def turns(ways: dict[str, Way], number: int, error: type[Exception]) -> dict[str, float]:
    """The quickest turn of each way."""
    gc.disable()  # of a generation that is full, whoever comes next would pay the collection
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(number):
        for name, call in ways.items():
            taken[name].append(turn(call, error))
        gc.collect(0)
    gc.enable()
    return {name: min(values) for name, values in taken.items()}


def deep(frames: int, function: Callable[[], Any]) -> Any:
    """What ``function`` answers, called from a stack that is ``frames`` deeper."""
    return function() if frames <= 0 else deep(frames - 1, function)


def depth() -> int:
    frame, found = sys._getframe(1), 0
    while (outer := frame.f_back) is not None:
        frame, found = outer, found + 1
    return found


def blockbusters() -> tuple[Way | None, type[Exception]]:
    """The callee in blockbuster's wrapper, as it wraps what is in its own list."""
    try:
        from blockbuster.blockbuster import BlockingError, _wrap_blocking  # noqa: PLC0415
    except ImportError:
        return None, ZeroDivisionError
    wrapped = _wrap_blocking([], [], BARE, "pbkdf2_hmac", [], lambda *_: False)
    return wrapped, BlockingError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=60, help="on the stack (default: 60)")
    parser.add_argument("--turns", type=int, default=301, help="of each way (default: 301)")
    given = parser.parse_args()

    # The guard comes before the app, as in a run.
    from pytest_asyncguard.guard import Guard  # noqa: PLC0415
    from pytest_asyncguard.options import Settings  # noqa: PLC0415

    guard = Guard(Settings(rule={}, call={}), str(Path(__file__).parent), print)
    guard.start()
    from fastapi import FastAPI  # noqa: PLC0415
    from fastapi.testclient import TestClient  # noqa: PLC0415

    other, error = blockbusters()
    ways: dict[str, Way] = {"bare": BARE, "asyncguard": hashlib.pbkdf2_hmac}
    if other is not None:
        ways["blockbuster"] = other
    app = FastAPI()
    found: dict[str, dict[str, float]] = {}

    def measure() -> dict[str, float]:
        return turns(ways, given.turns, error)

    @app.get("/off")
    def off() -> None:
        found["off the loop"] = measure()

    @app.get("/on")
    async def on() -> None:
        found[f"on the loop, {given.frames} frames"] = deep(given.frames - depth() - 3, measure)

    with TestClient(app) as client:
        client.get("/off")
        client.get("/on")
    guard.stop()

    print(
        f"{datetime.now(UTC):%Y-%m-%d}: {versions([TOOLS['asyncguard'], TOOLS['blockbuster']])}\n"
    )
    print("| " + " | ".join(["microseconds over the bare call", *ways]) + " |")
    print("| " + " | ".join(["---"] * (len(ways) + 1)) + " |")
    for name, taken in found.items():
        over = [f"{taken[way] - taken['bare']:+.2f}" for way in ways if way != "bare"]
        print("| " + " | ".join([name, f"({taken['bare']:.2f})", *over]) + " |")


if __name__ == "__main__":
    main()
