"""Cast: the tests' own classes play clients for as long as the guard is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from pytest_asyncguard.guard import Installation
from pytest_asyncguard.probes import holds

if TYPE_CHECKING:
    from tests.unit.conftest import Watched


@pytest.fixture(name="installation")
def _installation() -> Iterator[Installation]:
    """A test may uninstall it before the end."""
    installation = Installation()
    installation.install()
    yield installation
    installation.uninstall()


class Base:
    """What several fakes have in common."""

    def get(self, key: str) -> str:
        return key


class Made(Base):
    """In the place of a client of httpx, also where it is made."""

    def __init__(self) -> None:
        self.posted: list[str] = []

    def post(self, key: str) -> str:
        self.posted.append(key)
        return key

    @classmethod
    def put(cls, key: str) -> str:
        return key

    @staticmethod
    def head(key: str) -> str:
        return key


def members(cls: type) -> dict[str, Any]:
    """The functions, also of class methods and static ones."""
    return {name: getattr(member, "__func__", member) for name, member in vars(cls).items()}


def test_a_class_of_the_tests_gets_its_methods_back(
    installation: Installation, inbox_open: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There can be another run in this process, and the class may be used elsewhere."""
    before = members(Made), members(Base)
    monkeypatch.setattr(httpx, "Client", Made)

    def use() -> None:
        client: Any = httpx.Client()
        for method in (client.get, client.post, client.put, client.head):
            assert method("x") == "x"

    holds.step(inbox_open.request(), use)
    names = [f"httpx.Client.{name}" for name in ("get", "post", "put", "head")]
    assert inbox_open.names() == names
    assert members(Made) != before[0]
    assert members(Base) != before[1]
    installation.uninstall()
    assert (members(Made), members(Base)) == before


def test_a_method_that_a_test_has_replaced_since_is_left_alone(
    installation: Installation, inbox_open: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands there then is not ours."""
    monkeypatch.setattr(httpx, "Client", Made)
    post = lambda self, key: key  # noqa: E731
    monkeypatch.setattr(Made, "post", post)
    installation.uninstall()
    assert vars(Made)["post"] is post
