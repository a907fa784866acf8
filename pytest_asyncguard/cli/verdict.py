"""RunReport and baseline -> whether it fails, and the text that says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import get_args

from pytest_asyncguard import baseline, gate
from pytest_asyncguard.baseline import Baseline, BaselineError
from pytest_asyncguard.cli.errors import UnusableError
from pytest_asyncguard.cli.parts import write
from pytest_asyncguard.cli.shards import with_findings
from pytest_asyncguard.model import Mode, RunReport
from pytest_asyncguard.render.news import news
from pytest_asyncguard.render.text import escape
from pytest_asyncguard.session import files


def judge(
    report: RunReport,
    path: str | None,
    *,
    update: bool,
    mode: Mode | None,
    strict: bool | None,
) -> tuple[bool, str]:
    """The verdict by the settings of the run, but for those given here."""
    settings = report.settings
    if strict is None:
        strict = settings.get("strict") is True
    expired = 0
    if path is not None:
        report, expired = _compared(report, path, update=update, strict=strict)
    elif update:
        raise UnusableError("--update-baseline: which one? It needs --baseline=PATH")
    else:
        report = with_findings(report, report.findings, strict=strict)
    off = {probe.name: probe.reason for probe in report.run.probes if not probe.active}
    least, exempt = settings.get("min_exercised"), settings.get("exempt")
    verdict = gate.judge(
        report,
        mode or _mode(settings.get("mode")),
        strict=strict,
        inactive=off.pop(gate.SELF_CHECK, None),
        demands=gate.Demands(
            broken=[f"{name}: {reason}" for name, reason in off.items()],
            expired=expired,
            min_exercised=least if isinstance(least, int | float) else 0.0,
            exempt=exempt if isinstance(exempt, list) else (),
        ),
    )
    lines = [
        f"{escape(finding.file)}:{finding.line}: {finding.severity}: {finding.code} "
        f"{finding.rule}: {escape(finding.message)}"
        + (f"; {escape(finding.reason)}" if finding.reason else "")
        for finding in news(report.findings)
    ]
    return verdict.failed, "\n".join([*lines, verdict.sentence]) + "\n"


def _mode(value: object) -> Mode:
    return next((mode for mode in get_args(Mode) if mode == value), "fail-tests")


def _compared(report: RunReport, path: str, *, update: bool, strict: bool) -> tuple[RunReport, int]:
    """The report with its findings marked anew, and how many entries have expired."""
    try:
        with open(path, "rb") as stream:
            entries = baseline.read(stream.read())
    except FileNotFoundError:
        if not update:
            raise UnusableError(
                f"{path}: there is no such file; --update-baseline makes it"
            ) from None
        entries = ()
    except (OSError, BaselineError) as error:
        raise UnusableError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    known = Baseline(entries, datetime.now(UTC).date(), partial(files.source, "."))
    findings = known.mark(report.findings)
    complete = report.run.complete
    if update:
        write(path, baseline.write(known.update(findings, () if complete else known.unseen())))
        findings = tuple(
            replace(finding, status="baselined")
            if finding.status == "new" and finding.reason is None
            else finding
            for finding in findings
        )
    levels = report.settings.get("rules")
    unseen = known.unseen() if complete and not update else ()
    stale = tuple(
        sorted(
            entry.fingerprint
            for entry in unseen
            # Nobody looked for what a rule would find that was switched off.
            if not (isinstance(levels, dict) and levels.get(entry.rule) == "off")
        )
    )
    report = with_findings(replace(report, stale_baseline=stale), findings, strict=strict)
    return report, len(known.expired)
