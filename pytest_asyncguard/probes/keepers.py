"""Keepers: which thread kept the GIL from a loop thread that was ready to run.

That a loop thread waited for the GIL is known by its own clock; who had it meanwhile, by the time
that each of the other threads spent on the CPU. Where the system does not tell such times by
thread (all but Linux), nobody can be named, and nothing is reported.
"""

from __future__ import annotations

import sys
import threading
from _thread import get_ident
from collections import deque
from collections.abc import Mapping
from types import FrameType
from typing import Final

from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.holds import Hold
from pytest_asyncguard.probes.inbox import RawKeeper
from pytest_asyncguard.probes.stacks import capture

LOOKS: Final = 64
"""How many looks are remembered: those of the last seconds."""
AGAIN_NS: Final = 50_000_000
"""Between two looks while no hold lasts."""
SHARE: Final = 50
"""Where there are many threads, looks take no more than this part of the time."""
LOOKS_NS: Final = 1_000_000_000
"""Between two looks, however long they take."""
COMPUTED_NS: Final = 3_000_000
"""From how much computing between two looks on a hold is taken to have computed all along.

A thread keeps the GIL for 5 ms from when another one asks; to get as far as a sleep, a request
seldom takes half of that.
"""


class Keepers:
    """The time on the CPU of each thread that has no hold open, from one look to the next.

    The sampler looks, and so does a loop thread at the end of a hold; what one of them has begun
    to find out the other waits for, with ``lock``: a look takes the time of the one before.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._looks: deque[tuple[int, dict[int, tuple[int, int]]]] = deque(maxlen=LOOKS)
        self._again = 0
        """From when on one more look tells anything while no hold lasts."""
        self._latest: tuple[int, RawKeeper | None] = 0, None
        # What the tests themselves compute starves no app that is deployed.
        self._exempt = {get_ident()}

    def exempt(self) -> None:
        """Leave the calling thread out."""
        self._exempt.add(get_ident())

    def look(self) -> tuple[int, str, int] | None:
        """Identifier, name and nanoseconds of the thread that has computed most since."""
        before = self._looks[-1][1] if self._looks else None
        taken = holds.sources.wall()
        now: dict[int, tuple[int, int]] = {}
        busiest: tuple[int, str, int] | None = None
        for thread in threading.enumerate():
            ident, native = thread.ident, thread.native_id
            if ident is None or native is None:
                continue
            if (figures := holds.sources.scheduled_of(native)) is None:
                continue
            now[native] = figures
            if before is None or ident in self._exempt or ident in holds.open_holds:
                continue
            took = figures[0] - before.get(native, (0, 0))[0]
            if took > (busiest[2] if busiest is not None else 0):
                busiest = ident, thread.name, took
        self._looks.append((taken, now))
        holds.sources.keep(now)
        took = holds.sources.wall() - taken
        self._again = taken + min(max(AGAIN_NS, took * SHARE), LOOKS_NS)
        return busiest

    def look_around(self, now: int) -> None:
        """Look, unless that was done lately, or is being done, with no hold that lasts."""
        if now >= self._again and self.lock.acquire(blocking=False):
            try:
                self.look()
            finally:
                self.lock.release()

    def ready(self, opened: int) -> int:
        """For how long others than this thread have run, or been ready to, since ``opened``.

        Each of them may have had the GIL for as long: also one that was put aside with it, on a
        crowded machine, before it had computed for a millisecond.
        """
        if not self._looks:
            return 0
        total = 0
        with self.lock:
            before = self._before(opened)
            for thread in threading.enumerate():
                native = thread.native_id
                if native is None or thread.ident == get_ident():
                    continue
                if (figures := holds.sources.scheduled_of(native)) is not None:
                    total += sum(figures) - sum(before.get(native, (0, 0)))
        return total

    def put_off(self, hold: Hold) -> None:
        """Note how long others kept ``hold`` from running, from the look before to the last one.

        A thread that computes gives the GIL to whoever asks for it, and then waits until that one
        was given a processor; on a crowded machine that takes as long as a sleep, and looks like
        one. A thread that did not compute meanwhile did sleep.
        """
        taken, seen = self._looks[-1]
        native = hold.clock.native
        if (own := seen.get(native)) is None:
            return
        ran, queued = own
        others = _total_without(seen, native)
        if hold.looked is not None:
            since, ran_then, queued_then, others_then = hold.looked
        else:
            since, ran_then, queued_then = hold.began.wall, hold.began.cpu, hold.began.queued
            others_then = _total_without(self._before(hold.opened), native)
        hold.looked = taken, ran, queued, others
        if ran - ran_then >= COMPUTED_NS:
            asleep = taken - since - (ran - ran_then) - (queued - queued_then)
            hold.put_off_ns += max(0, min(asleep, others - others_then))

    def put_off_in_all(self, hold: Hold) -> int:
        """For how long others kept ``hold`` from running; asked when it is over."""
        with self.lock:
            self.keeper()  # `since` will ask for who computed until now, and that is told once
            self.put_off(hold)
            return hold.put_off_ns

    def _before(self, moment: int) -> Mapping[int, tuple[int, int]]:
        """What was seen in the last look before ``moment``; if all were later, in the first."""
        looks = list(self._looks)
        found = (seen for taken, seen in reversed(looks) if taken <= moment)
        return next(found, looks[0][1] if looks else {})

    def keeper(self) -> RawKeeper | None:
        """That thread, and where it stands."""
        if (busiest := self.look()) is None:
            return None
        ident, name, took = busiest
        frames: Mapping[int, FrameType] = sys._current_frames()
        stack = capture(frames.get(ident))
        if not stack:
            return None
        found = RawKeeper(ident, name, took, stack)
        self._latest = holds.sources.wall(), found
        return found

    def since(self, opened: int) -> RawKeeper | None:
        """Asked by a loop thread that was starved, at the end of a hold.

        The sampler may have been served first, and have looked when the hold was as good as over.
        """
        with self.lock:
            looked, latest = self._latest
            now = self.keeper()
        if latest is None or looked < opened or (now and now.ran_ns > latest.ran_ns):
            return now
        return latest


def _total_without(seen: Mapping[int, tuple[int, int]], thread: int) -> int:
    return sum(map(sum, seen.values())) - sum(seen.get(thread, ()))
