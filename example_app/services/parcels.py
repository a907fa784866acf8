"""Parcel labels. Nothing in the names of the first two functions says that the third one sleeps."""

from __future__ import annotations

import asyncio
import time

WARM_UP_SECONDS = 0.01


def book(order_id: int) -> str:
    """Book a parcel with the carrier."""
    return f"parcel {_label(order_id)}"


async def book_async(order_id: int) -> str:
    """Book a parcel with the carrier, without blocking."""
    return f"parcel {await _label_async(order_id)}"


def _label(order_id: int) -> str:
    _wait_for_printer()
    return f"L{order_id:06}"


async def _label_async(order_id: int) -> str:
    await asyncio.sleep(WARM_UP_SECONDS)
    return f"L{order_id:06}"


def _wait_for_printer() -> None:
    time.sleep(WARM_UP_SECONDS)  # blocks: sleep-in-helper
