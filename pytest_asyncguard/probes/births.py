"""The births of threads: a clock that knows how young its thread is begins at less cost."""

from __future__ import annotations

import functools
import threading
from _thread import get_ident
from collections.abc import Callable
from weakref import WeakKeyDictionary

from pytest_asyncguard.probes.clock import Sources
from pytest_asyncguard.probes.patching import Patcher


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

    def watched(
        self, original: Callable[[threading.Thread], None]
    ) -> Callable[[threading.Thread], None]:
        """``Thread.start``, with the moment noted."""

        @functools.wraps(original)
        def start(thread: threading.Thread) -> None:
            __tracebackhide__ = True
            self.note(thread)
            original(thread)

        return start


class BirthProbe:
    """Notes when threads are started."""

    name = "births"

    def __init__(self, births: Births) -> None:
        self._births = births
        self._patcher = Patcher()

    def unavailable(self) -> str | None:
        return None

    def install(self) -> None:
        self._patcher.replace(
            threading.Thread, "start", self._births.watched(threading.Thread.start)
        )

    def uninstall(self) -> None:
        self._patcher.restore()
