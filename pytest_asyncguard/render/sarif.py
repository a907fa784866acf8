"""Render: RunReport -> SARIF 2.1.0, the OASIS standard that code scanning services read.

A service closes an alert when a later file has the rule and not the result. So every rule is
listed, whether or not it found anything, and a run without findings is a file without results.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final
from urllib.parse import quote

from pytest_asyncguard.catalog.rules import RULES
from pytest_asyncguard.model import CensusRow, Finding, Rule, RunReport, StackFrame
from pytest_asyncguard.render.news import news, sentences
from pytest_asyncguard.render.text import escape

SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

_PLACEHOLDER: Final = re.compile(r"\{(\d+)\}")
_DRIVE: Final = re.compile(r"[A-Za-z]:/")


class SarifRenderer:
    """Leaves out what is baselined or ignored: services show suppressed results as open."""

    name = "sarif"
    default_path: str | None = "asyncguard.sarif"

    def render(self, report: RunReport) -> str:
        endpoints = {row.route: row for row in report.endpoints}
        run = {
            "tool": {
                "driver": {
                    "name": "pytest-asyncguard",
                    "version": report.tool_version,
                    "rules": [_rule(rule) for rule in RULES.values()],
                }
            },
            "automationDetails": {"id": _category(report)},
            "invocations": [{"executionSuccessful": report.run.complete}],
            "columnKind": "unicodeCodePoints",
            "results": [
                _result(finding, endpoints.get(finding.route or ""))
                for finding in news(report.findings)
            ],
        }
        document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
        return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _category(report: RunReport) -> str:
    """One for each environment of a matrix: a second file of the same replaces the first.

    The patch release is left out, or alerts would stay open with the one that nobody runs.
    """
    python = ".".join(report.run.python.split(".")[:2])
    return f"asyncguard/{escape(report.run.platform)}-py{escape(python)}/"


def _rule(rule: Rule) -> dict[str, object]:
    text, markdown = [rule.why], [rule.why]
    for words, source in (("Instead of:", rule.example), ("write:", rule.instead)):
        text += [words, source.strip()]
        markdown += [words, f"```python\n{source.strip()}\n```"]
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": f"Blocks the event loop: {rule.summary}"},
        "fullDescription": {"text": rule.finds},
        "help": {"text": "\n\n".join(text), "markdown": "\n\n".join(markdown)},
        "defaultConfiguration": {"level": rule.severity},
        "properties": {
            "precision": "very-high",
            "problem.severity": rule.severity,
            "tags": ["asyncio", "performance"],
        },
    }


def _result(finding: Finding, endpoint: CensusRow | None) -> dict[str, object]:
    result: dict[str, object] = {"ruleId": finding.code}
    if finding.rule in RULES:  # not where another version of the plugin wrote the report
        result["ruleIndex"] = [*RULES].index(finding.rule)
    return result | {
        "level": finding.severity,
        "message": {"text": _message(sentences(finding))},
        "locations": [
            {
                "physicalLocation": _place(finding),
                "logicalLocations": [{"fullyQualifiedName": _text(finding.function)}],
            }
        ],
        # The services' own name for what makes two results the same; the number tells apart
        # results of one line, and a fingerprint stands for a single site.
        "partialFingerprints": {
            "primaryLocationLineHash": f"{finding.fingerprint}:1",
            "asyncguard/v1": finding.fingerprint,
        },
        **_flow(finding, endpoint),
        "properties": {
            "routes": sorted({_text(row.route) for row in finding.routes if row.route}),
            "phase": finding.phase,
            "count": finding.count,
            "tests": len(finding.tests),
        },
    }


def _place(finding: Finding) -> dict[str, object]:
    """The blame line: the range in it, and the whole of it as the context of that range."""
    region: dict[str, object] = {"startLine": finding.line}
    several = finding.end_line is not None and finding.end_line > finding.line
    if several:
        region["endLine"] = finding.end_line
    if finding.column is not None:
        region["startColumn"] = finding.column
        if finding.end_column is not None:
            region["endColumn"] = finding.end_column
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(finding.file)}, "region": region}
    if finding.source is not None and not several:
        snippet = {"text": _text(finding.source)}
        if finding.column is None:
            region["snippet"] = snippet
        else:
            place["contextRegion"] = {"startLine": finding.line, "snippet": snippet}
    return place


def _flow(finding: Finding, endpoint: CensusRow | None) -> dict[str, object]:
    """The way to the call, on lines of the project: the others have no file in the repository.

    It begins at the endpoint, or where that is not on it (a dependency, a middleware) at the
    first line of all.
    """
    frames = [frame for frame in finding.stack if frame.project]
    for index, frame in enumerate(frames):
        if endpoint and _is(frame, endpoint):
            frames = frames[index:]
            break
    if len(frames) < 2:
        return {}
    steps = [_step(frame) for frame in frames]
    call = finding.call or finding.rule
    steps[-1]["location"]["message"] = {"text": _message(escape(call))}
    return {"codeFlows": [{"threadFlows": [{"locations": steps}]}]}


def _is(frame: StackFrame, endpoint: CensusRow) -> bool:
    return frame.file == endpoint.file and endpoint.function.endswith(f".{frame.function}")


def _step(frame: StackFrame) -> dict[str, Any]:
    region: dict[str, object] = {"startLine": frame.line}
    if frame.source is not None:
        region["snippet"] = {"text": _text(frame.source)}
    return {
        "location": {
            "physicalLocation": {
                "artifactLocation": {"uri": _uri(frame.file)},
                "region": region,
            },
            "message": {"text": _message(f"in {escape(frame.function)}")},
        }
    }


def _uri(path: str) -> str:
    """The path as a relative reference, or a file URI where it is absolute."""
    try:
        raw = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # no byte of a POSIX name, but half a character of a Windows one
        raw = path.encode("utf-8", "surrogatepass")
    if _DRIVE.match(path):
        return f"file:///{path[:2]}{quote(raw[2:])}"
    return f"file://{quote(raw)}" if path.startswith("/") else quote(raw)


def _text(text: str) -> str:
    """The text as it is, but for halves of characters, at which readers of JSON give up."""
    return text.encode("utf-8", "replace").decode()


def _message(text: str) -> str:
    """Plain text for a message, in which the standard has placeholders and links.

    The standard would have every brace doubled, but the viewers know placeholders only and halve
    nothing: a route ``/items/{id}`` would be shown as ``/items/{{id}}``. So only what looks like a
    placeholder gets its braces doubled.
    """
    text = _PLACEHOLDER.sub(r"{{\1}}", text)
    if "](" in text:
        text = re.sub(r"[\[\]\\]", r"\\\g<0>", text)
    return text
