"""Gate: RunReport -> Verdict, whether the run fails and the sentence that says why.

A green list of tests above an exit status of 1 is a riddle; the sentence is its answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from pytest_asyncguard.model import CensusRow, Finding, Mode, RunReport, Summary
from pytest_asyncguard.wording import counted

SELF_CHECK: Final = "self-check"
"""The probe by whose name a report says that the guard saw nothing, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``failed`` asks for pytest's exit status 1."""

    failed: bool
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What is asked of a run beside that nothing new blocks.

    ``unwritten`` are files that could not be written, ``broken`` the parts of the guard that failed
    during the run, ``wrong`` ignore comments that cannot be understood, and ``expired`` counts the
    entries of the baseline that were seen after their date. Of the app's endpoints, but for those
    ``exempt``, at least ``min_exercised`` percent have to be exercised. ``failing`` are the
    fingerprints of what was found in tests whose findings fail the run, by a mode of their own or
    the run's, and that did not expect it; without it all count.
    """

    failing: Collection[str] | None = None
    unwritten: Sequence[str] = ()
    broken: Sequence[str] = ()
    wrong: Sequence[str] = ()
    expired: int = 0
    min_exercised: float = 0.0
    exempt: Sequence[str] = ()


def judge(
    report: RunReport,
    mode: Mode,
    strict: bool = False,
    inactive: str | None = None,
    demands: Demands = Demands(),
) -> Verdict:
    """Whether the run fails. ``inactive`` is the reason why the guard saw nothing, if it did not.

    A guard that is blind fails the run as a finding does: that it found nothing proves nothing. So
    does one of which a part failed on the way: what that part would have seen was not looked for.
    A suite that sends no request proves nothing either, but may have none to send.
    """
    lenient = mode == "report"
    if inactive is not None:
        bad, sentence = True, f"INACTIVE, nothing was watched: {inactive}"
    else:
        bad, sentence = _weigh(report, strict=strict)
        if demands.failing is not None and _blocks(report.findings, strict=strict):
            failing = (each for each in report.findings if each.fingerprint in demands.failing)
            if _blocks(failing, strict=strict):
                lenient = False
            elif not lenient:
                bad, sentence = False, f"{sentence}, in tests that expect or only report it"
    if unmet := _unmet(report, demands):
        sentence = f"{sentence}, {'and' if bad else 'but'} {' and '.join(unmet)}"
        bad = True
    failed = bad and (not lenient or bool(demands.unwritten))
    if failed and mode != "fail-tests":
        sentence = f"the run fails: {sentence}"
    elif bad and not failed:
        sentence = f"{sentence}; mode report, so nothing fails"
    return Verdict(failed=failed, sentence=f"asyncguard: {sentence}")


def _blocks(findings: Iterable[Finding], *, strict: bool) -> bool:
    return any(each.status == "new" and (strict or each.severity == "error") for each in findings)


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


def _unmet(report: RunReport, demands: Demands) -> list[str]:
    verb = "was" if len(demands.unwritten) == 1 else "were"
    unmet = [f"{', '.join(demands.unwritten)} {verb} not written"] if demands.unwritten else []
    if demands.broken:
        parts = "a part" if len(demands.broken) == 1 else "parts"
        unmet.append(f"{parts} of the guard failed ({', '.join(demands.broken)})")
    if demands.expired:
        verb = "has" if demands.expired == 1 else "have"
        unmet.append(f"{demands.expired} {verb} expired in the baseline")
    if demands.wrong:
        verb = "is" if len(demands.wrong) == 1 else "are"
        unmet.append(f"{counted(len(demands.wrong), 'ignore comment')} {verb} wrong")
    # What a part of the tests exercised says nothing of the whole.
    if demands.min_exercised and report.run.complete:
        rows = tuple(without(report.endpoints, demands.exempt))
        exercised = sum(row.verdict != "unexercised" for row in rows)
        if not rows or exercised * 100 < demands.min_exercised * len(rows):
            unmet.append(
                f"{exercised} of {counted(len(rows), 'endpoint')} exercised, "
                f"fewer than {demands.min_exercised:g}%"
            )
    return unmet


def without(rows: Iterable[CensusRow], exempt: Sequence[str]) -> Iterable[CensusRow]:
    """The rows of endpoints that have to be exercised. A pattern may leave out the method."""
    return (
        row
        for row in rows
        if not any(
            fnmatchcase(row.path if pattern.startswith("/") else row.route, pattern)
            for pattern in exempt
        )
    )
