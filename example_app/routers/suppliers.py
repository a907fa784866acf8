"""Suppliers: an HTTP client of each kind, and a TLS context made anew for each request."""

from __future__ import annotations

import ssl

import httpx
from fastapi import APIRouter

from example_app.dependencies import SettingsDep, ShopDep, TransportDep

router = APIRouter()


@router.get("/stock/{sku}/blocking")
async def stock_blocking(sku: str, shop: ShopDep) -> dict[str, int]:
    """Blocks: a sync HTTP client in an ``async def``, also where a test fakes the far end."""
    return {"stock": shop.suppliers.stock(sku)}


@router.get("/stock/{sku}/sync")
def stock_sync(sku: str, shop: ShopDep) -> dict[str, int]:
    """Clean: the same client in a worker thread."""
    return {"stock": shop.suppliers.stock(sku)}


@router.get("/stock/{sku}/async")
async def stock_async(sku: str, shop: ShopDep) -> dict[str, int]:
    """Clean: the async client."""
    return {"stock": await shop.suppliers.stock_async(sku)}


@router.get("/ping/blocking")
async def ping_blocking(settings: SettingsDep, transport: TransportDep) -> dict[str, int]:
    """Blocks, though all it does is awaited: each request reads the CA certificates again."""
    context = ssl.create_default_context()  # blocks: tls-context
    async with httpx.AsyncClient(
        base_url=settings.supplier_url, transport=transport, verify=context
    ) as client:
        return {"status": (await client.get("/ping")).status_code}


@router.get("/ping/async")
async def ping_async(shop: ShopDep) -> dict[str, int]:
    """Clean: one client for all requests, opened at start-up."""
    return {"status": (await shop.suppliers.async_client.get("/ping")).status_code}
