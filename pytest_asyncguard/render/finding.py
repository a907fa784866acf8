"""A finding on a terminal, told in four parts: what, where, whose, what instead.

The place stands on a line of its own and is never cut, so that editors and terminals make a link
of it. Everything is ASCII but for the strings that others chose, and colour adds nothing that the
words do not say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pytest_asyncguard import wording
from pytest_asyncguard.model import Finding, Phase, RouteCount, Severity, StackFrame
from pytest_asyncguard.render.text import HARD, cells, clip, escape, excerpt, wrap

COLOURS: dict[Severity, str] = {"error": "red", "warning": "yellow"}
FRAMEWORKS = ("fastapi", "starlette")
WAY = 8
"""Of a longer way the middle is left out."""
SHORT = 24
"""A detail of so many columns stands in the headline in any case."""


class Writer(Protocol):
    """What telling a finding takes of pytest's TerminalWriter."""

    @property
    def fullwidth(self) -> int: ...
    def write(self, msg: str, *, flush: bool = False, **markup: bool) -> None: ...
    def line(self, s: str = "", **markup: bool) -> None: ...


def what(tw: Writer, finding: Finding, prefix: str = "", *, detail_lines: int = 3) -> None:
    """The headline. What the call was given stands in it if there is room, else below."""
    title = f"{prefix}{finding.code} {finding.rule}:"
    held = finding.held_seconds.max if finding.held_seconds else None
    detail = escape(finding.detail or "")
    if finding.rule == "starved":
        thread = detail or None
        headline = f"{title} {wording.starved(thread, held, most=finding.count > 1)}"
        detail = ""
    elif finding.call is None:
        headline = f"{title} {wording.stall(held, most=finding.count > 1)}"
        detail = detail or _split(finding)
    else:
        call, cost = escape(finding.call), wording.cost(held, most=finding.count > 1)
        headline = f"{title} {call}({detail}) {cost}"
        if not detail or (cells(headline) > tw.fullwidth and cells(detail) > SHORT):
            headline = f"{title} {call} {cost}"
        else:
            detail = ""
    for line in wrap(headline, tw.fullwidth, "  ", first=""):
        tw.line(line, **{COLOURS[finding.severity]: True})
    below = list(wrap(detail, tw.fullwidth, "  "))
    if len(below) > detail_lines:
        last, rest = below[detail_lines - 1 : detail_lines + 1]
        below[detail_lines - 1 :] = [clip(f"{last} {rest.strip()}", tw.fullwidth)]
    for line in below:
        tw.line(line)


def _split(finding: Finding) -> str:
    """What a hold was spent on: the first question about a stall that has no call to name."""
    parts = ((finding.cpu_seconds, "computing"), (finding.asleep_seconds, "asleep"))
    known = (f"{wording.duration(spread.max)} {word}" for spread, word in parts if spread)
    return ", ".join(known)


def where(tw: Writer, finding: Finding, *, source: bool) -> None:
    place(tw, "  ", finding.file, finding.line, finding.function, bold=True)
    if not source or not finding.source or not finding.source.strip():
        return
    several = finding.end_line is not None and finding.end_line > finding.line
    start = None if finding.column is None else finding.column - 1
    end = None if several or finding.end_column is None else finding.end_column - 1
    indent = " " * 6
    line, carets = excerpt(finding.source, start, end, max(20, tw.fullwidth - len(indent)))
    tw.line(f"{indent}{line}")
    if carets:
        tw.line(f"{indent}{carets}", **{COLOURS[finding.severity]: True})


def place(tw: Writer, indent: str, file: str, line: int, function: str, **markup: bool) -> None:
    where_in = f"in {escape(function)}"
    text = f"{indent}{escape(file)}:{line}"
    tw.write(text, **markup)
    if cells(f"{text} {where_in}") > tw.fullwidth:
        tw.line()
        tw.line(clip(f"{indent}  {where_in}", tw.fullwidth))
    else:
        tw.line(f" {where_in}")


def whose(tw: Writer, finding: Finding) -> None:
    """A line for each part of the requests that went through here."""
    for part, count in _parts(finding, limit=None):
        _indented(tw, f"{part}, {count} times" if count > 1 else part)


def way(tw: Writer, finding: Finding) -> None:
    """The functions from the endpoint, or whatever part it was, to the line; others are folded."""
    between = tuple(_between(finding))
    if not any(frame.project for frame in between):
        return
    tw.line("  called through:")
    folded = 0
    for index, frame in enumerate(between):
        inner = WAY // 2 <= index < len(between) - WAY // 2
        if not frame.project or (inner and len(between) > WAY):
            folded += 1
            continue
        folded = _fold(tw, folded)
        place(tw, "    ", frame.file, frame.line, frame.function)
    _fold(tw, folded)


def _between(finding: Finding) -> Sequence[StackFrame]:
    """The stack from where the framework hands over to the function before the blamed one."""
    stack = finding.stack
    blamed = (finding.file, finding.line, finding.function)
    places = [(frame.file, frame.line, frame.function) for frame in stack]
    if blamed not in places:
        return ()
    end = len(places) - 1 - places[::-1].index(blamed)
    framework = (
        index + 1
        for index, frame in enumerate(stack[:end])
        if not frame.project and any(f"/{name}/" in f"/{frame.file}" for name in FRAMEWORKS)
    )
    return stack[max(framework, default=0) : end]


def _fold(tw: Writer, number: int) -> int:
    if number:
        tw.line(f"    ... {wording.counted(number, 'frame')}")
    return 0


def whose_in_short(tw: Writer, finding: Finding, limit: int) -> None:
    """The same with no more names than the limit, and how often in how many tests."""
    parts = [part for part, _ in _parts(finding, limit)]
    seen = [f"{finding.count} times"] if finding.count > max(1, len(finding.tests)) else []
    if finding.tests:
        seen.append(f"in {wording.counted(len(finding.tests), 'test')}")
    if seen and len(parts) == 1:
        _indented(tw, f"{parts[0]}, {' '.join(seen)}")
        return
    for part in parts[:limit]:
        _indented(tw, part)
    if len(parts) > limit:
        seen.insert(0, f"and {len(parts) - limit} more,")
    if seen:
        _indented(tw, " ".join(seen))


def _parts(finding: Finding, limit: int | None) -> list[tuple[str, int]]:
    phases: dict[tuple[Phase, bool], list[RouteCount]] = {}
    for row in finding.routes:
        phases.setdefault((row.phase, row.route is None), []).append(row)
    parts = []
    for (phase, outside), rows in phases.items():
        routes = [escape(row.route or "").replace(" ", HARD) for row in rows]
        named = None if outside else listed(routes, limit)
        words = wording.whose(phase, named, rule=finding.rule)
        parts.append((words, sum(row.count for row in rows)))
    return parts


def _indented(tw: Writer, text: str) -> None:
    for line in wrap(text, tw.fullwidth, "    ", first="  "):
        tw.line(line)


def listed(names: Sequence[str], limit: int | None) -> str:
    """As many names as the limit allows, and the number of the others."""
    # Counting a single one would take as much room as naming it.
    if limit is None or len(names) <= limit + 1:
        return ", ".join(names)
    return f"{', '.join(names[:limit])} and {len(names) - limit} more"


def instead(tw: Writer, finding: Finding) -> None:
    if finding.status == "new" and finding.reason:  # its entry in the baseline has expired
        _indented(tw, escape(finding.reason))
    if finding.hint:
        _indented(tw, f"instead: {escape(finding.hint)}")
