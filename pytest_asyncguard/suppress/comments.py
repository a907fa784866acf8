"""The ignore comments of a file, read by Python's own tokenizer: a string is data."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from pytest_asyncguard._compat import syntax_of
from pytest_asyncguard.catalog import rules

Function = ast.FunctionDef | ast.AsyncFunctionDef

_OURS = re.compile(
    r"#\s*asyncguard\s*(?P<colon>:|(?=ignore\b))\s*(?P<said>.*?)\s*(?=\s#\s|$)", re.IGNORECASE
)
"""A comment that is meant for us, up to the next one. ``# asyncguard is on`` is prose."""
_IGNORE = re.compile(r"ignore\[(?P<rules>[^\]]*)\](?:\s+(?P<reason>.*))?")
_BARE = re.compile(r"ignore\s*(\[\s*\].*|[^\[]*)")
_FORM: Final = (
    "write `# asyncguard: ignore[RULE] reason`, where RULE is a code or one of "
    f"{', '.join(rules.RULES)}"
)


class IgnoreError(ValueError):
    """A comment that is meant for us and says nothing that we know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """A comment ``# asyncguard: ignore[rule] reason``.

    ``first`` and ``last`` are the lines of the statement in which it stands; of a compound one,
    of its head. ``rules`` are as they were written, ``names`` what they are called.
    """

    file: str
    line: int
    first: int
    last: int
    rules: tuple[str, ...]
    names: frozenset[str]
    reason: str | None

    def covers(self, line: int, end_line: int | None) -> bool:
        """Whether it stands on one of these lines, or at the end of the statement they are in."""
        if line <= self.line <= (end_line or line):
            return True
        at_the_end = self.line == self.last or end_line is None
        return at_the_end and self.first <= line <= self.last

    def runs_with(self, line: int) -> bool:
        """Whether it is asked when this line runs: at the end of a statement, for all of it."""
        return line == self.line or (self.line == self.last and self.first <= line <= self.last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comments:
    """The ignores of one file, and what is wrong with comments that are meant to be some."""

    ignores: tuple[Ignore, ...] = ()
    errors: tuple[str, ...] = ()
    tree: ast.Module | None = None

    def on(self, line: int, end_line: int | None = None) -> Iterator[Ignore]:
        """Those on the lines of an expression; without an end, on its statement."""
        return (ignore for ignore in self.ignores if ignore.covers(line, end_line))

    def on_def(self, line: int) -> Iterator[Ignore]:
        """Those on the ``def`` of the function in which ``line`` is."""
        if self.ignores and (function := self.function(line)) is not None:
            yield from self.on(function.lineno)

    def heads(self, ignore: Ignore) -> Function | None:
        """The function on whose ``def`` a comment stands."""
        function = self.function(ignore.line)
        return function if function is not None and ignore.runs_with(function.lineno) else None

    def function(self, line: int) -> Function | None:
        """The innermost function in which ``line`` is."""
        found: Function | None = None
        for node in ast.walk(self.tree) if self.tree is not None else ():
            if (
                isinstance(node, Function)
                and node.lineno <= line <= (node.end_lineno or node.lineno)
                and (found is None or node.lineno >= found.lineno)
            ):
                found = node
        return found


def parse(file: str, source: str) -> Comments:
    """The ignore comments in the source of ``file``."""
    if "asyncguard" not in source.lower():
        return Comments()
    ignores: list[Ignore] = []
    errors: list[str] = []
    try:
        for comment, line, first, last in _comments(source):
            if (match := _OURS.search(comment)) is None:
                continue
            try:
                rule_names, reason = _read(match, alone=first is None)
            except IgnoreError as error:
                errors.append(f"{file}:{line}: `{match[0]}` {error}")
                continue
            known = (rules.find(name) for name in rule_names)
            ignores.append(
                Ignore(
                    file=file,
                    line=line,
                    first=first or line,
                    last=last,
                    rules=rule_names,
                    names=frozenset(rule.name for rule in known if rule is not None),
                    reason=reason,
                )
            )
        tree = syntax_of(source) if ignores else None
    except (SyntaxError, ValueError, tokenize.TokenError):
        return Comments()  # this is not the source that ran
    return Comments(ignores=tuple(ignores), errors=tuple(errors), tree=tree)


def _comments(source: str) -> Iterator[tuple[str, int, int | None, int]]:
    """Each comment with its line, and the first and last line of the statement it stands in.

    The first line is None for a comment that stands in no statement.
    """
    waiting: list[tuple[str, int, int | None]] = []
    start: int | None = None
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        line = token.start[0]
        if token.type == tokenize.COMMENT:
            if start is None:
                yield token.string, line, None, line
            else:
                waiting.append((token.string, line, start))
        elif token.type == tokenize.NEWLINE:
            yield from ((*comment, line) for comment in waiting)
            waiting, start = [], None
        elif start is None and token.type not in _LAYOUT:
            start = line


_LAYOUT: Final = {tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def _read(comment: re.Match[str], *, alone: bool) -> tuple[tuple[str, ...], str | None]:
    """The rules that an ignore names, and its reason. Raises IgnoreError where it is none."""
    said = comment["said"]
    if not comment["colon"]:
        raise IgnoreError(f"lacks its colon: {_FORM}")
    if _BARE.fullmatch(said):
        raise IgnoreError(f"names no rule: {_FORM}")
    match = _IGNORE.fullmatch(said)
    if match is None:
        raise IgnoreError(f"is not understood: {_FORM}")
    names = tuple(name.strip() for name in match["rules"].split(","))
    for name in names:
        if rules.find(name) is None:
            near = get_close_matches(name.lower(), rules.RULES, n=1)
            guess = f" (did you mean {near[0]}?)" if near else ""
            raise IgnoreError(f"names {name!r}, which is no rule{guess}: {_FORM}")
    if alone:
        raise IgnoreError(
            "stands on a line of its own: put it behind the call, or behind the def of a function "
            "around it"
        )
    return names, (match["reason"] or "").strip() or None
