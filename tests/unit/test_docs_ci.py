"""What docs/ci.md says of the report formats is so."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_asyncguard.render import RENDERERS

TEXT = (Path(__file__).parents[2] / "docs" / "ci.md").read_text(encoding="utf-8")


def test_every_format_has_its_row() -> None:
    """With the file that it writes where none is named."""
    rows = dict(re.findall(r"^\| `([a-z]+)` \| (.+?) \|", TEXT, re.MULTILINE))
    assert rows.pop("junit") == "that of `--junitxml`"  # no report of its own
    assert rows == {
        name: "standard output" if renderer.default_path is None else f"`{renderer.default_path}`"
        for name, renderer in RENDERERS.items()
    }


def test_the_recipes_ask_for_formats_that_there_are() -> None:
    """A recipe is copied, and a wrong name in it fails somebody's build."""
    asked = set(re.findall(r"--asyncguard-report=([a-z]+)", TEXT))
    asked.update(re.findall(r"asyncguard render \S+ --format (\w+)", TEXT))
    assert asked == {"sarif", "gitlab", "markdown", "html", "junit", "json"}
    assert asked < {*RENDERERS, "junit"}


def test_each_ci_system_has_a_recipe() -> None:
    """Complete, in a block of its own that can be copied."""
    sections = re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
    titles = [section.splitlines()[0] for section in sections]
    assert titles == ["GitHub Actions", "GitLab CI", "Jenkins", "Before a push", "Anywhere else"]
    for section in sections:
        blocks = re.findall(r"^```\w+\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        assert any("--asyncguard" in block for block in blocks)
