"""What the reports of all tests, of all workers, brought to the process that reports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from pytest_asyncguard import transport
from pytest_asyncguard.model import Endpoint, Exercise, Finding, ProbeState, Spread
from pytest_asyncguard.render import terminal
from pytest_asyncguard.suppress.unused import Place
from pytest_asyncguard.transport import ATTRIBUTE, Telling

FAILED_BY_US = "failed"
"""Beside what was told of a phase of a test: that it would have passed without the guard."""
COUNTS = "counts"
"""Likewise: that what was found there fails the run."""


class Collected:
    """A plugin of its own, registered where the run is reported."""

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self.findings: list[Finding] = []
        self.endpoints: dict[tuple[str, str], Endpoint] = {}
        self.requests = 0
        self.loops: set[str] = set()
        self.workers: set[str] = set()
        self.tests: set[str] = set()
        self.inactive: str | None = None
        self.failing: set[str] = set()
        self.partial: set[str] = set()
        self.ran: set[Place] = set()
        self.used: set[Place] = set()
        self.unwatched = False
        self.failures = 0
        self._probes: dict[str, ProbeState] = {}
        self._exercised: defaultdict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
        self._threads: dict[str, float] = {}
        self._tests_of: defaultdict[str, set[str]] = defaultdict(set)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.tests.add(report.nodeid)
        if (worker := getattr(report, "worker_id", None)) is not None:
            self.workers.add(worker)
        data: Mapping[str, Any] | None = getattr(report, ATTRIBUTE, None)
        if report.failed and not (data and data.get(FAILED_BY_US)):
            self.failures += 1
        if data is not None:
            telling = transport.load(data)
            self._add(telling, report.nodeid)
            if data.get(FAILED_BY_US) and isinstance(report.longrepr, str):
                # xdist sends text; the others want to know where it was, and what in short.
                guilty = (each for each in telling.findings if counts(each, strict=self._strict))
                report.longrepr = terminal.failure_text(guilty)  # type: ignore[assignment]
            if data.get(COUNTS):
                self.failing.update(finding.fingerprint for finding in telling.findings)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.partial.add("a file could not be collected")

    def pytest_warning_recorded(self, warning_message: Any) -> None:
        if warning_message.category.__name__ == "AsyncguardInternalWarning":
            self.unwatched = True

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Of pytest-xdist: a worker has finished, or crashed."""
        if error:
            self.partial.add("a worker crashed")
        self.partial.update(getattr(node, "workeroutput", {}).get(ATTRIBUTE, ()))

    def _add(self, telling: Telling, test: str) -> None:
        self.findings.extend(telling.findings)
        self.requests += telling.requests
        self.loops.update(telling.loops)
        for probe in telling.probes:
            if probe.name not in self._probes or not probe.active:  # failed in one, failed in all
                self._probes[probe.name] = probe
        self.inactive = telling.inactive or self.inactive
        self.ran.update(telling.ran)
        self.used.update(telling.used)
        for endpoint in telling.endpoints:
            self.endpoints.setdefault((endpoint.route, endpoint.function), endpoint)
        for route, (count, held) in telling.exercised.items():
            _count(self._exercised[route], count, held)
            if count:
                self._tests_of[route].add(test)
        _keep_longest(self._threads, telling.threads)

    @property
    def probes(self) -> tuple[ProbeState, ...]:
        return tuple(self._probes.values())

    def exercises(self) -> dict[str, Exercise]:
        return {
            route: Exercise(
                requests=int(count),
                tests=tuple(sorted(self._tests_of[route])),
                held_seconds=Spread(max=most, total=total),
                thread_seconds=self._threads.get(route, 0.0),
            )
            for route, (count, most, total) in self._exercised.items()
        }


def counts(finding: Finding, *, strict: bool) -> bool:
    """Whether a test fails for it."""
    return finding.status == "new" and (finding.severity == "error" or strict)


def joined(tellings: Iterable[Telling], findings: tuple[Finding, ...]) -> Telling:
    """Several tellings of one test as one, with these findings in the place of theirs."""
    exercised: defaultdict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
    threads: dict[str, float] = {}
    endpoints: list[Endpoint] = []
    loops: set[str] = set()
    probes: tuple[ProbeState, ...] = ()
    inactive, requests = None, 0
    for telling in tellings:
        for route, (count, held) in telling.exercised.items():
            _count(exercised[route], count, held)
        _keep_longest(threads, telling.threads)
        endpoints += telling.endpoints
        loops.update(telling.loops)
        requests += telling.requests
        probes = telling.probes or probes
        inactive = telling.inactive or inactive
    return Telling(
        findings=findings,
        exercised={
            route: (int(count), Spread(max=most, total=total))
            for route, (count, most, total) in exercised.items()
        },
        threads=threads,
        endpoints=tuple(endpoints),
        requests=requests,
        loops=tuple(sorted(loops)),
        probes=probes,
        inactive=inactive,
    )


def _keep_longest(kept: dict[str, float], told: Mapping[str, float]) -> None:
    for route, seconds in told.items():
        kept[route] = max(kept.get(route, 0.0), seconds)


def _count(row: list[float], count: int, held: Spread) -> None:
    row[0] += count
    row[1] = max(row[1], held.max)
    row[2] += held.total
