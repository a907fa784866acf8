"""Products: queries, a lock, a streamed export and a websocket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

from fastapi import APIRouter, HTTPException, WebSocket, status
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from sqlalchemy import Select, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from example_app.db import Product
from example_app.dependencies import AsyncSessionDep, SessionDep, ShopDep
from example_app.schemas import Price, ProductOut

router = APIRouter()

BY_SKU = select(Product).order_by(Product.sku)
PAGE = 2


@router.get("/blocking", response_model=list[ProductOut])
async def list_blocking(session: SessionDep) -> Sequence[Product]:
    """Blocks: a sync session in an ``async def``, the mistake that projects make most."""
    return session.scalars(BY_SKU).all()  # blocks: query


@router.get("/sync", response_model=list[ProductOut])
def list_sync(session: SessionDep) -> Sequence[Product]:
    """Clean: the same session, in a worker thread."""
    return session.scalars(BY_SKU).all()


@router.get("/async", response_model=list[ProductOut])
async def list_async(session: AsyncSessionDep) -> Sequence[Product]:
    """Clean: an async session."""
    return (await session.scalars(BY_SKU)).all()


@router.get("/{sku}/price/blocking")
async def price_blocking(sku: str, shop: ShopDep) -> Price:
    """Blocks: a lock that another thread may hold for long."""
    return _price(sku, shop.prices.get(sku))


@router.get("/{sku}/price/sync")
def price_sync(sku: str, shop: ShopDep) -> Price:
    """Clean: a worker thread waits for the lock."""
    return _price(sku, shop.prices.get(sku))


@router.get("/{sku}/price/async")
async def price_async(sku: str, shop: ShopDep) -> Price:
    """Clean: a worker thread waits for the lock, and the endpoint awaits it."""
    return _price(sku, await run_in_threadpool(shop.prices.get, sku))


@router.get("/export/blocking")
async def export_blocking(session: SessionDep) -> StreamingResponse:
    """Blocks, though the endpoint itself does not: the generator runs while the body is sent."""
    return StreamingResponse(_rows_blocking(session), media_type="text/csv")


@router.get("/export/sync")
def export_sync(session: SessionDep) -> StreamingResponse:
    """Clean: Starlette iterates over a plain generator in a worker thread."""
    return StreamingResponse(_rows_sync(session), media_type="text/csv")


@router.get("/export/async")
async def export_async(session: AsyncSessionDep) -> StreamingResponse:
    """Clean: the generator awaits each page."""
    return StreamingResponse(_rows_async(session), media_type="text/csv")


@router.websocket("/stock/blocking")
async def stock_blocking(websocket: WebSocket, session: SessionDep) -> None:
    """Blocks once for each message. There is no plain ``def`` for a websocket to fall back on."""
    await websocket.accept()
    async for sku in websocket.iter_text():
        wanted = select(Product.stock).where(Product.sku == sku)
        stock = session.scalar(wanted)  # blocks: query-in-websocket
        await websocket.send_json({"sku": sku, "stock": stock})


@router.websocket("/stock/async")
async def stock_async(websocket: WebSocket, session: AsyncSessionDep) -> None:
    """Clean: the query is awaited."""
    await websocket.accept()
    async for sku in websocket.iter_text():
        stock = await session.scalar(select(Product.stock).where(Product.sku == sku))
        await websocket.send_json({"sku": sku, "stock": stock})


@router.delete("/{sku}", status_code=status.HTTP_204_NO_CONTENT, response_model=None)
async def withdraw(sku: str, session: AsyncSessionDep) -> None:
    """No test asks for this one: the census says so."""
    await session.execute(delete(Product).where(Product.sku == sku))
    await session.commit()


def _price(sku: str, price_cents: int | None) -> Price:
    if price_cents is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND)
    return Price(sku=sku, price_cents=price_cents)


def _page(offset: int) -> Select[Product]:
    return BY_SKU.limit(PAGE).offset(offset)


def _row(product: Product) -> str:
    return f"{product.sku},{product.price_cents},{product.stock}\n"


async def _rows_blocking(session: Session) -> AsyncIterator[str]:
    offset = 0
    while page := session.scalars(_page(offset)).all():  # blocks: query-in-stream
        for product in page:
            yield _row(product)
        offset += PAGE


def _rows_sync(session: Session) -> Iterator[str]:
    offset = 0
    while page := session.scalars(_page(offset)).all():
        for product in page:
            yield _row(product)
        offset += PAGE


async def _rows_async(session: AsyncSession) -> AsyncIterator[str]:
    offset = 0
    while page := (await session.scalars(_page(offset))).all():
        for product in page:
            yield _row(product)
        offset += PAGE
