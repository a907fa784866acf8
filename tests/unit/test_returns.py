"""Endpoints that only return data: told from their source, and in doubt not at all."""

from __future__ import annotations

import functools
from typing import Annotated, Any

import pytest
from fastapi import Depends
from pydantic import BaseModel, field_validator

from pytest_asyncguard.attribute.returns import only_returns

NAMES = {"a": 1}


class Item(BaseModel):
    name: str = ""
    cents: int = 0


class Checked(BaseModel):
    name: str

    @field_validator("name")
    @classmethod
    def known(cls, value: str) -> str:
        return value


def user() -> dict[str, str]:
    return {}


def constant() -> dict[str, Any]:
    """An answer that never changes."""
    return {"a": 1, "b": [1.5, None, (True, "x")], "c": NAMES}


def greeting(name: str, loud: bool = False) -> str:
    return f"HELLO {name}" if loud else f"hello {name}"


def model(name: str) -> Item:
    return Item(name=name, cents=0)


def nothing() -> None:
    return


def computing(number: int) -> Any:
    return number**number


def calling(name: str) -> str:
    return name.upper()


def reading(item: Item) -> str:
    return item.name


def looking_up(name: str) -> int:
    return NAMES[name]


def validating(name: str) -> Checked:
    return Checked(name=name)


def injected(who: Annotated[Any, Depends(user)]) -> Any:
    return who


def injected_by_default(who: Any = Depends(user)) -> Any:  # noqa: B008
    return {"user": who}


def beside_a_dependency(who: Annotated[Any, Depends(user)]) -> int:
    return 1


def in_steps(name: str) -> str:
    said = name
    said += "!"
    return said


def generating() -> Any:
    yield 1


async def waiting() -> int:
    return 1


def unknown() -> Any:
    return missing  # type: ignore[name-defined]  # noqa: F821 - it may come to be


def annotated(name: missing) -> int:  # type: ignore[name-defined]  # noqa: F821
    return 1


@functools.wraps(constant)
def wrapping() -> int:
    return 1


@pytest.mark.parametrize("function", [constant, greeting, model, nothing, beside_a_dependency])
def test_what_puts_data_together_only_returns(function: Any) -> None:
    """Constants, what the request brought, and plain models of both."""
    assert only_returns(function)


@pytest.mark.parametrize(
    "function",
    [
        computing,
        calling,
        reading,
        looking_up,
        validating,
        injected,
        injected_by_default,
        in_steps,
        generating,
        waiting,
        unknown,
        annotated,
        wrapping,
        lambda: 1,
        functools.partial(constant),
        Item,
        print,
        eval("lambda: 1"),
    ],
)
def test_what_might_do_more_does_not(function: Any) -> None:
    """A method, a property, an operator, a validator or a dependency may take its time."""
    assert not only_returns(function)
