from __future__ import annotations

import re
import runpy
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from _pytest.reports import TestReport
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_asyncguard.model import Finding, Phase, RunReport, StackFrame
from pytest_asyncguard.render.terminal import failure_text, summary
from pytest_asyncguard.render.text import (
    ELLIPSIS,
    HARD,
    cells,
    clip,
    escape,
    excerpt,
    fitting,
    wrap,
)

HERE = Path(__file__).parents[1] / "golden"
GOLDEN: dict[str, Any] = runpy.run_path(str(HERE / "__init__.py"), run_name="golden")
REPORTS: Mapping[str, RunReport] = GOLDEN["REPORTS"]
VERBOSITIES: Mapping[str, int] = GOLDEN["VERBOSITIES"]
OUTPUTS: Mapping[str, str] = GOLDEN["outputs"]()
TEXTS = {name: text for name, text in OUTPUTS.items() if name.startswith("terminal/")}
SLEEP: Finding = GOLDEN["SLEEP"]
UPLOAD: Finding = GOLDEN["UPLOAD"]
shown: Callable[..., str] = GOLDEN["shown"]
failed: Callable[..., str] = GOLDEN["failed"]
report: Callable[..., RunReport] = GOLDEN["report"]

repeatable = settings(deadline=None, derandomize=True, database=None)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Recorder:
    """A writer that keeps each line with the markup of its parts."""

    fullwidth = 80

    def __init__(self) -> None:
        self.parts: list[tuple[str, frozenset[str]]] = []

    def write(self, msg: str, *, flush: bool = False, **markup: bool) -> None:
        self.parts.append((msg, frozenset(name for name, on in markup.items() if on)))

    def line(self, s: str = "", **markup: bool) -> None:
        self.write(s, **markup)

    def sep(
        self,
        sepchar: str,
        title: str | None = None,
        fullwidth: int | None = None,
        **markup: bool,
    ) -> None:
        self.write(f"{sepchar} {title}", **markup)

    def marked(self, text: str) -> frozenset[str]:
        return next(markup for part, markup in self.parts if text in part)


# --- how it reads ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in OUTPUTS if name[:4] in ("term", "colo")])
def test_the_output_reads_as_agreed(name: str) -> None:
    """The golden files, at 80 columns; ``python -m tests.golden`` writes them anew."""
    assert OUTPUTS[name] == (HERE / name).read_text(encoding="utf-8")


def test_every_golden_file_is_compared() -> None:
    """A golden file that nothing makes any more would only look like a test."""
    files = {path.relative_to(HERE).as_posix() for path in HERE.glob("*/*.*")}
    assert {name for name in files if "__pycache__" not in name} == set(OUTPUTS)


def test_the_example_of_the_documentation_is_what_is_printed() -> None:
    """Four parts in fixed order: what, where, whose, what instead."""
    once = replace(SLEEP, count=1, routes=SLEEP.routes[:1])
    once = replace(once, routes=(replace(once.routes[0], count=1),))
    assert failed([once]) == (
        "AG101 sleep: time.sleep(0.25) held the event loop for 250 ms\n"
        "  example_app/routers/orders.py:31 in create_order\n"
        "      time.sleep(0.25)\n"
        "      ^^^^^^^^^^^^^^^^\n"
        "  in the endpoint of POST /orders\n"
        "  instead: await asyncio.sleep(0.25)\n"
        "  more: asyncguard explain AG101\n"
    )


def test_no_line_is_wider_than_the_terminal_but_a_place() -> None:
    """Only paths and node ids may be: they are cut nowhere, so that they stay links."""
    for text in TEXTS.values():
        wide = [line for line in text.splitlines() if cells(line) > 80]
        assert [line for line in wide if ".py:12345" not in line] == []
    assert any(cells(line) > 80 for line in TEXTS["terminal/long-normal.txt"].splitlines())


@pytest.mark.parametrize("width", [20, 40, 60, 100, 200])
@pytest.mark.parametrize("name", sorted(REPORTS))
def test_any_width_will_do(name: str, width: int) -> None:
    """The place of each finding is whole on a line at every width."""
    for verbosity in VERBOSITIES.values():
        text = shown(REPORTS[name], verbosity, width=width)
        if verbosity > 0:
            lines = [line.split(" in ")[0].strip() for line in text.splitlines()]
            for finding in REPORTS[name].findings:
                assert f"{escape(finding.file)}:{finding.line}" in lines


def test_our_own_words_are_ascii() -> None:
    """Nothing needs a font, a code page or a UTF-8 locale but the names that others chose."""
    plain = [text for name, text in TEXTS.items() if not name.startswith("terminal/long")]
    assert len(plain) > 20
    assert all(text.isascii() for text in plain)


def test_colour_says_nothing_that_the_words_do_not() -> None:
    """Without its colour codes the coloured output is the plain one."""
    for made in REPORTS.values():
        for verbosity in VERBOSITIES.values():
            coloured = shown(made, verbosity, markup=True)
            assert "\x1b[" in coloured
            assert COLOUR.sub("", coloured) == shown(made, verbosity)


def test_red_is_an_error_yellow_a_warning_and_the_place_is_bold() -> None:
    """Colour goes through the writer's markup, which knows whether there is to be any."""
    writer = Recorder()
    failure_text([SLEEP, UPLOAD]).toterminal(writer)
    assert writer.marked("AG101") == {"red"}
    assert writer.marked("AG110") == {"yellow"}
    assert writer.marked("^^^") == {"red"}
    assert writer.marked("orders.py:31") == {"bold"}
    assert writer.marked("instead") == frozenset()


@pytest.mark.parametrize(
    ("name", "gate_failed", "colour"),
    [
        ("clean", False, "green"),
        ("clean", True, "red"),
        ("warnings", False, "yellow"),
        ("errors", True, "red"),
        ("errors", False, "red"),
        ("nothing", False, "yellow"),
    ],
)
def test_the_verdict_has_the_colour_of_its_news(name: str, gate_failed: bool, colour: str) -> None:
    """Green means that all is well: never where the gate fails the run."""
    for verbosity in (-1, 0, 1):
        writer = Recorder()
        summary(writer, REPORTS[name], verbosity, "the verdict", failed=gate_failed)
        assert colour in writer.marked("the verdict")


# --- how much is said ------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_quiet_is_one_line(name: str) -> None:
    """With -q the verdict is all."""
    assert shown(REPORTS[name], -1).count("\n") == 1


def test_very_quiet_says_nothing_of_a_clean_run() -> None:
    """With -qq pytest is silent about what went well, and so are we; a failure is still told."""
    assert shown(REPORTS["clean"], -2) == ""
    assert shown(REPORTS["errors"], -2) == shown(REPORTS["errors"], -1)
    assert shown(REPORTS["nothing"], -2) == shown(REPORTS["nothing"], -1)


def test_a_clean_run_is_one_line() -> None:
    """Silence is golden: no section, no census table, nothing to scroll past."""
    text = shown(REPORTS["clean"], 0)
    assert text == ("asyncguard: no blocking call in 42 requests; 1 of 2 endpoints exercised\n")


def test_errors_come_first() -> None:
    """What fails the run stands above what does not, in the summary and in a failing test."""
    findings = [UPLOAD, SLEEP]
    for text in (shown(report(findings), 0), failed(findings)):
        assert text.index("AG101") < text.index("AG110")


@pytest.mark.parametrize(("number", "named", "more"), [(10, 10, ""), (12, 10, "2 more")])
def test_ten_findings_are_shown_and_the_rest_counted(number: int, named: int, more: str) -> None:
    """A project at its first run gets a list that it can read; -v has all."""
    findings = [replace(SLEEP, line=line) for line in range(1, number + 1)]
    text = shown(report(findings), 0)
    assert text.count("error AG101") == named
    assert more in text
    assert ("run with -v" in text) is bool(more)
    assert shown(report(findings), 1).count("error AG101") == number


def test_verbose_adds_source_tests_and_census() -> None:
    """-v has the line and the tests, -vv the stack; neither repeats itself in the normal one."""
    normal, verbose, very = (shown(REPORTS["errors"], level) for level in (0, 1, 2))
    for text in ("time.sleep(0.25)\n      ^^^", "::test_create[twice]", "unexercised  GET"):
        assert text not in normal
        assert text in verbose
    assert "called through" not in verbose
    assert "in FastAPI.__call__" in very
    assert "run with" not in very


def test_the_way_to_a_helper_is_shown_and_what_is_not_the_project_s_is_folded() -> None:
    """From the function that the framework called to the one that called the blamed one."""
    deep = replace(
        SLEEP,
        file="app/mail.py",
        line=9,
        function="connect",
        routes=SLEEP.routes[:1],
        stack=(
            frame("app/middleware.py:5 in Timing.__call__"),
            frame("lib/python3/site-packages/fastapi/routing.py:300 in app", project=False),
            frame("lib/python3/site-packages/fastapi/routing.py:90 in run", project=False),
            frame("app/main.py:12 in page"),
            frame("lib/python3/site-packages/tenacity/retry.py:1 in call", project=False),
            frame("lib/python3/site-packages/tenacity/retry.py:2 in call", project=False),
            frame("app/mail.py:20 in send"),
            frame("lib/python3/site-packages/wrapt/wrappers.py:3 in call", project=False),
            frame("app/mail.py:9 in connect"),
            frame("lib/python3/site-packages/smtp/client.py:4 in connect", project=False),
        ),
    )
    way = [
        "  called through:",
        "    app/main.py:12 in page",
        "    ... 2 frames",
        "    app/mail.py:20 in send",
        "    ... 1 frame",
    ]
    assert way == failed([deep]).splitlines()[5:10]
    verbose = shown(report([deep]), 1).splitlines()
    assert way == verbose[verbose.index(way[0]) :][:5]
    assert "called through" not in shown(report([deep]), 0)
    assert "retry.py:2 in call" in shown(report([deep]), 2)


def test_of_a_long_way_both_ends_are_shown() -> None:
    """Recursion is told by its beginning and its end."""
    stack = [frame(f"app/tree.py:{number} in walk") for number in range(20)]
    deep = replace(SLEEP, file="app/tree.py", line=19, function="walk", stack=tuple(stack))
    lines = failed([deep]).splitlines()
    start = lines.index("  called through:") + 1
    assert [line.strip() for line in lines[start : start + 9]] == [
        *(f"app/tree.py:{number} in walk" for number in range(4)),
        "... 11 frames",
        *(f"app/tree.py:{number} in walk" for number in range(15, 19)),
    ]


def test_what_the_framework_called_itself_has_no_way() -> None:
    """There is nothing between the two; nor is there where the blamed line is on no stack."""
    direct = replace(SLEEP, stack=SLEEP.stack)
    assert "called through" not in failed([direct])
    elsewhere = replace(direct, line=99)
    assert "called through" not in failed([elsewhere])


def frame(where: str, *, project: bool = True) -> StackFrame:
    place, function = where.split(" in ")
    file, line = place.rsplit(":", 1)
    return StackFrame(file=file, line=int(line), function=function, source=None, project=project)


def test_the_census_line_reads_as_promised() -> None:
    """How many endpoints there are, how many were exercised, and how many of them block."""
    rows = [GOLDEN["endpoint"](f"GET /{n}", "blocks", 1) for n in range(3)]
    rows += [GOLDEN["endpoint"](f"GET /c{n}", "clean", 1) for n in range(11)]
    rows += [GOLDEN["endpoint"](f"GET /u{n}", "unexercised") for n in range(3)]
    lines = shown(report([SLEEP], rows), 0).splitlines()
    assert "14 of 17 endpoints exercised, 3 block" in lines
    assert "not exercised: GET /u0, GET /u1, GET /u2" in lines


def test_covered_findings_are_not_told_as_findings() -> None:
    """What the baseline or an ignore covers is counted, and named with its reason by -v."""
    normal, verbose = (shown(REPORTS["covered"], level) for level in (0, 1))
    assert "AG1" not in normal
    assert "1 baselined, 1 ignored" in normal
    assert "ignored AG103 sync-database: an admin page, twice a day" in verbose


def test_a_short_detail_stands_in_the_headline_and_a_long_one_below() -> None:
    """An argument reads best in its call, but a statement must not bury the sentence."""
    short = failed([replace(SLEEP, call="some.library.of.long.names." * 2, detail="1.5")])
    assert "names.(1.5) held" in short
    long = failed([replace(SLEEP, detail="SELECT " + "column, " * 60)])
    assert "time.sleep held" in long
    below = long.splitlines()[1:4]
    assert below[0].startswith("  SELECT")
    assert below[2].endswith(ELLIPSIS)


# --- what pytest makes of it -----------------------------------------------------------------


def test_pytest_takes_the_text_for_a_longrepr() -> None:
    """As text, in the short summary, and serialized for the controller of xdist."""
    longrepr = failure_text([UPLOAD, SLEEP])
    made = TestReport("t.py::t", ("t.py", 0, "t"), {}, "failed", longrepr, "call")  # type: ignore[arg-type]
    assert "time.sleep" in made.longreprtext
    assert made._to_json()["longrepr"] == str(longrepr)
    assert longrepr.reprcrash.message == (
        "AG101 time.sleep at example_app/routers/orders.py:31 and 1 more"
    )
    assert str(longrepr.reprcrash) == (
        "example_app/routers/orders.py:31: AG101 time.sleep and 1 more"
    )
    assert failure_text([SLEEP]).reprcrash.message.endswith("orders.py:31")


def test_as_a_string_the_text_is_what_a_plain_terminal_shows() -> None:
    """Workers, JUnit files and plugins get the same words."""
    for made in REPORTS.values():
        assert str(failure_text(made.findings)) == failed(made.findings).rstrip("\n")


def test_nothing_is_printed_past_the_writer(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the output goes is pytest's decision."""
    for made in REPORTS.values():
        shown(made, 2)
        failed(made.findings)
    assert capsys.readouterr() == ("", "")


# --- strings that others chose ---------------------------------------------------------------


def test_no_control_character_reaches_the_terminal() -> None:
    """Colours, cursor movements, titles and right-to-left marks of others are defused."""
    for text in TEXTS.values():
        assert [char for char in text if not char.isprintable() and char != "\n"] == []
    for verbosity in VERBOSITIES.values():
        assert "[31m\x1b" not in shown(REPORTS["hostile"], verbosity, markup=True)


def test_a_string_of_others_stays_on_its_line() -> None:
    """A route with a line break in it cannot write a line of the report."""
    lines = TEXTS["terminal/hostile-vv.txt"].splitlines()
    assert [line for line in lines if line.startswith("::error")] == []


@repeatable
@given(st.text())
def test_escaping_keeps_columns(text: str) -> None:
    """One character becomes one that prints, so carets stay under what they underline."""
    escaped = escape(text)
    assert escaped.isprintable()
    assert len(escaped) == len(text)
    assert all(old == new for old, new in zip(text, escaped, strict=True) if old.isprintable())


@repeatable
@given(st.text(), st.integers(10, 60))
def test_clipped_text_fits(text: str, width: int) -> None:
    """Also where characters are two columns wide; what fits is left alone."""
    text = escape(text)
    clipped = clip(text, width)
    assert cells(clipped) <= width
    assert clipped == text or clipped.endswith(ELLIPSIS)


@repeatable
@given(st.text(), st.integers(10, 60))
def test_wrapped_text_fits_and_is_whole(text: str, width: int) -> None:
    """Wrapping breaks lines and loses nothing."""
    text = escape(text)
    lines = list(wrap(text, width, "    ", first="  "))
    assert all(cells(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_a_method_stays_with_its_path() -> None:
    """A route is one word to the eye; lines break before it."""
    route = "POST /orders".replace(" ", HARD)
    assert list(wrap(f"in the endpoint of {route}", 26)) == ["in the endpoint of", "POST /orders"]


@repeatable
@given(
    st.text(alphabet="ab .\u5e97", max_size=90),
    st.text(alphabet="xyz\u8217", min_size=1, max_size=30),
    st.text(alphabet="ab .\u5e97", max_size=90),
)
def test_the_carets_stand_under_what_they_underline(before: str, marked: str, after: str) -> None:
    """Wherever the range stands in a long line, it is shown, and exactly it is underlined."""
    source = before + marked + after
    line, carets = excerpt(source, len(before), len(before) + len(marked), 74)
    assert cells(line) <= 74
    columns = "".join(char * cells(char) for char in line)
    start = len(carets) - carets.count("^")
    underlined = columns[start : len(carets)]
    assert underlined == "".join(char * cells(char) for char in marked)


def test_a_range_over_several_lines_is_underlined_to_the_end_of_the_first() -> None:
    """Where no end is given, the rest of the line belongs to it."""
    line, carets = excerpt("    run(  # all of it", 4, None, 74)
    assert (line, carets) == ("run(  # all of it", "^" * 17)


@pytest.mark.parametrize("start", [None, 0, 99])
def test_a_place_without_a_true_column_has_no_carets(start: int | None) -> None:
    """Underlining the wrong thing is worse than underlining nothing."""
    assert excerpt("    run()", start, None, 74) == ("run()", "")


def test_a_range_wider_than_the_line_is_cut_with_it() -> None:
    """The beginning of the range is shown, and the carets end where the line does."""
    line, carets = excerpt("x = f(" + "argument, " * 20 + ")", 4, None, 40)
    assert len(line) == len(carets) == 40
    assert line.endswith(ELLIPSIS)


def test_a_finding_without_source_is_told_without_it() -> None:
    """A file that is gone, or none at all, leaves the place to speak for itself."""
    for source in (None, "", "   "):
        text = failed([replace(SLEEP, source=source)])
        assert text.splitlines()[2] == "  in the endpoint of POST /orders, 2 times"


def test_a_site_in_many_parts_of_requests_is_told_in_short() -> None:
    """The normal summary names three of them and counts the rest; -v names all."""
    phases: tuple[Phase, ...] = ("endpoint", "dependency", "middleware", "background", "stream")
    row = SLEEP.routes[0]
    routes = tuple(replace(row, phase=phase, count=1) for phase in phases)
    site = replace(SLEEP, routes=routes, count=5)
    normal, verbose = (shown(report([site]), level) for level in (0, 1))
    assert "  in middleware of POST /orders\n  and 2 more, 5 times in 2 tests\n" in normal
    assert "background" not in normal
    assert "  in the response stream of POST /orders\n" in verbose


def test_a_single_sighting_outside_tests_needs_no_numbers() -> None:
    """What a session fixture started is seen once and in no test; nor is there always a hint."""
    routes = (replace(SLEEP.routes[0], count=1), replace(SLEEP.routes[1], count=1))
    for some in (routes[:1], routes):
        site = replace(SLEEP, routes=some, count=1, tests=(), hint=None)
        text = shown(report([site]), 0)
        assert "time" not in text.split("orders.py:31")[1].split("asyncguard")[0]
        assert "instead" not in text


def test_unused_ignores_are_named_up_to_a_few() -> None:
    """Each is a line to be deleted; a hundred of them are for -v."""
    left = tuple(replace(REPORTS["covered"].unused_ignores[0], line=n) for n in range(1, 7))
    normal, verbose = (shown(report(unused_ignores=left), level) for level in (0, 1))
    assert normal.count("without effect: app/mail.py") == 4
    assert "2 more without effect: run with -v" in normal
    assert verbose.count("without effect: app/mail.py") == 6


def test_a_combining_character_takes_no_column() -> None:
    """An accent stands above the letter before it."""
    assert cells("e\u0301") == 1
    assert fitting("e\u0301e", 1) == 2
    assert fitting("e\u0301", 1) == 2
