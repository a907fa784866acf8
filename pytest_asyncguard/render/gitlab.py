"""Render: RunReport -> GitLab's code quality report, a subset of that of Code Climate."""

from __future__ import annotations

import json
from typing import Final

from pytest_asyncguard.model import Finding, RunReport, Severity
from pytest_asyncguard.render.news import news, sentences

SEVERITIES: Final[dict[Severity, str]] = {"error": "major", "warning": "minor"}
"""Of info, minor, major, critical and blocker: the middle, since an app with it does work."""


class GitlabRenderer:
    """GitLab compares with the target branch by fingerprint, which has no line number."""

    name = "gitlab"
    default_path: str | None = "gl-code-quality-report.json"

    def render(self, report: RunReport) -> str:
        entries = [_entry(finding) for finding in news(report.findings)]
        return json.dumps(entries, indent=2) + "\n"


def _entry(finding: Finding) -> dict[str, object]:
    return {
        "description": f"{finding.code}: {sentences(finding)}",
        "check_name": f"asyncguard/{finding.rule}",
        "fingerprint": finding.fingerprint,
        "severity": SEVERITIES[finding.severity],
        "location": {
            # A name that is no text has no form in JSON that GitLab could read.
            "path": finding.file.encode("utf-8", "replace").decode(),
            "lines": {"begin": finding.line},
        },
    }
