"""Lines: which of a few lines of the project ran while a request held the loop.

CPython 3.12 tells of a line once and then, asked to, never again, so this costs next to nothing.
Before, there is no way that leaves debuggers and coverage alone, and nothing is told.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from collections.abc import Collection, Mapping
from contextlib import suppress
from types import CodeType
from typing import Any, Final, Generic, TypeVar

from pytest_asyncguard.probes.holds import open_holds

Mark = TypeVar("Mark")

TOOLS: Final = (4, 3)
"""Numbers that ``sys.monitoring`` gives no meaning. A pytest inside pytest takes the second."""


class LineWatch(Generic[Mark]):
    """Collects marks: those of a line that runs, and of a function that is entered."""

    def __init__(self) -> None:
        self._monitoring: Any = getattr(sys, "monitoring", None)
        self._tool: int | None = None
        self._lines: dict[str, Mapping[int, Collection[Mark]]] = {}
        self._entries: dict[str, Mapping[int, Collection[Mark]]] = {}
        self._codes: list[CodeType] = []
        self._ran: set[Mark] = set()

    def add(
        self,
        file: str,
        lines: Mapping[int, Collection[Mark]],
        entries: Mapping[int, Collection[Mark]],
    ) -> None:
        """Watch lines of a file, and functions by their first line, that of a decorator."""
        if self._monitoring is None or not (self._tool or self._start()):
            return
        self._lines[file], self._entries[file] = lines, entries
        self._monitoring.restart_events()  # its functions may have run before

    def take(self) -> set[Mark]:
        """The marks since this was last asked for."""
        ran, self._ran = self._ran, set()
        return ran

    def _start(self) -> bool:
        for number in TOOLS:
            if self._monitoring.get_tool(number) is None:
                self._tool = number
                break
        else:
            return False
        events = self._monitoring.events
        self._monitoring.use_tool_id(self._tool, "pytest-asyncguard")
        self._monitoring.register_callback(self._tool, events.PY_START, self._entered)
        self._monitoring.register_callback(self._tool, events.LINE, self._ran_line)
        self._monitoring.set_events(self._tool, events.PY_START)
        return True

    def stop(self) -> None:
        if self._tool is None:
            return
        events = self._monitoring.events
        self._monitoring.set_events(self._tool, 0)
        for code in self._codes:
            self._monitoring.set_local_events(self._tool, code, 0)
        for event in (events.PY_START, events.LINE):
            self._monitoring.register_callback(self._tool, event, None)
        self._monitoring.free_tool_id(self._tool)
        self._tool = None
        self._codes.clear()

    # What is returned or raised by these goes to the interpreter.

    def _entered(self, code: CodeType, offset: int) -> Any:  # noqa: ARG002
        file = code.co_filename
        if file not in self._lines:
            return self._monitoring.DISABLE
        if self._tool is not None and self._lines[file]:
            with suppress(Exception):  # the app's function runs, whether or not it is watched
                self._monitoring.set_local_events(self._tool, code, self._monitoring.events.LINE)
                self._codes.append(code)
        return self._mark(self._entries[file].get(code.co_firstlineno))

    def _ran_line(self, code: CodeType, line: int) -> Any:
        return self._mark(self._lines.get(code.co_filename, {}).get(line))

    def _mark(self, marks: Collection[Mark] | None) -> Any:
        """Where it is not on the loop, it is to be told again."""
        if marks:
            if get_ident() not in open_holds:
                return None
            self._ran.update(marks)
        return self._monitoring.DISABLE
