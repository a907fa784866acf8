"""Render: RunReport -> annotations and a step summary for GitHub Actions.

An annotation stands at the blame line in the changed files of a pull request. GitHub shows ten of
a step and drops the others without a word; the summary of the job has room for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_asyncguard.model import Finding, RunReport, UnusedIgnore
from pytest_asyncguard.render.markdown import document
from pytest_asyncguard.render.news import news
from pytest_asyncguard.render.text import escape

LIMIT: Final = 10
"""Annotations of a step, of all levels together."""

SUMMARY_BYTES: Final = 200 * 1024
"""GitHub drops a summary of more than 1 MiB, to which other tools of the step add theirs."""


class GithubRenderer:
    """Workflow commands: the runner finds them in what a step prints."""

    name = "github"
    default_path: str | None = None

    def render(self, report: RunReport) -> str:
        return annotate(report)


def annotate(report: RunReport) -> str:
    """A line for each of the first ten findings, errors first, and one that counts the others."""
    lines = [*_commands(report)]
    if (more := len(lines) - LIMIT) > 0:
        lines[LIMIT:] = [f"asyncguard: {more} more, all in the summary of the job"]
    return "".join(f"{line}\n" for line in lines)


def step_summary(report: RunReport) -> str:
    """Markdown to be added to the file that ``GITHUB_STEP_SUMMARY`` names."""
    return document(report, SUMMARY_BYTES)


def _commands(report: RunReport) -> Iterator[str]:
    for finding in news(report.findings):
        yield _finding(finding)
    for ignore in report.unused_ignores:
        yield _ignore(ignore)


def _finding(finding: Finding) -> str:
    properties: dict[str, str | int] = {"file": finding.file, "line": finding.line}
    several = finding.end_line is not None and finding.end_line > finding.line
    if several:
        properties["endLine"] = finding.end_line or finding.line
    elif finding.column is not None:
        # The runner drops columns where the lines differ.
        properties["endLine"] = finding.line
        properties["col"] = finding.column
        if finding.end_column is not None:
            properties["endColumn"] = finding.end_column
    message = escape(finding.message)
    for more in (finding.reason, finding.hint):
        if more:
            message = f"{message}\n{escape(more)}"
    return _command(finding.severity, properties, f"{finding.code} {finding.rule}", message)


def _ignore(ignore: UnusedIgnore) -> str:
    message = f"ignore[{escape(', '.join(ignore.rules))}] has no effect: nothing blocks here"
    return _command("notice", {"file": ignore.file, "line": ignore.line}, "asyncguard", message)


def _command(name: str, properties: dict[str, str | int], title: str, message: str) -> str:
    given = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    # Last, since the runner strips the properties, and a title of ours has nothing to lose.
    return f"::{name} {given},title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    # What runs in the log's terminal is harmless; then what would end the property, is its own.
    return _data(escape(text)).replace(":", "%3A").replace(",", "%2C")
