"""Pictures: all versions write the same file."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from example_app.settings import Settings
from example_app.tests.routes import VERSIONS

PICTURE = b"\x89PNG" + bytes(1000)


@pytest.mark.parametrize("version", [*VERSIONS, "threadpool"])
def test_store(client: TestClient, settings: Settings, version: str) -> None:
    """All versions store what was uploaded, under the product's number."""
    files = {"picture": ("bell.png", PICTURE, "image/png")}
    answer = client.put(f"/media/3/{version}", files=files)
    assert answer.json() == {"bytes": len(PICTURE)}
    assert (settings.media / "3.png").read_bytes() == PICTURE
