"""The shop over httpx and pytest-asyncio: app and test share one loop, in the test's own thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from example_app.tests.routes import VERSIONS


@pytest_asyncio.fixture(name="client")
async def _client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the open shop. Start-up runs in this fixture, and not in a request."""
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://shop") as client,
    ):
        yield client


@pytest.mark.asyncio
@pytest.mark.parametrize("version", VERSIONS)
async def test_order_and_parcel(client: httpx.AsyncClient, version: str) -> None:
    """Both steps give the same in all versions."""
    order = (await client.post(f"/orders/{version}", json={"sku": "lamp"})).json()
    parcel = (await client.post(f"/orders/{order['id']}/parcel/{version}")).json()
    assert parcel == {"order_id": 1, "state": "parcel L000001"}


@pytest.mark.asyncio
async def test_what_the_test_does_is_not_the_apps(client: httpx.AsyncClient) -> None:
    """A sleep between two requests holds the loop, but it is nobody's request."""
    before = (await client.get("/products/async")).json()
    time.sleep(0.12)
    assert (await client.get("/products/async")).json() == before


@pytest.mark.asyncio
async def test_requests_at_the_same_time(client: httpx.AsyncClient) -> None:
    """Requests that wait do not wait for each other's turn."""
    paths = ["/warehouse/door/async", "/orders/7/invoice/async", "/products/export/async"]
    answers = await asyncio.gather(*(client.get(path) for path in paths * 2))
    assert {answer.status_code for answer in answers} == {200}
