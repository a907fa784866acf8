from __future__ import annotations

import runpy
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from _pytest.junitxml import bin_xml_escape
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_asyncguard.model import Finding, RunReport
from pytest_asyncguard.render.junit import LIMIT, WIDTH, properties
from pytest_asyncguard.render.text import cells, clip, escape

HERE = Path(__file__).parents[1] / "golden"
GOLDEN: dict[str, Any] = runpy.run_path(str(HERE / "__init__.py"), run_name="golden")
TOLD: Mapping[str, RunReport] = GOLDEN["TOLD_TO_CI"]
OUTPUTS: Mapping[str, str] = GOLDEN["outputs"]()
SLEEP: Finding = GOLDEN["SLEEP"]
UPLOAD: Finding = GOLDEN["UPLOAD"]

repeatable = settings(deadline=None, derandomize=True, database=None)


@pytest.mark.parametrize("name", sorted(TOLD))
def test_the_properties_read_as_agreed(name: str) -> None:
    """The golden files; ``python -m tests.golden`` writes them anew."""
    golden = HERE / "junit" / f"{name}.txt"
    assert OUTPUTS[f"junit/{name}.txt"] == golden.read_text(encoding="utf-8")


def test_a_property_is_rule_place_and_duration() -> None:
    """Short, since it is shown in a list, and always of one form, since it is searched."""
    assert properties([SLEEP]) == [
        ("asyncguard", "AG101 sleep example_app/routers/orders.py:31 250 ms")
    ]
    assert properties([replace(SLEEP, held_seconds=None)]) == [
        ("asyncguard", "AG101 sleep example_app/routers/orders.py:31")
    ]


def test_errors_come_first() -> None:
    """A property that fails nothing must not hide one that does."""
    values = [value for _, value in properties([UPLOAD, SLEEP])]
    assert [value.split()[0] for value in values] == ["AG101", "AG110"]


@pytest.mark.parametrize(
    ("number", "shown", "last"),
    [(0, 0, None), (1, 1, None), (5, 5, None), (6, 4, "and 2 more"), (99, 4, "and 95 more")],
)
def test_there_are_five_at_most(number: int, shown: int, last: str | None) -> None:
    """A test that meets a hundred sites is told once, not a hundred times."""
    made = properties([replace(SLEEP, line=line) for line in range(1, number + 1)])
    assert len(made) <= LIMIT
    assert sum(value.startswith("AG101") for _, value in made) == shown
    assert [value for _, value in made if value.startswith("and")] == ([last] if last else [])


def test_what_is_covered_has_none() -> None:
    """A baselined finding is no news of this test."""
    assert properties([replace(SLEEP, status="baselined"), replace(UPLOAD, status="ignored")]) == []


@repeatable
# Beyond U+FFFF pytest 7 writes numbers in place of characters.
@given(st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"])))
def test_every_path_survives_pytests_xml(path: str) -> None:
    """As pytest escapes it and an XML parser reads it, to the width of a property."""
    ((name, value),) = properties([replace(SLEEP, file=path)])
    element = ET.Element("property", name=name, value=bin_xml_escape(value))
    read = ET.fromstring(ET.tostring(element))
    assert read.attrib == {"name": name, "value": value}
    assert value == clip(f"AG101 sleep {escape(path)}:31 250 ms", WIDTH)
    assert cells(value) <= WIDTH
