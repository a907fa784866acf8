"""The back office: an app of its own, mounted at ``/admin``."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from fastapi.concurrency import run_in_threadpool

from example_app.dependencies import SettingsDep
from example_app.middleware import ProcessTime
from example_app.services.forecast import SOLD_PER_DAY, demand
from example_app.settings import Settings

router = APIRouter()


@router.get("/forecast/blocking")
async def forecast_blocking(settings: SettingsDep) -> dict[str, int]:
    """Blocks: it computes on the loop, and nobody else is served meanwhile."""
    return {"demand": round(demand(SOLD_PER_DAY, settings.forecast_seconds))}


@router.get("/forecast/sync")
def forecast_sync(settings: SettingsDep) -> dict[str, int]:
    """Clean: a worker thread computes, and the interpreter lets the loop in between."""
    return {"demand": round(demand(SOLD_PER_DAY, settings.forecast_seconds))}


@router.get("/forecast/async")
async def forecast_async(settings: SettingsDep) -> dict[str, int]:
    """Clean: a worker thread computes, and the endpoint awaits it."""
    mean = await run_in_threadpool(demand, SOLD_PER_DAY, settings.forecast_seconds)
    return {"demand": round(mean)}


@router.get("/figures")
def figures() -> dict[str, int]:
    """No test asks for this one: the census says so."""
    return {"sold": sum(SOLD_PER_DAY)}


def create_admin(settings: Settings) -> FastAPI:
    """Make the back office."""
    admin = FastAPI(title="Back office")
    admin.state.settings = settings
    admin.add_middleware(ProcessTime)
    admin.include_router(router)
    return admin
