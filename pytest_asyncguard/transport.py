"""Transport: what one phase of a test has to tell, as plain JSON that rides on its TestReport.

An attribute of a report reaches an xdist controller, also from a worker that crashes later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from pytest_asyncguard.model import (
    Endpoint,
    Finding,
    ProbeState,
    RouteCount,
    Spread,
    StackFrame,
)

ATTRIBUTE = "asyncguard"
"""The attribute of the TestReport."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What the guard has to tell of one phase of one test.

    ``exercised`` maps routes to the number of requests that got as far as the endpoint and how
    long all of them held the loop, ``threads`` to how many seconds one kept a worker thread;
    ``endpoints`` has those that this process met for the first time, and ``probes`` is there in
    the first telling of each process, and again after one of them failed. ``ran`` and ``used``
    are ignore comments by file and line: those that came to be asked on the loop, and those of
    them that covered something.
    """

    findings: tuple[Finding, ...] = ()
    exercised: Mapping[str, tuple[int, Spread]]
    threads: Mapping[str, float] = field(default_factory=dict)
    endpoints: tuple[Endpoint, ...] = ()
    requests: int = 0
    loops: tuple[str, ...] = ()
    probes: tuple[ProbeState, ...] = ()
    inactive: str | None = None
    ran: tuple[tuple[str, int], ...] = ()
    used: tuple[tuple[str, int], ...] = ()

    def __bool__(self) -> bool:
        return bool(
            self.findings
            or self.exercised
            or self.endpoints
            or self.probes
            or self.ran
            or self.used
        )


def dump(telling: Telling) -> dict[str, Any]:
    return {
        "findings": [asdict(finding) for finding in telling.findings],
        "exercised": {
            route: [count, held.max, held.total]
            for route, (count, held) in telling.exercised.items()
        },
        "threads": dict(telling.threads),
        "endpoints": [asdict(endpoint) for endpoint in telling.endpoints],
        "requests": telling.requests,
        "loops": list(telling.loops),
        "probes": [asdict(probe) for probe in telling.probes],
        "inactive": telling.inactive,
        "ran": [list(place) for place in telling.ran],
        "used": [list(place) for place in telling.used],
    }


def load(data: Mapping[str, Any]) -> Telling:
    return Telling(
        findings=tuple(_finding(item) for item in data["findings"]),
        exercised={
            route: (count, Spread(max=most, total=total))
            for route, (count, most, total) in data["exercised"].items()
        },
        threads=data["threads"],
        endpoints=tuple(Endpoint(**item) for item in data["endpoints"]),
        requests=data["requests"],
        loops=tuple(data["loops"]),
        probes=tuple(ProbeState(**item) for item in data["probes"]),
        inactive=data["inactive"],
        ran=tuple((file, line) for file, line in data["ran"]),
        used=tuple((file, line) for file, line in data["used"]),
    )


_SPREADS = ("held_seconds", "cpu_seconds", "asleep_seconds")
_FIELDS = frozenset(each.name for each in fields(Finding))


def _finding(item: Mapping[str, Any]) -> Finding:
    values = {name: value for name, value in item.items() if name in _FIELDS}
    for name in _SPREADS:
        values[name] = Spread(**values[name]) if values[name] is not None else None
    values["routes"] = tuple(RouteCount(**row) for row in values["routes"])
    values["stack"] = tuple(StackFrame(**row) for row in values["stack"])
    values["tests"] = tuple(values["tests"])
    return Finding(**values)
