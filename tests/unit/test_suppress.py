from __future__ import annotations

import re
import runpy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_asyncguard.model import Finding, StackFrame
from pytest_asyncguard.suppress import Project, allows, project_files, suppress
from pytest_asyncguard.suppress.comments import parse
from pytest_asyncguard.suppress.unused import on_the_way, unused

GOLDEN: dict[str, Any] = runpy.run_path(
    str(Path(__file__).parents[1] / "golden" / "__init__.py"), run_name="golden"
)
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]))


def finding(where: str, *stack: str, what: str = "AG101 sleep", **fields: Any) -> Finding:
    """A finding at "path:line in function", reached through frames written in the same way."""
    made: Finding = GOLDEN["sighting"](where, None, what=what, **fields)
    return replace(made, stack=tuple(map(frame, stack)))


def frame(text: str) -> StackFrame:
    place, function = text.split(" in ")
    file, line = place.rsplit(":", 1)
    return StackFrame(
        file=file, line=int(line), function=function, source=None, project=file.startswith("app")
    )


def project(**files: str) -> Project:
    sources = {f"{name}.py": dedent(source) for name, source in files.items()}
    return Project(sources.get)


def covered(files: Mapping[str, str], each: Finding) -> int | None:
    """The line of the comment that covers a finding."""
    ignore = project(**files).covering(each)
    return None if ignore is None else ignore.line


# --- comments --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comment", "rules", "reason"),
    [
        ("# asyncguard: ignore[sleep] it is short", ("sleep",), "it is short"),
        ("# asyncguard: ignore[AG101]", ("AG101",), None),
        ("#asyncguard:ignore[sleep]", ("sleep",), None),
        ("# AsyncGuard: ignore[Sleep, ag110]  two", ("Sleep", "ag110"), "two"),
        ("# noqa: T201 # asyncguard: ignore[file] see #12", ("file",), "see #12"),
        ("# asyncguard: ignore[file] why # type: ignore", ("file",), "why"),
    ],
)
def test_an_ignore_names_rules_and_says_why(
    comment: str, rules: tuple[str, ...], reason: str | None
) -> None:
    """Codes and names are both taken, several too, beside comments for other tools."""
    (ignore,) = parse("a.py", f"call()  {comment}\n").ignores
    assert (ignore.rules, ignore.reason) == (rules, reason)


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("# asyncguard: ignore", "names no rule"),
        ("# asyncguard: ignore because", "names no rule"),
        ("# asyncguard: ignore[]", "names no rule"),
        ("# asyncguard: ignore[ ] why", "names no rule"),
        ("# asyncguard: ignore[slep]", "names 'slep', which is no rule (did you mean sleep?)"),
        ("# asyncguard: ignore[sleep,]", "names '', which is no rule"),
        ("# asyncguard: ignore[all]", "names 'all', which is no rule"),
        ("# asyncguard: ignored[sleep]", "is not understood"),
        ("# asyncguard: allow[sleep]", "is not understood"),
        ("# asyncguard: ignore[sleep]because", "is not understood"),
        ("# asyncguard:", "is not understood"),
        ("# asyncguard ignore[sleep]", "lacks its colon"),
    ],
)
def test_an_ignore_that_ignores_nothing_is_an_error(comment: str, said: str) -> None:
    """It would leave its author believing that something is ignored. The error has the place."""
    found = parse("app/a.py", f"x = 1\ncall()  {comment}\n")
    assert found.ignores == ()
    (error,) = found.errors
    assert error.startswith(f"app/a.py:2: `{comment}` {said}")
    assert "# asyncguard: ignore[RULE] reason" in error
    assert "sleep, sync-client, " in error


def test_an_ignore_belongs_to_a_statement() -> None:
    """On a line of its own it stands beside no call, so it could cover none."""
    found = parse("a.py", "# asyncguard: ignore[sleep] why\ncall()\n")
    assert found.ignores == ()
    assert found.errors[0].startswith("a.py:1: `# asyncguard: ignore[sleep] why` stands on a line")


@pytest.mark.parametrize(
    "source",
    [
        'x = "# asyncguard: ignore"\n',
        'def f():\n    """\n    # asyncguard: ignore[slep]\n    """\n',
        "# asyncguard is switched on in pyproject.toml\n",
        "# the asyncguard: what it does\n",
        "def broken(:  # asyncguard: ignore\n",
        "x = (  # asyncguard: ignore[sleep]\n",
    ],
)
def test_what_is_no_comment_for_us_is_left_alone(source: str) -> None:
    """A string is data, and a sentence with our name in it is prose."""
    found = parse("a.py", source)
    assert (found.ignores, found.errors) == ((), ())


@given(TEXT)
@example("]")
@example("[sleep] # # x")
def test_every_reason_survives(reason: str) -> None:
    """A reason is what stands there, up to the comment of another tool."""
    (ignore,) = parse("a.py", f"call()  # asyncguard: ignore[sleep] {reason}\n").ignores
    told = re.split(r"\s#\s", f" {reason}")[0].strip()
    assert ignore.reason == (told or None)


@given(st.text())
@example("# asyncguard: \x00")
@example("# asyncguard: ignore[sleep]\\\n")
def test_no_source_is_too_odd_to_be_read(source: str) -> None:
    """A file may be anything: the reader raises nothing."""
    parse("a.py", source)
    parse("a.py", f"call()  # asyncguard: {source}")


# --- which comment covers a finding ----------------------------------------------------------

APP = """\
import time

async def endpoint():
    helper()

def helper(
    delay=1,
):  # asyncguard: ignore[sleep] on the def
    total = sum(
        [
            time.sleep(delay),  # asyncguard: ignore[sleep] on the line
            time.sleep(delay),
        ]
    )  # asyncguard: ignore[file] at the end
    return total
"""


@pytest.mark.parametrize(
    ("what", "lines", "comment"),
    [
        ("AG101 sleep", (11, 11), 11),
        ("AG101 sleep", (12, 12), 8),
        ("AG110 file", (12, 12), 14),
        ("AG110 file", (9, 14), 14),
        ("AG101 sleep", (9, 14), 11),
        ("AG102 sync-client", (11, 11), None),
    ],
)
def test_the_nearest_comment_with_the_rule_wins(
    what: str, lines: tuple[int, int], comment: int | None
) -> None:
    """On the lines of the expression, at the end of its statement, then on the def around it."""
    line, end = lines
    each = finding(f"app.py:{line} in helper", what=what, end_line=end)
    assert covered({"app": APP}, each) == comment


def test_a_comment_on_the_def_of_a_frame_between_counts() -> None:
    """An endpoint can answer for its helpers; a line that calls them cannot."""
    source = """\
        async def endpoint():{}
            helper(){}

        def helper():
            time.sleep(1)
        """
    here = " # asyncguard: ignore[sleep]"
    each = finding("app.py:5 in helper", "app.py:2 in endpoint", "app.py:5 in helper")
    assert covered({"app": source.format(here, "")}, each) == 1
    assert covered({"app": source.format("", here)}, each) is None


def test_a_comment_on_the_line_of_the_call_counts() -> None:
    """The call may be below the line to blame, in code that is not of the project."""
    files = {"app": "vendored.fetch()\n", "lib": "\ntime.sleep(1)  # asyncguard: ignore[sleep]\n"}
    each = finding("app.py:1 in <module>", "app.py:1 in <module>", "lib.py:2 in fetch")
    assert covered(files, each) == 2


def test_a_middleware_does_not_answer_for_what_it_wraps() -> None:
    """It stands on the stack of every request, and what blocks there is not its own."""
    files = {
        "app_middleware": "async def dispatch():  # asyncguard: ignore[sleep]\n    await next()\n",
        "app": "async def endpoint():\n    time.sleep(1)\n",
    }
    layer = "lib/site-packages/starlette/middleware/base.py:9 in BaseHTTPMiddleware.call_next"
    each = finding(
        "app.py:2 in endpoint",
        "app_middleware.py:2 in dispatch",
        layer,
        "lib/site-packages/starlette/routing.py:7 in request_response.<locals>.app",
        "app.py:2 in endpoint",
    )
    assert covered(files, each) is None


def test_a_finding_without_columns_is_covered_by_its_statement() -> None:
    """With -X no_debug_ranges the end of an expression is not known."""
    source = "x = fetch(\n    url,  # asyncguard: ignore[sleep]\n)\n"
    assert covered({"app": source}, finding("app.py:1 in f", end_line=None)) == 2
    assert covered({"app": source}, finding("app.py:1 in f", end_line=1)) is None


def test_the_comment_of_a_class_covers_nothing() -> None:
    """A def is a frame on the stack; a class is not."""
    source = "class A:  # asyncguard: ignore[sleep]\n    def f(self):\n        time.sleep(1)\n"
    assert covered({"app": source}, finding("app.py:3 in A.f")) is None


# --- patterns --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "yes"),
    [
        ("time.sleep", True),
        ("time.*", True),
        ("sleep", False),
        ("requests.*", False),
        ("app/db.py::Store.load", True),
        ("app/db.py::load", True),
        ("app/db.py::oad", False),
        ("app/*::*", True),
        ("app/main.py::endpoint", True),
        ("app/main.py::other", False),
        ("db.py::Store.load", False),
        ("*/db.py::St*.load", True),
        ("lib/x.py::wait", False),
    ],
)
def test_a_pattern_is_a_call_or_a_function_on_the_way_to_it(pattern: str, yes: bool) -> None:
    """Calls by their dotted name; functions by path and name, of the project's frames."""
    each = finding(
        "app/db.py:2 in Store.load",
        "app/main.py:1 in endpoint",
        "app/db.py:2 in Store.load",
        "lib/x.py:3 in wait",
    )
    assert allows(pattern, each) is yes


def test_a_stall_has_no_call_to_be_allowed_by() -> None:
    """It is allowed by its function."""
    each = finding("app/a.py:2 in f", what="AG201 cpu-stall", call=None)
    assert not allows("*", each)
    assert allows("app/a.py::f", each)


def test_the_nearest_permission_gives_the_reason() -> None:
    """A comment, then the test, then the run; within one of them what was said last."""
    each = finding("app.py:1 in f")
    run = {"time.sleep": "run"}
    test = {"time.*": "first", "time.sleep": "test"}
    with_comment = project(app="time.sleep(1)  # asyncguard: ignore[sleep] comment\n")
    assert suppress(each, with_comment, test, run).reason == "comment"
    assert suppress(each, project(), test, run).reason == "test"
    assert suppress(each, project(), {}, run).reason == "run"
    assert suppress(each, project(), {}, run).status == "ignored"
    assert suppress(each, project(), {}, {}) is each


# --- unused ignores --------------------------------------------------------------------------

TWO = """\
def f():  # asyncguard: ignore[sleep] on the def
    call(
        1,  # asyncguard: ignore[sleep] within
    )  # asyncguard: ignore[file] at the end
    other()  # asyncguard: ignore[sleep] elsewhere
"""


@pytest.mark.parametrize(
    ("line", "ran"),
    [(2, [1, 4]), (3, [1, 3, 4]), (4, [1, 4]), (5, [1, 5])],
)
def test_a_stack_says_which_comments_were_asked(line: int, ran: list[int]) -> None:
    """The one on its line, that of the statement in which it is, and that of the function."""
    each = finding(f"app.py:{line} in f", f"app.py:{line} in f", "lib.py:1 in call")
    assert sorted(on_the_way(project(app=TWO), each)) == [("app.py", number) for number in ran]


def test_a_comment_is_unused_if_it_was_asked_and_covered_nothing() -> None:
    """One that was not asked may be needed tomorrow; one that covered something is."""
    places = [("app.py", 3), ("app.py", 5), ("app.py", 9), ("gone.py", 1)]
    told = unused(project(app=TWO), places, {("app.py", 5)}, {})
    assert [(each.line, each.rules, each.reason) for each in told] == [(3, ("sleep",), "within")]


@pytest.mark.parametrize(
    ("rule", "levels"),
    [("cpu-stall", {}), ("AG202", {}), ("thread-wait", {}), ("sleep", {"sleep": "off"})],
)
def test_what_found_nothing_by_chance_or_order_proves_nothing(
    rule: str, levels: dict[str, object]
) -> None:
    """A stall is found where it lasted; a rule that is off finds nothing anywhere."""
    source = project(app=f"def f():\n    call()  # asyncguard: ignore[file, {rule}]\n")
    assert unused(source, [("app.py", 2)], (), levels) == ()


def test_the_files_that_are_read_are_those_of_stacks_and_endpoints() -> None:
    """A wrong comment matters where it could have covered something."""
    each = finding("app.py:2 in f", "app_b.py:2 in f", "lib.py:3 in g")
    assert project_files([each], [GOLDEN["endpoint"]("GET /a", "clean")]) == {
        "app.py",
        "app_b.py",
        "example_app/routers/orders.py",
    }
    wrong = project(app_b="x()  # asyncguard: ignore\n", app="x()  # asyncguard: ignore[x]\n")
    errors = wrong.errors(["app_b.py", "app.py", "app.py", "missing.py"])
    assert [error.partition(" ")[0] for error in errors] == ["app.py:1:", "app_b.py:1:"]
