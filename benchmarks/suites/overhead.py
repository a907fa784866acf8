"""The worker of overhead.py: takes numbers from one pipe, and answers on another.

Each answer is the CPU time of this process, in nanoseconds, for so many rounds of the workload.
An empty line goes on to the next test. Between two numbers nothing runs on the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel

NUMBERS, ANSWERS = (int(each) for each in os.environ["OVERHEAD_PIPES"].split(","))
starting: list[Callable[[], object]] = []


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    for start in starting:
        start()
    yield


class Item(BaseModel):
    id: int
    name: str
    tags: list[str]


app = FastAPI(lifespan=lifespan)


async def greeting() -> str:
    return "item"


@app.get("/items/{item_id}")
async def item(item_id: int, name: Annotated[str, Depends(greeting)]) -> Item:
    return Item(id=item_id, name=name, tags=["a", "b"])


@app.get("/plain/{item_id}")
def plain(item_id: int) -> Item:
    return Item(id=item_id, name="item", tags=["a", "b"])


@app.get("/steps/{steps}")
async def steps(steps: int) -> int:
    for _ in range(steps):
        await asyncio.sleep(0)
    return steps


def next_number() -> int:
    line = b""
    while not line.endswith(b"\n"):
        more = os.read(NUMBERS, 1)
        if not more:
            break
        line += more
    return int(line) if line.strip() else 0


def answer(began: int) -> None:
    os.write(ANSWERS, b"%d\n" % (time.process_time_ns() - began))


async def next_number_async() -> int:
    return await asyncio.get_running_loop().run_in_executor(None, next_number)


async def answer_async(took: int) -> None:
    write = lambda: os.write(ANSWERS, b"%d\n" % took)  # noqa: E731
    await asyncio.get_running_loop().run_in_executor(None, write)


@pytest.fixture(autouse=True)
def _start(in_loop: Callable[[], object]) -> None:
    starting[:] = [in_loop]


def test_testclient() -> None:
    client = TestClient(app)
    while number := next_number():
        began = time.process_time_ns()
        for _ in range(number):
            assert client.get("/items/1").status_code == 200
        answer(began)


def test_testclient_with() -> None:
    with TestClient(app) as client:
        while number := next_number():
            began = time.process_time_ns()
            for _ in range(number):
                assert client.get("/items/1").status_code == 200
            answer(began)


async def _requests(path: str, in_loop: Callable[[], object]) -> None:
    in_loop()
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        while number := await next_number_async():
            began = time.process_time_ns()
            for _ in range(number):
                assert (await client.get(path)).status_code == 200
            await answer_async(time.process_time_ns() - began)


async def test_asgi(in_loop: Callable[[], object]) -> None:
    await _requests("/items/1", in_loop)


async def test_asgi_def(in_loop: Callable[[], object]) -> None:
    await _requests("/plain/1", in_loop)


async def test_step(in_loop: Callable[[], object]) -> None:
    in_loop()
    while number := await next_number_async():
        began = time.process_time_ns()
        for _ in range(number):
            await asyncio.sleep(0)
        await answer_async(time.process_time_ns() - began)


async def test_step_in_request(in_loop: Callable[[], object]) -> None:
    in_loop()
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        while number := await next_number_async():
            began = time.process_time_ns()
            assert (await client.get(f"/steps/{number}")).json() == number
            await answer_async(time.process_time_ns() - began)
