from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_asyncguard.collect import by_way, merge, summarize
from pytest_asyncguard.model import (
    CensusRow,
    EndpointVerdict,
    Finding,
    Phase,
    RouteCount,
    Severity,
    Spread,
    StackFrame,
    Status,
)

# Neither a deadline nor a remembered example: the outcome does not depend on the machine.
repeatable = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)


def sighting(**fields: Any) -> Finding:
    route, phase = fields.get("route", "GET /"), fields.get("phase", "endpoint")
    count = fields.get("count", 1)
    defaults: dict[str, Any] = {
        "fingerprint": "0" * 16,
        "code": "AG101",
        "rule": "sleep",
        "severity": "error",
        "call": "time.sleep",
        "detail": None,
        "message": "",
        "hint": None,
        "file": "app.py",
        "line": 3,
        "end_line": None,
        "column": None,
        "end_column": None,
        "function": "f",
        "source": None,
        "route": route,
        "routes": (RouteCount(route=route, phase=phase, count=count),),
        "phase": phase,
        "count": count,
        "held_seconds": None,
        "cpu_seconds": None,
        "asleep_seconds": None,
        "tests": (),
        "stack": (),
    }
    return Finding(**{**defaults, **fields})


seconds = st.floats(min_value=0, max_value=1e4, allow_subnormal=False)
spreads = st.none() | st.builds(
    lambda one, other: Spread(max=one, total=one + other), seconds, seconds
)
sightings = st.builds(
    sighting,
    fingerprint=st.sampled_from(["a" * 16, "b" * 16, "c" * 16]),
    file=st.sampled_from(["app.py", "lib.py"]),
    line=st.integers(1, 3),
    severity=st.sampled_from(get_args(Severity)),
    status=st.sampled_from(get_args(Status)),
    reason=st.none() | st.sampled_from(["legacy", "quick"]),
    message=st.sampled_from(["", "one", "other"]),
    route=st.none() | st.sampled_from(["GET /", "POST /"]),
    phase=st.sampled_from(get_args(Phase)),
    count=st.integers(1, 5),
    held_seconds=spreads,
    cpu_seconds=spreads,
    asleep_seconds=spreads,
    tests=st.lists(st.sampled_from(["t1", "t2", "t3"]), max_size=2).map(tuple),
)


@repeatable
@given(st.lists(sightings, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_arrival_makes_no_difference(
    findings: list[Finding], rng: random.Random
) -> None:
    """Workers finish as they please; the report is the same, to the last digit."""
    shuffled = rng.sample(findings, len(findings))
    assert merge(shuffled) == merge(findings)


@repeatable
@given(st.lists(sightings, max_size=12))
def test_merging_loses_no_sighting_and_invents_none(findings: list[Finding]) -> None:
    """Each site is there once, with all sightings, tests and routes it was given."""
    merged = merge(findings)
    assert {f.fingerprint for f in merged} == {f.fingerprint for f in findings}
    assert len(merged) == len({f.fingerprint for f in merged})
    assert sum(f.count for f in merged) == sum(f.count for f in findings)
    for site in merged:
        given_ = [f for f in findings if f.fingerprint == site.fingerprint]
        assert sum(row.count for row in site.routes) == site.count
        assert set(site.tests) == {test for f in given_ for test in f.tests}
        assert list(site.tests) == sorted(set(site.tests))
        assert {(row.route, row.phase) for row in site.routes} == {
            (row.route, row.phase) for f in given_ for row in f.routes
        }


@repeatable
@given(st.lists(sightings, max_size=12))
def test_merging_what_is_merged_changes_nothing(findings: list[Finding]) -> None:
    """Reports can be merged again, with reports of other machines or with nothing."""
    assert merge(merge(findings)) == merge(findings)


def test_sites_are_sorted_by_file_line_and_code() -> None:
    """A report can be read along the source, and two reports can be compared."""
    keys = [("b.py", 1, "AG101"), ("a.py", 10, "AG101"), ("a.py", 9, "AG110"), ("a.py", 9, "AG102")]
    findings = [
        sighting(fingerprint=f"{index:016x}", file=file, line=line, code=code)
        for index, (file, line, code) in enumerate(keys)
    ]
    assert [(f.file, f.line, f.code) for f in merge(findings)] == sorted(keys)


def test_counts_and_durations_add_up() -> None:
    """The longest stays the longest, totals are summed, and what was not measured is left out."""
    (site,) = merge(
        [
            sighting(count=2, held_seconds=Spread(max=0.2, total=0.3)),
            sighting(held_seconds=None),
            sighting(held_seconds=Spread(max=0.5, total=0.5), cpu_seconds=Spread(max=1, total=1)),
        ]
    )
    assert site.count == 4
    assert site.held_seconds == Spread(max=0.5, total=0.8)
    assert site.cpu_seconds == Spread(max=1, total=1)
    assert site.asleep_seconds is None


def test_a_site_belongs_to_the_route_that_reached_it_most() -> None:
    """Routes are ranked by sightings, equals by name; the first gives route and phase."""
    (site,) = merge(
        [
            sighting(route="GET /b"),
            sighting(route="GET /a"),
            sighting(route="GET /z", phase="background", count=2),
            sighting(route="GET /z", phase="background"),
            sighting(route=None, phase="test"),
        ]
    )
    assert [(row.route, row.phase, row.count) for row in site.routes] == [
        ("GET /z", "background", 3),
        (None, "test", 1),
        ("GET /a", "endpoint", 1),
        ("GET /b", "endpoint", 1),
    ]
    assert (site.route, site.phase) == ("GET /z", "background")


def test_the_worst_severity_and_the_least_covered_status_stand() -> None:
    """What is an error once is one; what is new somewhere is not covered."""
    (site,) = merge(
        [
            sighting(severity="warning", status="ignored", reason="quick"),
            sighting(severity="error", status="baselined", reason="legacy"),
        ]
    )
    assert (site.severity, site.status, site.reason) == ("error", "baselined", "legacy")


def test_the_evidence_is_that_of_one_sighting() -> None:
    """Of the errors the longest held tells the story, though a warning was held longer."""
    told = sighting(
        message="told",
        hint="instead",
        line=7,
        detail="0.5",
        held_seconds=Spread(max=0.5, total=0.5),
    )
    (site,) = merge(
        [
            sighting(message="short", held_seconds=Spread(max=0.1, total=0.9)),
            sighting(message="unmeasured"),
            sighting(severity="warning", held_seconds=Spread(max=9, total=9), message="warns"),
            told,
        ]
    )
    assert (site.message, site.hint, site.line, site.detail) == ("told", "instead", 7, "0.5")


def census(verdict: EndpointVerdict) -> CensusRow:
    return CensusRow(
        route="GET /",
        method="GET",
        path="/",
        function="app.f",
        file=None,
        line=None,
        kind="async",
        awaits=None,
        requests=0,
        tests=0,
        held_seconds=None,
        verdict=verdict,
        advice=None,
        findings=(),
    )


def test_the_summary_counts_what_is_new_and_what_is_covered() -> None:
    """Covered findings are counted apart, and their time is not held against the run."""
    held = Spread(max=1, total=2)
    findings = [
        sighting(held_seconds=held),
        sighting(severity="warning", held_seconds=held),
        sighting(severity="warning"),
        sighting(status="baselined", held_seconds=held),
        sighting(status="ignored", held_seconds=held),
    ]
    rows = [census(v) for v in ("clean", "warns", "blocks", "blocks", "unexercised")]
    found = summarize(findings, rows, 3)
    assert (found.errors, found.warnings, found.baselined, found.ignored) == (1, 2, 1, 1)
    assert (found.endpoints, found.exercised, found.blocking) == (5, 4, 2)
    assert found.held_seconds == 4


@pytest.mark.parametrize(
    ("errors", "warnings", "requests", "strict", "verdict"),
    [
        (0, 0, 1, False, "clean"),
        (0, 0, 1, True, "clean"),
        (0, 1, 1, False, "warnings"),
        (0, 1, 1, True, "errors"),
        (1, 1, 1, False, "errors"),
        (0, 0, 0, False, "nothing-watched"),
        (0, 1, 0, False, "nothing-watched"),
        (1, 0, 0, False, "errors"),
    ],
)
def test_the_verdict_follows_from_the_counts(
    errors: int, warnings: int, requests: int, strict: bool, verdict: str
) -> None:
    """An error outweighs all; without a request nothing else is known; strict takes warnings."""
    findings = [sighting()] * errors + [sighting(severity="warning")] * warnings
    findings += [sighting(status="baselined"), sighting(status="ignored")]
    assert summarize(findings, (), requests, strict).verdict == verdict


def test_covered_findings_leave_a_run_clean() -> None:
    """A baseline is there so that a run with nothing new is a clean one."""
    covered = replace(sighting(), status="baselined")
    assert summarize([covered], (), 1, strict=True).verdict == "clean"


def test_the_ways_to_a_site_are_kept_apart() -> None:
    """A comment on one way to a call does not answer for another; both are the same finding."""
    frame = StackFrame(file="app.py", line=1, function="a", source=None, project=True)
    ways = [sighting(stack=(frame,)), sighting(stack=(replace(frame, function="b"),))]
    apart = by_way([*ways, *ways])
    assert [(each.stack, each.count) for each in apart] == [(each.stack, 2) for each in ways]
    judged = [replace(apart[0], status="ignored", reason="it is short"), apart[1]]
    (merged,) = merge(judged)
    assert (merged.status, merged.reason, merged.count) == ("new", None, 4)
