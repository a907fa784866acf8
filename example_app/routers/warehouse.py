"""The warehouse: waiting for other threads, and for a device on the network."""

from __future__ import annotations

import asyncio
import queue
import socket

from fastapi import APIRouter

from example_app.dependencies import SettingsDep, ShopDep

router = APIRouter()


@router.get("/picks/blocking")
async def next_pick_blocking(shop: ShopDep) -> dict[str, str | None]:
    """Blocks while the queue is empty."""
    patience = shop.settings.warehouse_patience
    try:
        return {"pick": shop.warehouse.picks.get(timeout=patience)}  # blocks: queue
    except queue.Empty:
        return {"pick": None}


@router.get("/picks/sync")
def next_pick_sync(shop: ShopDep) -> dict[str, str | None]:
    """Clean: a worker thread waits."""
    try:
        return {"pick": shop.warehouse.picks.get(timeout=shop.settings.warehouse_patience)}
    except queue.Empty:
        return {"pick": None}


@router.get("/picks/async")
async def next_pick_async(shop: ShopDep) -> dict[str, str | None]:
    """Clean: asyncio's queue."""
    try:
        async with asyncio.timeout(shop.settings.warehouse_patience):
            return {"pick": await shop.warehouse.async_picks.get()}
    except TimeoutError:
        return {"pick": None}


@router.get("/door/blocking")
async def door_blocking(shop: ShopDep) -> dict[str, bool]:
    """Blocks until another thread opens the door."""
    return {"open": shop.warehouse.door.wait(shop.settings.warehouse_patience)}  # blocks: event


@router.get("/door/sync")
def door_sync(shop: ShopDep) -> dict[str, bool]:
    """Clean: a worker thread waits."""
    return {"open": shop.warehouse.door.wait(shop.settings.warehouse_patience)}


@router.get("/door/async")
async def door_async(shop: ShopDep) -> dict[str, bool]:
    """Clean: asyncio's event."""
    try:
        async with asyncio.timeout(shop.settings.warehouse_patience):
            return {"open": await shop.warehouse.async_door.wait()}
    except TimeoutError:
        return {"open": False}


@router.get("/scanner/blocking")
async def scanner_blocking(settings: SettingsDep) -> dict[str, bool]:
    """Blocks until the device answers, for two minutes if it is switched off."""
    address = (settings.scanner_host, settings.scanner_port)
    try:
        with socket.create_connection(address):  # blocks: socket
            return {"reachable": True}
    except OSError:
        return {"reachable": False}


@router.get("/scanner/sync")
def scanner_sync(settings: SettingsDep) -> dict[str, bool]:
    """Clean: a worker thread waits for the device."""
    try:
        with socket.create_connection((settings.scanner_host, settings.scanner_port)):
            return {"reachable": True}
    except OSError:
        return {"reachable": False}


@router.get("/scanner/async")
async def scanner_async(settings: SettingsDep) -> dict[str, bool]:
    """Clean: the loop is told when the device has answered."""
    try:
        _, writer = await asyncio.open_connection(settings.scanner_host, settings.scanner_port)
    except OSError:
        return {"reachable": False}
    writer.close()
    await writer.wait_closed()
    return {"reachable": True}
