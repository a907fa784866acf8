"""Anchor: the line that stands for a stall in its identity.

A stall is seen on whatever line was running when the sampler looked: of a loop's body, now this
one and now that. A baseline needs one name for it, so a stall is known by the outermost loop of
its function that it was seen in, and outside any loop by the statement.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from pytest_asyncguard._compat import syntax_of
from pytest_asyncguard.model import Frame

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)


def anchor(frame: Frame) -> Frame:
    """``frame``, on the line that stands for a stall in it."""
    if frame.file.startswith("<"):
        return frame
    line = _anchor("".join(linecache.getlines(frame.file)), frame.line)
    if line is None or line == frame.line:
        return frame
    source = linecache.getline(frame.file, line).rstrip("\r\n") or None
    return replace(frame, line=line, source=source)


@lru_cache(maxsize=256)
def _anchor(source: str, line: int) -> int | None:
    try:
        node: ast.AST = _tree(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    statement: ast.stmt | None = None
    loop: ast.stmt | None = None
    while (inner := _around(node, line)) is not None:
        node = statement = inner
        if isinstance(inner, _SCOPES):
            loop = None
        elif isinstance(inner, _LOOPS) and loop is None:
            loop = inner
    found = loop or statement
    return found.lineno if found is not None else None


@lru_cache(maxsize=16)
def _tree(source: str) -> ast.Module:
    return syntax_of(source)


def _around(node: ast.AST, line: int) -> ast.stmt | None:
    """The statement directly within ``node`` that stands on ``line``, among others perhaps."""
    return next((each for each in _within(node) if _first(each) <= line <= _last(each)), None)


def _within(node: ast.AST) -> Iterator[ast.stmt]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        elif isinstance(child, (ast.ExceptHandler, ast.match_case)):
            yield from child.body


def _first(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min((each.lineno for each in decorators), default=statement.lineno)


def _last(statement: ast.stmt) -> int:
    return statement.end_lineno or statement.lineno
