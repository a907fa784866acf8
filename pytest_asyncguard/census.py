"""Census: an app -> Endpoint, and what the run says of each -> CensusRow.

An endpoint that no test asked for is not proven clean, so it is counted, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import fsum
from typing import Final

from pytest_asyncguard import _compat
from pytest_asyncguard.attribute.hint import LONG_NS, POOL
from pytest_asyncguard.attribute.request import ANY, endpoints_of
from pytest_asyncguard.model import (
    CensusRow,
    Endpoint,
    EndpointVerdict,
    Exercise,
    Finding,
    Phase,
    Spread,
)
from pytest_asyncguard.wording import duration

DOCUMENTATION: Final = "fastapi.applications.FastAPI.setup.<locals>."
"""What FastAPI adds itself: /docs, /redoc, /openapi.json and the redirect for OAuth."""

OWN_PHASES: Final = frozenset({"endpoint", "websocket"})
"""The phases in which the endpoint's own code runs; a stream may be it, or not."""

CULPRITS: Final[Mapping[Phase, str]] = {
    "middleware": "middleware",
    "dependency": "a dependency",
    "validation": "the validation of its input",
    "serialization": "the serialization of its response",
    "stream": "the stream of its response",
    "background": "a background task",
    "exception-handler": "an exception handler",
    "task": "a task that it started",
}
"""What else may block a request, in the order of a request."""


def endpoints(app: object) -> tuple[Endpoint, ...]:
    """The endpoints of an app, with those of its routers and of the apps mounted in it.

    Of two on the same method and path the second is never reached.
    """
    found: dict[str, Endpoint] = {}
    for route in _compat.iter_routes(app):
        for endpoint in endpoints_of(route):
            if not endpoint.function.startswith(DOCUMENTATION):
                found.setdefault(endpoint.route, endpoint)
    return tuple(found.values())


def tally(
    endpoints: Iterable[Endpoint],
    exercises: Mapping[str, Exercise],
    findings: Iterable[Finding],
) -> tuple[CensusRow, ...]:
    """What the run says of each endpoint, sorted by path and method.

    ``exercises`` is keyed by route. An endpoint of which every request was turned down, by
    middleware, by a dependency or for its input, was not exercised: that it blocks nothing is not
    proven. Only new findings count: what is accepted, or ignored with a reason, is no news.
    """
    known = {endpoint.route: endpoint for endpoint in endpoints}
    exercised: defaultdict[str, list[Exercise]] = defaultdict(list)
    for route, exercise in exercises.items():
        exercised[_answered_by(route, known)].append(exercise)
    found: defaultdict[str, dict[str, Finding]] = defaultdict(dict)
    phases: defaultdict[str, set[Phase]] = defaultdict(set)
    for finding in findings:
        if finding.status == "new":
            for row in finding.routes:
                route = _answered_by(row.route or "", known)
                found[route][finding.fingerprint] = finding
                streams = row.phase == "stream" and _passed(finding, known.get(route))
                phases[route].add("endpoint" if streams else row.phase)
    return tuple(
        _row(endpoint, exercised[route], list(found[route].values()), phases[route])
        for route, endpoint in sorted(
            known.items(), key=lambda item: (item[1].path, item[1].method)
        )
    )


def _row(
    endpoint: Endpoint,
    exercises: Sequence[Exercise],
    findings: Sequence[Finding],
    phases: set[Phase],
) -> CensusRow:
    requests = sum(exercise.requests for exercise in exercises)
    return CensusRow(
        route=endpoint.route,
        method=endpoint.method,
        path=endpoint.path,
        function=endpoint.function,
        file=endpoint.file,
        line=endpoint.line,
        kind=endpoint.kind,
        awaits=endpoint.awaits,
        requests=requests,
        tests=len({test for exercise in exercises for test in exercise.tests}),
        held_seconds=_spread(exercises),
        verdict=_verdict(requests, findings),
        advice=_advice(endpoint, phases, exercises),
        findings=tuple(sorted(finding.fingerprint for finding in findings)),
    )


def _answered_by(route: str, known: Mapping[str, Endpoint]) -> str:
    """The route of the endpoint that answers a request, itself where there is none.

    What answers GET answers HEAD, and a mounted app everything.
    """
    method, _, path = route.partition(" ")
    others = ("GET", ANY) if method == "HEAD" else (ANY,)
    candidates = (route, *(f"{other} {path}" for other in others))
    return next((candidate for candidate in candidates if candidate in known), route)


def _passed(finding: Finding, endpoint: Endpoint | None) -> bool:
    """Whether the endpoint's own function is on the stack: then it is the stream itself."""
    return endpoint is not None and any(
        f".{endpoint.function}".endswith(f".{frame.function}") for frame in finding.stack
    )


def _verdict(requests: int, findings: Sequence[Finding]) -> EndpointVerdict:
    if any(finding.severity == "error" for finding in findings):
        return "blocks"
    if findings:
        return "warns"
    return "clean" if requests else "unexercised"


def _advice(endpoint: Endpoint, phases: set[Phase], exercises: Sequence[Exercise]) -> str | None:
    """What the endpoint as a whole should change; a finding's own hint says the rest."""
    if phases & OWN_PHASES:
        if endpoint.kind == "async" and endpoint.awaits is False and "websocket" not in phases:
            return "It never awaits: make it a plain `def`."
        return None
    if others := [name for phase, name in CULPRITS.items() if phase in phases]:
        return f"Blocked by {' and '.join(others)}, not by its own code."
    if exercises and not any(exercise.requests for exercise in exercises):
        return "Every request for it was turned down before it ran."
    if endpoint.kind != "sync" or not exercises:
        return None
    longest = max(exercise.thread_seconds for exercise in exercises)
    if longest * 1e9 >= LONG_NS:
        return f"It kept one of the {POOL} worker threads for {duration(longest)}: all share them."
    if endpoint.only_returns:
        return "It only returns data: as an `async def` it saves the way to a worker thread."
    return None


def _spread(exercises: Sequence[Exercise]) -> Spread | None:
    held = [exercise.held_seconds for exercise in exercises if exercise.held_seconds is not None]
    if not held:
        return None
    return Spread(
        max=max(spread.max for spread in held), total=fsum(spread.total for spread in held)
    )
