"""Pictures of products: an upload written to disk, four ways."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import BinaryIO

import anyio
from fastapi import APIRouter, UploadFile
from fastapi.concurrency import run_in_threadpool

from example_app.dependencies import SettingsDep
from example_app.settings import Settings

router = APIRouter()


@router.put("/{product_id}/blocking")
async def store_blocking(
    product_id: int, picture: UploadFile, settings: SettingsDep
) -> dict[str, int]:
    """Blocks for as long as the disk takes; a warning, for that is mostly short."""
    content = await picture.read()
    with open(_target(settings, product_id), "wb") as file:  # blocks: upload
        return {"bytes": file.write(content)}


@router.put("/{product_id}/sync")
def store_sync(product_id: int, picture: UploadFile, settings: SettingsDep) -> dict[str, int]:
    """Clean: a worker thread writes."""
    return {"bytes": _save(picture.file, _target(settings, product_id))}


@router.put("/{product_id}/threadpool")
async def store_threadpool(
    product_id: int, picture: UploadFile, settings: SettingsDep
) -> dict[str, int]:
    """Clean: a worker thread writes, and the endpoint awaits it."""
    size = await run_in_threadpool(_save, picture.file, _target(settings, product_id))
    return {"bytes": size}


@router.put("/{product_id}/async")
async def store_async(
    product_id: int, picture: UploadFile, settings: SettingsDep
) -> dict[str, int]:
    """Clean: AnyIO's file does the same for each of its operations."""
    async with await anyio.open_file(_target(settings, product_id), "wb") as file:
        return {"bytes": await file.write(await picture.read())}


def _target(settings: Settings, product_id: int) -> Path:
    return settings.media / f"{product_id}.png"


def _save(source: BinaryIO, target: Path) -> int:
    with target.open("wb") as file:
        shutil.copyfileobj(source, file)
        return file.tell()
