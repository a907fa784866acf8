"""Hooks of pytest-asyncguard, for conftest files and other plugins.

An implementation in a plugin that also runs without pytest-asyncguard needs
``@pytest.hookimpl(optionalhook=True)``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from pytest_asyncguard.catalog.rows import Call
    from pytest_asyncguard.model import Finding, RunReport


class ReportFormat(Protocol):
    """A format for ``--asyncguard-report=NAME``: a function of the report, with a name.

    ``default_path`` is not asked for: without a path, a format of yours is written to
    ``asyncguard.NAME``.
    """

    name: str

    def render(self, report: RunReport) -> str: ...


@pytest.hookspec
def pytest_asyncguard_blocking_calls(config: pytest.Config) -> Iterable[Call | str]:  # type: ignore[empty-body]
    """Return further callables that block: ``BlockingCall`` objects, or dotted names.

    Called once, after the conftest files of the command line's arguments were imported. A dotted
    name, as in ``shop.legacy.fetch`` or ``shop.legacy.Client.send``, counts for the rule
    ``sync-client``. What is wrapped is what the name stands for once its module is imported; an
    alias that another module took before is not reached.

    Raises pytest.UsageError for a value that is neither.
    """


@pytest.hookspec
def pytest_asyncguard_allowances(config: pytest.Config) -> Iterable[str]:  # type: ignore[empty-body]
    """Return further lines of ``asyncguard_allow``: a pattern, and after a space the reason.

    Called once, when ``pytest_asyncguard_blocking_calls`` is. What the command line and the ini
    file say of the same call is asked first.

    Raises pytest.UsageError for a line that is no such thing.
    """


@pytest.hookspec(firstresult=True)
def pytest_asyncguard_finding(config: pytest.Config, finding: Finding) -> Finding | str | None:
    """A finding is about to be recorded, in the process that ran its test.

    Return None to have it recorded as it is, a reason to have it ignored for that reason, or the
    finding with other words in it (``dataclasses.replace``). The first answer that is not None
    counts. What a comment ignores is not asked about.

    Where it raises, or answers anything else, the finding is recorded as it is; a warning says so,
    and it is not asked again.
    """


@pytest.hookspec
def pytest_asyncguard_report_formats(config: pytest.Config) -> Iterable[ReportFormat]:  # type: ignore[empty-body]
    """Return further report formats. Those that come with the plugin are returned by it, too.

    Called once, when ``pytest_asyncguard_blocking_calls`` is. Of two with one name, the later
    registered plugin's is taken. A report that cannot be rendered fails the run, by name.

    Raises pytest.UsageError for what has no name or no ``render``.
    """
