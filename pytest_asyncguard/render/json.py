"""Render: RunReport -> JSON, the report that other tools read.

The dataclasses of ``model`` have the fields of the schema in its order, so they are written as
they are; a test holds the two against each other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from pytest_asyncguard.model import RunReport

SCHEMA_VERSION = 1


class JsonRenderer:
    """Escapes all but ASCII, so that no terminal, pipe or log can spoil it."""

    name = "json"
    default_path: str | None = "asyncguard.json"

    def render(self, report: RunReport) -> str:
        document = {
            "schema_version": SCHEMA_VERSION,
            "tool": {"name": "pytest-asyncguard", "version": report.tool_version},
            **_members(report, without="tool_version"),
        }
        return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _members(value: object, without: str = "") -> dict[str, object]:
    assert is_dataclass(value)
    names = (field.name for field in fields(value))
    return {name: _plain(getattr(value, name)) for name in names if name != without}


def _plain(value: object) -> object:
    if is_dataclass(value):
        return _members(value)
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    # A microsecond is the guard's own resolution; digits beyond it are noise in every diff.
    return round(value, 6) if isinstance(value, float) else value
