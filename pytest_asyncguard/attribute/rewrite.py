"""Attribute: a frame -> the expression that was running in it, and the same in a worker thread.

What is shown can be pasted. So it is read from the file, where the expression stands whole: of a
method that is called on a line of its own, the interpreter tells the name and no more.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pytest_asyncguard._compat import expression_of, syntax_of
from pytest_asyncguard.attribute.blame import expression_text
from pytest_asyncguard.model import Frame

_WIDTH: Final = 90
"""Rewritten code that is longer shows no arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """An expression, and what of its surroundings matters. None where it could not be told.

    ``lasts`` is what goes on to work with its value for as long as it runs, and may block then.
    ``chained``: something is asked of the value right there, as in ``get(url).json()``.
    ``repeated``: it stands in a loop of its function. ``source`` is that of the whole file.
    """

    expression: ast.expr | None = None
    lasts: str | None = None
    chained: bool = False
    is_awaited: bool = False
    repeated: bool = False
    target: ast.expr | None = None
    source: str | None = None

    @property
    def call(self) -> ast.Call | None:
        return self.expression if isinstance(self.expression, ast.Call) else None

    @property
    def text(self) -> str | None:
        return self._text(self.expression) if self.expression is not None else None

    @property
    def opens(self) -> bool:
        """Whether it opens a file: done in a thread, that is still read on the loop."""
        if self.call is None:
            return False
        function = self.call.func
        name = function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)
        return name == "open"

    @property
    def locks(self) -> bool:
        """Whether it waits for a lock, as far as that can be told from how it is used."""
        if self.call is not None:
            return isinstance(self.call.func, ast.Attribute) and self.call.func.attr == "acquire"
        return self.lasts is not None and self.target is None

    @property
    def arguments(self) -> str | None:
        return ", ".join(self._arguments(self.call)) if self.call is not None else None

    @property
    def loop(self) -> str | None:
        """The head of the loop that goes through it, as one that iterates in worker threads."""
        if self.target is None or self.expression is None:
            return None
        target, iterated = self._text(self.target), self._text(self.expression)
        return f"async for {target} in iterate_in_threadpool({iterated}):"

    def in_thread(self, runner: str) -> str | None:
        """The call, made by ``runner``; None where that is no call, or not all there is to do."""
        if self.call is None or self.lasts is not None or self.opens:
            return None
        # run_in_threadpool has a parameter of that name itself.
        if any(keyword.arg == "func" for keyword in self.call.keywords):
            return self.as_lambda(runner)
        function = self._text(self.call.func)
        return self._fitting(
            f"await {runner}({', '.join([function, *self._arguments(self.call)])})",
            f"await {runner}({function}, ...)",
        )

    def as_lambda(self, runner: str) -> str | None:
        """Any expression, evaluated by ``runner``; None where it could not move into a lambda."""
        if self.expression is None or self.lasts is not None or self.opens:
            return None
        if any(isinstance(node, _STAYS) for node in ast.walk(self.expression)):
            return None
        return self._fitting(f"await {runner}(lambda: {self._text(self.expression)})")

    def _arguments(self, call: ast.Call) -> Iterator[str]:
        yield from map(self._text, call.args)
        for keyword in call.keywords:
            value = self._text(keyword.value)
            yield f"{keyword.arg}={value}" if keyword.arg else f"**{value}"

    def _text(self, node: ast.expr) -> str:
        """The code as the user wrote it, if that is on one line and needs no parentheses."""
        own = None
        if self.source is not None and not isinstance(node, ast.NamedExpr | ast.Yield):
            own = ast.get_source_segment(self.source, node)
        return ast.unparse(node) if own is None or "\n" in own else own

    def _fitting(self, *codes: str) -> str | None:
        whole = [f"({code})" if self.chained else code for code in codes]
        return next((code for code in whole if len(code) <= _WIDTH), None)


_LOOPS: Final = (ast.For, ast.AsyncFor, ast.While, ast.comprehension, ast.ListComp)
_SCOPES: Final = (ast.Lambda, ast.FunctionDef, ast.AsyncFunctionDef)
_STAYS: Final = (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)


def running(frame: Frame) -> Running:
    """The expression that was running in ``frame``."""
    if frame.source is None or frame.column is None or frame.end_column is None:
        return Running()
    lines = [] if frame.file.startswith("<") else linecache.getlines(frame.file)
    last = frame.end_line or frame.line
    if last > len(lines):
        return _alone(frame)
    # Columns of the syntax tree count bytes.
    start = len(lines[frame.line - 1][: frame.column - 1].encode())
    end = len(lines[last - 1][: frame.end_column - 1].encode())
    calls, others = _expressions("".join(lines))
    place = (frame.line, start, last, end)
    # A `with` may end where the last call in it does, so what is the whole comes first.
    return others.get(place) or calls.get(place[2:]) or Running()


def _alone(frame: Frame) -> Running:
    """The same from the line alone, where there is no file."""
    if frame.end_line in (None, frame.line):
        begin, end = frame.column or 1, frame.end_column or 1
        text: str | None = (frame.source or "")[begin - 1 : end - 1]
    else:
        text = expression_text(frame)
    try:
        expression = expression_of(text or "")
    except (SyntaxError, ValueError):
        return Running()
    if isinstance(expression, ast.Await):
        return Running(expression=expression.value, is_awaited=True, source=text)
    return Running(expression=expression, source=text)


Calls = dict[tuple[int, int], Running]
Others = dict[tuple[int, int, int, int], Running]


@lru_cache(maxsize=8)
def _expressions(source: str) -> tuple[Calls, Others]:
    """The calls of a file by where they end, which no two have in common; all else by place."""
    calls: Calls = {}
    others: Others = {}
    try:
        tree = syntax_of(source)
    except (SyntaxError, ValueError, RecursionError):
        return calls, others  # changed since it was imported
    # The node, what it stands in, whether a generator expression evaluates it, and a loop does.
    stack: list[tuple[ast.AST, ast.AST, bool, bool]] = [(tree, tree, False, False)]
    at_once: dict[ast.AST, bool] = {}
    while stack:
        node, parent, generated, repeated = stack.pop()
        generated = at_once.get(node, generated)
        if isinstance(node, ast.GeneratorExp):
            # What it goes through first is evaluated where it stands.
            at_once[node.generators[0].iter] = generated
        scope = isinstance(node, _SCOPES)
        inside = isinstance(node, ast.GeneratorExp) or (generated and not scope)
        again = isinstance(node, _LOOPS) or (repeated and not scope)
        outer = parent if isinstance(node, ast.withitem) else node
        stack += [(child, outer, inside, again) for child in ast.iter_child_nodes(node)]
        if isinstance(node, ast.expr):
            found = Running(
                expression=node,
                lasts=_lasting(node, parent) or ("the whole expression" if generated else None),
                chained=_is_chained(node, parent),
                is_awaited=isinstance(parent, ast.Await),
                repeated=repeated,
                target=parent.target if isinstance(parent, ast.For) else None,
                source=source,
            )
            if isinstance(node, ast.Call):
                calls[_place(node)[2:]] = found
            else:
                others.setdefault(_place(node), found)
            if isinstance(parent, ast.With | ast.For) and found.lasts is not None:
                # Up to Python 3.12 what enters a block or takes the next item is all of it.
                others.setdefault(_place(parent), found)
    return calls, others


def _place(node: ast.expr | ast.stmt) -> tuple[int, int, int, int]:
    return node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0


def _lasting(node: ast.expr, parent: ast.AST) -> str | None:
    if isinstance(parent, ast.With) and any(item.context_expr is node for item in parent.items):
        return "the whole `with` block"
    if isinstance(parent, ast.For) and parent.iter is node:
        return "the whole loop"
    if isinstance(parent, ast.comprehension) and parent.iter is node and not parent.is_async:
        return "the whole expression"
    return None


def _is_chained(node: ast.expr, parent: ast.AST) -> bool:
    if isinstance(parent, ast.Attribute | ast.Subscript):
        return parent.value is node
    return isinstance(parent, ast.Call) and parent.func is node
