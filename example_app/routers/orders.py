"""Orders: taken, paid, packed, invoiced, quoted; and the old shop's, counted."""

from __future__ import annotations

import asyncio
import time

from fastapi import APIRouter, BackgroundTasks, status
from fastapi.concurrency import run_in_threadpool

from example_app.db import Order
from example_app.dependencies import AsyncSessionDep, CarrierDep, SessionDep, ShopDep
from example_app.schemas import OrderIn, OrderOut, OrderStep, Quote
from example_app.services import archive, invoices, parcels, payments, receipts
from example_app.services.shipping import FLAT_RATE_CENTS

router = APIRouter()


@router.post("/blocking", status_code=status.HTTP_201_CREATED, response_model=OrderOut)
async def order_blocking(order: OrderIn, session: SessionDep) -> Order:
    """Blocks twice: to write the row, and to read back its id."""
    row = Order(**order.model_dump())
    session.add(row)
    session.commit()  # blocks: commit
    session.refresh(row)  # blocks: refresh
    return row


@router.post("/sync", status_code=status.HTTP_201_CREATED, response_model=OrderOut)
def order_sync(order: OrderIn, session: SessionDep) -> Order:
    """Clean: the same lines in a worker thread."""
    row = Order(**order.model_dump())
    session.add(row)
    session.commit()
    session.refresh(row)
    return row


@router.post("/async", status_code=status.HTTP_201_CREATED, response_model=OrderOut)
async def order_async(order: OrderIn, session: AsyncSessionDep) -> Order:
    """Clean: an async session."""
    row = Order(**order.model_dump())
    session.add(row)
    await session.commit()
    return row


@router.post("/{order_id}/payment/blocking")
async def pay_blocking(order_id: int) -> OrderStep:
    """Blocks: the whole process sleeps with it."""
    time.sleep(payments.SETTLING_SECONDS)  # blocks: sleep
    return OrderStep(order_id=order_id, state="paid")


@router.post("/{order_id}/payment/sync")
def pay_sync(order_id: int) -> OrderStep:
    """Clean: only a worker thread sleeps."""
    return OrderStep(order_id=order_id, state=payments.charge())


@router.post("/{order_id}/payment/async")
async def pay_async(order_id: int) -> OrderStep:
    """Clean: nobody sleeps."""
    await asyncio.sleep(payments.SETTLING_SECONDS)
    return OrderStep(order_id=order_id, state="paid")


@router.post("/{order_id}/parcel/blocking")
async def pack_blocking(order_id: int) -> OrderStep:
    """Blocks three calls further down, in a module that knows nothing of this one."""
    return OrderStep(order_id=order_id, state=parcels.book(order_id))


@router.post("/{order_id}/parcel/sync")
def pack_sync(order_id: int) -> OrderStep:
    """Clean: the same helpers in a worker thread."""
    return OrderStep(order_id=order_id, state=parcels.book(order_id))


@router.post("/{order_id}/parcel/async")
async def pack_async(order_id: int) -> OrderStep:
    """Clean: async all the way down."""
    return OrderStep(order_id=order_id, state=await parcels.book_async(order_id))


@router.post("/{order_id}/receipt/blocking", status_code=status.HTTP_202_ACCEPTED)
async def receipt_blocking(order_id: int, shop: ShopDep, tasks: BackgroundTasks) -> OrderStep:
    """Blocks after its response was sent: this client does not notice, all others do."""
    tasks.add_task(receipts.send_blocking, shop.outbox, order_id)
    return OrderStep(order_id=order_id, state="receipt follows")


@router.post("/{order_id}/receipt/sync", status_code=status.HTTP_202_ACCEPTED)
async def receipt_sync(order_id: int, shop: ShopDep, tasks: BackgroundTasks) -> OrderStep:
    """Clean: the task is a plain ``def``, and has a worker thread."""
    tasks.add_task(receipts.send_sync, shop.outbox, order_id)
    return OrderStep(order_id=order_id, state="receipt follows")


@router.post("/{order_id}/receipt/async", status_code=status.HTTP_202_ACCEPTED)
async def receipt_async(order_id: int, shop: ShopDep, tasks: BackgroundTasks) -> OrderStep:
    """Clean: the task awaits."""
    tasks.add_task(receipts.send_async, shop.outbox, order_id)
    return OrderStep(order_id=order_id, state="receipt follows")


@router.get("/{order_id}/invoice/blocking")
async def invoice_blocking(order_id: int) -> dict[str, str]:
    """Blocks until another program has ended."""
    return {"invoice": invoices.render(order_id)}


@router.get("/{order_id}/invoice/sync")
def invoice_sync(order_id: int) -> dict[str, str]:
    """Clean: a worker thread waits for the program."""
    return {"invoice": invoices.render(order_id)}


@router.get("/{order_id}/invoice/async")
async def invoice_async(order_id: int) -> dict[str, str]:
    """Clean: the loop is told when the program has ended."""
    return {"invoice": await invoices.render_async(order_id)}


@router.get("/quote/blocking")
async def quote_blocking(postcode: str, shop: ShopDep, carrier: CarrierDep) -> Quote:
    """Blocks: the work is in another thread, but the loop waits for it all the same."""
    answer = shop.carriers.submit(carrier, postcode)
    patience = shop.settings.carrier_patience
    try:
        return Quote(price_cents=answer.result(patience), carrier="express")  # blocks: future
    except TimeoutError:
        return Quote(price_cents=FLAT_RATE_CENTS, carrier="post")


@router.get("/quote/sync")
def quote_sync(postcode: str, shop: ShopDep, carrier: CarrierDep) -> Quote:
    """Clean: a worker thread waits for another."""
    answer = shop.carriers.submit(carrier, postcode)
    try:
        return Quote(price_cents=answer.result(shop.settings.carrier_patience), carrier="express")
    except TimeoutError:
        return Quote(price_cents=FLAT_RATE_CENTS, carrier="post")


@router.get("/quote/async")
async def quote_async(postcode: str, shop: ShopDep, carrier: CarrierDep) -> Quote:
    """Clean: the same thread pool, awaited."""
    answer = asyncio.get_running_loop().run_in_executor(shop.carriers, carrier, postcode)
    try:
        async with asyncio.timeout(shop.settings.carrier_patience):
            return Quote(price_cents=await answer, carrier="express")
    except TimeoutError:
        return Quote(price_cents=FLAT_RATE_CENTS, carrier="post")


@router.get("/archive/blocking")
async def archive_blocking(shop: ShopDep) -> dict[str, int]:
    """Blocks twice: sqlite3 to open the file, and to query it."""
    return {"orders": archive.count_orders(shop.database.path)}


@router.get("/archive/sync")
def archive_sync(shop: ShopDep) -> dict[str, int]:
    """Clean: the same driver in a worker thread."""
    return {"orders": archive.count_orders(shop.database.path)}


@router.get("/archive/threadpool")
async def archive_threadpool(shop: ShopDep) -> dict[str, int]:
    """Clean: the same driver in a worker thread that the endpoint awaits."""
    return {"orders": await run_in_threadpool(archive.count_orders, shop.database.path)}


@router.get("/archive/async")
async def archive_async(shop: ShopDep) -> dict[str, int]:
    """Clean: aiosqlite."""
    return {"orders": await archive.count_orders_async(shop.database.path)}


@router.post("/{order_id}/refund")
async def refund(order_id: int) -> OrderStep:
    """It would block, but no test asks for it: the census says that nobody knows."""
    return OrderStep(order_id=order_id, state=f"not {payments.charge()}")
