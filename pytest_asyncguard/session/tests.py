"""What is seen test by test: put on the test's report, and failing it where that is the mode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_asyncguard import collect, options, transport
from pytest_asyncguard.guard import Guard
from pytest_asyncguard.model import Finding
from pytest_asyncguard.options import Settings
from pytest_asyncguard.render import junit, terminal
from pytest_asyncguard.session.collected import COUNTS, FAILED_BY_US, counts, joined
from pytest_asyncguard.session.ignores import Ignores
from pytest_asyncguard.session.known import Patterns
from pytest_asyncguard.transport import ATTRIBUTE, Telling

Judge = Callable[..., Finding]
STRICT_XPASS = "[XPASS(strict)] "
"""How pytest begins its word on a strict xfail that passed."""


class Tests:
    """The test that is running, and what the guard has told of it."""

    __test__ = False

    def __init__(
        self,
        guard: Guard,
        settings: Settings,
        judge: Judge,
        ignores: Ignores,
        *,
        is_worker: bool,
    ) -> None:
        self._guard = guard
        self._settings = settings
        self._judge = judge
        self._ignores = ignores
        self._is_worker = is_worker
        self._with_junit = any(report.format == "junit" for report in settings.report)
        self._of_test = settings
        self._wrong = ""
        self._item: pytest.Item | None = None
        self._forget()

    def _forget(self) -> None:
        self._allowed: dict[str, str | None] = {}
        self._pending: list[Telling] = []
        self._told: list[Finding] = []

    def begin(self, item: pytest.Item) -> None:
        marks = list(item.iter_markers("asyncguard"))[::-1]
        self._of_test, self._wrong = self._settings, ""
        try:
            self._of_test = options.for_test(self._settings, marks, item.nodeid)
        except pytest.UsageError as error:
            self._wrong = str(error)
        self._item = item
        self._forget()
        self._ignores.look()
        self._guard.begin(item.nodeid, self._of_test)

    def report(self, report: pytest.TestReport) -> None:
        """Put on ``report`` what was seen, and fail it where that is the mode.

        What was seen while fixtures were set up waits for the test's own report: a failed set-up
        would keep the test from running.
        """
        if report.when == "setup":
            self._set_properties(report, [])  # of an attempt before, where tests are run again
            if self._wrong:
                report.outcome = "failed"
                report.longrepr = self._wrong
            if report.passed:
                return
        last = report.when == "teardown"
        self._fetch(last=last)
        findings = self._judged(self._pending)
        ran, used = self._ignores.take()
        telling = replace(joined(self._pending, findings), ran=ran, used=used)
        self._pending = []
        self._told += findings
        if findings:
            self._set_properties(report, junit.properties(collect.merge(self._told)))
        if last:
            self._forget()  # the item may run again
        if not telling:
            return
        data = transport.dump(telling)
        setattr(report, ATTRIBUTE, data)
        data[COUNTS] = self._of_test.mode != "report"
        guilty = [each for each in findings if counts(each, strict=self._of_test.strict)]
        if guilty and self._of_test.mode == "fail-tests":
            data[FAILED_BY_US] = self._fail(report, guilty)
            data[COUNTS] = not (report.skipped and hasattr(report, "wasxfail"))

    def _fail(self, report: pytest.TestReport, guilty: list[Finding]) -> bool:
        """Fail the test, as far as it has not failed itself. Whether it would have passed."""
        text = terminal.failure_text(guilty)
        if report.outcome == "passed" and not hasattr(report, "wasxfail"):
            report.outcome = "failed"
            # pytest takes whatever has a ``toterminal``; xdist sends text only.
            report.longrepr = str(text) if self._is_worker else text  # type: ignore[assignment]
            return True
        if report.outcome == "failed":
            strict = report.longrepr
            if isinstance(strict, str) and strict.startswith(STRICT_XPASS):
                report.outcome = "skipped"  # the failure that was expected
                report.wasxfail = strict.removeprefix(STRICT_XPASS)
                report.longrepr = None
            else:
                report.sections.append(("asyncguard", str(text)))
        elif hasattr(report, "wasxfail"):
            report.outcome = "skipped"  # likewise
        return False

    def _set_properties(self, report: pytest.TestReport, ours: list[tuple[str, str]]) -> None:
        if not self._with_junit or self._item is None:
            return
        others = [each for each in self._item.user_properties if each[0] != junit.NAME]
        self._item.user_properties[:] = [*others, *ours]
        report.user_properties[:] = self._item.user_properties

    # --- what the fixture asks for -----------------------------------------------------------

    def findings_so_far(self) -> tuple[Finding, ...]:
        self._fetch(last=False)
        return collect.merge([*self._told, *self._judged(self._pending)])

    def allow(self, patterns: Patterns) -> None:
        self._allowed.update(patterns)

    def mark(self) -> int | None:
        """A point in what was seen; None where nothing is watched."""
        if not self._of_test.enabled or self._guard.inactive is not None:
            return None
        self._fetch(last=False)
        return len(self._pending)

    def expect(self, rule: str, since: int) -> bool:
        """Take what ``rule`` found since then out of the verdict. Whether it found anything."""
        self._fetch(last=False)
        seen = False
        for index in range(since, len(self._pending)):
            telling = self._pending[index]
            if any(finding.rule == rule for finding in telling.findings):
                seen = True
                self._pending[index] = replace(
                    telling, findings=tuple(_expected(each, rule) for each in telling.findings)
                )
        return seen

    def _fetch(self, *, last: bool) -> None:
        self._pending.append(self._guard.tell(last=last))

    def _judged(self, tellings: list[Telling]) -> tuple[Finding, ...]:
        found = [finding for telling in tellings for finding in telling.findings]
        for finding in found:
            self._ignores.note(finding)
        return collect.merge(
            finding
            if finding.status == "ignored"  # it was expected
            else self._judge(finding, self._allowed, self._of_test.allow)
            for finding in found
        )


def _expected(finding: Finding, rule: str) -> Finding:
    if finding.rule != rule:
        return finding
    return replace(finding, status="ignored", reason="the test expects it")
