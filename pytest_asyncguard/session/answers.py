"""What the hooks of other plugins answer: looked at before it is used, for it may be anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from pytest_asyncguard.hookspecs import ReportFormat
from pytest_asyncguard.model import Finding

FINDING = "pytest_asyncguard_finding"
FORMATS = "pytest_asyncguard_report_formats"


def items(config: pytest.Config, hook: str) -> Iterator[Any]:
    """What all plugins answer to a hook that asks for several things, the first registered first.

    Raises pytest.UsageError for an answer that is not several.
    """
    for answer in reversed(getattr(config.hook, hook)(config=config)):
        if isinstance(answer, str):
            yield answer
        elif isinstance(answer, Iterable):
            yield from answer
        else:
            raise pytest.UsageError(f"{hook}: {answer!r} is not a list")


def formats(config: pytest.Config) -> dict[str, ReportFormat]:
    """The report formats by their names; of two with one name, the later registered plugin's."""
    found: dict[str, ReportFormat] = {}
    for each in items(config, FORMATS):
        name = getattr(each, "name", None)
        if not isinstance(name, str) or not callable(getattr(each, "render", None)):
            raise pytest.UsageError(f"{FORMATS}: {each!r} is not a format: a name and render()")
        found[name] = each
    return found


class Asked:
    """The plugins that are asked about each finding. One that fails is not asked again.

    The finding is then recorded as it is: nothing may be lost for an error in what was to hide it.
    """

    def __init__(self, config: pytest.Config, warn: Callable[[str], None]) -> None:
        self._config = config
        self._warn = warn
        self._failed = False

    def about(self, finding: Finding) -> Finding:
        if self._failed:
            return finding
        try:
            answer = getattr(self._config.hook, FINDING)(config=self._config, finding=finding)
            return _answered(finding, answer)
        except Exception as error:  # noqa: BLE001 - it is another plugin's, and breaks no test
            self._failed = True
            self._warn(f"{FINDING} failed and is not asked again: {type(error).__name__}: {error}")
            return finding


def _answered(finding: Finding, answer: object) -> Finding:
    if answer is None:
        return finding
    if isinstance(answer, str) and answer.strip():
        return replace(finding, status="ignored", reason=answer)
    if isinstance(answer, Finding):
        return answer
    raise TypeError(f"{answer!r} is not a finding or a reason")
