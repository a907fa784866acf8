"""Keepers: which thread kept the GIL from a loop thread that was ready to run.

That a loop thread waited for the GIL is known by its own clock; who had it meanwhile, by the time
that each of the other threads spent on the CPU. Where the system does not tell such times by
thread (all but Linux), nobody can be named, and nothing is reported.
"""

from __future__ import annotations

import sys
import threading
from _thread import get_ident
from collections.abc import Mapping
from types import FrameType

from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.holds import RawKeeper
from pytest_asyncguard.probes.stacks import capture


class Keepers:
    """The time on the CPU of each thread that has no hold open, from one look to the next."""

    def __init__(self) -> None:
        self._ran: dict[int, int] | None = None
        self._latest: tuple[int, RawKeeper | None] = 0, None
        # What the tests themselves compute starves no app that is deployed.
        self._exempt = {get_ident()}

    def exempt(self) -> None:
        """Leave the calling thread out."""
        self._exempt.add(get_ident())

    def look(self) -> tuple[int, str, int] | None:
        """Identifier, name and nanoseconds of the thread that has computed most since."""
        before, ran = self._ran, {}
        busiest: tuple[int, str, int] | None = None
        for thread in threading.enumerate():
            ident, native = thread.ident, thread.native_id
            if ident is None or native is None or ident in self._exempt:
                continue
            if (now := holds.sources.ran(native)) is None:
                continue
            ran[native] = now
            if before is None or ident in holds.open_holds:
                continue
            took = now - before.get(native, 0)
            if took > (busiest[2] if busiest is not None else 0):
                busiest = ident, thread.name, took
        self._ran = ran
        return busiest

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
        looked, latest = self._latest
        now = self.keeper()
        if latest is None or looked < opened or (now and now.ran_ns > latest.ran_ns):
            return now
        return latest
