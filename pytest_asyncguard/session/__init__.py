"""Session: one pytest run with the guard on. What the hooks of ``plugin`` delegate to.

In each process that runs tests it fetches what the guard has to tell; in the process that reports
(the only one, or the xdist controller) it collects that and has it rendered and judged.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import sys
import time
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pytest_asyncguard import AsyncguardInternalWarning, gate, options
from pytest_asyncguard.catalog.rows import Call
from pytest_asyncguard.guard import Guard
from pytest_asyncguard.model import ProbeState, RunInfo, RunReport
from pytest_asyncguard.options import Settings
from pytest_asyncguard.origin import Origins
from pytest_asyncguard.render import terminal
from pytest_asyncguard.render.text import escape
from pytest_asyncguard.session import answers, partial
from pytest_asyncguard.session.collected import Collected
from pytest_asyncguard.session.conclusion import Conclusion
from pytest_asyncguard.session.hooks import Hooks
from pytest_asyncguard.session.ignores import Ignores
from pytest_asyncguard.session.known import Known
from pytest_asyncguard.session.reports import Reports
from pytest_asyncguard.session.tests import Tests
from pytest_asyncguard.transport import ATTRIBUTE
from pytest_asyncguard.wording import duration

PACKAGES = ("pytest", "fastapi", "starlette", "httpx", "httpx2", "anyio", "uvloop", "trio")


class Session:
    """The guard's part in one pytest run."""

    def __init__(self, settings: Settings, config: pytest.Config) -> None:
        self.settings = settings
        self.complete = True
        self._config = config
        self._rootdir = str(config.rootpath)
        self._guard = Guard(settings, self._rootdir, self._warn)
        self._collected = Collected(strict=settings.strict)
        self._started = time.time()
        self._clock = time.perf_counter()
        self._is_worker = False
        self._ignores: Ignores | None = None
        self._known: Known
        self._reports: Reports
        self.tests: Tests
        self._verdict: gate.Verdict | None = None
        self._report: RunReport | None = None
        self._conclusion: Conclusion | None = None

    # --- lifecycle ---------------------------------------------------------------------------

    def start(self) -> None:
        self._guard.start()

    def stop(self) -> None:
        if self._ignores is not None:
            self._ignores.stop()
        self._guard.stop()

    def configure(self, config: pytest.Config) -> None:
        self._is_worker = hasattr(config, "workerinput")
        self._guard.add_calls(self._blocking_calls())
        given = getattr(config, "workerinput", {}).get(ATTRIBUTE)
        self._known = Known(self.settings, config, self._warn, given)
        origins = Origins(self._rootdir, self.settings.source)
        self._ignores = Ignores(
            self._known.project, lambda file: origins.of(file) == "project", self._relative
        )
        self.tests = Tests(
            self._guard,
            self.settings,
            self._known.judge,
            self._ignores,
            is_worker=self._is_worker,
        )
        hooks = Hooks(self.tests, self._known.for_workers())
        config.pluginmanager.register(hooks, "asyncguard-hooks")
        if not self._is_worker:
            config.pluginmanager.register(self._collected, "asyncguard-collected")
            folder = str(config.invocation_params.dir)
            formats = answers.formats(config)
            self._reports = Reports(self.settings, formats, self._rootdir, folder)

    def _blocking_calls(self) -> list[Call]:
        """The callables that the user named, by option and by hook."""
        named = dict(self.settings.call)
        rows: list[Call] = []
        for item in answers.items(self._config, "pytest_asyncguard_blocking_calls"):
            if isinstance(item, Call):
                rows.append(item)
            else:
                named.update(options.named_calls(item))
        rows += [
            Call(target=name, name=name.replace(":", "."), rule=rule)
            for name, rule in named.items()
        ]
        return rows

    def header(self) -> str:
        if self._guard.inactive is not None:
            return f"asyncguard: INACTIVE ({self._guard.inactive})"
        threshold = duration(self.settings.threshold)
        mode, scope = self.settings.mode, self.settings.scope
        return f"asyncguard: {mode}, threshold {threshold}, scope {scope}"

    def _warn(self, text: str) -> None:
        """Say it among pytest's warnings, past the filters: it must not fail a test."""
        message = warnings.WarningMessage(
            AsyncguardInternalWarning(f"asyncguard: {text}"),
            AsyncguardInternalWarning,
            __file__,
            1,
            line="",  # where it was raised says nothing
        )
        self._config.hook.pytest_warning_recorded.call_historic(
            kwargs={
                "warning_message": message,
                "when": "runtest",
                "nodeid": "",
                "location": None,
            }
        )

    # --- tests -------------------------------------------------------------------------------

    def begin(self, item: pytest.Item) -> None:
        self.tests.begin(item)

    def report(self, report: pytest.TestReport) -> None:
        self.tests.report(report)

    # --- the run -----------------------------------------------------------------------------

    def finish(self, session: pytest.Session, exitstatus: int) -> None:
        """Judge the run, and write the reports."""
        if self._is_worker:
            # A worker that crashes sends nothing of it, and that is seen.
            said = [] if self.complete else [partial.deselected(session.config)]
            self._config.workeroutput[ATTRIBUTE] = said  # type: ignore[attr-defined]
            return
        self._guard.warn_of_missing()
        inactive = self._collected.inactive or self._guard.inactive
        probes = self._probes(inactive)
        broken = [] if inactive else [f"{p.name}: {p.reason}" for p in probes if not p.active]
        why = self._partial(session, exitstatus, blind=inactive is not None)
        if broken:
            why.append("a part of the guard failed")
        self.complete = not why
        conclusion = Conclusion(self.settings, self._known, self._collected, why)
        self._report = conclusion.report(self._run_info(probes), self._relative)
        unwritten = self._reports.write(self._report)
        if self.settings.update_baseline and inactive is None:
            unwritten |= conclusion.write_baseline(self._relative)
        self._conclusion = conclusion
        if self._asks_for_junit() and not session.config.getoption("xmlpath", None):
            conclusion.notes.append("report junit: there is no --junitxml to write into")
        if not session.config.pluginmanager.hasplugin("terminalreporter"):
            sys.stdout.write(self._reports.printed)
        self._verdict = gate.judge(
            self._report,
            self.settings.mode,
            strict=self.settings.strict,
            inactive=inactive,
            demands=replace(
                conclusion.demands,
                unwritten=[f"{path} ({why})" for path, why in unwritten.items()],
                broken=broken,
            ),
        )
        if self._verdict.failed and exitstatus in (0, 5):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _asks_for_junit(self) -> bool:
        return any(report.format == "junit" for report in self.settings.report)

    def _partial(self, session: pytest.Session, exitstatus: int, *, blind: bool) -> list[str]:
        """Why this was not a complete run."""
        why = [*partial.reasons(session, exitstatus), *sorted(self._collected.partial)]
        if not self.complete:
            why.insert(0, partial.deselected(session.config))
        if blind:
            why.append("nothing was watched")
        elif not self._collected.tests:
            why.append("no test ran")
        return list(dict.fromkeys(why))

    def _relative(self, path: str) -> str:
        with contextlib.suppress(ValueError):  # another drive of Windows
            path = os.path.relpath(path, self._rootdir)
        return path.replace(os.sep, "/")

    def _probes(self, inactive: str | None) -> tuple[ProbeState, ...]:
        """The states of all processes' probes, as one state of each."""
        states = {probe.name: probe for probe in self._collected.probes or self._guard.probes}
        # What failed here after the last test's report was made.
        states |= {probe.name: probe for probe in self._guard.probes if not probe.active}
        if inactive is not None and all(probe.active for probe in states.values()):
            name = gate.SELF_CHECK
            states[name] = ProbeState(name=name, active=False, reason=inactive)
        return tuple(states.values())

    def _run_info(self, probes: tuple[ProbeState, ...]) -> RunInfo:
        collected = self._collected
        return RunInfo(
            started=datetime.fromtimestamp(self._started, UTC).isoformat(),
            seconds=round(time.perf_counter() - self._clock, 3),
            python=platform.python_version(),
            platform=sys.platform,
            packages=_versions(),
            loops=tuple(sorted(collected.loops)),
            workers=max(1, len(collected.workers)),
            tests=len(collected.tests),
            requests=collected.requests,
            complete=self.complete,
            probes=probes,
        )

    def summary(self, terminalreporter: Any) -> None:
        if self._report is None or self._verdict is None or self._conclusion is None:
            return
        tw = terminalreporter._tw  # noqa: SLF001 - the writer that renderers of pytest use
        verbosity = terminalreporter.verbosity
        terminalreporter.ensure_newline()
        tw.write(self._reports.printed)
        for line in (*self._conclusion.errors, *self._conclusion.expired):
            tw.line(f"asyncguard: {escape(line)}", red=True)
        if verbosity >= 0:
            for path in self._reports.written:
                tw.line(f"asyncguard: wrote {path}")
            for line in self._conclusion.notes:
                tw.line(f"asyncguard: {escape(line)}")
        terminal.summary(
            tw, self._report, verbosity, self._verdict.sentence, failed=self._verdict.failed
        )


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
