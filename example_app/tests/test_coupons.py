"""Coupons: what the middleware in front of them does. Without ``with``, as they need no shop."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient


@pytest.mark.parametrize("version", ["blocking", "async"])
def test_coupon(app: FastAPI, version: str) -> None:
    """Both versions know the coupon, and no other."""
    client = TestClient(app)
    assert client.get(f"/coupons/{version}/SPRING").json() == {"discount": 10}
    assert client.get(f"/coupons/{version}/AUTUMN").json() == {"discount": 0}
