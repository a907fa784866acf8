"""Collect: Finding -> merged Finding, and what they amount to: the Summary.

The findings of a run arrive one by one, test by test and worker by worker, in an order that
nobody controls. What is made of them does not depend on it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import fsum
from operator import attrgetter

from pytest_asyncguard.model import (
    CensusRow,
    Finding,
    Phase,
    RouteCount,
    RunVerdict,
    Severity,
    Spread,
    Status,
    Summary,
)

STATUSES: tuple[Status, ...] = ("new", "baselined", "ignored")


def merge(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """One finding for each site, sorted by file, line and code."""
    sites: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        sites[finding.fingerprint].append(finding)
    merged = map(_merge_site, sites.values())
    return tuple(sorted(merged, key=attrgetter("file", "line", "code", "fingerprint")))


def by_way(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """One finding for each site and each way that leads to it.

    Who answers for a call may stand on the way to it, so the ways are judged one by one.
    """
    ways: defaultdict[object, list[Finding]] = defaultdict(list)
    for finding in findings:
        ways[finding.fingerprint, finding.stack].append(finding)
    return tuple(finding for same in ways.values() for finding in merge(same))


def _merge_site(sightings: Sequence[Finding]) -> Finding:
    # The evidence is that of one sighting, whole: a stack, a hint and a message that belong
    # together say more than the best of each.
    routes = _unite(sightings)
    main = routes[0].route, routes[0].phase
    ordered = sorted(
        sightings,
        key=lambda one: (one.severity != "error", main != (one.route, one.phase), _telling(one)),
    )
    severities: set[Severity] = {finding.severity for finding in sightings}
    status = min((finding.status for finding in sightings), key=STATUSES.index)
    return replace(
        ordered[0],
        severity="error" if "error" in severities else "warning",
        status=status,
        reason=next(finding.reason for finding in ordered if finding.status == status),
        route=routes[0].route,
        routes=routes,
        phase=routes[0].phase,
        count=sum(finding.count for finding in sightings),
        held_seconds=_add(finding.held_seconds for finding in sightings),
        cpu_seconds=_add(finding.cpu_seconds for finding in sightings),
        asleep_seconds=_add(finding.asleep_seconds for finding in sightings),
        tests=tuple(sorted({test for finding in sightings for test in finding.tests})),
    )


def _telling(finding: Finding) -> tuple[bool, float, str]:
    """Sorts errors first, then the longest held; two equally long ones by what they say."""
    held = finding.held_seconds.max if finding.held_seconds else -1.0
    return finding.severity != "error", -held, repr(finding)


def _unite(sightings: Iterable[Finding]) -> tuple[RouteCount, ...]:
    counts: Counter[tuple[str | None, Phase]] = Counter()
    for finding in sightings:
        for row in finding.routes:
            counts[row.route, row.phase] += row.count
    rows = (
        RouteCount(route=route, phase=phase, count=count)
        for (route, phase), count in counts.items()
    )
    return tuple(
        sorted(
            rows, key=lambda row: (-row.count, row.route is not None, row.route or "", row.phase)
        )
    )


def _add(spreads: Iterable[Spread | None]) -> Spread | None:
    known = [spread for spread in spreads if spread is not None]
    if not known:
        return None
    # fsum rounds once, at the end, so the order of the terms makes no difference.
    return Spread(
        max=max(spread.max for spread in known), total=fsum(spread.total for spread in known)
    )


def summarize(
    findings: Iterable[Finding],
    endpoints: Iterable[CensusRow],
    requests: int,
    strict: bool = False,
) -> Summary:
    """The counts of a run, and its verdict."""
    findings = tuple(findings)
    new = [finding for finding in findings if finding.status == "new"]
    statuses = Counter(finding.status for finding in findings)
    severities = Counter(finding.severity for finding in new)
    verdicts = Counter(row.verdict for row in endpoints)
    return Summary(
        verdict=_verdict(severities["error"], severities["warning"], requests, strict=strict),
        errors=severities["error"],
        warnings=severities["warning"],
        baselined=statuses["baselined"],
        ignored=statuses["ignored"],
        endpoints=verdicts.total(),
        exercised=verdicts.total() - verdicts["unexercised"],
        blocking=verdicts["blocks"],
        held_seconds=fsum(finding.held_seconds.total for finding in new if finding.held_seconds),
    )


def _verdict(errors: int, warnings: int, requests: int, *, strict: bool) -> RunVerdict:
    if errors or (strict and warnings):
        return "errors"  # also without a request: what start-up left running may be one
    if requests == 0:
        return "nothing-watched"
    return "warnings" if warnings else "clean"
