"""What can be told about a callable from its code: where it is defined, and how it runs."""

from __future__ import annotations

import functools
import inspect
import linecache
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from types import CodeType, FunctionType, MethodType

from pytest_asyncguard._compat import can_suspend

_LAYERS = 32
"""More decorators than this nobody stacks; a ring of ``__wrapped__`` has no end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """The function that does the work of a callable, below everything it is wrapped in."""

    name: str
    file: str | None
    line: int | None


def definition_of(function: object) -> Definition:
    """The innermost function of a callable; of one written in C, what its type says."""
    innermost = function
    for layer in _layers(function):
        innermost = layer
    if isinstance(innermost, FunctionType):
        code = innermost.__code__
        name = f"{innermost.__module__}.{code.co_qualname}".removesuffix(".__call__")
        return Definition(name=name, file=code.co_filename, line=line_of_def(code))
    named = innermost if hasattr(innermost, "__qualname__") else type(innermost)
    module, name = getattr(named, "__module__", None), getattr(named, "__qualname__", "")
    return Definition(name=f"{module}.{name}" if module else name, file=None, line=None)


def is_async(function: object) -> bool:
    """Whether the framework runs it on the loop: any layer of it is an ``async def``."""
    return any(_is_async(layer) for layer in _layers(function))


def awaits(function: object) -> bool | None:
    """Whether its body can suspend at all; None where it is not async."""
    layers = [layer for layer in _layers(function) if _is_async(layer)]
    if not layers:
        return None
    return any(can_suspend(layer.__code__) for layer in layers if isinstance(layer, FunctionType))


def line_of_def(code: CodeType) -> int:
    """The line of the ``def`` itself; a code object starts at its first decorator."""
    first = code.co_firstlineno
    if code.co_name == "<lambda>":
        return first
    lines = islice(linecache.getlines(code.co_filename), first - 1, None)
    try:
        for token in tokenize.generate_tokens(lambda: next(lines, "")):
            # Nothing in a decorator can hold this word but a string, which is another token.
            if token.type == tokenize.NAME and token.string == "def":
                return first + token.start[0] - 1
    except (tokenize.TokenError, SyntaxError):
        pass
    return first


def _layers(function: object) -> Iterator[object]:
    """A callable, and what it wraps, outermost first."""
    for _ in range(_LAYERS):
        yield function
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, MethodType):
            function = function.__func__
        elif (wrapped := getattr(function, "__wrapped__", None)) is not None:
            function = wrapped
        elif isinstance(function, FunctionType | type):
            return
        else:
            # An object is called through its class.
            function = inspect.getattr_static(type(function), "__call__", None)
            if not isinstance(function, FunctionType):
                return


def _is_async(function: object) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
