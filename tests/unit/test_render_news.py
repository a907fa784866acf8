from __future__ import annotations

import runpy
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_asyncguard.model import Finding, RunReport, UnusedIgnore
from pytest_asyncguard.render import RENDERERS
from pytest_asyncguard.render.news import news, seen_from_above

GOLDEN: dict[str, Any] = runpy.run_path(
    str(Path(__file__).parents[1] / "golden" / "__init__.py"), run_name="golden"
)
REPORTS: Mapping[str, RunReport] = GOLDEN["REPORTS"]
HELPER: Finding = GOLDEN["HELPER"]
UPLOAD: Finding = GOLDEN["UPLOAD"]
report: Callable[..., RunReport] = GOLDEN["report"]


def test_news_is_what_is_new_with_the_errors_first() -> None:
    """The order is otherwise that of the report."""
    findings = [UPLOAD, HELPER, replace(HELPER, status="baselined"), replace(HELPER, line=99)]
    assert news(findings) == [HELPER, replace(HELPER, line=99), UPLOAD]


def test_a_report_can_be_read_from_the_root_of_the_repository() -> None:
    """Every path that names a file is moved, and nothing else is."""
    ignore = UnusedIgnore(file="app/mail.py", line=7, rules=("sleep",), reason=None)
    rows = [GOLDEN["endpoint"]("GET /", "clean", 1)]
    made = report([HELPER], [*rows, replace(rows[0], file=None)], unused_ignores=(ignore,))
    moved = seen_from_above(made, "services/shop")
    (finding,) = moved.findings
    assert finding.file == "services/shop/example_app/dependencies.py"
    assert [frame.file for frame in finding.stack if frame.project] == [
        "services/shop/example_app/routers/users.py",
        "services/shop/example_app/dependencies.py",
    ]
    assert [row.file for row in moved.endpoints] == [
        "services/shop/example_app/routers/orders.py",
        None,
    ]
    assert moved.unused_ignores[0].file == "services/shop/app/mail.py"
    assert finding.fingerprint == HELPER.fingerprint
    assert moved.summary == made.summary


@pytest.mark.parametrize(
    ("path", "folder", "moved"),
    [
        ("app/x.py", ".", "app/x.py"),
        ("app/x.py", "..", "../app/x.py"),
        ("../shared/x.py", "services/shop", "services/shared/x.py"),
        ("/usr/lib/x.py", "services", "/usr/lib/x.py"),
        ("C:/lib/x.py", "services", "C:/lib/x.py"),
    ],
)
def test_a_path_is_joined_as_paths_are(path: str, folder: str, moved: str) -> None:
    """An absolute one stands for itself."""
    made = seen_from_above(report([replace(HELPER, file=path)]), folder)
    assert made.findings[0].file == moved


@pytest.mark.parametrize("name", sorted(RENDERERS))
def test_a_format_renders_every_report_as_text_that_can_be_written(name: str) -> None:
    """A file is written as UTF-8: a half character in it would lose the whole report."""
    for made in REPORTS.values():
        RENDERERS[name].render(made).encode()


@pytest.mark.parametrize("name", ["github", "markdown", "html"])
def test_a_finding_that_is_new_again_says_why(name: str) -> None:
    """Its entry in the baseline has expired, and whoever reads it wants to know whose it was."""
    why = "its entry in the baseline expired on 2026-11-21 (orders team: legacy)"
    made = GOLDEN["report"]([replace(GOLDEN["SLEEP"], reason=why)])
    assert "(orders team: legacy)" in RENDERERS[name].render(made)


def test_each_format_has_a_file_of_its_own() -> None:
    """Those that are asked for without a path do not overwrite each other."""
    assert {name: renderer.default_path for name, renderer in RENDERERS.items()} == {
        "json": "asyncguard.json",
        "sarif": "asyncguard.sarif",
        "github": None,
        "gitlab": "gl-code-quality-report.json",
        "markdown": "asyncguard.md",
        "html": "asyncguard.html",
    }
