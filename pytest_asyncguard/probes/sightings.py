"""Sightings: what the probes saw, as plain data.

Here the raw stacks of the probes become frames. It happens after the test, or while its requests
are digested, and never during a hold.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, Protocol

from pytest_asyncguard.model import Charge, Known, Request, Sample, Sighting
from pytest_asyncguard.probes import places
from pytest_asyncguard.probes.callees import Callees
from pytest_asyncguard.probes.inbox import RawCall, RawStall, Scope, fold
from pytest_asyncguard.probes.stacks import Reader

GIL_SHARERS: Final = 8
"""Among how many threads the GIL may have gone round for one of them to be told as its keeper."""
_COUNTER: Final = re.compile(r"[-_]\d+(?:_\d+)?(?![^\W_])")
"""What numbers a thread: it differs from run to run."""


class Limits(Protocol):
    """The thresholds in force, in nanoseconds."""

    @property
    def least_threshold_ns(self) -> int: ...

    def threshold_ns_of(self, rule: str) -> int: ...


class Sightings:
    """Makes sightings of what was seen, reading stacks by ``reader``."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._callees = Callees()

    def calls(
        self, calls: Iterable[RawCall], request: Request | None, limits: Limits
    ) -> list[Sighting]:
        """Known calls."""
        return [self._call(call, request, limits) for call in calls]

    def stalls(
        self,
        stalls: Iterable[RawStall],
        request: Request | None,
        limits: Limits,
        scope: Scope | None = None,
    ) -> list[Sighting]:
        """Holds over the threshold; ``scope`` is that of the request."""
        callee = self._callees.of(scope or {})
        return [self._stall(stall, request, limits, callee) for stall in stalls]

    def starved(
        self, stalls: Iterable[RawStall], request: Request | None, limits: Limits
    ) -> list[Sighting]:
        """What kept the GIL from holds, where a thread can be named."""
        found = (self._starved(stall, request, limits) for stall in stalls)
        return [sighting for sighting in found if sighting is not None]

    def _call(self, call: RawCall, request: Request | None, limits: Limits) -> Sighting:
        row: Any = call.row
        timed = call.timed
        return Sighting(
            rule=row.rule,
            call=row.name,
            detail=call.detail,
            stack=self._reader.read(call.stack),
            charge=Charge(cpu_ns=call.cpu_ns, asleep_ns=call.asleep_ns) if timed else None,
            longest=Charge(cpu_ns=call.longest[0], asleep_ns=call.longest[1]) if timed else None,
            timed=timed,
            threshold_ns=limits.threshold_ns_of(row.rule),
            spawned=call.spawned,
            twin=row.twin,
            named_by_caller=row.by_caller,
            owned=getattr(row, "owned", False),
            request=request,
            count=call.count,
        )

    def _stall(
        self, stall: RawStall, request: Request | None, limits: Limits, callee: places.Callee
    ) -> Sighting:
        return Sighting(
            rule=None,
            call=None,
            samples=tuple(self._samples(stall, callee)),
            known=tuple(
                Known(
                    stack=self._reader.read(call.stack),
                    charge=Charge(cpu_ns=call.cpu_ns, asleep_ns=call.asleep_ns),
                )
                for call in fold(stall.calls)
            ),
            charge=Charge(cpu_ns=stall.cpu_ns, asleep_ns=stall.asleep_ns),
            threshold_ns=limits.least_threshold_ns,
            spawned=stall.spawned,
            request=request,
        )

    def _starved(self, stall: RawStall, request: Request | None, limits: Limits) -> Sighting | None:
        """What kept the GIL from ``stall``: of several threads, the one that computed most."""
        if not stall.keepers:
            return None
        ran: Counter[int] = Counter()
        for keeper in stall.keepers:
            ran[keeper.thread] += keeper.ran_ns
        ((thread, most),) = ran.most_common(1)
        if most * GIL_SHARERS < stall.kept_ns:
            return None  # none of those that were seen had it for long
        mine = [keeper for keeper in stall.keepers if keeper.thread == thread]
        return Sighting(
            rule="starved",
            call=None,
            detail=f"thread {_COUNTER.sub('', mine[0].name)}",
            stack=self._reader.read(stall.samples[-1][1]) if stall.samples else (),
            samples=tuple(
                Sample(stack=self._reader.read(keeper.stack), weight_ns=keeper.ran_ns)
                for keeper in mine
            ),
            charge=Charge(cpu_ns=0, asleep_ns=stall.kept_ns),
            threshold_ns=limits.threshold_ns_of("starved"),
            spawned=stall.spawned,
            request=request,
        )

    def _samples(self, stall: RawStall, callee: places.Callee = places.unknown) -> Iterable[Sample]:
        """Each sample stands for the time since the one before; the last one to the end as well."""
        before = stall.opened
        for index, (taken, stack) in enumerate(stall.samples):
            until = taken if index + 1 < len(stall.samples) else stall.opened + stall.wall_ns
            frames = self._reader.read(places.spent(stack, callee))
            if frames:
                yield Sample(stack=frames, weight_ns=max(0, until - before))
            before = taken
