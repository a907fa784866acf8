"""Baseline: Finding -> Finding of status "baselined", where the committed file knows its site."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import date
from typing import Final

from pytest_asyncguard._compat import syntax_of
from pytest_asyncguard.baseline.file import BaselineError, Entry, read, write
from pytest_asyncguard.model import Finding

_Function = ast.FunctionDef | ast.AsyncFunctionDef

__all__ = ["Baseline", "BaselineError", "Entry", "entry_of", "read", "write"]


def entry_of(finding: Finding) -> Entry:
    source = finding.source
    return Entry(
        path=finding.file,
        function=finding.function,
        code=finding.code,
        rule=finding.rule,
        source=None if source is None else " ".join(source.split()),
        fingerprint=finding.fingerprint,
    )


class Baseline:
    """The entries of a baseline, as far as findings have met them.

    A file that is renamed, a function that moves and a line that is wrapped leave an entry whose
    line is nowhere to be found. A finding that looks like it takes its place, one for each.
    ``read`` gives the source of a file, None where there is none.
    """

    def __init__(
        self, entries: Iterable[Entry], today: date, read: Callable[[str], str | None]
    ) -> None:
        self.entries = tuple(entries)
        self._today = today.isoformat()
        self._read = read
        self._by_fingerprint = {entry.fingerprint: entry for entry in self.entries}
        self._moved: dict[str, Entry] = {}
        self._homeless: list[Entry] | None = None
        self.seen: set[Entry] = set()
        self.expired: set[Entry] = set()

    def find(self, finding: Finding) -> Entry | None:
        """The entry for a finding's site."""
        entry = self._by_fingerprint.get(finding.fingerprint) or self._adopt(finding)
        if entry is not None:
            self.seen.add(entry)
        return entry

    def mark(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """The findings, with those that the baseline knows marked as such."""
        # Those that stand where they stood first: the places of these are taken.
        findings = tuple(findings)
        for finding in findings:
            if finding.status != "ignored" and finding.fingerprint in self._by_fingerprint:
                self.find(finding)
        return tuple(map(self._mark, findings))

    def _mark(self, finding: Finding) -> Finding:
        if finding.status == "ignored":
            return finding
        entry = self.find(finding)
        if entry is None:
            return replace(finding, status="new", reason=None)
        if entry.expires is not None and entry.expires < self._today:
            self.expired.add(entry)
            return replace(finding, status="new", reason=_expired(entry))
        return replace(finding, status="baselined", reason=entry.reason)

    def unseen(self) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry not in self.seen)

    def update(self, findings: Iterable[Finding], keep: Iterable[Entry]) -> tuple[Entry, ...]:
        """The entries after a run: one for each finding, with what the team wrote, and ``keep``."""
        after = {entry.fingerprint: entry for entry in keep}
        for finding in findings:
            if finding.status != "ignored":
                new, old = entry_of(finding), self.find(finding)
                if old is not None:
                    new = replace(new, reason=old.reason, owner=old.owner, expires=old.expires)
                after[new.fingerprint] = new
        return tuple(after.values())

    def _adopt(self, finding: Finding) -> Entry | None:
        if finding.fingerprint in self._moved:
            return self._moved[finding.fingerprint]
        if self._homeless is None:
            self._homeless = [entry for entry in self.entries if self._is_gone(entry)]
        for entry in self._homeless:
            if entry not in self.seen and _resembles(entry, finding):
                self._moved[finding.fingerprint] = entry
                return entry
        return None

    def _is_gone(self, entry: Entry) -> bool:
        """Whether its line does not stand in its function any more."""
        source = self._read(entry.path)
        if source is None:
            return True
        lines = {" ".join(line.split()) for line in _lines_of(source, entry.function)}
        return entry.source not in lines


def _expired(entry: Entry) -> str:
    """When, and what the team wrote of it: who is to be asked, and why it was let in."""
    written = ": ".join(text for text in (entry.owner, entry.reason) if text)
    return f"its entry in the baseline expired on {entry.expires}" + (
        f" ({written})" if written else ""
    )


def _lines_of(source: str, function: str) -> list[str]:
    """The lines of a function in a file, none where it is not there."""
    lines = source.split("\n")
    own = _INNER.split(function)[0]  # a comprehension's or lambda's lines are the function's
    try:
        nodes = [node for name, node in _functions(syntax_of(source)) if name == own]
    except (SyntaxError, ValueError):
        return lines
    return [line for node in nodes for line in lines[node.lineno - 1 : node.end_lineno]]


_INNER = re.compile(r"(?:\.<locals>)?\.?<(?!locals>)")


def _functions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, _Function]]:
    """The functions in ``node`` by their qualified names."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _Function):
            yield f"{prefix}{child.name}", child
            yield from _functions(child, f"{prefix}{child.name}.<locals>.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        else:
            yield from _functions(child, prefix)


def _resembles(entry: Entry, finding: Finding) -> bool:
    if entry.code != finding.code:
        return False
    before, now = _squeezed(entry.source), _squeezed(finding.source)
    same_path, same_function = entry.path == finding.file, entry.function == finding.function
    if before == now:
        return same_path or same_function
    # Wrapped over several lines, or put back on one: each holds a part of the other.
    short, long = sorted((before, now), key=len)
    return same_function and len(short) >= _TELLING and short in long


_TELLING: Final = 6
"""Of fewer characters, a part of a line tells nothing."""


def _squeezed(source: str | None) -> str:
    """A source line without what formatters change."""
    return "".join((source or "").split()).replace("'", '"').rstrip(",")
