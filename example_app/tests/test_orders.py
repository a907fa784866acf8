"""Orders, over TestClient with start-up."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from example_app.settings import Settings
from example_app.tests.routes import VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_order(client: TestClient, version: str) -> None:
    """All versions store the order, and say under which number."""
    answer = client.post(f"/orders/{version}", json={"sku": "bell", "quantity": 2})
    assert answer.status_code == 201
    assert answer.json() == {"id": 1, "sku": "bell", "quantity": 2}


@pytest.mark.parametrize("version", VERSIONS)
def test_payment(client: TestClient, version: str) -> None:
    """All versions end with the order paid."""
    answer = client.post(f"/orders/7/payment/{version}")
    assert answer.json() == {"order_id": 7, "state": "paid"}


@pytest.mark.parametrize("version", VERSIONS)
def test_parcel(client: TestClient, version: str) -> None:
    """All versions print the same label."""
    answer = client.post(f"/orders/7/parcel/{version}")
    assert answer.json() == {"order_id": 7, "state": "parcel L000007"}


@pytest.mark.parametrize("version", VERSIONS)
def test_receipt(app: FastAPI, version: str) -> None:
    """All versions answer first, and have sent the receipt by the time the shop closes."""
    with TestClient(app) as client:
        assert client.post(f"/orders/7/receipt/{version}").status_code == 202
    assert app.state.shop.outbox == ["receipt 7"]


@pytest.mark.parametrize("version", VERSIONS)
def test_invoice(client: TestClient, version: str) -> None:
    """All versions return what the renderer printed."""
    assert client.get(f"/orders/7/invoice/{version}").json() == {"invoice": "Invoice 7"}


@pytest.mark.parametrize("version", ["sync", "async"])
def test_quote(client: TestClient, settings: Settings, version: str) -> None:
    """The carrier's quote is passed on, where waiting for it harms nobody."""
    settings.carrier_patience = 10
    answer = client.get(f"/orders/quote/{version}", params={"postcode": "4020"})
    assert answer.json() == {"price_cents": 600, "carrier": "express"}


@pytest.mark.usefixtures("stuck_carrier")
@pytest.mark.parametrize("version", VERSIONS)
def test_quote_of_a_stuck_carrier(client: TestClient, version: str) -> None:
    """All versions run out of patience, and fall back on the flat rate."""
    answer = client.get(f"/orders/quote/{version}", params={"postcode": "4020"})
    assert answer.json() == {"price_cents": 690, "carrier": "post"}


@pytest.mark.parametrize("version", [*VERSIONS, "threadpool"])
def test_archive(client: TestClient, version: str) -> None:
    """All versions count the same orders."""
    client.post("/orders/async", json={"sku": "bell"})
    assert client.get(f"/orders/archive/{version}").json() == {"orders": 1}
