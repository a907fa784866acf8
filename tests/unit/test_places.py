"""Places: a sample blames what took the time, and not where the thread was let go."""

from __future__ import annotations

import dis
from collections.abc import Callable
from typing import Any

import pytest

from pytest_asyncguard.probes.places import spent

Code = Callable[..., Any]


def light(number: int) -> int:
    return number & 0xFFFF


def one_line(size: int) -> int:
    total = 0
    for each in range(size):
        total += each * each % 7  # blamed
    return total


def several_lines(size: int) -> int:
    total = 0
    for each in range(size):  # blamed
        total += each**500 >> 3
        total &= 0xFFFF
    return total


def after_a_call(size: int) -> int:
    total = 0
    for each in range(size):  # blamed
        total += light(each)
        total += each**500 >> 3
    return total


def a_call(size: int) -> int:
    total = 0
    for each in range(size):
        other = light(each)  # blamed
        total = other
    return total


def a_while(size: int) -> int:
    total = 0
    while size:  # blamed
        size -= 1
        total += size
    return total


def before_a_call(size: int) -> int:
    total = 0
    for each in range(size):
        total += each**500 >> 3  # blamed
        total = light(total)
    return total


def nothing_before_a_call(size: int) -> int:
    total = 0
    for each in range(size):
        total = light(each)  # blamed
    return total


def line_of(function: Code) -> int:
    """The line of ``function`` that bears the comment, from its ``def`` on."""
    import inspect

    source = inspect.getsource(function).splitlines()
    return next(number for number, line in enumerate(source) if line.endswith("# blamed"))


def blamed(function: Code, offset: int, *inner: object) -> int:
    code = function.__code__
    found, at, *_ = spent((*inner, code, offset))
    assert found is code
    place = next(each for each in dis.get_instructions(code) if each.offset == at)
    assert place.positions is not None
    assert place.positions.lineno is not None
    return place.positions.lineno - code.co_firstlineno


def offsets(function: Code, name: str) -> list[int]:
    return [each.offset for each in dis.get_instructions(function) if name in each.opname]


@pytest.mark.parametrize("function", [one_line, several_lines, after_a_call, a_call, a_while])
def test_a_thread_seen_where_a_loop_goes_back_was_busy_in_the_loop(function: Code) -> None:
    """With its one line that can take long; where there are several, it is the loop's head."""
    *_, back = offsets(function, "JUMP_BACKWARD")
    assert blamed(function, back) == line_of(function)


@pytest.mark.parametrize("function", [before_a_call, nothing_before_a_call])
def test_a_function_that_was_just_entered_has_done_nothing(function: Code) -> None:
    """Its caller was busy, with what stands before the call, or with calling."""
    (entry,) = offsets(light, "RESUME")
    *_, call = (
        each.offset
        for each in dis.get_instructions(function)
        if each.opname.startswith("CALL") and "INTRINSIC" not in each.opname
    )
    assert blamed(function, call, light.__code__, entry) == line_of(function)


def test_what_was_let_go_after_a_call_in_c_was_busy_with_that() -> None:
    """A call is where C code lets others in, and a step that begins has no caller to blame."""
    call = offsets(several_lines, "CALL")[0]
    code = several_lines.__code__
    assert spent((code, call)) == (code, call)
    (entry,) = offsets(light, "RESUME")
    assert spent((light.__code__, entry)) == (light.__code__, entry)
    assert spent(()) == ()
