"""The old shop's orders, read with bare drivers instead of the ORM."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import aiosqlite

COUNT = "SELECT count(*) FROM orders"


def count_orders(path: Path) -> int:
    """Count the orders with sqlite3; for a worker thread."""
    with closing(sqlite3.connect(path)) as connection:  # blocks: archive-connect
        (count,) = connection.execute(COUNT).fetchone()  # blocks: archive-query
    return int(count)


async def count_orders_async(path: Path) -> int:
    """Count the orders with aiosqlite, which has a thread for each connection."""
    async with aiosqlite.connect(path) as connection, connection.execute(COUNT) as cursor:
        row = await cursor.fetchone()
    return int(row[0]) if row else 0
