"""What start-up opens and shut-down closes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import select

from example_app.db import Base, Customer, Database, Product
from example_app.services import passwords
from example_app.services.prices import PriceCache
from example_app.services.suppliers import Suppliers
from example_app.services.warehouse import Warehouse
from example_app.settings import Settings

CATALOGUE = Path(__file__).with_name("catalogue.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """All that the endpoints share."""

    settings: Settings
    database: Database
    suppliers: Suppliers
    prices: PriceCache
    carriers: ThreadPoolExecutor
    warehouse: Warehouse = field(default_factory=Warehouse)
    outbox: list[str] = field(default_factory=list)


@asynccontextmanager
async def open_shop(
    settings: Settings, transport: httpx.MockTransport | None
) -> AsyncIterator[Shop]:
    """Open the shop.

    Reading a file before the first request delays nobody. Creating the tables with the sync engine
    is reported as a warning: a server that restarts is not ready for that long.
    """
    products: list[dict[str, Any]] = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    settings.media.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database)
    Base.metadata.create_all(database.engine)  # blocks: start-up-tables
    await run_in_threadpool(_fill, database, products, settings)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.async_engine.dispose)
        stack.push_async_callback(run_in_threadpool, database.engine.dispose)
        carriers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="carrier")
        stack.callback(carriers.shutdown, wait=False, cancel_futures=True)
        client = stack.enter_context(
            httpx.Client(base_url=settings.supplier_url, transport=transport)
        )
        async_client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=settings.supplier_url, transport=transport)
        )
        yield Shop(
            settings=settings,
            database=database,
            suppliers=Suppliers(client, async_client),
            prices=PriceCache({row["sku"]: row["price_cents"] for row in products}),
            carriers=carriers,
        )


def _fill(database: Database, products: list[dict[str, Any]], settings: Settings) -> None:
    """Fill an empty database with the catalogue, and with one customer of the old shop."""
    with database.session.begin() as session:
        if session.scalar(select(Product.id).limit(1)) is not None:
            return
        session.add_all(Product(**row) for row in products)
        password = passwords.hash_imported("tandem", rounds=settings.pbkdf2_rounds)
        session.add(Customer(email="ada@example.org", password=password, token="ada"))
