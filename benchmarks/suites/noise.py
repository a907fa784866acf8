"""The suite of noise.py: 40 requests that compute for 20 to 60 ms, and 10 that block for 150 ms.

How long a request computes is measured on the CPU time of its thread: it is the same on any
machine, whatever else that is doing.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

BLOCKING_MS = 150

app = FastAPI()
usleep = ctypes.CDLL(None).usleep


def work(ms: int) -> int:
    until = time.thread_time() + ms / 1000
    rounds = 0
    while time.thread_time() < until:
        rounds += sum(range(100))
    return rounds


@app.get("/clean/{ms}")
async def clean(ms: int) -> int:
    return work(ms)


@app.get("/compute/{ms}")
async def compute(ms: int) -> int:
    return work(ms)


@app.get("/sleep/{ms}")
async def sleep(ms: int) -> None:
    time.sleep(ms / 1000)


@app.get("/driver/{ms}")
async def driver(ms: int) -> None:
    usleep(ms * 1000)  # in C, in a function that no catalogue knows


with TestClient(app) as warm:  # what FastAPI does once per route is not what this is about
    for name in ("clean", "compute", "sleep", "driver"):
        warm.get(f"/{name}/0")


@pytest.fixture(scope="session", autouse=True)
def _busy_thread() -> Iterator[None]:
    stop = False

    def spin() -> None:
        while not stop:
            pass

    thread = threading.Thread(target=spin, daemon=True)
    if os.environ.get("NOISE_THREAD"):
        thread.start()
    yield
    stop = True
    if thread.ident is not None:
        thread.join()


async def get(path: str, in_loop: Callable[[], object]) -> None:
    in_loop()
    await asyncio.sleep(0)  # a loop that is patched from within is so from the next step on
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("number", range(40))
async def test_clean(number: int, in_loop: Callable[[], object]) -> None:
    await get(f"/clean/{20 + round(number * 40 / 39)}", in_loop)


@pytest.mark.parametrize("number", range(4))
async def test_blocking_compute(number: int, in_loop: Callable[[], object]) -> None:
    await get(f"/compute/{BLOCKING_MS}", in_loop)


@pytest.mark.parametrize("number", range(3))
async def test_blocking_sleep(number: int, in_loop: Callable[[], object]) -> None:
    await get(f"/sleep/{BLOCKING_MS}", in_loop)


@pytest.mark.parametrize("number", range(3))
async def test_blocking_driver(number: int, in_loop: Callable[[], object]) -> None:
    await get(f"/driver/{BLOCKING_MS}", in_loop)
