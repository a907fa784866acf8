"""The application: ``uvicorn example_app.main:app``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from example_app.admin import create_admin
from example_app.middleware import SlowDownGuessing
from example_app.routers import (
    accounts,
    coupons,
    media,
    orders,
    products,
    returns,
    sample,
    suppliers,
    warehouse,
)
from example_app.services.couriers import FarTooLateError, TooLateError
from example_app.settings import Settings
from example_app.shop import open_shop


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the shop before the first request, and close it after the last."""
    async with open_shop(app.state.settings, app.state.transport) as shop:
        app.state.shop = shop
        yield


def create_app(
    settings: Settings | None = None, *, transport: httpx.MockTransport | None = None
) -> FastAPI:
    """Make an app; ``transport`` stands in for the supplier."""
    settings = settings or Settings()
    app = FastAPI(title="A small shop", lifespan=lifespan)
    app.state.settings = settings
    app.state.transport = transport
    app.add_middleware(SlowDownGuessing, pause=settings.coupon_pause)
    app.include_router(sample.router, tags=["sample"])
    app.include_router(products.router, prefix="/products", tags=["products"])
    app.include_router(orders.router, prefix="/orders", tags=["orders"])
    app.include_router(returns.router, prefix="/returns", tags=["returns"])
    app.add_exception_handler(FarTooLateError, returns.on_far_too_late)
    app.add_exception_handler(TooLateError, returns.on_too_late)
    app.include_router(accounts.router, prefix="/accounts", tags=["accounts"])
    app.include_router(coupons.router, prefix="/coupons", tags=["coupons"])
    app.include_router(suppliers.router, prefix="/suppliers", tags=["suppliers"])
    app.include_router(warehouse.router, prefix="/warehouse", tags=["warehouse"])
    app.include_router(media.router, prefix="/media", tags=["media"])
    app.mount("/admin", create_admin(settings))
    return app


app = create_app()
