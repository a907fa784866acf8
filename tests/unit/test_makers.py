"""What a function of the user's is seen to make."""

from __future__ import annotations

import functools
import types
from collections import OrderedDict
from typing import Any

import pytest

from pytest_asyncguard.probes.makers import function_of, made_by


class Client:
    @classmethod
    def from_url(cls, url: str) -> Client:
        return cls()

    def get(self) -> Any:
        return None


module = types.ModuleType("module")
module.__dict__["Client"] = Client


def _returns_a_call() -> Any:
    return Client()


def _returns_a_name() -> Any:
    made = module.Client()
    made.get()
    return made


def _yields() -> Any:
    with Client() as made:  # type: ignore[attr-defined]
        yield made


def _keeps(kept: Any = None) -> Any:
    if kept is None:
        kept = Client()
    return kept


def _in_another_way() -> Any:
    return Client.from_url("x")


def _of_what_it_imports() -> Any:
    from collections import OrderedDict as Made

    return Made()


@pytest.mark.parametrize(
    "function", [_returns_a_call, _returns_a_name, _yields, _keeps, _in_another_way]
)
def test_what_is_returned_is_looked_up(function: Any) -> None:
    """The callable is found, by whatever way its result gets to the caller."""
    assert list(made_by(function)) == [Client]


def test_an_import_in_the_function_counts() -> None:
    """A name that the function imports is the one which it means."""
    function: Any = _of_what_it_imports
    assert list(made_by(function)) == [OrderedDict]


def _uses() -> Any:
    client = Client()
    found = client.get()
    client.get()
    return found


def _of_a_result() -> Any:
    return Client().get()


def _of_nothing_known() -> Any:
    return missing()  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize("function", [_uses, _of_a_result, _of_nothing_known])
def test_what_is_only_used_is_not_returned(function: Any) -> None:
    """What a client was asked for is no client, and what cannot be read is not guessed."""
    assert list(made_by(function)) == []


def test_code_without_a_source_makes_nothing() -> None:
    """A function that was made at run time cannot be read."""
    scope: dict[str, Any] = {}
    exec("def made(): return Client()", scope)
    assert list(made_by(scope["made"])) == []


class _Service:
    @property
    def one(self) -> Any:
        return Client()

    @functools.cached_property
    def two(self) -> Any:
        return Client()

    @staticmethod
    @functools.lru_cache
    def three() -> Any:
        return Client()

    def four(self) -> Any:
        return Client()


def test_the_function_of_a_bound_method_is_meant() -> None:
    """It is what an object's own double replaces."""
    assert list(made_by(function_of(_Service().four))) == [Client]


@pytest.mark.parametrize("name", ["one", "two", "three"])
def test_the_function_behind_a_property_or_a_cache_is_meant(name: str) -> None:
    """It is that which makes what a test replaces."""
    member = vars(_Service)[name]
    function = function_of(member.__func__ if name == "three" else member)
    assert list(made_by(function)) == [Client]
