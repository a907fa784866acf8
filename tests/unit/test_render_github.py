from __future__ import annotations

import re
import runpy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_asyncguard.model import Finding, RunReport, UnusedIgnore
from pytest_asyncguard.render import RENDERERS
from pytest_asyncguard.render.github import LIMIT, SUMMARY_BYTES, annotate, step_summary
from pytest_asyncguard.render.text import escape

HERE = Path(__file__).parents[1] / "golden"
GOLDEN: dict[str, Any] = runpy.run_path(str(HERE / "__init__.py"), run_name="golden")
REPORTS: Mapping[str, RunReport] = {**GOLDEN["REPORTS"], **GOLDEN["TOLD_TO_CI"]}
SLEEP: Finding = GOLDEN["SLEEP"]
UPLOAD: Finding = GOLDEN["UPLOAD"]
MULTILINE: Finding = GOLDEN["MULTILINE"]
report: Callable[..., RunReport] = GOLDEN["report"]

repeatable = settings(deadline=None, derandomize=True, database=None)


@dataclass(frozen=True)
class Command:
    name: str
    properties: Mapping[str, str]
    message: str


def run(line: str) -> Command | None:
    """What the runner of GitHub Actions makes of a line that a step printed.

    Its documented form: ``::name key=value,key=value::message``, with percent escapes that the
    runner undoes at last. Anything else is a line of the log.
    """
    line = line.lstrip()
    if not line.startswith("::"):
        return None
    head, end, message = line[2:].partition("::")
    if not end:
        return None
    name, _, given_ = head.partition(" ")
    if name not in ("error", "warning", "notice"):
        return None
    pairs = (part.split("=", 1) for part in given_.strip().split(",") if part)
    properties = {pair[0]: plain(pair[1], "\r\n:,%") for pair in pairs if len(pair) == 2}
    return Command(name, properties, plain(message, "\r\n%"))


def plain(text: str, escaped: str) -> str:
    for char in escaped:
        text = text.replace(f"%{ord(char):02X}", char)
    return text


def commands(made: RunReport) -> list[Command]:
    found = [run(line) for line in annotate(made).splitlines()]
    return [command for command in found if command is not None]


def only(finding: Finding) -> Command:
    (command,) = commands(report([finding]))
    return command


# --- annotations -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(GOLDEN["TOLD_TO_CI"]))
def test_the_output_reads_as_agreed(name: str) -> None:
    """The golden files; ``python -m tests.golden`` writes them anew."""
    made = GOLDEN["TOLD_TO_CI"][name]
    golden = HERE / "github" / f"{name}.txt"
    assert annotate(made) == golden.read_text(encoding="utf-8")
    golden = HERE / "github" / f"{name}-summary.md"
    assert step_summary(made) == golden.read_text(encoding="utf-8")


def test_the_report_format_is_the_annotations() -> None:
    """On standard output, where the runner looks for them."""
    renderer = RENDERERS["github"]
    assert renderer.default_path is None
    assert renderer.render(REPORTS["errors"]) == annotate(REPORTS["errors"])


def test_an_annotation_stands_at_the_blame_line() -> None:
    """In the app, never at the test: that is where pytest's own annotations are."""
    assert only(SLEEP) == Command(
        "error",
        {
            "file": "example_app/routers/orders.py",
            "line": "31",
            "endLine": "31",
            "col": "5",
            "endColumn": "21",
            "title": "AG101 sleep",
        },
        "time.sleep(0.25) in the endpoint of POST /orders held the event loop for 250 ms\n"
        "await asyncio.sleep(0.25)",
    )


def test_a_range_over_several_lines_has_no_columns() -> None:
    """The runner drops them there."""
    assert only(MULTILINE).properties == {
        "file": "app/jobs.py",
        "line": "8",
        "endLine": "11",
        "title": "AG105 subprocess",
    }


def test_what_is_not_known_is_not_said() -> None:
    """A property without a value would be taken for one that is wrong."""
    bare = replace(SLEEP, column=None, end_column=None, end_line=None, hint=None)
    assert set(only(bare).properties) == {"file", "line", "title"}
    assert "\n" not in only(bare).message
    assert set(only(replace(SLEEP, end_column=None)).properties) == {
        *("file", "line", "endLine", "col", "title")
    }


def test_a_warning_is_a_warning() -> None:
    """The colour in the pull request says whether the run fails."""
    assert only(UPLOAD).name == "warning"


def test_errors_come_first_and_ignores_last() -> None:
    """Of too many, those that fail the run are shown."""
    ignore = UnusedIgnore(file="app/mail.py", line=7, rules=("sleep",), reason=None)
    made = report([UPLOAD, SLEEP], unused_ignores=(ignore,))
    assert [command.name for command in commands(made)] == ["error", "warning", "notice"]


@pytest.mark.parametrize(("number", "shown", "more"), [(10, 10, None), (11, 10, 1), (200, 10, 190)])
def test_ten_are_annotated_and_the_rest_is_counted(
    number: int, shown: int, more: int | None
) -> None:
    """GitHub drops the eleventh without a word."""
    made = report([replace(SLEEP, line=line) for line in range(1, number + 1)])
    assert len(commands(made)) == shown <= LIMIT
    rest = [line for line in annotate(made).splitlines() if run(line) is None]
    assert rest == ([f"asyncguard: {more} more, all in the summary of the job"] if more else [])


def test_nothing_new_prints_nothing() -> None:
    """A clean step has a clean log."""
    assert annotate(REPORTS["clean"]) == annotate(REPORTS["nothing"]) == ""
    assert [command.name for command in commands(REPORTS["covered"])] == ["notice"]


@repeatable
@given(st.text(min_size=1), st.text(), st.text())
@example("a,title=b.py", "x::error file=y::z", "%0A::set-output name=a::b")
@example("x%2C%3A.py", "100%", "%25")
@example("x\n::error::y.py", "\r\n::stop-commands::z", "\x1b[31m\n##[error]z")
def test_strings_of_others_come_back_and_command_nothing(path: str, told: str, hint: str) -> None:
    """One finding is one line and one command, and the runner reads what was meant."""
    path = path.lstrip("=") or "x"  # the runner takes the first signs of equality for one
    text = annotate(report([replace(SLEEP, file=path, message=told, hint=hint)]))
    assert text.count("\n") == 1
    assert text[:-1].isprintable()
    command = run(text[:-1])
    assert command is not None
    assert command.name == "error"
    assert set(command.properties) == {"file", "line", "endLine", "col", "endColumn", "title"}
    assert command.properties["file"] == escape(path)
    assert command.message == (f"{escape(told)}\n{escape(hint)}" if hint else escape(told))


@repeatable
@given(st.text(min_size=1), st.text())
def test_an_unused_ignore_is_one_command_too(path: str, rule: str) -> None:
    """What stands in a comment was chosen by others as well."""
    path = path.lstrip("=") or "x"
    ignore = UnusedIgnore(file=path, line=7, rules=(rule,), reason=None)
    (command,) = commands(report(unused_ignores=(ignore,)))
    assert command.properties == {"file": escape(path), "line": "7", "title": "asyncguard"}
    assert command.message.startswith(f"ignore[{escape(rule)}]")


# --- the step summary ------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 177, 5000])
def test_a_summary_is_never_too_large(number: int) -> None:
    """GitHub drops the whole of one that is."""
    rows = [GOLDEN["endpoint"](f"GET /{'x' * 150}/{n}", "blocks", 1) for n in range(number)]
    made = report([replace(SLEEP, line=line + 1) for line in range(number)], rows)
    text = step_summary(made)
    assert len(text.encode()) <= SUMMARY_BYTES
    counted = re.search(r"^\| \| \d+ more \||^The details of \d+ more", text, re.MULTILINE)
    assert (counted is not None) is (number == 5000)


def test_a_summary_has_what_the_annotations_leave_out() -> None:
    """The line that counts the rest sends its reader there."""
    made = report([replace(SLEEP, file=f"app/m{number}.py") for number in range(100)])
    text = step_summary(made)
    assert all(f"`app/m{number}.py:31`" in text for number in range(100))
