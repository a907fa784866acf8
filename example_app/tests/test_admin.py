"""The back office, mounted under the shop."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from example_app.tests.routes import VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_forecast(app: FastAPI, version: str) -> None:
    """All versions estimate the same, however many samples the machine managed."""
    answer = TestClient(app).get(f"/admin/forecast/{version}")
    assert answer.json() == {"demand": 6}
    assert float(answer.headers["x-process-time"]) > 0
