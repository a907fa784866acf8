"""Several RunReports -> one, as a single run of all their tests would have told it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import fsum

from pytest_asyncguard import census, collect, gate
from pytest_asyncguard.model import (
    CensusRow,
    Endpoint,
    Exercise,
    Finding,
    ProbeState,
    RunInfo,
    RunReport,
    Spread,
    UnusedIgnore,
)
from pytest_asyncguard.session import files
from pytest_asyncguard.suppress import Project
from pytest_asyncguard.suppress.unused import on_the_way, place, unused


def merge(parts: Sequence[RunReport], *, complete: bool) -> RunReport:
    """The parts as one report. ``complete`` says that together they are all tests.

    Of a part alone that cannot be told: each was asked for some of the tests.
    """
    findings = collect.merge(finding for part in parts for finding in part.findings)
    run = _run([part.run for part in parts], complete=complete)
    seen = {finding.fingerprint for finding in findings}
    stale = [set(part.stale_baseline) for part in parts]
    endpoints = _endpoints([row for part in parts for row in part.endpoints])
    return with_findings(
        replace(
            parts[0],
            run=run,
            endpoints=endpoints,
            unused_ignores=_unused(parts) if run.complete else (),
            # What none of them saw.
            stale_baseline=tuple(sorted(set.intersection(*stale) - seen)),
        ),
        findings,
    )


def _unused(parts: Sequence[RunReport]) -> tuple[UnusedIgnore, ...]:
    """The ignores without effect, as far as reports and the sources in the current folder tell.

    Of a finding that was met more than once one stack is left: what stood on others is not known.
    """
    project = Project(partial(files.source, "."))
    findings = [each for part in parts for each in part.findings]
    levels = parts[0].settings.get("rules")
    levels = levels if isinstance(levels, Mapping) else {}
    doubtful = {finding.rule for finding in findings if finding.count > 1}
    ran = {each for finding in findings for each in on_the_way(project, finding)}
    used = {place(ignore) for each in findings if (ignore := project.covering(each)) is not None}
    return unused(project, ran, used, levels, doubtful)


def with_findings(
    report: RunReport, findings: tuple[Finding, ...], *, strict: bool | None = None
) -> RunReport:
    """The report with these findings, and what follows from them."""
    endpoints = [_endpoint(row) for row in report.endpoints]
    exercises = {
        row.route: Exercise(
            requests=row.requests,
            # Of tests the report has the number only, and that is all that is asked for.
            tests=tuple(map(str, range(row.tests))),
            held_seconds=row.held_seconds,
        )
        for row in report.endpoints
        if row.requests
    }
    said = {row.route: row for row in report.endpoints}
    # What the parts knew of the code and its threads is not in their sum: their advice stands.
    rows = tuple(
        replace(row, advice=row.advice or said[row.route].advice)
        if row.verdict == said[row.route].verdict
        else row
        for row in census.tally(endpoints, exercises, findings)
    )
    exempt = report.settings.get("exempt")
    counted = gate.without(rows, exempt if isinstance(exempt, list) else ())
    if strict is None:
        strict = report.settings.get("strict") is True
    summary = collect.summarize(findings, counted, report.run.requests, strict=strict)
    blocking = sum(row.verdict == "blocks" for row in rows)
    return replace(
        report,
        findings=findings,
        endpoints=rows,
        summary=replace(summary, blocking=blocking),
    )


def _endpoints(rows: Iterable[CensusRow]) -> tuple[CensusRow, ...]:
    """One row for each route: exercised anywhere is exercised."""
    by_route: defaultdict[str, list[CensusRow]] = defaultdict(list)
    for row in rows:
        by_route[row.route].append(row)
    return tuple(
        replace(
            same[0],
            requests=sum(row.requests for row in same),
            tests=sum(row.tests for row in same),
            held_seconds=_longest(row.held_seconds for row in same),
        )
        for same in by_route.values()
    )


def _endpoint(row: CensusRow) -> Endpoint:
    return Endpoint(
        route=row.route,
        method=row.method,
        path=row.path,
        function=row.function,
        file=row.file,
        line=row.line,
        kind=row.kind,
        awaits=row.awaits,
    )


def _longest(spreads: Iterable[Spread | None]) -> Spread | None:
    known = [spread for spread in spreads if spread is not None]
    if not known:
        return None
    return Spread(
        max=max(spread.max for spread in known), total=fsum(spread.total for spread in known)
    )


def _run(runs: Sequence[RunInfo], *, complete: bool) -> RunInfo:
    packages: defaultdict[str, list[str]] = defaultdict(list)
    probes: dict[str, ProbeState] = {}
    for run in runs:
        for name, version in run.packages.items():
            packages[name].append(version)
        for probe in run.probes:
            if probe.name not in probes or not probe.active:
                probes[probe.name] = probe
    return RunInfo(
        started=min(run.started for run in runs),
        seconds=round(fsum(run.seconds for run in runs), 3),
        python=_all(run.python for run in runs),
        platform=_all(run.platform for run in runs),
        packages={name: _all(versions) for name, versions in packages.items()},
        loops=tuple(sorted({loop for run in runs for loop in run.loops})),
        workers=sum(run.workers for run in runs),
        tests=sum(run.tests for run in runs),
        requests=sum(run.requests for run in runs),
        complete=complete or all(run.complete for run in runs),
        probes=tuple(probes.values()),
    )


def _all(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))
