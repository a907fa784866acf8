"""Four endpoints, all clean: an ``async def`` may take its time, as long as it awaits."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter

router = APIRouter()


@router.get("/")
async def read_root() -> dict[str, str]:
    """Clean: it returns at once."""
    return {"message": "Hello ASGI and async!"}


@router.get("/sync")
def read_sync() -> dict[str, str]:
    """Clean: FastAPI calls a plain ``def`` in a worker thread."""
    return {"message": "This is sync"}


@router.get("/async")
async def read_async() -> dict[str, str]:
    """Clean: the loop serves others during that second."""
    await asyncio.sleep(1)
    return {"message": "This is async after 1 second"}


@router.get("/wait")
async def read_wait() -> dict[str, str]:
    """Clean: the loop serves others during those two seconds."""
    await asyncio.sleep(2)
    return {"message": "Waited 2 seconds asynchronously"}
