"""The guard: installs the probes, and takes what they saw down the pipe."""

from __future__ import annotations

import asyncio
import sys
import time
import weakref
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from pytest_asyncguard import census, collect
from pytest_asyncguard.attribute import Attributor
from pytest_asyncguard.attribute.request import Descriptions
from pytest_asyncguard.catalog import clients, stdlib
from pytest_asyncguard.catalog.rows import Call
from pytest_asyncguard.decide import Decider, again
from pytest_asyncguard.model import (
    Decision,
    Endpoint,
    Finding,
    ProbeState,
    Request,
    Sighting,
    Spread,
)
from pytest_asyncguard.options import Settings
from pytest_asyncguard.origin import Origins
from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.audit import AuditProbe
from pytest_asyncguard.probes.calls import CallProbe, NamedCalls, report_running, unalias
from pytest_asyncguard.probes.doubles import DoubleProbe
from pytest_asyncguard.probes.endpoints import EndpointProbe
from pytest_asyncguard.probes.inbox import Inbox, RawCall, RawStall, Tally, WatchedRequest, fold
from pytest_asyncguard.probes.patching import ImportWatch
from pytest_asyncguard.probes.pipes import PipeProbe
from pytest_asyncguard.probes.protocol import Probe
from pytest_asyncguard.probes.psycopg2 import Psycopg2Probe
from pytest_asyncguard.probes.queues import QueueProbe
from pytest_asyncguard.probes.requests import RequestProbe, drive
from pytest_asyncguard.probes.sampler import Sampler
from pytest_asyncguard.probes.sightings import Sightings
from pytest_asyncguard.probes.sqlalchemy import SqlalchemyProbe
from pytest_asyncguard.probes.sqlite import SqliteProbe
from pytest_asyncguard.probes.stacks import Reader
from pytest_asyncguard.probes.stdin import StdinProbe
from pytest_asyncguard.probes.steps_asyncio import AsyncioSteps
from pytest_asyncguard.probes.steps_trio import TrioSteps
from pytest_asyncguard.probes.steps_uvloop import UvloopSteps
from pytest_asyncguard.probes.threads import ThreadProbe
from pytest_asyncguard.probes.transports import TransportProbe
from pytest_asyncguard.transport import Telling

T = TypeVar("T")

MERGE_AT: Final = 256


class Installation:
    """The probes of this process. pytest can run inside pytest: the first run installs them."""

    def __init__(self, *, doubles: bool = True) -> None:
        self.watch = ImportWatch(self._import_failed)
        self.states: dict[str, ProbeState] = {}
        doubled = DoubleProbe(clients.CLIENTS, self.watch) if doubles else None
        self.probes: tuple[Probe, ...] = (
            PipeProbe(self.watch),  # below the wrapper of Popen itself
            CallProbe("calls", stdlib.CALLS, self.watch, self._missing),
            CallProbe("clients", clients.CALLS, self.watch, self._missing),
            SqliteProbe(self.watch),
            Psycopg2Probe(self.watch),
            StdinProbe(),
            QueueProbe(self.watch),
            SqlalchemyProbe(self.watch),
            *((doubled,) if doubled is not None else ()),
            AuditProbe(stdlib.AUDIT),
            RequestProbe(self.watch),
            TransportProbe(self.watch),
            EndpointProbe(self.watch, doubled.injections if doubled is not None else None),
            ThreadProbe(self.watch),
            AsyncioSteps(),
            UvloopSteps(self.watch),
            TrioSteps(self.watch),
            Sampler(),
        )
        self._installed: list[Probe] = []

    def add(self, probe: Probe) -> None:
        """Install one probe more."""
        self._installed.append(probe)
        self.states[probe.name] = ProbeState(name=probe.name, active=True)
        probe.install()

    def _import_failed(self, module: str, error: BaseException) -> None:
        """What was to be done once ``module`` was imported could not be done."""
        if _guards:
            _guards[-1].warn(f"{module}: {type(error).__name__}: {error}")

    def _missing(self, what: str) -> None:
        """A row that does not fit its library any more."""
        library = what.partition(":")[0].partition(".")[0]
        if _guards:
            _guards[-1].warn(f"{library}: {what}")

    def install(self) -> None:
        holds.collections.install()
        self.watch.install()
        for probe in self.probes:
            reason = probe.unavailable()
            if reason is None:
                self._installed.append(probe)
                try:
                    probe.install()
                except Exception as error:  # noqa: BLE001 - a probe that fails is left out
                    reason = f"{type(error).__name__}: {error}"
            self.states[probe.name] = ProbeState(
                name=probe.name, active=reason is None, reason=reason
            )
            if reason is not None:
                self.drop(probe.name)

    def drop(self, name: str) -> None:
        """Take one probe out."""
        for probe in list(self._installed):
            if probe.name == name:
                self._installed.remove(probe)
                probe.uninstall()

    def uninstall(self) -> None:
        while self._installed:
            self._installed.pop().uninstall()
        self.watch.uninstall()
        holds.collections.uninstall()
        unalias()


_installation: Installation | None = None
_guards: list[Guard] = []


class Guard:
    """The guard of one pytest run."""

    def __init__(self, settings: Settings, rootdir: str, warn: Callable[[str], None]) -> None:
        self.settings = settings
        self.inactive: str | None = None
        self._named: NamedCalls | None = None
        self.warn = warn
        self._failures: dict[str, str] = {}
        self._limits = settings
        origins = Origins(rootdir, settings.source)
        self._inbox = Inbox(
            settings.least_threshold_ns,
            self._digest,
            self._failed,
            lambda file: origins.of(file) == "project",
        )
        self._sightings = Sightings(Reader(origins.of))
        self._decider = Decider(settings.rule)
        self._attributor = Attributor(rootdir)
        self._descriptions = Descriptions()
        self._apps: dict[int, tuple[Callable[[], object], int]] = {}
        self._once: defaultdict[int, set[str]] = defaultdict(set)
        self._endpoints: set[tuple[str, str]] = set()
        self._test: str | None = None
        self._told_probes = False
        self._clear()

    def _clear(self) -> None:
        self._findings: list[Finding] = []
        self._merge_at = MERGE_AT
        self._exercised: defaultdict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
        self._threads: defaultdict[str, float] = defaultdict(float)
        self._new_endpoints: list[Endpoint] = []
        self._requests = 0

    # --- lifecycle ---------------------------------------------------------------------------

    def start(self) -> None:
        """Install the probes, and prove that they see a known block."""
        global _installation  # noqa: PLW0603
        if _installation is None:
            _installation = Installation(doubles=self.settings.doubles)
            _guards.append(self)
            _installation.install()
        else:
            _guards.append(self)
        self._installation = _installation
        self.inactive = self._check()
        holds.push_inbox(self._inbox)

    def add_calls(self, rows: Sequence[Call]) -> None:
        """Watch further callables, which the user named."""
        if rows:
            self._named = NamedCalls(rows, self._installation.watch)
            self._installation.add(self._named)

    def warn_of_missing(self) -> None:
        """Say which of the user's names stood for nothing, when the run is over."""
        for name in self._named.missing() if self._named is not None else ():
            self.warn(f"{name}, which is to be watched, was not found in any module imported")

    def stop(self) -> None:
        global _installation  # noqa: PLW0603
        if self not in _guards:
            return
        _guards.remove(self)
        holds.loose[0] = None
        holds.pop_inbox(self._inbox)
        if not _guards and _installation is not None:
            _installation.uninstall()
            _installation = None

    @property
    def probes(self) -> tuple[ProbeState, ...]:
        return tuple(self._installation.states.values())

    def _check(self) -> str | None:
        """The reason why a known block in a request is not seen, if it is not."""
        box = Inbox(sys.maxsize, lambda: None, self._failed)
        request = WatchedRequest(None, {"type": "http"}, box)

        async def app() -> None:
            loop = asyncio.get_running_loop()
            done = loop.create_future()
            time.sleep(1e-9)  # noqa: ASYNC251 - the known block
            loop.call_soon(time.sleep, 1e-9)
            loop.call_soon(done.set_result, None)
            await done

        async def run() -> None:
            await drive(app(), request)

        # Before conftest files and the app are imported: nobody else has a loop yet.
        loop = asyncio.new_event_loop()
        try:
            # With a name of its own it takes none of the numbers that asyncio names tasks by.
            loop.run_until_complete(loop.create_task(run(), name="asyncguard"))
        finally:
            loop.close()
        seen = {call.spawned for call in fold(request.calls) if call.row is stdlib.SLEEP[0]}
        if False not in seen:
            return "a known blocking call was not seen"
        if True not in seen:
            return "a known blocking call in a callback was not seen"
        return next(
            (f"{state.name}: {state.reason}" for state in self.probes if not state.active), None
        )

    def _failed(self, part: str, error: BaseException) -> None:
        """An exception inside the guard: switch that part off, and say so once."""
        if part in self._failures:
            return
        text = f"{type(error).__name__}: {error}"
        self._failures[part] = text
        self._installation.states[part] = ProbeState(name=part, active=False, reason=text)
        self._installation.drop(part)
        self._told_probes = False  # a run that goes on without a part has to say so
        if part == "holds":
            self._inbox.enabled = False
        self.warn(f"{part} failed and is switched off: {text}")

    # --- tests -------------------------------------------------------------------------------

    def begin(self, test: str, settings: Settings) -> None:
        """What follows belongs to ``test``."""
        self._test = test
        self._inbox.enabled = settings.enabled and "holds" not in self._failures
        self._limits = settings
        self._inbox.threshold_ns = settings.least_threshold_ns
        watched = settings.enabled and settings.scope == "loop"
        holds.loose[0] = WatchedRequest(None, {"type": "test"}, self._inbox) if watched else None

    def tell(self, *, last: bool) -> Telling:
        """All that was seen since the last telling. ``last``: the test is over."""
        self._fetch(last=last)
        telling = Telling(
            findings=collect.by_way(self._findings),
            exercised={
                route: (int(count), Spread(max=most, total=total))
                for route, (count, most, total) in self._exercised.items()
            },
            threads=dict(self._threads),
            endpoints=tuple(self._new_endpoints),
            requests=self._requests,
            loops=tuple(sorted(self._inbox.loops)),
            probes=() if self._told_probes else self.probes,
            inactive=self.inactive,
        )
        self._told_probes = True
        self._descriptions.clear()
        self._clear()
        return telling

    def _digest(self) -> None:
        """Called on a loop thread, outside any hold, when many requests wait."""
        self._fetch(last=False)

    def _fetch(self, *, last: bool) -> None:
        if last and holds.open_holds:
            self._try("calls", report_running, self._inbox)
        waiting = self._inbox.requests
        fetched: list[WatchedRequest] = []
        for key in list(waiting):
            request = waiting.get(key)
            if request is not None and (last or request.is_settled()):
                del waiting[key]
                fetched.append(request)
        for request in fetched:
            self._take(request)
        self._inbox.plain.clear()
        self._inbox.injected.clear()
        self._inbox.stacks.clear()
        tallies = self._inbox.tallies
        while tallies:
            for tally in tallies.popitem()[1]:
                self._add(tally)
        if len(self._findings) >= self._merge_at:
            # A test can make any number of requests: what it keeps is one finding for each site.
            self._findings = list(collect.by_way(self._findings))
            self._merge_at = max(MERGE_AT, 2 * len(self._findings))

    def _try(self, part: str, function: Callable[..., T], *args: Any) -> T | None:
        """What a part of the guard makes of ``args``; None from its first failure on."""
        if part in self._failures:
            return None
        try:
            return function(*args)
        except Exception as error:  # noqa: BLE001 - the guard never breaks a test
            self._failed(part, error)
            return None

    def _take(self, watched: WatchedRequest) -> None:
        own = watched.scopes[0]["type"] == "test"
        request = None if own else self._try("request", self._descriptions.describe, watched.scopes)
        if request is None and not own:
            return
        calls, watched.calls = watched.calls, ()
        stalls, watched.stalls = watched.stalls, ()
        if request is not None:
            if request.type != "lifespan":
                self._count(watched, request)
            self._try("census", self._meet, watched.app)
        if calls or stalls:
            self._judge(watched, request, fold(calls), stalls)

    def _add(self, tally: Tally) -> None:
        request = self._try("request", self._descriptions.describe, tally.scopes)
        if request is not None:
            route = request.endpoint.route if request.endpoint else request.route
            row = self._exercised[route]
            row[0] += tally.reached
            self._keep_thread(route, tally.thread_ns)
            row[1] = max(row[1], tally.held_max_ns / 1e9)
            row[2] += tally.held_ns / 1e9
            self._requests += tally.count
            self._try("census", self._meet, tally.app)

    def _count(self, watched: WatchedRequest, request: Request) -> None:
        route = request.endpoint.route if request.endpoint else request.route
        row = self._exercised[route]
        if not watched.counted:
            watched.counted = True
            self._requests += 1
        if not watched.exercised and watched.reached():
            watched.exercised = True
            row[0] += 1
        self._keep_thread(route, watched.thread_ns)
        row[1] = max(row[1], watched.held_max_ns / 1e9)
        row[2] += watched.held_ns / 1e9
        watched.held_ns = 0

    def _keep_thread(self, route: str, thread_ns: int) -> None:
        if thread_ns:
            self._threads[route] = max(self._threads[route], thread_ns / 1e9)

    def _meet(self, app: object) -> None:
        """Take the endpoints of an app into the census; again where routes were added."""
        routes = getattr(app, "routes", None)
        size = len(routes) if isinstance(routes, list) else 0
        known = self._apps.get(id(app))
        if known is not None and known[0]() is app and known[1] == size:
            return
        if known is not None and known[0]() is not app:
            self._once.pop(id(app), None)  # another app, at the address of one that is gone
        try:
            self._apps[id(app)] = (weakref.ref(app), size)
        except TypeError:  # an app with __slots__
            self._apps[id(app)] = (lambda: app, size)
        for endpoint in census.endpoints(app):
            key = (endpoint.route, endpoint.function)
            if key not in self._endpoints:
                self._endpoints.add(key)
                self._new_endpoints.append(self._attributor.located(endpoint))

    def _judge(
        self,
        watched: WatchedRequest,
        request: Request | None,
        calls: Sequence[RawCall],
        stalls: Sequence[RawStall],
    ) -> None:
        make, limits = self._sightings, self._limits
        seen_calls = self._try("stacks", make.calls, calls, request, limits)
        scope = watched.scopes[-1]
        seen_stalls = self._try("stacks", make.stalls, stalls, request, limits, scope)
        starved = self._try("stacks", make.starved, stalls, request, limits)
        judged = self._try(
            "decide",
            self._decider.judge,
            seen_calls or [],
            seen_stalls or [],
            starved or [],
            limits.threshold_ns_of,
        )
        for sighting, decision in judged or ():
            finding = self._try("attribute", self._attribute, watched, sighting, decision)
            if finding is not None:
                self._findings.append(finding)

    def _attribute(
        self, watched: WatchedRequest, sighting: Sighting, decision: Decision
    ) -> Finding:
        finding = self._attributor.attribute(sighting, decision, self._test)
        if decision.once:
            seen = self._once[id(watched.app)]
            if finding.fingerprint in seen:
                finding = self._attributor.attribute(sighting, again(decision), self._test)
            seen.add(finding.fingerprint)
        return finding
