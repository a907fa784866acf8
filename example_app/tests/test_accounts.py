"""Accounts, over TestClient with start-up."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from example_app.tests.routes import VERSIONS

NEW = {"email": "grace@example.org", "password": "velocipede"}
IMPORTED = {"email": "ada@example.org", "password": "tandem"}


@pytest.mark.parametrize("version", VERSIONS)
def test_sign_up(client: TestClient, version: str) -> None:
    """All versions let a new customer log in afterwards."""
    created = client.post(f"/accounts/{version}", json=NEW)
    assert created.status_code == 201
    assert client.post("/accounts/login/async", json=NEW).json() == created.json()


@pytest.mark.parametrize("version", VERSIONS)
def test_log_in(client: TestClient, version: str) -> None:
    """All versions know the customers of the old shop, and their passwords."""
    assert client.post(f"/accounts/login/{version}", json=IMPORTED).json() == {"token": "ada"}
    wrong = IMPORTED | {"password": "velocipede"}
    assert client.post(f"/accounts/login/{version}", json=wrong).status_code == 401


@pytest.mark.parametrize("version", VERSIONS)
def test_me(client: TestClient, version: str) -> None:
    """All versions know the owner of a token, and refuse another."""
    path = f"/accounts/me/{version}"
    known = client.get(path, headers={"x-token": "ada"})
    assert known.json() == {"email": "ada@example.org"}
    assert client.get(path, headers={"x-token": "eve"}).status_code == 401
