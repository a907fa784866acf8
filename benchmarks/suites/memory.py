"""The suite of memory.py: many requests in one test, and what they leave behind."""

from __future__ import annotations

import gc
import json
import os
import tracemalloc
from pathlib import Path

import httpx
from fastapi import FastAPI, HTTPException

REQUESTS = int(os.environ["MEMORY_REQUESTS"])
SUSPECTS = int(os.environ["MEMORY_SUSPECTS"])
TURNS = 20
"""How often memory is looked at."""

app = FastAPI()


@app.get("/items/{item_id}")
async def item(item_id: int) -> dict[str, int]:
    if item_id % 100 == 99:
        raise HTTPException(404)
    return {"id": item_id}


@app.get("/files/{item_id}")
async def file(item_id: int) -> int:
    with open(__file__) as opened:  # noqa: PTH123 - a call that is found, again and again
        return len(opened.readline())


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def test_memory() -> None:
    transport = httpx.ASGITransport(app=app)
    seen: list[tuple[int, int, int]] = []
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:

        async def some(number: int) -> None:
            for each in range(number):
                kind = "files" if each % 100 < SUSPECTS else "items"
                await client.get(f"/{kind}/{each}")

        await some(1000)  # caches fill
        tracemalloc.start()
        for turn in range(TURNS + 1):
            if turn:
                await some(REQUESTS // TURNS)
            gc.collect()
            seen.append((REQUESTS // TURNS * turn, resident(), tracemalloc.get_traced_memory()[0]))
    Path("memory.json").write_text(json.dumps(seen))
