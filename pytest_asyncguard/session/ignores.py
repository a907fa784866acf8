"""Ignores: which ignore comments came to be asked on the loop, and which of them were needed."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable
from types import ModuleType

from pytest_asyncguard.model import Finding
from pytest_asyncguard.probes.lines import LineWatch
from pytest_asyncguard.suppress import Project
from pytest_asyncguard.suppress.unused import Place, on_the_way, place


class Ignores:
    """The evidence of this process. ``is_project`` tells of a file whether it is the project's."""

    def __init__(
        self,
        project: Project,
        is_project: Callable[[str], bool],
        relative: Callable[[str], str],
    ) -> None:
        self._project = project
        self._is_project = is_project
        self._relative = relative
        self._watch: LineWatch[Place] = LineWatch()
        self._modules: set[str] = set()
        self._ran: set[Place] = set()
        self._used: set[Place] = set()

    def look(self) -> None:
        """Watch the lines with comments in what was imported since the last look."""
        if len(sys.modules) == len(self._modules):
            return
        for name in sys.modules.keys() - self._modules:
            self._modules.add(name)
            module = sys.modules.get(name)
            file = vars(module).get("__file__") if isinstance(module, ModuleType) else None
            if isinstance(file, str) and self._is_project(file):
                self._add(file)

    def _add(self, file: str) -> None:
        comments = self._project.of(self._relative(file))
        if not comments.ignores:
            return
        lines: defaultdict[int, list[Place]] = defaultdict(list)
        entries: defaultdict[int, list[Place]] = defaultdict(list)
        for ignore in comments.ignores:
            if (function := comments.heads(ignore)) is not None:
                first = min([function.lineno, *(each.lineno for each in function.decorator_list)])
                entries[first].append(place(ignore))
            else:
                for line in range(ignore.first, ignore.last + 1):
                    if ignore.runs_with(line):
                        lines[line].append(place(ignore))
        self._watch.add(file, dict(lines), dict(entries))

    def stop(self) -> None:
        self._watch.stop()

    def note(self, finding: Finding) -> None:
        """What the stack of a finding says."""
        self._ran |= on_the_way(self._project, finding)
        if (ignore := self._project.covering(finding)) is not None:
            self._used.add(place(ignore))

    def take(self) -> tuple[tuple[Place, ...], tuple[Place, ...]]:
        """The comments whose lines ran and those that were used, since this was last asked for."""
        ran, used = self._ran | self._watch.take(), self._used
        self._ran, self._used = set(), set()
        return tuple(sorted(ran)), tuple(sorted(used))
