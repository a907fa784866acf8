"""Ignore comments that nothing needs: their line ran on the loop, and they covered nothing.

Both have to be known for certain, for people delete what a run tells them to delete. So nothing is
said of a comment on a line that is not known to have run, and nothing of one for a rule that finds
by the time a thing takes: that it found nothing in this run proves nothing about the next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from pytest_asyncguard.catalog import rules
from pytest_asyncguard.model import Finding, UnusedIgnore
from pytest_asyncguard.suppress import Project
from pytest_asyncguard.suppress.comments import Ignore

Place = tuple[str, int]
"""An ignore comment by its file and line."""

TIMED: Final = frozenset({*rules.STALLS, "starved", "thread-wait"})
"""Rules that find the same code in one run and not in the next."""


def place(ignore: Ignore) -> Place:
    return ignore.file, ignore.line


def on_the_way(project: Project, finding: Finding) -> set[Place]:
    """The comments on lines and functions of the project that stand on a finding's stack."""
    found: set[Place] = set()
    for frame in finding.stack:
        if frame.project:
            comments = project.of(frame.file)
            found.update(place(each) for each in comments.ignores if each.runs_with(frame.line))
            found.update(place(each) for each in comments.on_def(frame.line))
    return found


def unused(
    project: Project,
    ran: Iterable[Place],
    used: Collection[Place],
    levels: Mapping[str, object],
    doubtful: Collection[str] = (),
) -> tuple[UnusedIgnore, ...]:
    """Of the comments whose lines ``ran``, those that were not ``used``, sorted.

    ``levels`` are those of the rules; nobody looked for what one finds that is off. Of what the
    ``doubtful`` rules found not every way is known, so functions may have been on one of them.
    """
    return tuple(
        UnusedIgnore(file=file, line=line, rules=ignore.rules, reason=ignore.reason)
        for file, line in sorted(set(ran) - set(used))
        for ignore in project.of(file).ignores
        if ignore.line == line
        and not any(name in TIMED or levels.get(name) == "off" for name in ignore.names)
        and not (ignore.names.intersection(doubtful) and project.of(file).heads(ignore))
    )
