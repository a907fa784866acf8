"""Transport: what one phase of a test has to tell, as plain JSON that rides on its TestReport.

An attribute of a report reaches an xdist controller, also from a worker that crashes later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
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

    ``exercised`` maps routes to the number of requests and how long they held the loop;
    ``endpoints`` has those that this process met for the first time, and ``probes`` is there in
    the first telling of each process.
    """

    findings: tuple[Finding, ...] = ()
    exercised: Mapping[str, tuple[int, Spread]]
    endpoints: tuple[Endpoint, ...] = ()
    requests: int = 0
    loops: tuple[str, ...] = ()
    probes: tuple[ProbeState, ...] = ()
    inactive: str | None = None

    def __bool__(self) -> bool:
        return bool(self.findings or self.exercised or self.endpoints or self.probes)


def dump(telling: Telling) -> dict[str, Any]:
    return {
        "findings": [asdict(finding) for finding in telling.findings],
        "exercised": {
            route: [count, held.max, held.total]
            for route, (count, held) in telling.exercised.items()
        },
        "endpoints": [asdict(endpoint) for endpoint in telling.endpoints],
        "requests": telling.requests,
        "loops": list(telling.loops),
        "probes": [asdict(probe) for probe in telling.probes],
        "inactive": telling.inactive,
    }


def load(data: Mapping[str, Any]) -> Telling:
    return Telling(
        findings=tuple(_finding(item) for item in data["findings"]),
        exercised={
            route: (count, Spread(max=most, total=total))
            for route, (count, most, total) in data["exercised"].items()
        },
        endpoints=tuple(Endpoint(**item) for item in data["endpoints"]),
        requests=data["requests"],
        loops=tuple(data["loops"]),
        probes=tuple(ProbeState(**item) for item in data["probes"]),
        inactive=data["inactive"],
    )


_SPREADS = ("held_seconds", "cpu_seconds", "asleep_seconds")
_FIELDS = frozenset(field.name for field in fields(Finding))


def _finding(item: Mapping[str, Any]) -> Finding:
    values = {name: value for name, value in item.items() if name in _FIELDS}
    for name in _SPREADS:
        values[name] = Spread(**values[name]) if values[name] is not None else None
    values["routes"] = tuple(RouteCount(**row) for row in values["routes"])
    values["stack"] = tuple(StackFrame(**row) for row in values["stack"])
    values["tests"] = tuple(values["tests"])
    return Finding(**values)
