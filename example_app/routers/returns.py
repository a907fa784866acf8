"""Returns: what blocks here stands around the endpoints, and not in them."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, status
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, field_serializer, field_validator

from example_app.dependencies import ShopDep
from example_app.services import couriers
from example_app.services.couriers import DEPOTS, FarTooLateError, TooLateError

router = APIRouter()

LAST_DAY = 30
UNPROCESSABLE = 422  # its name differs between releases of Starlette


class ReturnIn(BaseModel):
    """What is sent back, and from where."""

    sku: str
    country: str


class ReturnInChecked(ReturnIn):
    """The same, which asks the couriers while it is validated."""

    @field_validator("country")
    @classmethod
    def is_served(cls, country: str) -> str:
        """Blocks: validators run on the loop, also those of a plain ``def`` endpoint."""
        time.sleep(couriers.PACE_SECONDS)  # blocks: sleep-in-validator
        if country not in DEPOTS:
            raise ValueError("no courier goes there")
        return country


class Refund(BaseModel):
    """What is paid back."""

    cents: int


class RefundRounded(Refund):
    """The same, rounded while it is serialized."""

    @field_serializer("cents")
    def rounded(self, cents: int) -> int:
        """Blocks: responses of an ``async def`` endpoint are serialized on the loop."""
        time.sleep(couriers.PACE_SECONDS)  # blocks: sleep-in-serializer
        return round(cents, -1)


async def served_sync(item: ReturnIn) -> ReturnIn:
    """Ask the couriers in a worker thread."""
    if await run_in_threadpool(couriers.depot_sync, item.country) is None:
        raise HTTPException(UNPROCESSABLE)
    return item


async def served_async(item: ReturnIn) -> ReturnIn:
    """Ask the couriers, and await their answer."""
    if await couriers.depot_async(item.country) is None:
        raise HTTPException(UNPROCESSABLE)
    return item


@router.post("/blocking")
def announce_blocking(item: ReturnInChecked) -> dict[str, str]:
    """Blocks before it is reached: its validator looks something up."""
    return {"depot": DEPOTS[item.country]}


@router.post("/sync")
async def announce_sync(item: Annotated[ReturnIn, Depends(served_sync)]) -> dict[str, str]:
    """Clean: a dependency looks it up, in a worker thread."""
    return {"depot": DEPOTS[item.country]}


@router.post("/async")
async def announce_async(item: Annotated[ReturnIn, Depends(served_async)]) -> dict[str, str]:
    """Clean: a dependency looks it up, and awaits."""
    return {"depot": DEPOTS[item.country]}


@router.get("/{return_id}/refund/blocking", response_model=RefundRounded)
async def refund_blocking(return_id: int) -> Refund:
    """Blocks after it is done: its response model works while it is serialized."""
    return Refund(cents=return_id)


@router.get("/{return_id}/refund/sync")
def refund_sync(return_id: int) -> Refund:
    """Clean: the work is done before, in a worker thread."""
    time.sleep(couriers.PACE_SECONDS)
    return Refund(cents=round(return_id, -1))


@router.get("/{return_id}/refund/async")
async def refund_async(return_id: int) -> Refund:
    """Clean: the work is done before, and awaited."""
    await asyncio.sleep(couriers.PACE_SECONDS)
    return Refund(cents=round(return_id, -1))


@router.get("/after/{days}/blocking")
async def deadline_blocking(days: int) -> dict[str, int]:
    """Blocks when it fails: the handler of its exception does."""
    if days > LAST_DAY:
        raise FarTooLateError
    return {"left": LAST_DAY - days}


@router.get("/after/{days}/async")
async def deadline_async(days: int) -> dict[str, int]:
    """Clean: the handler of its exception awaits."""
    if days > LAST_DAY:
        raise TooLateError
    return {"left": LAST_DAY - days}


@router.post("/{return_id}/pickup/blocking")
async def pickup_blocking(return_id: int, shop: ShopDep) -> dict[str, int]:
    """Blocks in the task that it starts, while it waits for nobody else."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(couriers.call_blocking(shop.outbox, return_id))
    return {"called": len(shop.outbox)}


@router.post("/{return_id}/pickup/sync")
async def pickup_sync(return_id: int, shop: ShopDep) -> dict[str, int]:
    """Clean: the task hands its work to a worker thread."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run_in_threadpool(couriers.call_sync, shop.outbox, return_id))
    return {"called": len(shop.outbox)}


@router.post("/{return_id}/pickup/async")
async def pickup_async(return_id: int, shop: ShopDep) -> dict[str, int]:
    """Clean: the task awaits."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(couriers.call_async(shop.outbox, return_id))
    return {"called": len(shop.outbox)}


async def on_far_too_late(_: Request, __: Exception) -> JSONResponse:
    """Blocks: an exception handler that is ``async def`` runs on the loop."""
    time.sleep(couriers.PACE_SECONDS)  # blocks: sleep-in-handler
    return JSONResponse({"detail": "far too late"}, status.HTTP_410_GONE)


async def on_too_late(_: Request, __: Exception) -> JSONResponse:
    """Clean: it awaits."""
    await asyncio.sleep(couriers.PACE_SECONDS)
    return JSONResponse({"detail": "too late"}, status.HTTP_410_GONE)
