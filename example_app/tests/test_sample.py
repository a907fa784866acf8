"""The four endpoints of the sample, asked without ``with``: no start-up, and a loop per request."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi.testclient import TestClient

from example_app.main import app


@pytest.mark.parametrize(
    ("path", "message"), [("/", "Hello ASGI and async!"), ("/sync", "This is sync")]
)
def test_those_that_answer_at_once(path: str, message: str) -> None:
    """The endpoints without a pause say what they are."""
    assert TestClient(app).get(path).json() == {"message": message}


@pytest.mark.asyncio
async def test_those_that_take_their_time() -> None:
    """The endpoints with a pause await it, so two seconds are enough for both."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        answers = await asyncio.gather(client.get("/async"), client.get("/wait"))
    assert [answer.json()["message"] for answer in answers] == [
        "This is async after 1 second",
        "Waited 2 seconds asynchronously",
    ]
