"""Places: where the time of a sample was spent, which need not be where the thread was seen.

The sampler is let in at few instructions only: where a function is entered, after a call of C
code, and where a loop goes back. What took long before that, an operator on large values, keeps
it waiting until the next of them, which may stand on an innocent line, or in another function: the
one with the operator may have returned.
"""

from __future__ import annotations

import dis
import itertools
import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import CodeType
from typing import Final, NamedTuple

from pytest_asyncguard.probes.stacks import RawStack

_OPERATORS: Final = frozenset(
    {
        *("BINARY_OP", "BINARY_SLICE", "BINARY_SUBSCR", "COMPARE_OP", "CONTAINS_OP"),
        *("DELETE_SUBSCR", "DICT_MERGE", "DICT_UPDATE", "FORMAT_SIMPLE", "FORMAT_VALUE"),
        *("FORMAT_WITH_SPEC", "LIST_EXTEND", "SET_UPDATE", "STORE_SLICE", "STORE_SUBSCR"),
        *("UNARY_INVERT", "UNARY_NEGATIVE", "UNPACK_EX", "UNPACK_SEQUENCE"),
    }
)
"""What may run any amount of C code, and lets nobody in."""
_SUBSCRIPTS: Final = frozenset({"BINARY_SUBSCR", "DELETE_SUBSCR", "STORE_SUBSCR"})
_SLICES: Final = frozenset({"BINARY_SLICE", "STORE_SLICE"})
"""What a slice became in CPython 3.12: before, it was a subscript."""
_LIGHT: Final = frozenset(
    {"DICT_MERGE", "FORMAT_SIMPLE", "FORMAT_VALUE", "FORMAT_WITH_SPEC"}
    | {"UNARY_INVERT", "UNARY_NEGATIVE", "UNPACK_SEQUENCE"}
)
"""Operators that take long in a loop only."""
_GROWING: Final = frozenset({"*", "*=", "**", "**=", "<<", "<<="})
"""Operators that a small number, too, makes something large of."""
_LETTING_IN: Final = frozenset({"BEFORE_ASYNC_WITH", "BEFORE_WITH", "LOAD_SPECIAL", "RESUME"})
"""What lets somebody in besides calls, and where loops go back."""
_CONSTANTS: Final = frozenset({"LOAD_CONST", "LOAD_SMALL_INT"})
_QUICK: Final = frozenset(
    {"bool", "callable", "getattr", "hasattr", "id", "isinstance", "issubclass", "len", "type"}
)
"""Functions in C that never take long, but by what they call in Python; some let nobody in."""
_HELPERS: Final = 8
"""How many functions, each called by the one before, may have returned."""


class Called(NamedTuple):
    """A function by the name with which it is called, that of a global or, ``bound``, any other.

    ``name`` is empty where it is called by no name.
    """

    name: str
    bound: bool
    awaited: bool = False


class Spot(NamedTuple):
    """An offset to blame, and the function that had returned there, if it was that."""

    offset: int
    called: Called | None = None


SOLVES: Final = "solve_dependencies"
SOLVING: Final = os.path.join("fastapi", "dependencies", "utils.py")
"""Where FastAPI solves dependencies: in a loop of so many ways that no offset tells of one."""
_DEPENDENCY: Final = Called("call", bound=True, awaited=True)

Callee = Callable[[CodeType, Called], CodeType | None]
"""Tells the code of a function by what calls it and how; None where that is not known."""


def unknown(caller: CodeType, called: Called) -> CodeType | None:  # noqa: ARG001
    """No function is known by how it is called."""
    return None


def spent(stack: RawStack, callee: Callee = unknown) -> RawStack:
    """``stack``, as a sampler took it, ended where the time before was spent."""
    if len(stack) < 2:
        return stack
    code, offset, *outer = stack
    assert isinstance(code, CodeType)
    assert isinstance(offset, int)
    if (spot := _place(code, offset)) is None:
        # It was just entered, and has done nothing yet. Its caller has.
        if len(outer) < 2:
            return stack
        code, offset, *outer = outer
        assert isinstance(code, CodeType)
        assert isinstance(offset, int)
        spot = _before(code, offset)
    if code.co_name == SOLVES and code.co_filename.endswith(SOLVING):
        spot = spot._replace(called=_DEPENDENCY)
    for _ in range(_HELPERS):
        if spot.called is None or (inner := callee(code, spot.called)) is None:
            break
        if (end := _end(inner)) is None:
            break
        outer = [code, spot.offset, *outer]
        code, spot = inner, end
    return (code, spot.offset, *outer)


@lru_cache(maxsize=4096)
def _place(code: CodeType, offset: int) -> Spot | None:
    """What to blame where a thread was seen at ``offset``; None at the entry."""
    seen = _up_to(code, offset)
    if not seen:
        return Spot(offset)
    now = seen[-1]
    if now.opname == "RESUME" and not (now.arg or 0) & 3:
        return None
    if _is_quick(_called(seen)):
        return _before(code, offset)
    if not _goes_back(now):
        return Spot(offset)
    body = [each for each in seen if each.offset >= now.argval]
    one = _only(_window(body[:-1]))
    return Spot(offset if one is None and not body else (one or _header(body)).offset)


@lru_cache(maxsize=4096)
def _before(code: CodeType, offset: int) -> Spot:
    """What to blame where a call at ``offset`` has just begun, or takes no time."""
    seen = _up_to(code, offset)
    # To make a coroutine lets nobody in: that was part of awaiting it.
    begun = _made(seen) if seen and seen[-1].opname == "SEND" else len(seen) - 1
    seen = seen[: max(0, begun)]
    operators, let_in = _stretch(code, seen)
    if (one := _only(operators)) is not None:
        return Spot(one.offset)
    return Spot(offset) if operators or let_in is None else let_in


@lru_cache(maxsize=4096)
def _end(code: CodeType) -> Spot | None:
    """What to blame in a function that has returned and had let nobody in; None if unclear."""
    every = list(dis.get_instructions(code))
    operators: dict[int, dis.Instruction] = {}
    calls: set[Spot] = set()
    for index, each in enumerate(every):
        if each.opname in ("RETURN_VALUE", "RETURN_CONST"):
            found, let_in = _stretch(code, every[:index])
            operators.update(found)
            if let_in is not None:
                calls.add(let_in)
    if (one := _only(operators)) is not None:
        return Spot(one.offset)
    return calls.pop() if len(calls) == 1 and not operators else None


def has_operator(code: CodeType) -> bool:
    """Whether a function ends with an operator that may take long, and one only."""
    end = _end(code)
    return end is not None and end.called is None


def _up_to(code: CodeType, offset: int) -> Sequence[dis.Instruction]:
    return [each for each in dis.get_instructions(code) if each.offset <= offset]


def _is_call(instruction: dis.Instruction) -> bool:
    return instruction.opname.startswith("CALL") and "INTRINSIC" not in instruction.opname


def _goes_back(instruction: dis.Instruction) -> bool:
    """Whether a loop goes back there, and lets somebody in."""
    return "JUMP_BACKWARD" in instruction.opname and not _awaits(instruction)


def _awaits(instruction: dis.Instruction) -> bool:
    """Whether an `await` goes on waiting there, which lets nobody in."""
    return instruction.opname == "JUMP_BACKWARD_NO_INTERRUPT"


def _made(seen: Sequence[dis.Instruction]) -> int:
    """The index of the call that made what is awaited last; that of awaiting it if none did."""
    index = len(seen) - 1
    while index > 0 and seen[index].opname != "GET_AWAITABLE":
        index -= 1
    return index - 1 if index > 0 and _is_call(seen[index - 1]) else index


def _window(seen: Sequence[dis.Instruction]) -> dict[int, dis.Instruction]:
    """By line, the last instruction that may have taken long since somebody was let in."""
    found: dict[int, dis.Instruction] = {}
    for each in reversed(seen):
        line = each.positions.lineno if each.positions else None
        # What a function in Python did after it let somebody in belongs to its call.
        if line is not None and (each.opname in _OPERATORS or _is_call(each)):
            found.setdefault(line, each)
        if _is_call(each) or _goes_back(each) or each.opname == "RESUME":
            break
    return found


def _stretch(
    code: CodeType, seen: Sequence[dis.Instruction]
) -> tuple[dict[int, dis.Instruction], Spot | None]:
    """By line, the last operator that takes long by itself, since somebody was let in.

    And what let them in, if it was a call: one in Python did as it began, and may have taken long
    since.
    """
    loops = _loops(code)
    found: dict[int, dis.Instruction] = {}
    for index in range(len(seen) - 1, -1, -1):
        each = seen[index]
        line = each.positions.lineno if each.positions else None
        if line is not None and _takes_long(seen[: index + 1]):
            found.setdefault(line, each)
        if _awaits(each):
            made = seen[: _made(seen[: index + 1]) + 1]
            waited = _called(made) or Called("", bound=True)
            return found, Spot(made[-1].offset, waited._replace(awaited=True))
        if _is_call(each) and not _is_quick(called := _called(seen[: index + 1])):
            return found, Spot(each.offset, called)
        # Where a loop begins, one may have come from its end.
        if each.opname in _LETTING_IN or _goes_back(each) or each.offset in loops:
            break
    return found, None


@lru_cache(maxsize=4096)
def _loops(code: CodeType) -> frozenset[int]:
    """The offsets at which loops begin."""
    every = list(dis.get_instructions(code))
    # What an exception was thrown into while it waited goes back to its `await`.
    return frozenset(
        each.argval
        for before, each in itertools.pairwise(every)
        if _goes_back(each) and before.opname != "CLEANUP_THROW"
    )


def _takes_long(seen: Sequence[dis.Instruction]) -> bool:
    """Whether the last of ``seen`` is an operator that may take long by itself."""
    operator = seen[-1]
    if operator.opname not in _OPERATORS or operator.opname in _LIGHT or len(seen) < 3:
        return False
    left, right = seen[-3:-1]
    if operator.opname in _SUBSCRIPTS or operator.argrepr == "[]":
        return right.opname == "BUILD_SLICE"
    if operator.argrepr in _GROWING or operator.opname in _SLICES:
        return True
    if operator.opname == "CONTAINS_OP":
        return right.opname not in _CONSTANTS  # what is looked for may be as small as it likes
    by_left = left.opname in _CONSTANTS and right.opname.startswith("LOAD_")
    return not (by_left or right.opname in _CONSTANTS)


def _called(seen: Sequence[dis.Instruction]) -> Called | None:
    """The function that the last of ``seen`` calls, if that is a call."""
    call = seen[-1]
    if not _is_call(call):
        return None
    begins = _begins(call)
    # The name stands first in the source of the call, alone or before its attribute.
    same = [each for each in seen[:-1] if _begins(each) == begins != (None, None)]
    named = [each for each in same if _is_call(each) or each.opname.startswith("LOAD_")]
    named = [each for each in named if each.opname not in _CONSTANTS]
    if not named or _is_call(named[-1]) or not isinstance(name := named[-1].argval, str):
        return Called("", bound=True)
    return Called(name, bound=named[-1].opname not in ("LOAD_GLOBAL", "LOAD_NAME"))


def _is_quick(called: Called | None) -> bool:
    return called is not None and not called.bound and called.name in _QUICK


def _begins(instruction: dis.Instruction) -> tuple[int | None, int | None]:
    """Line and column of what it was made from."""
    where = instruction.positions
    return (where.lineno, where.col_offset) if where is not None else (None, None)


def _only(lines: dict[int, dis.Instruction]) -> dis.Instruction | None:
    return next(iter(lines.values())) if len(lines) == 1 else None


def _header(body: Sequence[dis.Instruction]) -> dis.Instruction:
    """The head of the loop that goes back with the last instruction of ``body``."""
    test = next((each for each in body[-2:] if each.opname.startswith("POP_JUMP")), None)
    if body[0].opname == "FOR_ITER" or test is None:
        return body[0]
    return test
