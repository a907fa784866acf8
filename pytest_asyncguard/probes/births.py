"""The births of threads: a clock that knows how young its thread is begins at less cost."""

from __future__ import annotations

import threading
from _thread import get_ident
from weakref import WeakKeyDictionary

from pytest_asyncguard.probes.clock import Sources


class Births:
    """When threads were started, as far as that was seen."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._at: WeakKeyDictionary[threading.Thread, int] = WeakKeyDictionary()

    def note(self, thread: threading.Thread) -> None:
        """It is about to be started."""
        self._at[thread] = self._sources.wall()

    def age(self) -> int | None:
        """How old this thread is, in nanoseconds; None where its start was not seen."""
        # Not current_thread: of a thread that is not Python's own it would make one.
        thread = getattr(threading, "_active", {}).get(get_ident())
        born = self._at.get(thread) if thread is not None else None
        return self._sources.wall() - born if born is not None else None
