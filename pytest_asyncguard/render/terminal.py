"""Render: findings -> what a failing test shows, RunReport -> the terminal summary."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from pytest_asyncguard.model import (
    CensusRow,
    EndpointVerdict,
    Finding,
    RunReport,
    RunVerdict,
    Summary,
)
from pytest_asyncguard.render.finding import (
    Writer,
    instead,
    listed,
    place,
    way,
    what,
    where,
    whose,
    whose_in_short,
)
from pytest_asyncguard.render.text import HARD, escape, wrap
from pytest_asyncguard.wording import counted, duration

SITES = 10
"""How many findings the summary shows without -v."""
NAMES = 3
"""How many routes a line names without -v."""
TESTS = 10
"""How many tests of a finding -v names; -vv names all."""
VERDICTS: dict[RunVerdict, str] = {
    "clean": "green",
    "warnings": "yellow",
    "errors": "red",
    "nothing-watched": "yellow",
}
ENDPOINTS: dict[EndpointVerdict, str] = {
    "clean": "green",
    "warns": "yellow",
    "blocks": "red",
    "unexercised": "light",
}


class SectionWriter(Writer, Protocol):
    def sep(
        self,
        sepchar: str,
        title: str | None = None,
        fullwidth: int | None = None,
        **markup: bool,
    ) -> None: ...


class PlainWriter:
    """A Writer for where there is no terminal: a log, a JUnit file, a report from a worker."""

    fullwidth = 80

    def __init__(self) -> None:
        self.text = ""

    def write(self, msg: str, *, flush: bool = False, **markup: bool) -> None:  # noqa: ARG002
        self.text += msg

    def line(self, s: str = "", **markup: bool) -> None:  # noqa: ARG002
        self.text += f"{s}\n"


# --- a failing test --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """Where a test failed and why, as pytest wants it for its short summary and ``--tb=line``."""

    path: str
    lineno: int
    what: str
    others: int

    @property
    def message(self) -> str:
        return f"{self.what} at {self.path}:{self.lineno}{self._more}"

    def __str__(self) -> str:
        return f"{self.path}:{self.lineno}: {self.what}{self._more}"

    @property
    def _more(self) -> str:
        return f" and {self.others} more" if self.others else ""


class FailureText:
    """A ``longrepr`` that shows findings alone: the test's own lines are not at fault."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = _errors_first(findings)

    @property
    def reprcrash(self) -> Crash:
        worst = self.findings[0]
        return Crash(
            path=escape(worst.file),
            lineno=worst.line,
            what=f"{worst.code} {escape(worst.call or worst.rule)}",
            others=len(self.findings) - 1,
        )

    def toterminal(self, tw: Writer) -> None:
        for index, finding in enumerate(self.findings):
            if index:
                tw.line()
            prefix = "" if finding.severity == "error" else "warning "
            what(tw, finding, prefix)
            where(tw, finding, source=True)
            whose(tw, finding)
            way(tw, finding)
            instead(tw, finding)
        # Who meets a failure for the first time wants to know what failed the test.
        for finding in self.findings[:1]:
            tw.line(f"  more: asyncguard explain {finding.code}", light=True)

    def __str__(self) -> str:
        writer = PlainWriter()
        self.toterminal(writer)
        return writer.text.rstrip("\n")


def failure_text(findings: Iterable[Finding]) -> FailureText:
    """What a test that fails for these findings has to show."""
    return FailureText(findings)


def _errors_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: finding.severity != "error"))


# --- the run ---------------------------------------------------------------------------------


def summary(
    tw: SectionWriter,
    report: RunReport,
    verbosity: int,
    gate_sentence: str,
    *,
    failed: bool = False,
) -> None:
    """The section ``asyncguard`` of the terminal summary; of a clean run, one line."""
    verdict = report.summary.verdict
    if verbosity < -1 and verdict == "clean" and not failed:
        return
    new = _errors_first(finding for finding in report.findings if finding.status == "new")
    colour = "red" if failed else VERDICTS[verdict]
    notes = report.unused_ignores or report.stale_baseline
    if verbosity < 0 or not (new or notes or verbosity > 0):
        if verbosity >= 0 and report.summary.exercised:
            gate_sentence += f"; {_census(report.summary)}"
        _lines(tw, gate_sentence, **{colour: True})
        return
    tw.sep("=", "asyncguard", **{colour: True})
    for finding in new if verbosity > 0 else new[:SITES]:
        _site(tw, finding, verbosity)
        tw.line()
    if verbosity <= 0 and len(new) > SITES:
        tw.line(f"{len(new) - SITES} more: run with -v")
        tw.line()
    _covered(tw, report, verbosity)
    _endpoints(tw, report, verbosity)
    _leftovers(tw, report, verbosity)
    if verbosity > 1:
        for probe in report.run.probes:
            if not probe.active:
                _lines(tw, f"probe {probe.name} is not active: {escape(probe.reason or '')}")
    _lines(tw, gate_sentence, bold=True, **{colour: True})


def _lines(tw: Writer, text: str, **markup: bool) -> None:
    for line in wrap(text, tw.fullwidth, "  ", first=""):
        tw.line(line, **markup)


def _site(tw: Writer, finding: Finding, verbosity: int) -> None:
    if verbosity <= 0:
        what(tw, finding, f"{finding.severity} ", detail_lines=1)
        where(tw, finding, source=False)
        whose_in_short(tw, finding, NAMES)
        instead(tw, finding)
        return
    what(tw, finding, f"{finding.severity} ")
    where(tw, finding, source=True)
    whose(tw, finding)
    if verbosity == 1:
        way(tw, finding)
    instead(tw, finding)
    shown = finding.tests if verbosity > 1 else finding.tests[:TESTS]
    if shown:
        tw.line(f"  in {counted(len(finding.tests), 'test')}:")
    for test in shown:
        tw.line(f"    {escape(test)}")
    if len(shown) < len(finding.tests):
        tw.line(f"    and {len(finding.tests) - len(shown)} more: run with -vv")
    if verbosity > 1 and finding.stack:
        tw.line("  called through:")
        for frame in finding.stack:
            place(tw, "    ", frame.file, frame.line, frame.function, bold=frame.project)


def _covered(tw: Writer, report: RunReport, verbosity: int) -> None:
    """Findings that the baseline or an ignore covers: counted, and with -v named."""
    counts = ((report.summary.baselined, "baselined"), (report.summary.ignored, "ignored"))
    covered = [f"{count} {status}" for count, status in counts if count]
    if not covered:
        return
    if verbosity <= 0:
        tw.line(f"{', '.join(covered)}: run with -v")
        return
    for finding in report.findings:
        if finding.status != "new":
            title = f"{finding.status} {finding.code} {finding.rule}"
            _lines(tw, f"{title}: {escape(finding.reason)}" if finding.reason else title)
            place(tw, "  ", finding.file, finding.line, finding.function, bold=True)
    tw.line()


def _census(counts: Summary) -> str:
    return f"{counts.exercised} of {counted(counts.endpoints, 'endpoint')} exercised"


def _endpoints(tw: Writer, report: RunReport, verbosity: int) -> None:
    if not report.endpoints:
        return
    if verbosity > 0:
        for row in report.endpoints:
            _endpoint(tw, row)
        tw.line()
    blocking = report.summary.blocking
    verb = "block" if blocking > 1 else "blocks"
    tw.line(f"{_census(report.summary)}, {blocking or 'none'} {verb}")
    if verbosity > 0:
        return
    rows = [row for row in report.endpoints if row.verdict == "unexercised"]
    if missed := [escape(row.route).replace(" ", HARD) for row in rows]:
        _lines(tw, f"not exercised: {listed(missed, NAMES)}")


def _endpoint(tw: Writer, row: CensusRow) -> None:
    tw.write(f"{row.verdict:<11}", **{ENDPOINTS[row.verdict]: True})
    text = escape(row.route).replace(" ", HARD)
    if row.requests:
        text += f": {counted(row.requests, 'request')}"
        if row.held_seconds and row.held_seconds.max >= 0.001:
            text += f", held up to {duration(row.held_seconds.max)}"
    indent = " " * 15
    head, *more = wrap(text, tw.fullwidth, indent, first=" " * 13)
    tw.line(head[11:])
    if row.advice:
        more += wrap(escape(row.advice), tw.fullwidth, indent)
    for line in more:
        tw.line(line)


def _leftovers(tw: Writer, report: RunReport, verbosity: int) -> None:
    unused = report.unused_ignores if verbosity > 0 else report.unused_ignores[: NAMES + 1]
    for ignore in unused:
        place = f"{escape(ignore.file)}:{ignore.line}"
        tw.line(f"ignore[{escape(', '.join(ignore.rules))}] without effect: {place}")
    if len(unused) < len(report.unused_ignores):
        tw.line(f"{len(report.unused_ignores) - len(unused)} more without effect: run with -v")
    if report.stale_baseline:
        number = counted(len(report.stale_baseline), "finding")
        names = f": {', '.join(report.stale_baseline)}" if verbosity > 0 else ""
        _lines(tw, f"{number} of the baseline not seen any more{names}")
