"""README says of options and rules what the tables say."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_asyncguard.catalog import built_rules
from pytest_asyncguard.catalog.rules import RULES
from pytest_asyncguard.options import OPTIONS

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_every_option_is_explained() -> None:
    """The table of options has a row for each option that there is, in the order of --help."""
    rows = re.findall(r"^\| `(--asyncguard[a-z-]*)", README, re.MULTILINE)
    assert rows == [option.flag for option in OPTIONS]


def test_every_keyword_of_the_marker_is_shown() -> None:
    """Each keyword that the marker takes stands in an example, and no other does."""
    shown = re.findall(r"@pytest\.mark\.asyncguard\((\w+)=", README)
    assert shown == [*(option.field for option in OPTIONS if option.marker), "reason"]


def test_every_rule_is_described_as_it_is() -> None:
    """Each rule that something can report stands there with its code, its name and its level."""
    rows = re.findall(r"^\| (AG\d+) \| `([a-z-]+)` \| (\w+) \|", README, re.MULTILINE)
    assert rows == [
        (rule.code, rule.name, rule.severity)
        for rule in RULES.values()
        if rule.name in built_rules()
    ]
