"""Injections: where FastAPI's passing of dependencies is looked at, and where it is left alone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import httpx
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from pytest_asyncguard.probes.roles import DETAIL

if TYPE_CHECKING:
    from tests.unit.conftest import Watched


class Fake:
    """In the place of a client of httpx."""

    def get(self, key: str) -> str:
        return key


async def plain() -> str:
    return "text"


async def cache() -> Any:
    return Fake()


async def repository(client: Annotated[httpx.Client, Depends(cache)]) -> httpx.Client:
    return client


def nested() -> Any:
    """The function by which FastAPI solves the dependencies of dependencies."""
    return vars(sys.modules["fastapi.dependencies.utils"])["solve_dependencies"]


async def text_of(client: Annotated[httpx.Client, Depends(cache)]) -> Any:
    return client.get("text")


def get_cache() -> httpx.Client:
    raise AssertionError("overridden")


class Service:
    def __init__(self, client: httpx.Client) -> None:
        self.client = client


def get_service() -> Service:
    raise AssertionError("overridden")


async def get_faked() -> Any:
    return Service(Fake())  # type: ignore[arg-type]


def get(app: FastAPI) -> None:
    assert TestClient(app).get("/").text == '"text"'


def doubles(watched: Watched) -> list[str]:
    """The calls of doubles, without what the request did besides."""
    return [call.row.name for call in watched.calls() if call.detail == DETAIL]


def test_dependencies_that_are_no_clients_are_left_alone(guard_installed: Watched) -> None:
    """Most are none, and each call of a wrapper costs a request something."""
    app, before = FastAPI(), nested()

    @app.get("/")
    async def endpoint(text: Annotated[str, Depends(plain)]) -> str:
        return text

    get(app)
    assert nested() is before
    assert doubles(guard_installed) == []


def test_a_fake_for_a_client_is_known_by_the_parameter(guard_installed: Watched) -> None:
    """Also where it is a dependency of the endpoint's dependency that asks for the client."""
    app, before = FastAPI(), nested()

    @app.get("/")
    async def endpoint(client: Annotated[httpx.Client, Depends(repository)]) -> Any:
        return client.get("text")

    get(app)
    assert nested() is not before
    assert doubles(guard_installed) == ["httpx.Client.get"]


def test_a_fake_is_known_before_a_dependency_uses_it(guard_installed: Watched) -> None:
    """What an async dependency does blocks as well."""
    app = FastAPI()

    @app.get("/")
    async def endpoint(text: Annotated[str, Depends(text_of)]) -> str:
        return text

    get(app)
    assert doubles(guard_installed) == ["httpx.Client.get"]


def test_a_fake_in_a_service_that_overrides_another_is_known(guard_installed: Watched) -> None:
    """Nobody asks for a client there; what the service was written to hold tells."""
    app = FastAPI()

    @app.get("/")
    async def endpoint(service: Annotated[Any, Depends(get_service)]) -> Any:
        return service.client.get("text")

    app.dependency_overrides[get_service] = get_faked
    get(app)
    assert doubles(guard_installed) == ["httpx.Client.get"]


def test_an_override_stands_for_what_it_overrides(guard_installed: Watched) -> None:
    """The callable that it stands for says what that returns."""
    app = FastAPI()

    @app.get("/")
    async def endpoint(client: Annotated[Any, Depends(get_cache)]) -> Any:
        return client.get("text")

    app.dependency_overrides[get_cache] = cache
    get(app)
    assert doubles(guard_installed) == ["httpx.Client.get"]
