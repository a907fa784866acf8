"""What a rule means: the same text on the terminal and as its page in the documentation."""

from __future__ import annotations

import textwrap
from typing import Final

from pytest_asyncguard.catalog import rules
from pytest_asyncguard.cli.errors import UnusableError
from pytest_asyncguard.model import Rule

WIDTH: Final = 88
_PLACES: Final = "behind the call or behind the `def` of a function around it, leaves it alone"


def explain(text: str | None) -> str:
    """A rule by its code or name; without one, a line for each."""
    if text is None:
        rows = rules.RULES.values()
        return "".join(
            f"{rule.code}  {rule.name:<15}{rule.severity:<9}{rule.summary}\n" for rule in rows
        )
    rule = rules.find(text)
    if rule is None:
        raise UnusableError(f"{text!r} is not a code or one of {', '.join(rules.RULES)}")
    return page(rule)


def page(rule: Rule) -> str:
    """The page of a rule, in Markdown."""
    options = (
        f"`--asyncguard-rule={rule.name}=LEVEL`: `error`, `warning` or `off`.",
        f"`# asyncguard: ignore[{rule.name}] reason`, {_PLACES}.",
        *rule.options,
    )
    level = {"error": "An error by default", "warning": "A warning by default"}[rule.severity]
    parts = [
        f"# {rule.name} ({rule.code})",
        _filled(f"{level}: {rule.summary}."),
        "## What it finds",
        _filled(rule.finds),
        "## Why it hurts",
        _filled(rule.why),
        "## Example",
        f"```python\n{rule.example.strip()}\n```",
        "## What to write instead",
        f"```python\n{rule.instead.strip()}\n```",
        "## Options",
        "\n".join(_filled(f"- {option}", indent="  ") for option in options),
    ]
    return "\n\n".join(parts) + "\n"


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text,
        WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
