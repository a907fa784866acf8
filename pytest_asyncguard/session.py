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
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import pytest

from pytest_asyncguard import (
    AsyncguardInternalWarning,
    __version__,
    census,
    collect,
    gate,
    options,
    render,
    transport,
)
from pytest_asyncguard.catalog.rows import Call
from pytest_asyncguard.guard import Guard
from pytest_asyncguard.model import (
    Endpoint,
    Exercise,
    Finding,
    ProbeState,
    RunInfo,
    RunReport,
    Spread,
)
from pytest_asyncguard.options import Settings
from pytest_asyncguard.render import terminal
from pytest_asyncguard.transport import ATTRIBUTE, Telling
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
        self._of_test = settings
        self._verdict: gate.Verdict | None = None
        self._report: RunReport | None = None
        self._collected = Collected()
        self._started = time.time()
        self._clock = time.perf_counter()
        self._is_worker = False

    # --- lifecycle ---------------------------------------------------------------------------

    def start(self) -> None:
        self._guard.start()

    def stop(self) -> None:
        self._guard.stop()

    def configure(self, config: pytest.Config) -> None:
        self._is_worker = hasattr(config, "workerinput")
        if not self._is_worker:
            config.pluginmanager.register(self._collected, "asyncguard-collected")
        self._guard.add_calls(self._blocking_calls())

    def _blocking_calls(self) -> list[Call]:
        """The callables that the user named, by option and by hook."""
        named = dict(self.settings.call)
        rows: list[Call] = []
        for answer in self._config.hook.pytest_asyncguard_blocking_calls(config=self._config):
            for item in [answer] if isinstance(answer, str) else answer:
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
        marks = list(item.iter_markers("asyncguard"))[::-1]
        self._of_test = options.for_test(self.settings, marks, item.nodeid)
        self._guard.begin(item.nodeid, self._of_test)

    def report(self, report: pytest.TestReport) -> None:
        """Put on ``report`` what was seen, and fail it where that is the mode.

        What was seen while fixtures were set up waits for the test's own report: a failed set-up
        would keep the test from running.
        """
        if report.when == "setup" and report.passed:
            return
        telling = self._guard.tell(last=report.when == "teardown")
        if not telling:
            return
        setattr(report, ATTRIBUTE, transport.dump(telling))
        if self._of_test.mode != "fail-tests" or not telling.findings:
            return
        guilty = [finding for finding in telling.findings if self._counts(finding)]
        if not guilty:
            return
        text = terminal.failure_text(guilty)
        if report.outcome == "passed" and not hasattr(report, "wasxfail"):
            report.outcome = "failed"
            # pytest takes whatever has a ``toterminal``; xdist sends text only.
            report.longrepr = str(text) if self._is_worker else text  # type: ignore[assignment]
        elif str(report.longrepr).startswith("[XPASS(strict)]"):
            # The failure that was expected: pytest judged before it was there.
            report.outcome = "skipped"
            report.wasxfail = str(report.longrepr).removeprefix("[XPASS(strict)]").strip()
        elif report.outcome == "failed":
            report.sections.append(("asyncguard", str(text)))
        elif hasattr(report, "wasxfail"):
            report.outcome = "skipped"  # the failure that was expected

    def _counts(self, finding: Finding) -> bool:
        return finding.status == "new" and (finding.severity == "error" or self._of_test.strict)

    # --- the run -----------------------------------------------------------------------------

    def finish(self, session: pytest.Session, exitstatus: int) -> None:
        """Judge the run, and write the reports."""
        if self._is_worker:
            return
        if session.shouldstop or session.shouldfail or exitstatus not in (0, 1, 5):
            self.complete = False
        self._report = self._build()
        self._verdict = gate.judge(
            self._report,
            self.settings.mode,
            strict=self.settings.strict,
            inactive=self._collected.inactive or self._guard.inactive,
        )
        if self._verdict.failed and exitstatus in (0, 5):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        for item in self.settings.report:
            if item.path is not None:
                text = render.RENDERERS[item.format].render(self._report)
                path = os.path.join(str(self._config.invocation_params.dir), item.path)
                write(path, text)

    def _build(self) -> RunReport:
        collected = self._collected
        findings = collect.merge(collected.findings)
        rows = census.tally(collected.endpoints.values(), collected.exercises(), findings)
        return RunReport(
            tool_version=__version__,
            run=self._run_info(),
            settings=options.as_report(self.settings, self._relative),
            summary=collect.summarize(
                findings, rows, collected.requests, strict=self.settings.strict
            ),
            findings=findings,
            endpoints=rows,
        )

    def _relative(self, path: str) -> str:
        with contextlib.suppress(ValueError):  # another drive of Windows
            path = os.path.relpath(path, self._rootdir)
        return path.replace(os.sep, "/")

    def _run_info(self) -> RunInfo:
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
            probes=collected.probes or self._guard.probes,
        )

    def summary(self, terminalreporter: Any) -> None:
        if self._report is None or self._verdict is None:
            return
        tw = terminalreporter._tw  # noqa: SLF001 - the writer that renderers of pytest use
        terminal.summary(
            tw,
            self._report,
            terminalreporter.verbosity,
            self._verdict.sentence,
            failed=self._verdict.failed,
        )
        for item in self.settings.report:
            if item.path is None:
                tw.write(render.RENDERERS[item.format].render(self._report))
            elif terminalreporter.verbosity >= 0:
                tw.line(f"asyncguard: wrote {item.path}")


class Collected:
    """What the reports of all tests, of all workers, brought."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.endpoints: dict[tuple[str, str], Endpoint] = {}
        self.requests = 0
        self.loops: set[str] = set()
        self.workers: set[str] = set()
        self.tests: set[str] = set()
        self.probes: tuple[ProbeState, ...] = ()
        self.inactive: str | None = None
        self._exercised: defaultdict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
        self._tests_of: defaultdict[str, set[str]] = defaultdict(set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.tests.add(report.nodeid)
        if (worker := getattr(report, "worker_id", None)) is not None:
            self.workers.add(worker)
        if (data := getattr(report, ATTRIBUTE, None)) is not None:
            self._add(transport.load(data), report.nodeid)

    def _add(self, telling: Telling, test: str) -> None:
        self.findings.extend(telling.findings)
        self.requests += telling.requests
        self.loops.update(telling.loops)
        self.probes = telling.probes or self.probes
        self.inactive = telling.inactive or self.inactive
        for endpoint in telling.endpoints:
            self.endpoints.setdefault((endpoint.route, endpoint.function), endpoint)
        for route, (count, held) in telling.exercised.items():
            row = self._exercised[route]
            row[0] += count
            row[1] = max(row[1], held.max)
            row[2] += held.total
            self._tests_of[route].add(test)

    def exercises(self) -> dict[str, Exercise]:
        return {
            route: Exercise(
                requests=int(count),
                tests=tuple(sorted(self._tests_of[route])),
                held_seconds=Spread(max=most, total=total),
            )
            for route, (count, most, total) in self._exercised.items()
        }


def write(path: str, text: str) -> None:
    """Write a report whole or not at all. Raises pytest.UsageError where that cannot be done."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(temporary, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise pytest.UsageError(
            f"--asyncguard-report: cannot write {path!r}: {error.strerror or error}"
        ) from None


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
