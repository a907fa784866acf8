"""The warehouse: waits that have to wait, and waits that have not."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from example_app.tests.routes import VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_no_pick(client: TestClient, version: str) -> None:
    """All versions give up on an empty queue."""
    assert client.get(f"/warehouse/picks/{version}").json() == {"pick": None}


@pytest.mark.parametrize("version", VERSIONS)
def test_pick(app: FastAPI, client: TestClient, version: str) -> None:
    """A queue that has something gives it at once, so here not even the first version blocks."""
    warehouse = app.state.shop.warehouse
    warehouse.picks.put("bell")
    warehouse.async_picks.put_nowait("bell")
    assert client.get(f"/warehouse/picks/{version}").json() == {"pick": "bell"}


@pytest.mark.parametrize("version", VERSIONS)
def test_closed_door(client: TestClient, version: str) -> None:
    """All versions give up on a door that stays closed."""
    assert client.get(f"/warehouse/door/{version}").json() == {"open": False}


@pytest.mark.parametrize("version", VERSIONS)
def test_open_door(app: FastAPI, client: TestClient, version: str) -> None:
    """An event that is set lets everybody pass, so here not even the first version blocks."""
    warehouse = app.state.shop.warehouse
    warehouse.door.set()
    warehouse.async_door.set()
    assert client.get(f"/warehouse/door/{version}").json() == {"open": True}


@pytest.mark.parametrize("version", VERSIONS)
def test_scanner(client: TestClient, version: str) -> None:
    """All versions reach the device."""
    assert client.get(f"/warehouse/scanner/{version}").json() == {"reachable": True}
