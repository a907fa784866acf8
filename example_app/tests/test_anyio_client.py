"""The shop over httpx2 and AnyIO's pytest plugin."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from example_app.tests.routes import VERSIONS

pytestmark = pytest.mark.anyio


@pytest.fixture(name="anyio_backend")
def _anyio_backend() -> str:
    """The shop's services are written for asyncio."""
    return "asyncio"


@pytest.fixture(name="client")
async def _client(anyio_backend: str, app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the open shop. Start-up runs in this fixture, and not in a request."""
    assert anyio_backend == "asyncio"
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://shop") as client,
    ):
        yield client


@pytest.mark.parametrize("version", VERSIONS)
async def test_who_is_asking(client: httpx2.AsyncClient, version: str) -> None:
    """All versions know the owner of a token."""
    answer = await client.get(f"/accounts/me/{version}", headers={"x-token": "ada"})
    assert answer.json() == {"email": "ada@example.org"}


async def test_what_the_test_does_is_not_the_apps(client: httpx2.AsyncClient) -> None:
    """A sleep between two requests holds the loop, but it is nobody's request."""
    before = (await client.get("/suppliers/stock/bell/async")).json()
    time.sleep(0.12)
    assert (await client.get("/suppliers/stock/bell/async")).json() == before
