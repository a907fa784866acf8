"""The table of expected findings speaks of the code that is there."""

from __future__ import annotations

import ast

import pytest

from example_app.expected import EXPECTED, PACKAGE, SAMPLE, UNEXERCISED, Expected, markers, verdict
from example_app.tests.routes import all_routes


def test_each_marked_line_has_a_row() -> None:
    """Every marked line of the package has a row, every row a marked line, and none two."""
    marked = [
        (file.relative_to(PACKAGE).as_posix(), marker)
        for file in sorted(PACKAGE.rglob("*.py"))
        for _, marker in markers(file)
    ]
    rows = [(row.file, row.marker) for row in EXPECTED]
    assert sorted(marked) == sorted(rows)
    assert len({row.marker for row in EXPECTED}) == len(EXPECTED)


@pytest.mark.parametrize("row", EXPECTED, ids=lambda row: row.marker)
def test_each_row_names_the_function_around_its_line(row: Expected) -> None:
    """The function of a row is the innermost one that its line stands in."""
    tree = ast.parse((PACKAGE / row.file).read_text(encoding="utf-8"))
    assert _function_at(tree, row.line) == row.function


def test_each_route_exists() -> None:
    """The table names routes that the app has; a lifespan belongs to no route."""
    named = {row.route for row in EXPECTED} - {"LIFESPAN"}
    assert named | {*SAMPLE, *UNEXERCISED} <= all_routes()


def test_the_sample_is_clean() -> None:
    """No row concerns one of the four sample endpoints, and the other verdicts follow the rows."""
    assert {verdict(route, EXPECTED) for route in SAMPLE} == {"clean"}
    verdicts = [verdict(route, EXPECTED) for route in sorted(all_routes())]
    assert verdicts.count("unexercised") == len(UNEXERCISED)
    assert set(verdicts) == {"clean", "warns", "blocks", "unexercised"}


def _function_at(tree: ast.AST, line: int) -> str:
    """Join the names of the classes and functions around a line; ``walk`` has outer ones first."""
    return ".".join(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.lineno <= line <= (node.end_lineno or 0)
    )
