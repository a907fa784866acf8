"""The reports of a run: which ones, where to, and in what form CI systems want their paths."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

import pytest

from pytest_asyncguard import options, render
from pytest_asyncguard.hookspecs import ReportFormat
from pytest_asyncguard.model import RunReport
from pytest_asyncguard.options import ReportFile, Settings
from pytest_asyncguard.render.github import step_summary
from pytest_asyncguard.render.news import seen_from_above
from pytest_asyncguard.session import files

ROOTS: Mapping[str, str] = {
    "github": "GITHUB_WORKSPACE",
    "sarif": "GITHUB_WORKSPACE",
    "gitlab": "CI_PROJECT_DIR",
}
"""Formats in which paths start at the root of the repository, and who says where that is."""


class Reports:
    """The reports that were asked for.

    Raises pytest.UsageError for a format that is not there and a path that cannot be written.
    """

    def __init__(
        self, settings: Settings, formats: Mapping[str, ReportFormat], rootdir: str, folder: str
    ) -> None:
        self._formats = formats
        self._rootdir = rootdir
        self._folder = folder
        self.written: list[str] = []
        self.printed = ""
        on_github = settings.github and os.environ.get("GITHUB_ACTIONS") == "true"
        asked = [report for report in settings.report if report.format != "junit"]
        if on_github and not any(report.format == "github" for report in asked):
            asked.append(ReportFile(format="github", path=None))
        self._asked: Sequence[ReportFile] = asked
        self._step_summary = os.environ.get("GITHUB_STEP_SUMMARY") if on_github else None
        self._check()

    def _check(self) -> None:
        taken: dict[str, str] = {}
        for report in self._asked:
            what = f"--asyncguard-report: {report.format!r}"
            if report.format not in self._formats:
                allowed = options.report_form([*self._formats, "junit"])
                raise pytest.UsageError(f"{what} is not {allowed}")
            if report.path is None:
                continue
            path = self._place(report.path)
            if (reason := files.unwritable(path)) is not None:
                raise pytest.UsageError(f"{what}: cannot write {report.path!r}: {reason}")
            if (other := taken.setdefault(os.path.realpath(path), report.format)) != report.format:
                raise pytest.UsageError(
                    f"{what}: cannot write {report.path!r}: there goes {other} already"
                )

    def _place(self, path: str) -> str:
        return os.path.join(self._folder, path)

    def write(self, report: RunReport) -> dict[str, str]:
        """Make all that can be made, write the files, and return why the others could not."""
        failed: dict[str, str] = {}
        for item in self._asked:
            try:
                text = self._render(item.format, report)
                if item.path is None:
                    self.printed += text
                else:
                    files.write(self._place(item.path), text)
                    self.written.append(item.path)
            except Exception as error:  # noqa: BLE001 - the others are written all the same
                failed[item.path or item.format] = _why(error)
        if self._step_summary is not None:
            moved = self._moved(report, "GITHUB_WORKSPACE")
            try:
                with open(self._step_summary, "a", encoding="utf-8", errors="replace") as stream:
                    stream.write(step_summary(moved))
            except Exception as error:  # noqa: BLE001 - likewise
                failed["the step summary"] = _why(error)
        return failed

    def _render(self, name: str, report: RunReport) -> str:
        text: object = self._formats[name].render(self._moved(report, ROOTS.get(name, "")))
        if not isinstance(text, str):
            raise TypeError(f"render() gave {type(text).__name__}, and not text")
        return text

    def _moved(self, report: RunReport, variable: str) -> RunReport:
        top = os.environ.get(variable)
        if not top:
            return report
        try:
            inside = os.path.relpath(os.path.realpath(self._rootdir), os.path.realpath(top))
        except ValueError:  # another drive of Windows
            return report
        inside = inside.replace(os.sep, "/")
        return report if inside.startswith(".") else seen_from_above(report, inside)


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"{type(error).__name__}: {error}"


def built_in() -> Iterable[ReportFormat]:
    return render.RENDERERS.values()
