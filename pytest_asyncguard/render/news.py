"""What the CI formats have in common: which findings they tell, in which words, from which folder.

A CI system asks what is new. What the baseline or an ignore covers stays in the JSON report.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from posixpath import join, normpath

from pytest_asyncguard.model import Finding, RunReport, Summary
from pytest_asyncguard.render.text import escape
from pytest_asyncguard.wording import counted

_ABSOLUTE = re.compile(r"/|[A-Za-z]:/")


def news(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that no baseline and no ignore covers, errors first."""
    new = (finding for finding in findings if finding.status == "new")
    return sorted(new, key=lambda finding: finding.severity != "error")


def sentences(finding: Finding) -> str:
    """What happened and what to write instead, for where only plain text is shown."""
    parts = [escape(finding.message)]
    if finding.hint:
        parts = [f"{parts[0]}.", escape(finding.hint)]
    return " ".join(parts)


def headline(report: RunReport) -> str:
    """The verdict in a few words."""
    summary = report.summary
    kinds = [
        counted(count, noun)
        for count, noun in ((summary.errors, "error"), (summary.warnings, "warning"))
        if count
    ]
    if kinds:
        number = summary.errors + summary.warnings
        verb = "blocks" if number == 1 else "block"
        return f"{counted(number, 'place')} {verb} the event loop ({', '.join(kinds)})"
    if summary.verdict == "nothing-watched":
        return "no request was watched"
    new = "new " if summary.baselined or summary.ignored else ""
    return f"no {new}blocking call in {counted(report.run.requests, 'request')}"


def exercised(summary: Summary) -> str:
    return f"{summary.exercised} of {counted(summary.endpoints, 'endpoint')} exercised"


def seen_from_above(report: RunReport, folder: str) -> RunReport:
    """The report with its paths as they are from a folder in which rootdir is ``folder``.

    A report names files from pytest's rootdir, a CI system from the root of the repository. They
    differ where a repository holds several projects.
    """

    def moved(path: str) -> str:
        return path if _ABSOLUTE.match(path) else normpath(join(folder, path))

    return replace(
        report,
        findings=tuple(
            replace(
                finding,
                file=moved(finding.file),
                stack=tuple(replace(frame, file=moved(frame.file)) for frame in finding.stack),
            )
            for finding in report.findings
        ),
        endpoints=tuple(
            replace(row, file=None if row.file is None else moved(row.file))
            for row in report.endpoints
        ),
        unused_ignores=tuple(
            replace(ignore, file=moved(ignore.file)) for ignore in report.unused_ignores
        ),
    )
