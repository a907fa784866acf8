"""Suppliers: the far end is replaced by a transport that answers at once."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from example_app.tests.routes import VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_stock(client: TestClient, version: str) -> None:
    """All versions pass on what the supplier has."""
    assert client.get(f"/suppliers/stock/bell/{version}").json() == {"stock": 4}


@pytest.mark.parametrize("version", ["blocking", "async"])
def test_ping(client: TestClient, version: str) -> None:
    """Both versions reach the supplier, again and again."""
    answers = [client.get(f"/suppliers/ping/{version}").json() for _ in range(3)]
    assert answers == [{"status": 200}] * 3
