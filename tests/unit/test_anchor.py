"""The line by which a stall is known, wherever in its loop it was seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_asyncguard.attribute.anchor import anchor
from pytest_asyncguard.attribute.blame import occurrence
from pytest_asyncguard.identity import fingerprint
from pytest_asyncguard.model import Frame

SOURCE = """\
@route("/")
def endpoint(
    rows,
):
    total = 0
    for row in rows:  # the loop
        total += row
        while total > 9:
            total -= digits(
                total,
            )
    if total:
        try:
            first(total)
        except ValueError:
            for each in rows:  # the handler's
                print(each)
    values = [
        row * 2
        for row in rows
    ]
    for each in values:
        def inner():
            return each
    match total:
        case 1:
            second(total)
    with a, \\
         b:
        third()
"""


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_text(SOURCE, encoding="utf-8")
    return path


def frame(file: Path, line: int) -> Frame:
    return Frame(
        file=str(file),
        line=line,
        function="endpoint",
        first_line=1,
        source=SOURCE.splitlines()[line - 1],
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (5, 5),
        (6, 6),
        (7, 6),
        (8, 6),
        (10, 6),
        (14, 14),
        (17, 16),
        (18, 18),
        (20, 18),
        (24, 24),
        (27, 27),
        (29, 28),
        (30, 30),
        (2, 2),
        (1, 2),
    ],
    ids=str,
)
def test_a_stall_is_known_by_its_outermost_loop_or_its_statement(
    file: Path, line: int, expected: int
) -> None:
    """In its own function: a loop around the function is another function's."""
    found = anchor(frame(file, line))
    assert found.line == expected
    assert (found.source or "").strip() == SOURCE.splitlines()[expected - 1].strip()


def test_all_lines_of_a_loop_have_one_fingerprint(file: Path) -> None:
    """So a baseline knows the stall again, whichever of them was running."""

    def identity(line: int) -> str:
        where = anchor(frame(file, line))
        return fingerprint("AG201", "app.py", "endpoint", where.source, occurrence(where))

    assert len({identity(line) for line in range(6, 12)}) == 1
    assert identity(6) != identity(16)


@pytest.mark.parametrize("text", ["def (:\n", "\0\n", ""], ids=["syntax", "null", "empty"])
def test_a_file_that_cannot_be_read_leaves_the_line_alone(tmp_path: Path, text: str) -> None:
    """It may have changed since it was imported."""
    path = tmp_path / "broken.py"
    path.write_text(text, encoding="utf-8")
    seen = Frame(file=str(path), line=7, function="f", source="work()")
    assert anchor(seen) is seen


def test_code_without_a_file_keeps_its_line() -> None:
    """Compiled from a string, it has no source to look at."""
    seen = Frame(file="<string>", line=7, function="f", source=None)
    assert anchor(seen) is seen
