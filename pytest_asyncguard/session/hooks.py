"""The hooks and the fixture that are there only where the guard is on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from pytest_asyncguard.hookspecs import ReportFormat
from pytest_asyncguard.session import reports
from pytest_asyncguard.session.handle import Running
from pytest_asyncguard.transport import ATTRIBUTE


class Hooks:
    """A plugin of its own, registered in every process of the run."""

    def __init__(self, running: Running, for_workers: Mapping[str, Any]) -> None:
        self._running = running
        self._for_workers = for_workers

    @pytest.hookimpl(trylast=True)
    def pytest_asyncguard_report_formats(self) -> Iterable[ReportFormat]:
        return reports.built_in()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Of pytest-xdist: a worker is about to start. It knows the baseline from here."""
        node.workerinput[ATTRIBUTE] = self._for_workers
