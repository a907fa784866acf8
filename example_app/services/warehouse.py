"""The warehouse: what the pickers bring, and whether the loading door is open.

Each thing is there twice, for threads and for the event loop.
"""

from __future__ import annotations

import asyncio
import queue
import threading


class Warehouse:
    """Hand-over between the warehouse's devices and the shop's requests."""

    def __init__(self) -> None:
        self.picks: queue.Queue[str] = queue.Queue()
        self.door = threading.Event()
        self.async_picks: asyncio.Queue[str] = asyncio.Queue()
        self.async_door = asyncio.Event()
