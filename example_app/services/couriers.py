"""The couriers who fetch what customers send back. Their switchboard takes a few milliseconds."""

from __future__ import annotations

import asyncio
import time

PACE_SECONDS = 0.01
DEPOTS = {"AT": "Linz", "DE": "Ulm"}


class TooLateError(Exception):
    """What was ordered too long ago is not taken back."""


class FarTooLateError(TooLateError):
    """The same, of which the office wants to be told at once."""


def depot_sync(country: str) -> str | None:
    """Clean where it is called: in worker threads."""
    time.sleep(PACE_SECONDS)
    return DEPOTS.get(country)


async def depot_async(country: str) -> str | None:
    """Clean: the wait is awaited."""
    await asyncio.sleep(PACE_SECONDS)
    return DEPOTS.get(country)


async def call_blocking(outbox: list[str], return_id: int) -> None:
    """Blocks: to be a task takes nothing off the loop."""
    time.sleep(PACE_SECONDS)  # blocks: sleep-in-task
    outbox.append(f"fetch {return_id}")


def call_sync(outbox: list[str], return_id: int) -> None:
    """Clean where it is called: in a worker thread."""
    time.sleep(PACE_SECONDS)
    outbox.append(f"fetch {return_id}")


async def call_async(outbox: list[str], return_id: int) -> None:
    """Clean: other tasks run meanwhile."""
    await asyncio.sleep(PACE_SECONDS)
    outbox.append(f"fetch {return_id}")
