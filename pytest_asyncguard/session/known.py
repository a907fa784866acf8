"""What is known of a finding already: somebody ignores it, or the baseline has it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import pytest

from pytest_asyncguard import baseline, options
from pytest_asyncguard.baseline import Baseline, BaselineError, Entry
from pytest_asyncguard.model import Finding
from pytest_asyncguard.options import Settings
from pytest_asyncguard.session import answers, files
from pytest_asyncguard.suppress import Project, suppress

ALLOWANCES = "pytest_asyncguard_allowances"

Patterns = Mapping[str, str | None]


class Known:
    """The ignore comments of the project, the allowances of the run, and its baseline.

    ``given`` is what an xdist controller told its worker: the worker need not have the file, and
    has the controller's date.
    """

    def __init__(
        self,
        settings: Settings,
        config: pytest.Config,
        warn: Callable[[str], None],
        given: Mapping[str, Any] | None = None,
    ) -> None:
        self._settings = settings
        self._asked = answers.Asked(config, warn)
        self._rootdir = str(config.rootpath)
        self.project = Project(partial(files.source, self._rootdir))
        self._from_hooks = {
            pattern: reason
            for line in answers.items(config, ALLOWANCES)
            for pattern, reason in options.pattern_lines(line, ALLOWANCES).items()
        }
        if given is None:
            self.today = datetime.now(UTC).date()
            self.entries = self._read()
        else:
            self.today = date.fromisoformat(given["today"])
            self.entries = [Entry(**entry) for entry in given["baseline"]]
        self._baseline = self.baseline()

    def _read(self) -> Iterable[Entry]:
        path, update = self._settings.baseline, self._settings.update_baseline
        if path is None:
            return ()
        named = f"--asyncguard-baseline: {os.path.relpath(path, self._rootdir)!r}"
        if update and (reason := files.unwritable(path)) is not None:
            raise pytest.UsageError(f"{named}: cannot write it: {reason}")
        try:
            with open(path, "rb") as stream:
                return baseline.read(stream.read())
        except FileNotFoundError:
            if update:
                return ()
            raise pytest.UsageError(
                f"{named}: there is no such file; --asyncguard-update-baseline makes it"
            ) from None
        except (OSError, BaselineError) as error:
            why = getattr(error, "strerror", None) or error
            raise pytest.UsageError(f"{named}: {why}") from None

    def baseline(self) -> Baseline:
        """The baseline, of which no entry has been met yet."""
        return Baseline(self.entries, self.today, partial(files.source, self._rootdir))

    def for_workers(self) -> dict[str, Any]:
        return {
            "today": self.today.isoformat(),
            "baseline": [asdict(entry) for entry in self.entries],
        }

    # --- what is made of a finding -----------------------------------------------------------

    def judge(self, finding: Finding, *allowed: Patterns) -> Finding:
        """The finding of a test with its status. ``allowed``, the nearest first, is the test's."""
        finding = suppress(finding, self.project, *allowed, self._from_hooks)
        if finding.status == "new":
            finding = self._asked.about(finding)
        return self.accept(self._baseline.mark((finding,)))[0]

    def accept(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """The findings, the new ones baselined if that is what the run is for."""
        if not self._settings.update_baseline:
            return tuple(findings)
        return tuple(
            replace(finding, status="baselined")
            if finding.status == "new" and finding.reason is None  # not those that expired
            else finding
            for finding in findings
        )
