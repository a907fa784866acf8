"""Returns, over TestClient with start-up."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from example_app.tests.routes import VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_announcement(client: TestClient, version: str) -> None:
    """All versions know which depot it is, and where nobody goes."""
    answer = client.post(f"/returns/{version}", json={"sku": "bell", "country": "AT"})
    assert answer.json() == {"depot": "Linz"}
    answer = client.post(f"/returns/{version}", json={"sku": "bell", "country": "AQ"})
    assert answer.status_code == 422


@pytest.mark.parametrize("version", VERSIONS)
def test_refund(client: TestClient, version: str) -> None:
    """All versions pay back in whole tens."""
    assert client.get(f"/returns/7/refund/{version}").json() == {"cents": 10}


@pytest.mark.parametrize("version", ["blocking", "async"])
def test_deadline(client: TestClient, version: str) -> None:
    """Both versions say how many days are left, and when there are none."""
    assert client.get(f"/returns/after/20/{version}").json() == {"left": 10}
    assert client.get(f"/returns/after/40/{version}").status_code == 410


@pytest.mark.parametrize("version", VERSIONS)
def test_pickup(client: TestClient, version: str) -> None:
    """All versions have called the courier when they answer."""
    assert client.post(f"/returns/7/pickup/{version}").json() == {"called": 1}
