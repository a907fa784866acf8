"""What a run amounts to: its report, and what becomes of the baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from pytest_asyncguard import __version__, baseline, census, collect, gate, options
from pytest_asyncguard.gate import Demands
from pytest_asyncguard.model import RunInfo, RunReport
from pytest_asyncguard.options import Settings
from pytest_asyncguard.session import files
from pytest_asyncguard.session.collected import Collected
from pytest_asyncguard.session.known import Known
from pytest_asyncguard.suppress import project_files
from pytest_asyncguard.suppress.unused import unused

SHOWN: Final = 10
"""How many expired entries the terminal names."""


class Conclusion:
    """``partial`` are the reasons why the run was not a complete one.

    ``errors`` are lines that have to be read, ``notes`` lines that may be.
    """

    def __init__(
        self, settings: Settings, known: Known, collected: Collected, partial: Sequence[str]
    ) -> None:
        self._settings = settings
        self._known = known
        self._collected = collected
        self._baseline = known.baseline()
        self._findings = known.accept(self._baseline.mark(collect.merge(collected.findings)))
        # A test that failed may not have come as far as the call.
        self._unsure = [
            *partial,
            *(["tests failed"] if collected.failures else []),
            *(["not everything could be watched"] if collected.unwatched else []),
        ]
        self._partial = partial
        # Nobody looked for what a rule would find that is switched off.
        off = [e for e in self._baseline.unseen() if settings.rule.get(e.rule) == "off"]
        self._unseen = [e for e in self._baseline.unseen() if e not in off]
        self._kept = self._baseline.unseen() if self._unsure else off
        self.notes: list[str] = []
        self.errors: Sequence[str] = known.project.errors(
            project_files(collected.findings, collected.endpoints.values())
        )

    def report(self, run: RunInfo, relative: Callable[[str], str]) -> RunReport:
        settings, collected = self._settings, self._collected
        rows = census.tally(collected.endpoints.values(), collected.exercises(), self._findings)
        counted = tuple(gate.without(rows, settings.exempt))
        summary = collect.summarize(
            self._findings, counted, collected.requests, strict=settings.strict
        )
        self._say_what_is_not_judged()
        sure = not self._unsure
        return RunReport(
            tool_version=__version__,
            run=run,
            settings=options.as_report(settings, relative),
            summary=replace(summary, blocking=sum(row.verdict == "blocks" for row in rows)),
            findings=self._findings,
            endpoints=tuple(row for row in rows if row.verdict != "unexercised" or row in counted),
            unused_ignores=(
                unused(self._known.project, collected.ran, collected.used, settings.rule)
                if sure
                else ()
            ),
            stale_baseline=(
                tuple(sorted(entry.fingerprint for entry in self._unseen))
                if sure and not settings.update_baseline
                else ()
            ),
        )

    def _say_what_is_not_judged(self) -> None:
        why = ", ".join(self._unsure)
        number = _entries(len(self._unseen))
        if self._unseen and why and self._settings.update_baseline:
            self.notes.append(f"partial run ({why}): the baseline keeps {number} not seen")
        elif self._unseen and why and self._settings.strict:
            self.notes.append(
                f"partial run ({why}): {number} of the baseline not seen, which proves nothing"
            )
        if self._settings.min_exercised and self._partial:
            self.notes.append(
                f"partial run ({', '.join(self._partial)}): "
                "it is not judged by how many endpoints it exercised"
            )

    @property
    def expired(self) -> Sequence[str]:
        """A line for each of the first findings whose entry in the baseline has expired."""
        said = [
            f"{each.file}:{each.line}: {each.code} {each.rule}: {each.reason}"
            for each in self._findings
            if each.status == "new" and each.reason is not None
        ]
        more = len(said) - SHOWN
        return said if more <= 0 else [*said[:SHOWN], f"{more} more have expired in the baseline"]

    @property
    def demands(self) -> Demands:
        return Demands(
            failing=self._collected.failing,
            wrong=self.errors,
            expired=len(self._baseline.expired),
            min_exercised=self._settings.min_exercised,
            exempt=self._settings.exempt,
        )

    def write_baseline(self, relative: Callable[[str], str]) -> dict[str, str]:
        """Write the baseline; if it cannot be done, say why by its path."""
        path = self._settings.baseline
        assert path is not None
        before = self._baseline.entries
        after = self._baseline.update(self._findings, keep=self._kept)
        named = relative(path)
        try:
            files.write(path, baseline.write(after))
        except OSError as error:
            return {named: error.strerror or str(error)}
        taken = len(set(before) - self._baseline.seen - set(after))
        added = len(after) - len(before) + taken
        others = {each.fingerprint for each in after} - {each.fingerprint for each in before}
        moved = f", {len(others) - added} moved" if len(others) > added else ""
        self.notes.append(
            f"wrote {named}: {_entries(len(after))}, {added} added, {taken} removed{moved}"
        )
        return {}


def _entries(number: int) -> str:
    return f"{number} {'entry' if number == 1 else 'entries'}"
