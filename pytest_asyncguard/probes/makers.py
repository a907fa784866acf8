"""Makers: what a function of the user's makes, where no annotation says it.

``def get_cache(): return redis.Redis(HOST)`` gives clients, and so stands for one where a test
replaces it. Read from the source, when the test does that: a name that is not there any more, or
is another thing by now, tells nothing.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

from pytest_asyncguard._compat import syntax_of

Scope = dict[str, Any]
_Definition = ast.FunctionDef | ast.AsyncFunctionDef


def function_of(value: object) -> Any:
    """The function behind a property or a cache, or ``value`` itself."""
    if isinstance(value, property):
        value = value.fget
    elif type(value).__name__ == "cached_property":
        value = getattr(value, "func", None)
    return inspect.unwrap(value) if callable(value) else value


def made_by(function: FunctionType) -> Iterator[object]:
    """The callables of which ``function`` returns, or yields, what they give."""
    try:
        tree = syntax_of(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError, TypeError):
        return
    definition = tree.body[0]
    if not isinstance(definition, _Definition):
        return
    scope, calls = _names(function, definition), _assigned(definition)
    for node in ast.walk(definition):
        if isinstance(node, ast.Return | ast.Yield):
            value = node.value
            call = calls.get(value.id) if isinstance(value, ast.Name) else value
            if isinstance(call, ast.Call) and (found := _looked_up(call.func, scope)) is not None:
                yield found


def _names(function: FunctionType, definition: _Definition) -> Scope:
    """What the names in a function stand for: its module's, and what it imports itself."""
    scope = dict(function.__globals__)
    for node in ast.walk(definition):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                scope[alias.asname or top] = sys.modules.get(alias.name if alias.asname else top)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            module = sys.modules.get(node.module)
            for alias in node.names:
                scope[alias.asname or alias.name] = getattr(module, alias.name, None)
    return scope


def _assigned(definition: _Definition) -> dict[str, ast.expr]:
    """The calls whose results the names in a function are given."""
    calls: dict[str, ast.expr] = {}
    for node in ast.walk(definition):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            target, value = node.optional_vars, node.context_expr
        else:
            continue
        if isinstance(target, ast.Name):
            calls[target.id] = value
    return calls


def _looked_up(expression: ast.expr, scope: Scope) -> object:
    """What a dotted name stands for; None for any other expression."""
    if isinstance(expression, ast.Name):
        return scope.get(expression.id)
    if not isinstance(expression, ast.Attribute):
        return None
    owner = _looked_up(expression.value, scope)
    if owner is None:
        return None
    if isinstance(owner, ModuleType):
        return getattr(owner, expression.attr, None)
    found: object = inspect.getattr_static(owner, expression.attr, None)
    # ``Redis.from_url(...)`` gives what ``Redis(...)`` does.
    return owner if isinstance(found, classmethod) else found
