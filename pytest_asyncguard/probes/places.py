"""Places: where the time of a sample was spent, which need not be where the thread was seen.

The sampler is let in at few instructions only: where a function is entered, after a call of C
code, and where a loop goes back. What took long before that, an operator on large values, keeps
it waiting until the next of them, which may stand on an innocent line.
"""

from __future__ import annotations

import dis
from collections.abc import Sequence
from functools import lru_cache
from types import CodeType
from typing import Final

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


def spent(stack: RawStack) -> RawStack:
    """``stack``, as a sampler took it, ended where the time before was spent."""
    if len(stack) < 2:
        return stack
    code, offset, *outer = stack
    assert isinstance(code, CodeType)
    assert isinstance(offset, int)
    if (moved := _place(code, offset)) is not None:
        return (code, moved, *outer)
    # It was just entered, and has done nothing yet. Its caller has.
    if len(outer) < 2:
        return stack
    caller, at, *outer = outer
    assert isinstance(caller, CodeType)
    assert isinstance(at, int)
    return (caller, _before_call(caller, at), *outer)


@lru_cache(maxsize=4096)
def _place(code: CodeType, offset: int) -> int | None:
    """The offset to blame where a thread was seen at ``offset``; None at the entry."""
    seen = _up_to(code, offset)
    if not seen:
        return offset
    now = seen[-1]
    if now.opname == "RESUME" and not (now.arg or 0) & 3:
        return None
    if "JUMP_BACKWARD" not in now.opname:
        return offset
    body = [each for each in seen if each.offset >= now.argval]
    one = _only(_window(body[:-1]))
    return offset if one is None and not body else (one or _header(body)).offset


@lru_cache(maxsize=4096)
def _before_call(code: CodeType, offset: int) -> int:
    """The offset to blame where a call at ``offset`` has just begun."""
    seen = _up_to(code, offset)
    lines = _window(seen[:-1], with_call=False)
    one = _only(lines)
    return offset if one is None else one.offset


def _up_to(code: CodeType, offset: int) -> Sequence[dis.Instruction]:
    return [each for each in dis.get_instructions(code) if each.offset <= offset]


def _window(
    seen: Sequence[dis.Instruction], *, with_call: bool = True
) -> dict[int, dis.Instruction]:
    """By line, the last instruction that may have taken long since somebody was let in."""
    found: dict[int, dis.Instruction] = {}
    for each in reversed(seen):
        line = each.positions.lineno if each.positions else None
        called = each.opname.startswith("CALL") and "INTRINSIC" not in each.opname
        # What a function in Python did after it let somebody in belongs to its call.
        if line is not None and (each.opname in _OPERATORS or (called and with_call)):
            found.setdefault(line, each)
        if called or "JUMP_BACKWARD" in each.opname or each.opname == "RESUME":
            break
    return found


def _only(lines: dict[int, dis.Instruction]) -> dis.Instruction | None:
    return next(iter(lines.values())) if len(lines) == 1 else None


def _header(body: Sequence[dis.Instruction]) -> dis.Instruction:
    """The head of the loop that goes back with the last instruction of ``body``."""
    test = next((each for each in body[-2:] if each.opname.startswith("POP_JUMP")), None)
    if body[0].opname == "FOR_ITER" or test is None:
        return body[0]
    return test
