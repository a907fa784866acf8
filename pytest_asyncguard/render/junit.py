"""Render: the findings of one test -> properties of its test case in pytest's ``--junitxml``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pytest_asyncguard import wording
from pytest_asyncguard.model import Finding
from pytest_asyncguard.render.news import news
from pytest_asyncguard.render.text import clip, escape

NAME: Final = "asyncguard"
LIMIT: Final = 5
WIDTH: Final = 200
"""A property is for a list or a column; what it is about stands in the failure."""


def properties(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """Rule, place and longest duration of each finding, errors first; at most five in all."""
    new = news(findings)
    # The number of the others takes a place, so it has to stand for two at least.
    shown = new if len(new) <= LIMIT else new[: LIMIT - 1]
    values = [_value(finding) for finding in shown]
    if len(shown) < len(new):
        values.append(f"and {len(new) - len(shown)} more")
    return [(NAME, value) for value in values]


def _value(finding: Finding) -> str:
    value = f"{finding.code} {finding.rule} {escape(finding.file)}:{finding.line}"
    if finding.held_seconds is not None:
        value += f" {wording.duration(finding.held_seconds.max)}"
    return clip(value, WIDTH)
