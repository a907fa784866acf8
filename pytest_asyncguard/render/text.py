"""Strings that others chose, made fit for a line of a terminal: harmless, and no wider than it.

Source lines, routes and paths come from the code under test. A colour code, a cursor movement or
a right-to-left mark in one of them must not reach the terminal of whoever reads the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from unicodedata import combining, east_asian_width

ELLIPSIS = "..."
HARD = "\N{NO-BREAK SPACE}"
"""A space at which ``wrap`` breaks no line; ``escape`` leaves none of other origin."""


def escape(text: str) -> str:
    """The text with all white space as spaces, and a "?" for all else that does not print.

    One character becomes one character, so columns stay true.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " if char.isspace() else "?" for char in text)


def cells(text: str) -> int:
    """How many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_cells_of, text))


def _cells_of(char: str) -> int:
    if combining(char):
        return 0
    return 2 if east_asian_width(char) in "WF" else 1


def fitting(text: str, width: int) -> int:
    """How many characters of the text, from its start, fit into ``width`` columns."""
    used = 0
    for index, char in enumerate(text):
        used += _cells_of(char)
        if used > width:
            return index
    return len(text)


def clip(text: str, width: int) -> str:
    """The text on one line, its end cut off where it does not fit."""
    if cells(text) <= width:
        return text
    return text[: fitting(text, width - len(ELLIPSIS))].rstrip() + ELLIPSIS


def wrap(text: str, width: int, indent: str = "", first: str | None = None) -> Iterator[str]:
    """The text on as many lines as it takes. A word wider than a line is broken."""
    line, empty = indent if first is None else first, True
    for word in text.split(" "):
        rest = word.replace(HARD, " ")
        if not empty and cells(line) + 1 + cells(word) > width:
            yield line
            line, empty = indent, True
        while empty and cells(line) + cells(rest) > width:
            taken = max(1, fitting(rest, width - cells(line)))
            taken = rest.rfind("/", taken // 2, taken) + 1 or taken  # most such words are paths
            yield line + rest[:taken]
            line, rest = indent, rest[taken:]
        line += rest if empty else f" {rest}"
        empty = empty and not rest
    if not empty:
        yield line


def excerpt(source: str, start: int | None, end: int | None, width: int) -> tuple[str, str]:
    """A source line without its indentation, and the carets that underline part of it.

    ``start`` and ``end`` count characters of the line as it stands in its file, from 0. Of a long
    line the part around the underlined range is shown, so that the carets have what to point at.
    """
    line = escape(source).rstrip()
    margin = len(line) - len(line.lstrip())
    line = line[margin:]
    if start is None or not margin <= start < margin + len(line):
        return clip(line, width), ""
    start -= margin
    end = len(line) if end is None else max(start + 1, min(end - margin, len(line)))
    if cells(line) > width and cells(line[:end]) > width - len(ELLIPSIS):
        # Too far to the right: begin a little before the range, as far as all of it still fits.
        spare = width - 2 * len(ELLIPSIS) - cells(line[start:end])
        begin = start
        while begin > 0 and cells(line[begin - 1 : start]) <= max(0, spare):
            begin -= 1
        lead = ELLIPSIS if begin else ""
        line = lead + line[begin:]
        start, end = start - begin + len(lead), end - begin + len(lead)
    shown = clip(line, width)
    end = min(end, len(shown))
    return shown, " " * cells(shown[:start]) + "^" * cells(shown[start:end])
