"""Gate: RunReport -> Verdict, whether the run fails and the sentence that says why.

A green list of tests above an exit status of 1 is a riddle; the sentence is its answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from pytest_asyncguard.model import Mode, RunReport, Summary
from pytest_asyncguard.wording import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``failed`` asks for pytest's exit status 1."""

    failed: bool
    sentence: str


def judge(
    report: RunReport, mode: Mode, strict: bool = False, inactive: str | None = None
) -> Verdict:
    """Whether the run fails. ``inactive`` is the reason why the guard saw nothing, if it did not.

    A guard that is blind fails the run as a finding does: that it found nothing proves nothing.
    A suite that sends no request proves nothing either, but may have none to send.
    """
    if inactive is not None:
        bad, sentence = True, f"INACTIVE, nothing was watched: {inactive}"
    else:
        bad, sentence = _weigh(report, strict=strict)
    failed = bad and mode != "report"
    if failed and mode == "fail-run":
        sentence = f"the run fails: {sentence}"
    elif bad and not failed:
        sentence = f"{sentence}; mode report, so nothing fails"
    return Verdict(failed=failed, sentence=f"asyncguard: {sentence}")


def _weigh(report: RunReport, *, strict: bool) -> tuple[bool, str]:
    summary = report.summary
    bad = summary.errors > 0 or (strict and summary.warnings > 0)
    if summary.errors or summary.warnings:
        sentence = _places(summary, strict=strict)
    elif report.run.requests == 0:
        tests = "no test called an app in its own process" if report.run.tests else "no test ran"
        sentence = f"no request was watched: {tests}"
    else:
        new = "new " if summary.baselined or summary.ignored else ""
        sentence = f"no {new}blocking call in {counted(report.run.requests, 'request')}"
    if strict and not bad and (leftovers := _leftovers(report)):
        return True, f"{sentence}, but {leftovers} (strict)"
    return bad, sentence


def _places(summary: Summary, *, strict: bool) -> str:
    number = summary.errors + summary.warnings
    kinds = [
        counted(count, noun)
        for count, noun in ((summary.errors, "error"), (summary.warnings, "warning"))
        if count
    ]
    if strict and not summary.errors:
        kinds.append("strict")
    verb = "blocks" if number == 1 else "block"
    return f"{counted(number, 'place')} {verb} the event loop ({', '.join(kinds)})"


def _leftovers(report: RunReport) -> str:
    """What strict does not leave standing: permission that nothing asks for any more."""
    parts = []
    if report.unused_ignores:
        parts.append(counted(len(report.unused_ignores), "ignore comment") + " without effect")
    if report.stale_baseline:
        parts.append(counted(len(report.stale_baseline), "finding") + " of the baseline not seen")
    return " and ".join(parts)
