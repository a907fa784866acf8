"""Coupons. The endpoints are alike; the middleware in front of them is not."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()

DISCOUNTS = {"SPRING": 10}


@router.get("/blocking/{code}")
async def coupon_blocking(code: str) -> dict[str, int]:
    """Blocks before it is reached, in the middleware."""
    return {"discount": DISCOUNTS.get(code, 0)}


@router.get("/async/{code}")
async def coupon_async(code: str) -> dict[str, int]:
    """Clean: the middleware awaits."""
    return {"discount": DISCOUNTS.get(code, 0)}
