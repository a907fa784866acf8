"""What can be told about a callable: where it is defined, and how it runs."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pytest_asyncguard.code import awaits, definition_of, is_async, line_of_def


async def busy() -> None:
    await idle()


async def idle() -> None:
    pass


async def rows() -> AsyncIterator[int]:
    yield 1


def plain() -> None:
    pass


def wrapping(function: Any) -> Any:
    @functools.wraps(function)
    async def wrapper() -> Any:
        return await function()

    return wrapper


def handing_on(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper() -> Any:
        return function()

    return wrapper


Function = TypeVar("Function")


def remarked(*remarks: object) -> Callable[[Function], Function]:
    return lambda function: function


class Service:
    async def method(self) -> None:
        pass

    async def __call__(self) -> None:
        pass


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (busy, "busy"),
        (functools.partial(functools.partial(busy), 1), "busy"),
        (wrapping(busy), "busy"),
        (functools.partial(wrapping(wrapping(busy))), "busy"),
        (Service().method, "Service.method"),
        (Service.method, "Service.method"),
        (Service(), "Service"),
        (Service, "Service"),
    ],
)
def test_the_definition_is_that_of_the_innermost_function(function: object, name: str) -> None:
    """Partials, decorators, methods and callable objects are looked through."""
    assert definition_of(function).name == f"{__name__}.{name}"


@pytest.mark.parametrize(("function", "name"), [(len, "builtins.len"), (1, "builtins.int")])
def test_what_has_no_code_is_known_by_name_only(function: object, name: str) -> None:
    """A function written in C stands in no file."""
    definition = definition_of(function)
    assert (definition.name, definition.file, definition.line) == (name, None, None)


def test_decorators_without_end_have_an_end() -> None:
    """A function may claim to wrap itself."""

    def ring() -> None:
        pass

    ring.__wrapped__ = ring  # type: ignore[attr-defined]
    assert definition_of(ring).name.endswith("ring")


@pytest.mark.parametrize(
    ("function", "runs_on_the_loop", "suspends"),
    [
        (busy, True, True),
        (idle, True, False),
        (rows, True, False),
        (plain, False, None),
        (functools.partial(idle), True, False),
        (Service().method, True, False),
        (Service(), True, False),
        # The wrapper is what runs on the loop, and it awaits.
        (wrapping(idle), True, True),
        # The framework awaits what a plain wrapper hands on.
        (handing_on(idle), True, False),
        (handing_on(plain), False, None),
        (len, False, None),
    ],
)
def test_async_is_what_the_framework_runs_on_the_loop(
    function: object, runs_on_the_loop: bool, suspends: bool | None
) -> None:
    """Any layer of a callable makes it async, and any async layer may await."""
    assert is_async(function) is runs_on_the_loop
    assert awaits(function) is suspends


@remarked(
    "def in a string",
    """
def on a line of its own in a string
""",
)
@remarked()
async def decorated() -> None:  # here
    pass


class Decorated:
    @remarked()
    def method(self) -> None:  # here as well
        pass


@pytest.mark.parametrize(
    ("function", "ending"), [(decorated, "# here"), (Decorated.method, "# here as well")]
)
def test_a_function_starts_at_its_def(function: Any, ending: str) -> None:
    """A code object starts at the first decorator."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    assert lines[line_of_def(function.__code__) - 1].endswith(ending)


def test_without_source_a_function_starts_where_its_code_does() -> None:
    """A zip file, a template or exec may have no lines to read."""
    namespace: dict[str, Any] = {}
    exec(compile("\n\ndef made():\n    pass\n", "<made>", "exec"), namespace)
    assert line_of_def(namespace["made"].__code__) == 3


def test_a_lambda_starts_where_its_code_does() -> None:
    """There is no def to look for."""
    nameless = lambda: None  # noqa: E731
    assert line_of_def(nameless.__code__) == nameless.__code__.co_firstlineno


def test_source_that_cannot_be_read_is_no_error(tmp_path: Path) -> None:
    """The file may have changed since it was imported."""
    file = tmp_path / "changed.py"
    code = compile("def made():\n    pass\n", str(file), "exec").co_consts[0]
    file.write_text("(((\n")
    assert line_of_def(code) == 1
