"""Attribute: an endpoint -> whether all that it does is to put together what it returns.

For such a function the way to a worker thread and back takes longer than the work. It is told from
the source, and only of what is sure: a call, an attribute or a dependency may be slow, and what may
be slow is best left in its thread.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import typing
from types import FunctionType
from typing import Any, Final

from pytest_asyncguard._compat import syntax_of

_DATA: Final = (str, int, float, bool, list, dict, tuple, set, frozenset, type(None))
_PARTS: Final = (
    *(ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.Starred, ast.keyword),
    *(ast.JoinedStr, ast.FormattedValue, ast.BoolOp, ast.Compare, ast.IfExp, ast.expr_context),
    *(ast.boolop, ast.cmpop),
)


def only_returns(function: object) -> bool:
    """Whether ``function`` is plain, and one ``return`` of constants, input, and models of them."""
    if type(function) is not FunctionType or hasattr(function, "__wrapped__"):
        return False
    try:
        tree = syntax_of(textwrap.dedent(inspect.getsource(function))).body[0]
        given = _input(function)
    except Exception:  # noqa: BLE001 - source of any kind, and annotations that run code
        return False
    if not isinstance(tree, ast.FunctionDef):
        return False
    *before, last = tree.body
    return (
        isinstance(last, ast.Return)
        and all(isinstance(node, ast.Expr | ast.Pass) and _is_text(node) for node in before)
        and (last.value is None or _is_put_together(last.value, given, function.__globals__))
    )


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or isinstance(getattr(node, "value", None), ast.Constant)


def _input(function: FunctionType) -> set[str]:
    """The parameters, without those that a dependency fills: with anything, a database row too."""
    hints = typing.get_type_hints(function, include_extras=True)
    return {
        name
        for name, parameter in inspect.signature(function).parameters.items()
        for of in [(parameter.default, *getattr(hints.get(name), "__metadata__", ()))]
        if not any(hasattr(each, "dependency") for each in of)
    }


def _is_put_together(node: ast.AST, given: set[str], names: dict[str, Any]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in given or isinstance(names.get(node.id, ...), _DATA)
    if isinstance(node, ast.Call):
        made = names.get(node.func.id) if isinstance(node.func, ast.Name) else None
        inside: list[ast.AST] = [*node.args, *node.keywords]
        return _is_plain_model(made) and all(_is_put_together(x, given, names) for x in inside)
    return isinstance(node, _PARTS) and all(
        _is_put_together(child, given, names) for child in ast.iter_child_nodes(node)
    )


def _is_plain_model(made: object) -> bool:
    """Whether it is a class of pydantic's without validators, which may do anything."""
    own = getattr(made, "__pydantic_decorators__", None)
    return own is not None and not any(
        getattr(own, kind, None) for kind in ("field_validators", "model_validators", "validators")
    )
