"""A shop of its own for each test, with a supplier and a scanner that stand in for real ones."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from example_app.dependencies import get_carrier
from example_app.main import create_app
from example_app.settings import Settings

SUPPLIER = httpx.MockTransport(lambda _: httpx.Response(200, json={"stock": 4}))


@pytest.fixture(name="scanner")
def _scanner() -> Iterator[socket.socket]:
    """A device that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture(name="filled", scope="session")
def _filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that was filled once: to copy a file takes less than to write its pages safely."""
    folder = tmp_path_factory.mktemp("filled")
    settings = Settings(database=folder / "shop.db", media=folder, pbkdf2_rounds=100)
    with TestClient(create_app(settings, transport=SUPPLIER)):
        return settings.database


@pytest.fixture(name="settings")
def _settings(tmp_path: Path, filled: Path, scanner: socket.socket) -> Settings:
    """The shortest waits and the cheapest hashes, as tests have them."""
    host, port = scanner.getsockname()
    return Settings(
        database=Path(shutil.copy(filled, tmp_path)),
        media=tmp_path / "media",
        scanner_host=host,
        scanner_port=port,
        pbkdf2_rounds=100,
        scrypt_cost=2**4,
        carrier_patience=0.03,
        warehouse_patience=0.03,
        coupon_pause=0.01,
    )


@pytest.fixture(name="app")
def _app(settings: Settings) -> FastAPI:
    """The app of a shop that has not opened yet."""
    return create_app(settings, transport=SUPPLIER)


@pytest.fixture(name="client")
def _client(app: FastAPI) -> Iterator[TestClient]:
    """A client of the open shop."""
    with TestClient(app) as client:
        yield client


@pytest.fixture(name="stuck_carrier")
def _stuck_carrier(app: FastAPI) -> Iterator[None]:
    """A carrier who does not answer before the test is over."""
    over = threading.Event()

    def quote(_: str) -> int:
        over.wait(10)
        return 0

    app.dependency_overrides[get_carrier] = lambda: quote
    yield
    over.set()
