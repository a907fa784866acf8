"""The shop behind uvicorn in a thread of this process, asked over a real socket."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI

from example_app.tests.routes import VERSIONS


@pytest.fixture(name="address")
def _address(app: FastAPI) -> Iterator[str]:
    """Where the shop is served."""
    config = uvicorn.Config(app, loop="asyncio", ws="none", log_level="warning")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while thread.is_alive() and not server.started:
            time.sleep(0.001)
        host, port = listener.getsockname()
        yield f"http://{host}:{port}"
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("version", VERSIONS)
def test_list(address: str, version: str) -> None:
    """A real client of a real server gets the catalogue."""
    products = httpx2.get(f"{address}/products/{version}").json()
    assert [product["sku"] for product in products] == ["bell", "lamp", "pump"]
