from __future__ import annotations

import json
import runpy
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_asyncguard.model import Finding, RunReport
from pytest_asyncguard.render import RENDERERS
from pytest_asyncguard.render.text import escape

HERE = Path(__file__).parents[1] / "golden"
GOLDEN: dict[str, Any] = runpy.run_path(str(HERE / "__init__.py"), run_name="golden")
REPORTS: Mapping[str, RunReport] = {**GOLDEN["REPORTS"], **GOLDEN["TOLD_TO_CI"]}
SLEEP: Finding = GOLDEN["SLEEP"]
report: Callable[..., RunReport] = GOLDEN["report"]
RENDERER = RENDERERS["gitlab"]

repeatable = settings(deadline=None, derandomize=True, database=None)

FORM: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "pattern": "^asyncguard/[a-z-]+$"},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{16,64}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "additionalProperties": False,
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "minLength": 1, "pattern": r"^(?!\./)"},
                    "lines": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}
"""What GitLab's documentation asks of the report of a tool that is not its own."""


def entries(made: RunReport) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads(RENDERER.render(made))
    return loaded


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_a_report_has_the_documented_form(name: str) -> None:
    """An array, each entry with what GitLab shows; an entry that lacks something is dropped."""
    jsonschema.Draft202012Validator(FORM).validate(entries(REPORTS[name]))


@pytest.mark.parametrize("name", sorted(GOLDEN["TOLD_TO_CI"]))
def test_the_file_reads_as_agreed(name: str) -> None:
    """The golden files; ``python -m tests.golden`` writes them anew."""
    golden = HERE / "gitlab" / f"{name}.json"
    assert RENDERER.render(GOLDEN["TOLD_TO_CI"][name]) == golden.read_text(encoding="utf-8")


def test_fingerprints_tell_the_entries_apart() -> None:
    """GitLab keeps one of several that share a fingerprint."""
    made = entries(REPORTS["many"])
    assert len({entry["fingerprint"] for entry in made}) == len(made) == 12


def test_a_finding_that_moved_is_no_new_one() -> None:
    """The fingerprint has no line number in it."""
    first, moved = entries(report([SLEEP]))[0], entries(report([replace(SLEEP, line=99)]))[0]
    assert first["location"]["lines"] != moved["location"]["lines"]
    assert first["fingerprint"] == moved["fingerprint"] == SLEEP.fingerprint


def test_a_warning_is_less_than_an_error() -> None:
    """In GitLab's own words."""
    severities = {entry["check_name"]: entry["severity"] for entry in entries(REPORTS["errors"])}
    assert severities["asyncguard/sleep"] == "major"
    assert severities["asyncguard/file"] == "minor"


def test_nothing_new_is_an_empty_report() -> None:
    """GitLab takes a missing file for a job that did not look, and an empty one for a clean app."""
    for name in ("clean", "nothing", "covered"):
        assert entries(REPORTS[name]) == []


@repeatable
@given(st.text(min_size=1), st.text(), st.text())
def test_strings_of_others_come_back(path: str, message: str, hint: str) -> None:
    """A path as it is, a sentence without what does not print."""
    (entry,) = entries(report([replace(SLEEP, file=path, message=message, hint=hint)]))
    assert entry["location"]["path"] == path
    told = f"AG101: {escape(message)}. {escape(hint)}" if hint else f"AG101: {escape(message)}"
    assert entry["description"] == told


def test_no_half_character_reaches_a_reader() -> None:
    """GitLab keeps reports in a database that refuses them."""
    made = replace(SLEEP, file="app/\udcff.py", message="\ud800", hint="\udfff")
    text = RENDERER.render(report([made]))
    assert "\\ud" not in text
    assert json.loads(text)[0]["location"]["path"] == "app/?.py"
