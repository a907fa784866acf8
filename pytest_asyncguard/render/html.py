"""Render: RunReport -> one page of HTML, to be kept with a build or sent around.

It needs nothing but itself: no script, no font and no image, and its policy allows none. What a
colour says is said in words as well.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from typing import Final

from pytest_asyncguard import wording
from pytest_asyncguard.model import CensusRow, Finding, ProbeState, RunReport, StackFrame
from pytest_asyncguard.render.news import exercised, headline, news
from pytest_asyncguard.render.text import escape
from pytest_asyncguard.wording import counted

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c1c1f; --paper: #fff; --faint: #5f6368;
  --line: #d5d7db; --code: #f3f4f6; --error: #a8201a; --warning: #7a5200; --clean: #1b6e3c;
  --mark: #ffe08a; --link: #0b57d0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6ea; --paper: #18181b; --faint: #a4a7ae;
  --line: #3a3b40; --code: #232428; --error: #ff9d94; --warning: #f0c36a; --clean: #7fd6a0;
  --mark: #6b5300; --link: #8ab4f8; } }
body { background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif;
  margin: 0 auto; max-width: 64rem; padding: 1rem 1.5rem 4rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
h3 { font-size: 1rem; margin: 0 0 .25rem; }
a { color: var(--link); } p { margin: .25rem 0; } nav ul { padding: 0; }
nav li { display: inline; margin-right: 1.25rem; }
article { border: 1px solid var(--line); border-left-width: .3rem; border-radius: .25rem;
  margin: 1rem 0; padding: .75rem 1rem; }
article.error { border-left-color: var(--error); }
article.warning { border-left-color: var(--warning); }
.error, .blocks { color: var(--error); } .warning, .warns { color: var(--warning); }
article.error, article.warning { color: inherit; }
.clean { color: var(--clean); } .unexercised, .faint { color: var(--faint); }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { background: var(--code); border-radius: .25rem; margin: .5rem 0; overflow-x: auto;
  padding: .5rem .75rem; }
mark { background: var(--mark); color: inherit; }
summary { cursor: pointer; } details ol, details ul { margin: .25rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem 1rem .35rem 0; text-align: left;
  vertical-align: top; }
td { min-width: 12rem; }
th, td:first-child, td.number { min-width: 0; white-space: nowrap; }
.number { text-align: right; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; }
dd { margin: 0; }
"""
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


class HtmlRenderer:
    """Shows all that the JSON report has, the findings that fail a run first."""

    name = "html"
    default_path: str | None = "asyncguard.html"

    def render(self, report: RunReport) -> str:
        title = text(f"asyncguard: {headline(report)}")
        new = news(report.findings)
        covered = [finding for finding in report.findings if finding.status != "new"]
        sections = [
            ("findings", "Findings", "".join(map(_article, new))),
            ("endpoints", "Endpoints", _endpoints(report)),
            ("covered", "Not counted", _covered(covered)),
            ("leftovers", "Without effect", "".join(_leftovers(report))),
            ("run", "The run", _run(report)),
        ]
        shown = [(name, heading, body) for name, heading, body in sections if body]
        links = "".join(f'<li><a href="#{name}">{heading}</a></li>' for name, heading, _ in shown)
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<header>\n"
            f'<h1 class="{_verdict_class(report)}">{title}</h1>\n{_facts(report)}</header>\n'
            f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n<main>\n'
            + "".join(
                f'<section aria-labelledby="{name}">\n<h2 id="{name}">{heading}</h2>\n{body}'
                "</section>\n"
                for name, heading, body in shown
            )
            + "</main>\n</body>\n</html>\n"
        )


def _verdict_class(report: RunReport) -> str:
    verdict = report.summary.verdict
    return {"clean": "clean", "errors": "error"}.get(verdict, "warning")


def _facts(report: RunReport) -> str:
    run = report.run
    facts = f"{counted(run.tests, 'test')}, {counted(run.requests, 'request')}"
    if report.endpoints:
        facts += f"; {exercised(report.summary)}"
    lines = [facts, *([] if run.complete else ["Not all tests ran, so there may be more."])]
    return "".join(f"<p>{text(line)}</p>\n" for line in lines)


# --- findings --------------------------------------------------------------------------------


def _article(finding: Finding) -> str:
    held = finding.held_seconds.max if finding.held_seconds else None
    most = finding.count > 1
    if finding.call is None:
        what = text(wording.stall(held, most=most))
        if spent := finding.detail or _split(finding):
            what += f" ({text(spent)})"
    else:
        given = f"({finding.detail})" if finding.detail else ""
        what = f"{code(finding.call + given)} {text(wording.cost(held, most=most))}"
    severity = f'<span class="{finding.severity}">{finding.severity}</span>'
    lines = [
        f"<h3>{severity} {text(finding.code)} {text(finding.rule)}: {what}</h3>",
        f"<p>{_place(finding.file, finding.line, finding.function)}</p>",
        _source(finding),
        *(f"<p>{line}</p>" for line in _whose(finding)),
    ]
    if finding.hint:
        lines.append(f"<p>instead: {told(finding.hint)}</p>")
    if finding.reason:
        lines.append(f"<p>{text(finding.reason)}</p>")
    if finding.stack:
        lines.append(_list("called through", map(_frame, finding.stack), "ol"))
    if finding.tests:
        tests = (f"<li>{code(test)}</li>" for test in finding.tests)
        lines.append(_list(f"in {counted(len(finding.tests), 'test')}", tests, "ul"))
    name = text(finding.fingerprint)
    return (
        f'<article class="{finding.severity}" id="at-{name}">\n'
        + "".join(f"{line}\n" for line in lines if line)
        + "</article>\n"
    )


def _split(finding: Finding) -> str:
    """What a hold was spent on."""
    parts = ((finding.cpu_seconds, "computing"), (finding.asleep_seconds, "asleep"))
    return ", ".join(f"{wording.duration(each.max)} {word}" for each, word in parts if each)


def _source(finding: Finding) -> str:
    """The line with what it is about marked."""
    source = escape(finding.source or "").rstrip()
    if not source.strip():
        return ""
    start = 0 if finding.column is None else finding.column - 1
    several = finding.end_line is not None and finding.end_line > finding.line
    end = len(source) if several or finding.end_column is None else finding.end_column - 1
    margin = len(source) - len(source.lstrip())
    if finding.column is None or not margin <= start < min(end, len(source)):
        return f"<pre><code>{text(source.strip())}</code></pre>"
    before, marked, after = source[margin:start], source[start:end], source[end:]
    return f"<pre><code>{text(before)}<mark>{text(marked)}</mark>{text(after)}</code></pre>"


def _whose(finding: Finding) -> Iterator[str]:
    for row in finding.routes:
        times = f", {row.count} times" if row.count > 1 else ""
        # In wording the route stands last, so it can be told from the words before it.
        route = row.route if row.route != wording.LIFESPAN else None
        words = wording.whose(row.phase, row.route)
        if route:
            words = words.removesuffix(route)
            yield f"{text(words)}{code(route)}{times}"
        else:
            yield f"{text(words)}{times}"


def _frame(frame: StackFrame) -> str:
    place = _place(frame.file, frame.line, frame.function)
    shown = place if frame.project else f'<span class="faint">{place}</span>'
    source = (frame.source or "").strip()
    return f"<li>{shown}{f'<br>{code(source)}' if source else ''}</li>"


def _list(title: str, items: Iterable[str], kind: str) -> str:
    return f"<details><summary>{title}</summary><{kind}>{''.join(items)}</{kind}></details>"


# --- the census and what else there is -------------------------------------------------------


def _endpoints(report: RunReport) -> str:
    if not report.endpoints:
        return ""
    head = ("verdict", "endpoint", "requests", "tests", "held", "advice")
    return _table("Endpoints", head, map(_endpoint, report.endpoints), numbers=(2, 3, 4))


def _endpoint(row: CensusRow) -> tuple[str, ...]:
    held = wording.duration(row.held_seconds.max) if row.held_seconds else ""
    place = "" if row.file is None else f"<br>{code(f'{row.file}:{row.line or 1}')}"
    return (
        f'<span class="{row.verdict}">{row.verdict}</span>',
        f"{code(row.route)}{place}",
        str(row.requests),
        str(row.tests),
        text(held),
        told(row.advice or ""),
    )


def _covered(findings: Iterable[Finding]) -> str:
    rows = [
        (
            finding.status,
            f"{text(finding.code)} {text(finding.rule)}",
            _place(finding.file, finding.line, finding.function),
            text(finding.reason or ""),
        )
        for finding in findings
    ]
    return _table("Not counted", ("status", "rule", "where", "reason"), rows) if rows else ""


def _leftovers(report: RunReport) -> Iterator[str]:
    if report.unused_ignores:
        rows = (
            (code(f"{each.file}:{each.line}"), code(", ".join(each.rules)), text(each.reason or ""))
            for each in report.unused_ignores
        )
        yield _table("Ignore comments without effect", ("ignore at", "rules", "reason"), rows)
    if report.stale_baseline:
        number = counted(len(report.stale_baseline), "finding")
        names = " ".join(map(code, report.stale_baseline))
        yield f"<p>{number} of the baseline not seen any more: {names}</p>\n"


def _run(report: RunReport) -> str:
    run = report.run
    packages = ", ".join(f"{name} {version}" for name, version in run.packages.items())
    rows = [
        ("started", run.started),
        ("took", f"{run.seconds:.1f} s, {_processes(run.workers)}"),
        ("Python", f"{run.python} on {run.platform}"),
        ("packages", packages),
        ("event loops", ", ".join(run.loops)),
        *((f"probe {probe.name}", _off(probe)) for probe in run.probes if not probe.active),
        *((name, _value(value)) for name, value in report.settings.items()),
        ("pytest-asyncguard", report.tool_version),
    ]
    terms = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>\n" for name, value in rows)
    return f"<dl>\n{terms}</dl>\n"


def _processes(number: int) -> str:
    return "1 process" if number == 1 else f"{number} processes"


def _off(probe: ProbeState) -> str:
    return f"not active: {probe.reason or ''}"


def _value(value: object) -> str:
    if isinstance(value, dict):
        value = [f"{name}: {each}" for name, each in value.items()]
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(
    title: str,
    head: Iterable[str],
    rows: Iterable[Iterable[str]],
    numbers: tuple[int, ...] = (),
) -> str:
    """A table that a keyboard can scroll where it is wider than the page."""

    def kind(index: int) -> str:
        return ' class="number"' if index in numbers else ""

    heads = "".join(f'<th scope="col"{kind(i)}>{each}</th>' for i, each in enumerate(head))
    body = "".join(
        f"<tr>{''.join(f'<td{kind(i)}>{cell}</td>' for i, cell in enumerate(row))}</tr>\n"
        for row in rows
    )
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{title}"><table>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n"
    )


# --- strings that others chose ---------------------------------------------------------------


def text(string: str) -> str:
    """The string as text, in an element or between quotes."""
    return html.escape(escape(string))


def code(string: str) -> str:
    return f"<code>{text(string)}</code>"


def told(sentence: str) -> str:
    """A sentence of ours that has names between backticks, as hints have."""
    parts = sentence.split("`")
    if len(parts) % 2 == 0:
        return text(sentence)
    return "".join(code(part) if index % 2 else text(part) for index, part in enumerate(parts))


def _place(file: str, line: int, function: str) -> str:
    return f"{code(f'{file}:{line}')} in {code(function)}"
