"""Whether the line of an ignore is known to have run on the loop.

A run does not say which lines ran. It says so of the lines on the stack of a finding, and of the
statements of an exercised endpoint that the endpoint cannot get past. Anything else would be a
guess, and a guess would have people delete comments that they need.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from pytest_asyncguard.suppress.comments import Comments, Function, Ignore

_LEAVING = (ast.Return, ast.Raise, ast.Assert, ast.Break, ast.Continue)


def ran(comments: Comments, ignore: Ignore, lines: set[int], entered: set[int]) -> bool:
    """``lines`` were on a stack; ``entered`` are the ``def`` lines of exercised endpoints."""
    if any(ignore.first <= line <= ignore.last for line in lines):
        return True
    function = comments.function(ignore.line)
    if function is None:
        return False
    if ignore.first <= function.lineno <= ignore.last:  # on the def itself
        return function.lineno in entered or any(
            comments.function(line) is function for line in lines
        )
    return function.lineno in entered and _reached(function.body, ignore)


def _reached(body: Sequence[ast.stmt], ignore: Ignore) -> bool:
    """Whether the statement of ``ignore`` runs whenever ``body`` does: nothing before it leaves."""
    for statement in body:
        if statement.lineno <= ignore.line <= (statement.end_lineno or statement.lineno):
            inner: Sequence[ast.stmt] = getattr(statement, "body", ())
            if not inner or ignore.line < inner[0].lineno:
                return not isinstance(statement, Function)
            plain = isinstance(statement, ast.With | ast.AsyncWith | ast.Try)
            return plain and _reached(inner, ignore)
        if any(isinstance(node, _LEAVING) for node in ast.walk(statement)):
            return False
    return False
