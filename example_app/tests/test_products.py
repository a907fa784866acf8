"""Products, over TestClient with start-up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from example_app.services.prices import PriceCache
from example_app.tests.routes import VERSIONS


@contextmanager
def refreshing(prices: PriceCache, new: dict[str, int]) -> Iterator[None]:
    """Refresh the prices in another thread, ending well after a reader has begun to wait."""
    fetching = threading.Event()
    reads = prices.reads

    def fetch() -> dict[str, int]:
        fetching.set()
        deadline = time.monotonic() + 10
        while prices.reads == reads and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.3)
        return new

    thread = threading.Thread(target=prices.refresh, args=(fetch,))
    thread.start()
    assert fetching.wait(10)
    yield
    thread.join()


@pytest.mark.parametrize("version", VERSIONS)
def test_list(client: TestClient, version: str) -> None:
    """All versions list the catalogue by SKU."""
    products = client.get(f"/products/{version}").json()
    assert [product["sku"] for product in products] == ["bell", "lamp", "pump"]


@pytest.mark.parametrize("version", VERSIONS)
def test_price_during_a_refresh(app: FastAPI, client: TestClient, version: str) -> None:
    """All versions wait for a refresh that is under way, and give the new price."""
    with refreshing(app.state.shop.prices, {"bell": 2100}):
        answer = client.get(f"/products/bell/price/{version}")
    assert answer.json() == {"sku": "bell", "price_cents": 2100}


@pytest.mark.parametrize("version", VERSIONS)
def test_price_of_nothing(client: TestClient, version: str) -> None:
    """A lock that nobody holds keeps nobody waiting; what is not sold has no price."""
    assert client.get(f"/products/tandem/price/{version}").status_code == 404


@pytest.mark.parametrize("version", VERSIONS)
def test_export(client: TestClient, version: str) -> None:
    """All versions stream one line for each product, over more than one page."""
    with client.stream("GET", f"/products/export/{version}") as answer:
        lines = list(answer.iter_lines())
    assert lines == ["bell,1900,12", "lamp,3450,3", "pump,4200,0"]


@pytest.mark.parametrize("version", ["blocking", "async"])
def test_stock_over_a_websocket(client: TestClient, version: str) -> None:
    """Both versions answer each message."""
    with client.websocket_connect(f"/products/stock/{version}") as session:
        session.send_text("lamp")
        assert session.receive_json() == {"sku": "lamp", "stock": 3}
        session.send_text("tandem")
        assert session.receive_json() == {"sku": "tandem", "stock": None}
