"""Render: RunReport -> Markdown, fit for a comment in a pull request or a summary of a job.

The verdict first, a table of the findings, and the rest folded. Names that others chose stand in
code spans, where nothing is markup, a link or the name of somebody to be notified.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Final

from pytest_asyncguard import wording
from pytest_asyncguard.model import CensusRow, Finding, RunReport
from pytest_asyncguard.render.news import exercised, headline, news
from pytest_asyncguard.render.text import clip, escape
from pytest_asyncguard.wording import counted

COMMENT_BYTES: Final = 60_000
"""GitHub takes comments of up to 65536 characters."""

WIDTH: Final = 200
"""Of a name in a table; a longer one is cut."""

NAMES: Final = 20
"""Of tests in the details of a finding, and of routes: the others are counted."""

SHORT: Final = 24
"""A detail of so many characters stands with its call."""

_PUNCTUATION: Final = re.compile(r"[!-/:-@\[-`{-~]")
_PLAIN: Final = re.compile(r"(?i)(?!.*www\.)([a-z0-9 ,.;()'\"?!:=%-]|(?<=[a-z0-9])_(?=[a-z0-9]))*")


class MarkdownRenderer:
    """GitHub's dialect, which GitLab, Gitea and Bitbucket's comments read as well."""

    name = "markdown"
    default_path: str | None = "asyncguard.md"

    def render(self, report: RunReport) -> str:
        return document(report, COMMENT_BYTES)


def document(report: RunReport, limit: int) -> str:
    """The report in no more bytes than the limit. What has no room is counted."""
    new = news(report.findings)
    parts = [f"### asyncguard: {headline(report)}\n"]
    if new:
        rows = (_row(finding) for finding in new)
        head = "| | rule | call | where | whose | held |\n|---|---|---|---|---|---|\n"
        parts.append(head + _fitting(rows, limit // 3, "| | {} more | | | | |\n"))
    parts += _notes(report, limit // 6)
    if report.endpoints:
        parts.append(_census(report, limit // 6))
    if new:
        room = limit - sum(len(part.encode()) + 1 for part in parts)
        details = (_details(finding) for finding in new)
        parts.insert(
            2, _fitting(details, room - 1, "\nThe details of {} more have no room here.\n")
        )
    return "\n".join(parts)


def _fitting(items: Iterable[str], room: int, more: str) -> str:
    """As many of the items as fit into so many bytes, and ``more`` with the number of the rest."""
    items = list(items)
    room -= len(more) + len(str(len(items)))
    text = ""
    for index, item in enumerate(items):
        room -= len(item.encode())
        if room < 0:
            return text + more.format(len(items) - index)
        text += item
    return text


# --- what belongs to the verdict -------------------------------------------------------------


def _notes(report: RunReport, room: int) -> list[str]:
    """A paragraph for each thing that a reader has to know beside the findings."""
    notes = []
    if not report.run.complete:
        notes.append("Not all tests ran, so there may be more.\n")
    covered = ((report.summary.baselined, "baselined"), (report.summary.ignored, "ignored"))
    if any(count for count, _ in covered):
        words = ", ".join(f"{count} {status}" for count, status in covered if count)
        notes.append(f"Not counted: {words}.\n")
    if report.unused_ignores:
        ignores = (
            f"- {code(f'{ignore.file}:{ignore.line}')}: {code(', '.join(ignore.rules))}\n"
            for ignore in report.unused_ignores
        )
        notes.append("Ignores without effect:\n\n" + _fitting(ignores, room, "- {} more\n"))
    if report.stale_baseline:
        number = counted(len(report.stale_baseline), "finding")
        notes.append(f"{number} of the baseline not seen any more: update it.\n")
    return notes


# --- findings --------------------------------------------------------------------------------


def _row(finding: Finding) -> str:
    routes = [row.route for row in finding.routes]
    whose = wording.whose(finding.phase, _route(finding.route), rule=finding.rule)
    if more := len(set(routes) - {finding.route}):
        whose += f" and {more} more"
    held = wording.duration(finding.held_seconds.max) if finding.held_seconds else ""
    cells = (
        finding.severity,
        f"{finding.code} {finding.rule}",
        code(_call(finding)) if finding.call else wording.STALLS.get(finding.rule, ""),
        code(f"{finding.file}:{finding.line}"),
        whose,
        held,
    )
    return f"| {' | '.join(cells)} |\n"


def _details(finding: Finding) -> str:
    place = f"{finding.file}:{finding.line} in {finding.function}"
    title = f"{finding.code} {finding.rule} at <code>{_html(place)}</code>"
    lines = [f"<details><summary>{title}</summary>\n"]
    if finding.source and finding.source.strip():
        lines.append(f"{code(finding.source.strip())}\n")
    items = []
    if finding.reason:  # of a new one: its entry in the baseline has expired
        items.append(told(finding.reason))
    if finding.hint:
        items.append(f"instead: {told(finding.hint)}")
    if finding.detail and finding.detail not in _call(finding):
        items.append(f"with {code(finding.detail)}")
    for row in finding.routes[:NAMES]:
        times = f", {row.count} times" if row.count > 1 else ""
        items.append(f"{wording.whose(row.phase, _route(row.route), rule=finding.rule)}{times}")
    if (more := len(finding.routes) - NAMES) > 0:
        items.append(f"in {more} more")
    frames = [frame for frame in finding.stack if frame.project][-NAMES:]
    if len(frames) > 1:
        names = (code(f"{frame.file}:{frame.line} in {frame.function}") for frame in frames)
        items.append(f"called through {', '.join(names)}")
    if finding.tests:
        names = (code(test) for test in finding.tests[:NAMES])
        words = f"in {counted(len(finding.tests), 'test')}: {', '.join(names)}"
        more = len(finding.tests) - NAMES
        items.append(f"{words} and {more} more" if more > 0 else words)
    lines += [f"- {item}" for item in items]
    return "\n".join([*lines, "\n</details>\n"])


def _call(finding: Finding) -> str:
    """The call with what it was given, if that is short."""
    short = finding.detail and len(finding.detail) <= SHORT
    return f"{finding.call}({finding.detail})" if finding.call and short else finding.call or ""


def _route(route: str | None) -> str | None:
    return route if route is None or route == wording.LIFESPAN else code(route)


# --- the census ------------------------------------------------------------------------------


def _census(report: RunReport, room: int) -> str:
    title = f"{exercised(report.summary)}, {report.summary.blocking or 'none'} "
    title += "block" if report.summary.blocking > 1 else "blocks"
    head = "| | endpoint | requests | held | |\n|---|---|---|---|---|\n"
    rows = _fitting(
        (_endpoint(row) for row in report.endpoints), room - len(head), "| | {} more | | | |\n"
    )
    return f"<details><summary>{title}</summary>\n\n{head}{rows}\n</details>\n"


def _endpoint(row: CensusRow) -> str:
    held = wording.duration(row.held_seconds.max) if row.held_seconds else ""
    cells = (row.verdict, code(row.route), str(row.requests), held, told(row.advice or ""))
    return f"| {' | '.join(cells)} |\n"


# --- strings that others chose ---------------------------------------------------------------


def code(text: str) -> str:
    """The text as code, whatever is in it, wherever it stands.

    Between backticks where it can be read like that; else each sign is written as its number, for
    Markdown has no escape in code, and tables end at bars even there.
    """
    text = clip(escape(text), WIDTH)
    if text and text == text.strip() and "`" not in text and "|" not in text:
        return f"`{text}`"
    return f"<code>{_PUNCTUATION.sub(lambda sign: f'&#{ord(sign[0])};', text)}</code>"


def told(text: str) -> str:
    """A sentence of ours that has names between backticks, as hints have.

    What is outside them and not plain words came with a name, and is code as well.
    """
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:
        return code(text)
    return "".join(
        code(part) if index % 2 or not _PLAIN.fullmatch(part) else part
        for index, part in enumerate(parts)
    )


def _html(text: str) -> str:
    """The text within HTML, where Markdown is not read."""
    return html.escape(clip(escape(text), WIDTH))
