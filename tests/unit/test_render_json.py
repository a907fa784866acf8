from __future__ import annotations

import json
import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_asyncguard.model import RunReport
from pytest_asyncguard.render import RENDERERS

TESTS = Path(__file__).parents[1]
GOLDEN: dict[str, Any] = runpy.run_path(str(TESTS / "golden" / "__init__.py"), run_name="golden")
REPORTS: dict[str, RunReport] = GOLDEN["REPORTS"]
SCHEMA: dict[str, Any] = json.loads((TESTS / "report.schema.json").read_text(encoding="utf-8"))
RENDERER = RENDERERS["json"]


def rendered(report: RunReport) -> Any:
    return json.loads(RENDERER.render(report))


def test_a_renderer_is_found_by_its_name() -> None:
    """The table has each renderer under the name that it gives itself."""
    assert {name: renderer.name for name, renderer in RENDERERS.items()} == {
        name: name for name in ("json", "sarif", "github", "gitlab", "markdown", "html")
    }


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_a_report_is_valid_and_holds_nothing_beyond_the_schema(name: str) -> None:
    """The schema is the contract, and forbids every name that it does not know."""
    jsonschema.Draft202012Validator(SCHEMA).validate(rendered(REPORTS[name]))


def test_keys_stand_in_the_order_of_the_schema() -> None:
    """Reports are read by people and compared line by line, so the order is fixed."""
    checked = in_order(rendered(REPORTS["errors"]), SCHEMA)
    assert checked > 20  # the document, its parts, each finding and each endpoint


def in_order(value: Any, schema: dict[str, Any]) -> int:
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    checked = 0
    if isinstance(value, dict) and "properties" in schema:
        assert list(value) == list(schema["properties"])
        checked = 1
        for key, each in value.items():
            checked += in_order(each, schema["properties"][key])
    elif isinstance(value, list) and "items" in schema:
        checked = sum(in_order(each, schema["items"]) for each in value)
    return checked


def test_the_text_is_ascii_and_ends_with_a_line_end() -> None:
    """No console, pipe or log encoding can spoil it, and tools find a complete last line."""
    for report in REPORTS.values():
        text = RENDERER.render(report)
        assert text.isascii()
        assert text.endswith("}\n")


def test_strings_of_others_come_back_as_they_were() -> None:
    """JSON has escapes of its own: nothing is lost, and no control character is written."""
    report = REPORTS["hostile"]
    text = RENDERER.render(report)
    assert not [char for char in text if ord(char) < 32 and char != "\n"]
    assert json.loads(text)["findings"][0]["source"] == report.findings[0].source


def test_durations_have_six_decimals() -> None:
    """A microsecond is what the guard can tell; further digits would be noise in every diff."""
    sleep = rendered(REPORTS["errors"])["findings"][3]
    assert sleep["held_seconds"] == {"max": 0.2504, "total": 0.751}


def test_a_number_that_json_does_not_know_is_refused() -> None:
    """NaN in a report would break its readers; it is an error of ours and shown as one."""
    report = REPORTS["clean"]
    wrong = replace(report, run=replace(report.run, seconds=float("nan")))
    with pytest.raises(ValueError, match="JSON"):
        RENDERER.render(wrong)


def test_the_report_of_a_run_reads_as_agreed() -> None:
    """The golden file: what changes here changes for everyone who reads reports."""
    golden = TESTS / "golden" / "json" / "errors.json"
    assert RENDERER.render(REPORTS["errors"]) == golden.read_text(encoding="utf-8")
