"""Receipts, sent after the response. The mail server accepts one letter every few milliseconds."""

from __future__ import annotations

import asyncio
import time

PACE_SECONDS = 0.01


async def send_blocking(outbox: list[str], order_id: int) -> None:
    """Blocks: a background task that is ``async def`` runs on the loop, after the response."""
    time.sleep(PACE_SECONDS)  # blocks: sleep-in-background
    outbox.append(f"receipt {order_id}")


def send_sync(outbox: list[str], order_id: int) -> None:
    """Clean: a background task that is a plain ``def`` runs in a worker thread."""
    time.sleep(PACE_SECONDS)
    outbox.append(f"receipt {order_id}")


async def send_async(outbox: list[str], order_id: int) -> None:
    """Clean: the pause is awaited."""
    await asyncio.sleep(PACE_SECONDS)
    outbox.append(f"receipt {order_id}")
