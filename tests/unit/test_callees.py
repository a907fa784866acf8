"""Callees: what took long had returned before anybody was let in, and is found all the same."""

from __future__ import annotations

import asyncio
import dis
import functools
import importlib.util
import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.dependencies.utils import request_body_to_args
from fastapi.routing import serialize_response
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pytest_asyncguard.probes.callees import Callees
from pytest_asyncguard.probes.places import Called, spent
from pytest_asyncguard.probes.stacks import RawStack, capture, positions

Code = Callable[..., Any]

SIZE = 3
WORDS = ["a", "b"]


def digits(size: int) -> int:
    number: int = 3**size  # blamed
    return number % 10


def digits_of_digits(size: int) -> int:
    return digits(size)


async def digits_later(size: int) -> int:
    number: int = 3**size  # blamed
    return number % 10


class Numbers:
    def sum_of_digits(self, size: int) -> int:
        number: int = 3**size  # blamed
        return number % 10

    def same(self, size: int) -> int:
        number: int = 3**size
        return number


class Others:
    def same(self, size: int) -> int:
        number: int = 2**size
        return number


def decorated(function: Code) -> Code:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


@decorated
def wrapped(size: int) -> int:
    number: int = 3**size
    return number


def two_calls(size: int) -> int:
    if size % 2:
        return digits(size)
    return digits_of_digits(size)


def two_operators(size: int) -> int:
    one: int = 3**size
    return one * size


def done(*_: object, **__: object) -> None:
    """Whoever calls this lets somebody in as it begins."""


# --- endpoints, each with the line where its time goes -------------------------------------------


async def a_power() -> int:
    number: int = 3**SIZE  # blamed
    return number & 1


async def a_search() -> bool:
    return "c" in WORDS  # blamed


async def a_comparison() -> dict[str, bool]:
    same = WORDS * 2 == WORDS  # blamed
    return {"same": same}


async def one_of_many_lines() -> dict[str, int]:
    return {
        "one": 1,
        "number": 3**SIZE,  # blamed
        "two": 2,
    }


async def before_a_branch() -> int:
    number: int = 3**SIZE  # blamed
    if number % 5 > 2:
        return 1
    return 2


async def before_one_more() -> int:
    number: int = 3**SIZE  # blamed
    return 1 + number


async def a_slice() -> list[str]:
    return WORDS[1:]  # blamed


async def a_slice_of_every_second() -> list[str]:
    return WORDS[::2]  # blamed


async def before_text() -> str:
    number: int = 3**SIZE  # blamed
    return f"{number % 10}"


async def before_a_question() -> int:
    number: int = 3**SIZE  # blamed
    return 1 if isinstance(number, bool) else len(WORDS)


async def after_a_call() -> list[str]:
    words = sorted(WORDS)
    return words * SIZE  # blamed


ENDPOINTS = [
    a_power,
    a_search,
    a_comparison,
    one_of_many_lines,
    before_a_branch,
    before_one_more,
    a_slice,
    a_slice_of_every_second,
    before_text,
    before_a_question,
    after_a_call,
]


async def by_a_helper() -> int:
    return digits(SIZE)


async def by_a_helper_of_a_helper() -> int:
    return digits_of_digits(SIZE)


async def by_a_coroutine() -> int:
    return await digits_later(SIZE)


async def by_a_method() -> int:
    return Numbers().sum_of_digits(SIZE)


RESPONSES = [Response(), Response()]


async def of_starlette(_: Request) -> Response:
    words = WORDS * SIZE  # blamed
    return RESPONSES[bool(words)]


# --- where a thread is let go --------------------------------------------------------------------


@contextmanager
def next_entry(after: CodeType) -> Iterator[list[RawStack]]:
    """The stack of the first function that is entered once ``after`` has returned."""
    found: list[RawStack] = []
    returned = False

    def profile(frame: FrameType, event: str, _: object) -> None:
        nonlocal returned
        if event == "return" and frame.f_code is after:
            returned = True
        elif event == "call" and returned and not found:
            found.append(capture(frame))

    threading.setprofile(profile)  # a TestClient runs the app on a thread of its own
    sys.setprofile(profile)
    try:
        yield found
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def seen_after(function: Code, app: Any) -> RawStack:
    """The stack as the next one is entered after ``function`` in a request to ``app``."""
    with next_entry(function.__code__) as found:
        assert TestClient(app).get("/").status_code == 200
    [stack] = found
    return stack


def app_of(endpoint: Code) -> FastAPI:
    app = FastAPI()
    app.get("/")(endpoint)
    return app


def blamed(stack: RawStack, scope: dict[str, Any] | None = None) -> tuple[str, int]:
    """The function in which the time before ``stack`` was spent, and the line of it."""
    code, offset, *_ = spent(stack, Callees().of(scope or {}))
    assert isinstance(code, CodeType)
    assert isinstance(offset, int)
    return code.co_name, positions(code, offset)[0]


def marked(function: Code) -> tuple[str, int]:
    """``function``, and the line of it that bears the comment."""
    lines, first = inspect.getsourcelines(function)
    index = next(number for number, line in enumerate(lines) if line.endswith("# blamed\n"))
    return function.__name__, first + index


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.__name__)
def test_an_endpoint_that_had_returned_is_blamed_at_its_end(endpoint: Code) -> None:
    """It was the framework that was seen, where it had called the endpoint."""
    stack = seen_after(endpoint, app_of(endpoint))
    assert blamed(stack, {"endpoint": endpoint}) == marked(endpoint)
    assert blamed(stack)[0] != endpoint.__name__, "nobody says which endpoint it was"


def test_what_else_the_framework_calls_is_no_endpoint() -> None:
    """It parses, validates and serializes."""
    routing = serialize_response.__code__
    callee = Callees().of({"endpoint": a_power})
    assert callee(routing, Called("serialize_response", bound=False, awaited=True)) is None
    assert callee(routing, Called("f", bound=True, awaited=True)) is a_power.__code__


def test_so_is_an_endpoint_of_starlette_s() -> None:
    """It hands over a response, which the framework then calls."""
    stack = seen_after(of_starlette, Starlette(routes=[Route("/", of_starlette)]))
    assert blamed(stack, {"endpoint": of_starlette}) == marked(of_starlette)


@pytest.mark.parametrize(
    ("endpoint", "helper"),
    [
        (by_a_helper, digits),
        (by_a_helper_of_a_helper, digits),
        (by_a_coroutine, digits_later),
        (by_a_method, Numbers.sum_of_digits),
    ],
    ids=lambda each: each.__name__,
)
def test_a_helper_that_had_returned_is_blamed(endpoint: Code, helper: Code) -> None:
    """It is known by the name with which it is called, and how."""
    stack = seen_after(endpoint, app_of(endpoint))
    assert blamed(stack, {"endpoint": endpoint}) == marked(helper)


def calls_a_helper() -> None:
    number = digits(SIZE)
    done(number)


def calls_a_wrapped_one() -> None:
    number = wrapped(SIZE)  # blamed
    done(number)


def calls_what_has_two_meanings() -> None:
    number = Numbers().same(SIZE)  # blamed
    done(number)


def calls_what_ends_with_two_operators() -> None:
    number = two_operators(SIZE)  # blamed
    done(number)


def calls_what_ends_with_two_calls() -> None:
    number = two_calls(SIZE)  # blamed
    done(number)


def calls_before_two_operators() -> None:
    number = digits(SIZE)
    power = 3**number
    words = WORDS * SIZE
    done(power, words)  # blamed


def calls_a_parameter(helper: Code = digits) -> None:
    number = helper(SIZE)  # blamed
    done(number)


def makes_a_coroutine() -> None:
    later = digits_later(SIZE)  # blamed
    done(later)
    later.close()


async def awaits() -> None:
    later = digits_later(SIZE)
    number = await later  # blamed
    done(number)


def computes_before_it_calls() -> None:
    number = digits(SIZE) * SIZE  # blamed
    done(number)


def calls_with_keywords() -> None:
    number = digits(SIZE)
    done(number, **KEYWORDS)


KEYWORDS = {"size": SIZE}


def seen_entering_done(caller: Code) -> RawStack:
    """The stack as ``caller`` calls ``done``."""
    found: list[RawStack] = []

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is done.__code__:
            found.append(capture(frame))

    sys.setprofile(profile)
    try:
        caller()
    finally:
        sys.setprofile(None)
    [stack] = found
    return stack


@pytest.mark.parametrize("caller", [calls_a_helper, calls_with_keywords])
def test_a_helper_that_had_returned_before_the_next_call_is_blamed(caller: Code) -> None:
    """That call has only begun."""
    assert blamed(seen_entering_done(caller)) == marked(digits)


def test_a_module_that_waits_to_be_imported_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has asked for it yet."""
    path = tmp_path / "heavy.py"
    path.write_text("raise ImportError('imported')\n")
    spec = importlib.util.spec_from_file_location("heavy", path)
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "heavy", module)
    assert blamed(seen_entering_done(calls_a_helper)) == marked(digits)
    with pytest.raises(ImportError, match="imported"):
        module.anything  # noqa: B018 - it is the asking


def test_what_was_made_before_it_was_awaited_has_no_name() -> None:
    """It is where it was awaited that the time went."""
    stack = seen_entering_done(lambda: asyncio.run(awaits()))
    assert blamed(stack) == marked(awaits)


class Library:
    """What cffi puts among the modules: it says that it is one, and has no names."""

    __slots__ = ()
    __class__: Any = type(sys)


def test_what_only_says_that_it_is_a_module_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no file, and nothing that could be called by a global name."""
    monkeypatch.setitem(sys.modules, "library", Library())
    assert blamed(seen_entering_done(calls_a_helper)) == marked(digits)


class Proxy:
    """An object that stands for one of the request's, as those of Flask do."""

    @property  # type: ignore[misc]  # that is what a proxy does
    def __class__(self) -> Any:
        raise RuntimeError("there is no request")


PROXY: Any = Proxy()


def calls_a_method() -> None:
    number = Numbers().sum_of_digits(SIZE)
    done(number)


def test_a_proxy_is_not_asked_what_it_stands_for() -> None:
    """Among the globals of a module, or where it is called."""
    assert blamed(seen_entering_done(calls_a_method)) == marked(Numbers.sum_of_digits)
    callee = Callees().of({})
    called = Called("PROXY", bound=False)
    assert callee(calls_a_method.__code__, called) is None


def asks_how_many() -> int:
    number = digits(SIZE)
    return number + len(WORDS)


def test_what_never_takes_long_did_not() -> None:
    """Where such a call lets somebody in, the time was spent before it."""
    *_, call = (
        each.offset
        for each in dis.get_instructions(asks_how_many)
        if each.opname.startswith("CALL") and "INTRINSIC" not in each.opname
    )
    assert blamed((asks_how_many.__code__, call)) == marked(digits)


@pytest.mark.parametrize(
    "caller",
    [
        calls_a_wrapped_one,
        calls_what_has_two_meanings,
        calls_what_ends_with_two_operators,
        calls_what_ends_with_two_calls,
        calls_before_two_operators,
        calls_a_parameter,
        makes_a_coroutine,
        computes_before_it_calls,
    ],
    ids=lambda each: each.__name__,
)
def test_where_it_is_not_clear_what_took_the_time_the_call_is_blamed(caller: Code) -> None:
    """No line is named that may be innocent."""
    assert blamed(seen_entering_done(caller)) == marked(caller)


# --- dependencies --------------------------------------------------------------------------------


async def long_dependency() -> int:
    number: int = 3**SIZE  # blamed
    return number & 1


async def short_dependency() -> int:
    return SIZE


async def overridden() -> int:
    number: int = 2**SIZE
    return number


async def depends(
    long: Annotated[int, Depends(long_dependency)], short: Annotated[int, Depends(short_dependency)]
) -> int:
    return long + short


async def between(number: Annotated[int, Depends(long_dependency)]) -> int:
    return number


async def depends_further_down(number: Annotated[int, Depends(between)]) -> int:
    return number


async def depends_twice(
    long: Annotated[int, Depends(long_dependency)], other: Annotated[int, Depends(overridden)]
) -> int:
    return long + other


def seen_in_a_dependency(app: FastAPI, endpoint: Code, after: Code) -> tuple[str, int]:
    app.get("/")(endpoint)
    stack = seen_after(after, app)
    [route] = [each for each in app.routes if getattr(each, "endpoint", None) is endpoint]
    return blamed(stack, {"app": app, "endpoint": endpoint, "route": route})


@pytest.mark.parametrize("endpoint", [depends, depends_further_down])
def test_a_dependency_that_had_returned_is_blamed_at_its_end(endpoint: Code) -> None:
    """It is the one of them that ends with an operator."""
    found = seen_in_a_dependency(FastAPI(), endpoint, long_dependency)
    assert found == marked(long_dependency)


def test_of_two_dependencies_that_may_have_taken_long_none_is_blamed() -> None:
    """Nobody can say which it was."""
    found = seen_in_a_dependency(FastAPI(), depends_twice, long_dependency)
    assert found[0] not in (long_dependency.__name__, overridden.__name__)


def test_what_fastapi_does_besides_is_no_dependency_s() -> None:
    """It reads parameters and bodies in the same file."""
    code = request_body_to_args.__code__
    [route] = [each for each in app_of(depends).routes if getattr(each, "endpoint", None)][-1:]
    stack: RawStack = (code, [each.offset for each in dis.get_instructions(code)][-1])
    assert blamed(stack, {"route": route})[0] == code.co_name


def test_a_dependency_is_what_overrides_it() -> None:
    """The other was not called."""
    app = FastAPI()
    app.dependency_overrides[overridden] = short_dependency
    found = seen_in_a_dependency(app, depends_twice, long_dependency)
    assert found == marked(long_dependency)
