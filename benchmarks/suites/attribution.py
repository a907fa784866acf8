"""The suite of attribution.py: a request for each kind of stall, and the line that is at fault.

The line bears the comment ``# blocks``, with the kind where that is not the name of the function.
Where the time goes round a loop, all of its lines do.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import gc
import hashlib
import json
import os
import re
import sqlite3
import sys
import threading
import time
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

try:
    import numpy as np
except ImportError:
    np = None  # type: ignore[assignment]

RUNS = int(os.environ.get("ATTRIBUTION_RUNS", "1"))
LOOP = os.environ.get("ATTRIBUTION_LOOP", "asyncio")
SIZES: dict[str, int] = json.loads(os.environ.get("ATTRIBUTION_SIZES", "{}"))
STALL_MS = 200

app = FastAPI()
KINDS: dict[str, Callable[[int], object]] = {}


def kind(function: Callable[[int], object]) -> Callable[[int], object]:
    KINDS[function.__name__] = function
    return function


# --- in Python -------------------------------------------------------------------------------


@kind
def loop(size: int) -> int:
    total = 0
    for each in range(size):  # blocks
        total += each * each % 7  # blocks
    return total


@kind
def while_loop(size: int) -> int:
    total = 0
    each = size
    while each:  # blocks
        each -= 1  # blocks
        total += each  # blocks
    return total


@kind
def heavy_line_of_a_loop(size: int) -> int:
    total = 0
    for each in range(size):
        low = each & 15
        total += pow(each, 5000) >> 3  # blocks
        total &= 0xFFFF
        total += low
    return total


@kind
def operator_in_a_loop(size: int) -> int:
    total = 0
    for each in range(size):  # blocks
        low = each & 15
        total += each**5000 >> 3  # blocks
        total &= 0xFFFF
        total += low
    return total


@kind
def operator_before_a_call(size: int) -> int:
    total = 0
    for each in range(size):  # blocks
        total += each**5000 >> 3  # blocks
        total = light(total)
    return total


def light(number: int) -> int:
    return number & 0xFFFF


@kind
def operator_alone(size: int) -> int:
    number = 3**size  # blocks
    return number & 1


@kind
def comprehension(size: int) -> int:
    odd = size % 2
    squares = [each * each % 7 for each in range(size)]  # blocks
    return len(squares) + odd


@kind
def generator(size: int) -> int:
    odd = size % 2
    total = sum(each * each % 7 for each in range(size))  # blocks
    return total + odd


def helper(number: int) -> int:  # blocks: helper_in_a_loop
    low = number & 15  # blocks: helper_in_a_loop
    return low * number % 7  # blocks: helper_in_a_loop


@kind
def helper_in_a_loop(size: int) -> int:
    total = 0
    for each in range(size):  # blocks
        total += helper(each)  # blocks
    return total


def recursive(depth: int) -> int:  # blocks: recursion
    if depth < 2:  # blocks: recursion
        return depth  # blocks: recursion
    return recursive(depth - 1) + recursive(depth - 2)  # blocks: recursion


@kind
def recursion(size: int) -> int:
    total = 0
    for _ in range(size):
        total += recursive(8)  # blocks
    return total


# --- in C, with the GIL ----------------------------------------------------------------------

PATTERN = re.compile(r"a*a*b")


@kind
def regex(size: int) -> bool:
    text = "a" * (size // 10)
    found = PATTERN.search(text)  # blocks
    return found is None


@kind
def json_dumps(size: int) -> int:
    rows = [{"id": 1, "name": "a"}] * size
    text = json.dumps(rows)  # blocks
    return len(text)


@kind
def json_loads(size: int) -> int:
    text = '{"id": 1, "name": "a"}'
    rows = json.loads("[" + (text + ",") * size + text + "]")  # blocks
    return len(rows)


@kind
def sorting(size: int) -> int:
    first = 1
    ordered = sorted(range(size), key=(7919).__mul__)  # blocks
    return first + len(ordered)


class Row(BaseModel):
    id: int
    name: str


class Rows(BaseModel):
    rows: list[Row]


@kind
def pydantic_core(size: int) -> int:
    rows = {"rows": [{"id": "1", "name": "a"}] * size}
    made = Rows.model_validate(rows)  # blocks
    return len(made.rows)


# --- in C, without the GIL -------------------------------------------------------------------


@kind
def zlib_compress(size: int) -> int:
    data = bytes(range(256)) * size
    packed = zlib.compress(data, 9)  # blocks
    return len(packed)


@kind
def hashlib_sha(size: int) -> str:
    data = bytes(1024) * size
    digest = hashlib.sha256(data)  # blocks
    return digest.hexdigest()


@kind
def sqlite_query(size: int) -> int:
    connection = connections[threading.get_ident()]
    query = f"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT {size}) "
    row = connection.execute(query + "SELECT sum(x) FROM c").fetchone()  # blocks
    return int(row[0])


if np is not None:

    @kind
    def numpy_sin(size: int) -> float:
        numbers = np.broadcast_to(1.0, size)  # no memory: its pages would cost as much as its sines
        waves = np.sin(numbers)  # blocks
        return float(waves[0])


# --- asleep ----------------------------------------------------------------------------------

usleep = ctypes.CDLL(None).usleep
LOCK = threading.Lock()


@kind
def lock_wait(size: int) -> bool:
    seconds = size / 1000
    got = LOCK.acquire(timeout=seconds)  # blocks
    return not got


@kind
def sleep_in_c(size: int) -> int:
    micros = size * 1000
    usleep(micros)  # blocks
    return micros


@kind
def known_sleep(size: int) -> None:
    seconds = size / 1000
    time.sleep(seconds)  # blocks


ASLEEP = ("lock_wait", "sleep_in_c", "known_sleep")
"""Their size is milliseconds."""


# --- in the framework ------------------------------------------------------------------------

made: dict[int, Rows] = {}


def serialization_of(size: int) -> Rows:
    if size not in made:
        made.clear()
        made[size] = Rows(rows=[Row(id=1, name="a")] * size)
    return made[size]


@app.get("/serialization/{size}")
async def serialization(size: int) -> Rows:  # blocks
    return made[size]


# --- the requests ----------------------------------------------------------------------------

connections: dict[int, sqlite3.Connection] = {}


def endpoint(name: str) -> None:
    function = KINDS[name]

    @app.get(f"/{name}/{{size}}", name=name)
    async def work(size: int) -> None:
        function(size)  # blocks: operator_alone


for each in KINDS:
    endpoint(each)


async def get(name: str, size: int) -> None:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get(f"/{name}/{size}")).status_code == 200


def run(main: Callable[[], Awaitable[None]]) -> None:
    if LOOP == "trio":
        import trio

        trio.run(main)
        return
    factory: Any = None
    if LOOP == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(debug=LOOP == "asyncio+debug", loop_factory=factory) as runner:
        if LOOP == "asyncio+eager":
            runner.get_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
        runner.run(main())  # type: ignore[arg-type]


@pytest.mark.parametrize("number", range(RUNS))
@pytest.mark.parametrize("name", SIZES)
def test_kind(name: str, number: int) -> None:
    connections[threading.get_ident()] = sqlite3.connect(":memory:")
    size = SIZES[name]
    LOCK.acquire()
    try:
        while True:
            if name == "serialization":
                serialization_of(size)
            took = timed(lambda size: run(functools.partial(get, name, size)), size)
            if name in ASLEEP or took > STALL_MS * 0.75:
                break
            size = int(size * 1.2)  # the machine is faster now than it was when calibrated
    finally:
        LOCK.release()
        connections.popitem()[1].close()


# --- how large is large enough ---------------------------------------------------------------


def calibrated() -> dict[str, int]:
    """For each kind a size with which it computes for long enough, on the CPU's clock."""
    connections[threading.get_ident()] = sqlite3.connect(":memory:")
    sizes = {name: STALL_MS if name in ASLEEP else grown(KINDS[name]) for name in KINDS}
    sizes["serialization"] = grown(lambda size: serialization_of(size).model_dump_json())
    connections.popitem()[1].close()
    return sizes


def grown(function: Callable[[int], object]) -> int:
    size = 100
    while True:
        took = min(timed(function, size) for _ in range(3))  # the first time fills the caches
        if took >= STALL_MS:
            return size
        size = int(size * min(8, max(1.1, STALL_MS / max(took, 0.1) * 1.02)))


def timed(function: Callable[[int], object], size: int) -> float:
    """Milliseconds of CPU, without garbage collections: the guard does not charge those either."""
    collecting = 0.0

    def collected(phase: str, _: dict[str, int]) -> None:
        nonlocal collecting
        collecting += time.thread_time() * (1 if phase == "stop" else -1)

    gc.callbacks.append(collected)
    began = time.thread_time()
    try:
        function(size)
    finally:
        took = time.thread_time() - began
        gc.callbacks.remove(collected)
    return (took - collecting) * 1000


if __name__ == "__main__":
    json.dump(calibrated(), sys.stdout)
