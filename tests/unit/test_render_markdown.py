from __future__ import annotations

import runpy
from collections.abc import Callable, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pytest_asyncguard.model import Finding, RunReport, UnusedIgnore
from pytest_asyncguard.render import RENDERERS
from pytest_asyncguard.render.markdown import COMMENT_BYTES, WIDTH, code, document, told
from pytest_asyncguard.render.text import clip, escape

HERE = Path(__file__).parents[1] / "golden"
GOLDEN: dict[str, Any] = runpy.run_path(str(HERE / "__init__.py"), run_name="golden")
REPORTS: Mapping[str, RunReport] = {**GOLDEN["REPORTS"], **GOLDEN["TOLD_TO_CI"]}
SLEEP: Finding = GOLDEN["SLEEP"]
HELPER: Finding = GOLDEN["HELPER"]
STARTED: Finding = GOLDEN["STARTED"]
report: Callable[..., RunReport] = GOLDEN["report"]
endpoint: Callable[..., Any] = GOLDEN["endpoint"]
RENDERER = RENDERERS["markdown"]

repeatable = settings(deadline=None, derandomize=True, database=None)
NAMES = st.text(min_size=1, max_size=60) | st.text(
    alphabet="a`|<>&*_[]()!@#:/\\ ~$-+.\n\x1b\u202e\u5e97", min_size=1, max_size=30
)
"""Any text, and often one that is full of Markdown."""

ALLOWED = {
    *("h3", "p", "code", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"),
    *("details", "summary"),
}


class Page(HTMLParser):
    """What a reader sees: the tags, the texts in code, and the others."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.codes: list[str] = []
        self.prose = ""
        self._in_code = False
        # GitHub's dialect as far as it matters here: CommonMark, HTML, tables.
        self.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "code":
            self._in_code = True
            self.codes.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "code":
            self._in_code = False

    def handle_data(self, data: str) -> None:
        if self._in_code:
            self.codes[-1] += data
        else:
            self.prose += data

    def handle_comment(self, data: str) -> None:
        self.tags.append("!")

    def handle_decl(self, decl: str) -> None:
        self.tags.append("!")


# --- how it reads ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(GOLDEN["TOLD_TO_CI"]))
def test_the_comment_reads_as_agreed(name: str) -> None:
    """The golden files; ``python -m tests.golden`` writes them anew."""
    golden = HERE / "markdown" / f"{name}.md"
    assert RENDERER.render(GOLDEN["TOLD_TO_CI"][name]) == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("errors", "5 places block the event loop (4 errors, 1 warning)"),
        ("warnings", "1 place blocks the event loop (1 warning)"),
        ("clean", "no blocking call in 42 requests"),
        ("covered", "no new blocking call in 42 requests"),
        ("nothing", "no request was watched"),
    ],
)
def test_the_verdict_comes_first(name: str, verdict: str) -> None:
    """Most readers read no further."""
    first, *_ = RENDERER.render(REPORTS[name]).splitlines()
    assert first == f"### asyncguard: {verdict}"


def test_a_finding_is_a_row_and_its_details_are_folded() -> None:
    """A table to look over, and everything else for whoever opens it."""
    page = Page(RENDERER.render(report([HELPER, SLEEP])))
    assert page.tags.count("tr") == 3
    assert page.tags.count("td") == 12
    assert page.tags.count("details") == page.tags.count("summary") == 2
    assert "in a dependency of  and 4 more" in page.prose
    assert "called through" in page.prose
    assert "in 12 tests" in page.prose
    assert f"{HELPER.file}:{HELPER.line} in {HELPER.function}" in page.codes
    assert (HELPER.source or "").strip() in page.codes


def test_the_census_is_folded_too() -> None:
    """Its line says how much of the app was exercised; the table names each endpoint."""
    page = Page(RENDERER.render(REPORTS["errors"]))
    assert "5 of 10 endpoints exercised, 2 block" in page.prose
    assert {row.route for row in REPORTS["errors"].endpoints} <= set(page.codes)


def test_errors_come_first() -> None:
    """As in every other report."""
    text = RENDERER.render(REPORTS["many"])
    assert text.index("AG101") < text.index("AG110")


def test_what_is_covered_is_counted_only() -> None:
    """The comment is about what is new."""
    text = RENDERER.render(REPORTS["covered"])
    assert "Not counted: 1 baselined, 1 ignored." in text
    assert "AG1" not in text


def test_what_makes_the_verdict_less_than_whole_is_said() -> None:
    """A part of the tests, ignores without effect, a baseline that can shrink."""
    covered = REPORTS["covered"]
    text = RENDERER.render(replace(covered, run=replace(covered.run, complete=False)))
    assert "Not all tests ran, so there may be more." in text
    assert "- `app/mail.py:7`: `sleep, file`" in text
    assert "1 finding of the baseline not seen any more" in text
    assert "Not all tests ran" not in RENDERER.render(covered)


def test_a_finding_of_which_little_is_known_is_told() -> None:
    """No call, no source, no route, no test, no duration."""
    bare = replace(
        STARTED, call=None, source=None, held_seconds=None, rule="blocked-stall", code="AG202"
    )
    page = Page(RENDERER.render(report([bare])))
    assert "waiting" in page.prose
    assert "outside any request" in page.prose
    assert page.codes == [f"{bare.file}:{bare.line}", f"{bare.file}:{bare.line} in {bare.function}"]


def test_long_lists_are_counted_to_their_end() -> None:
    """A site in a hundred routes, met by a hundred tests."""
    routes = tuple(replace(SLEEP.routes[0], route=f"GET /{number}") for number in range(100))
    tests = tuple(f"tests/test_x.py::test_{number}" for number in range(100))
    page = Page(RENDERER.render(report([replace(SLEEP, routes=routes, tests=tests)])))
    assert "in 80 more" in page.prose
    assert "and 80 more" in page.prose


def test_a_long_detail_stands_apart_from_its_call() -> None:
    """A statement would bury the row."""
    page = Page(RENDERER.render(report([replace(SLEEP, detail="SELECT " + "a, " * 20)])))
    assert "time.sleep" in page.codes
    assert ("SELECT " + "a, " * 20).strip() in [text.strip() for text in page.codes]


# --- how much of it --------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 30, 177, 3000])
def test_a_comment_is_never_too_large(number: int) -> None:
    """GitHub refuses one of more than 65536 characters; the verdict is there in any case."""
    rows = [endpoint(f"GET /{'x' * 150}/{n}", "unexercised") for n in range(number)]
    ignores = tuple(
        UnusedIgnore(file=f"{'y' * 150}.py", line=n + 1, rules=("sleep",), reason=None)
        for n in range(number)
    )
    wide = "\u5e97" * 60  # three bytes each
    sites = [replace(SLEEP, line=n + 1, file=f"{wide}.py") for n in range(number)]
    text = RENDERER.render(report(sites, rows, unused_ignores=ignores))
    assert len(text.encode()) <= COMMENT_BYTES
    assert text.startswith(f"### asyncguard: {number} place")
    page = Page(text)
    assert set(page.tags) <= ALLOWED
    assert page.tags.count("details") == text.count("</details>")


@pytest.mark.parametrize("limit", [3_000, 10_000, 50_000])
def test_what_has_no_room_is_counted(limit: int) -> None:
    """Shown and counted are all, in the table as in the details."""
    text = document(report([replace(SLEEP, line=n + 1) for n in range(500)]), limit)
    assert len(text.encode()) <= limit
    rows, details = text.count("| error |"), text.count("<details>")
    assert f"| | {500 - rows} more |" in text
    assert f"The details of {500 - details} more have no room here." in text
    assert rows > 1


# --- strings that others chose ---------------------------------------------------------------


@repeatable
@given(NAMES)
@example("`")
@example("a|b")
@example(" a ")
@example("\\|")
@example("</code><script>alert(1)</script>")
@example("a`</summary>|\\`")
def test_code_comes_back_from_text_tables_and_lists(text: str) -> None:
    """To the width of a name, and with nothing but itself."""
    shown = clip(escape(text), WIDTH)
    made = code(text)
    for markdown in (made, f"- x {made}, {made}", f"| a | b |\n|---|---|\n| {made} | {made} |"):
        page = Page(markdown)
        assert set(page.tags) <= ALLOWED
        assert set(page.codes) == {shown}


@repeatable
@given(NAMES, NAMES, NAMES, NAMES, NAMES)
@example("a|b.py", "@everyone", "GET /`|`<b>", "x = '|' # `", "test_[a|b]")
@example("<!--", "-->", "</details>", "</summary>", "&lt;")
def test_names_come_back_and_are_no_markup(
    path: str, function: str, route: str, source: str, test: str
) -> None:
    """What is not in code reads the same whatever the names are."""
    told_of = page_about(path, function, f"GET {route}", f"x{source}x", test)
    plain = page_about("p", "f", "GET r", "xsx", "t")
    assert told_of.prose.split() == plain.prose.split()
    assert told_of.tags == plain.tags
    assert clip(f"{escape(path)}:31", WIDTH) in told_of.codes
    assert clip(f"{escape(path)}:31 in {escape(function)}", WIDTH) in told_of.codes
    assert clip(escape(f"GET {route}"), WIDTH) in told_of.codes
    assert clip(escape(f"x{source}x"), WIDTH) in told_of.codes
    assert clip(escape(test), WIDTH) in told_of.codes


def page_about(path: str, function: str, route: str, source: str, test: str) -> Page:
    finding = replace(
        SLEEP,
        file=path,
        function=function,
        route=route,
        routes=(replace(SLEEP.routes[0], route=route),),
        source=source,
        tests=(test,),
        stack=tuple(
            replace(frame, file=path, function=function, project=True) for frame in SLEEP.stack
        ),
    )
    row = replace(endpoint("GET /x", "blocks", 1), route=route, advice=None)
    ignore = UnusedIgnore(file=path, line=7, rules=(function,), reason=None)
    return Page(RENDERER.render(report([finding], [row], unused_ignores=(ignore,))))


@pytest.mark.parametrize(
    ("hint", "prose", "codes"),
    [
        ("`poll` never awaits: make it a plain `def`.", " never awaits: make it a plain .", 2),
        ("Use `await asyncio.sleep(1)`.", "Use .", 1),
        ("await run_in_threadpool(sorted, ...)", "await run_in_threadpool(sorted, ...)", 0),
        ("await * [x](y)", "", 1),
        ("an odd ` of them", "", 1),
        ("see www.evil.example", "", 1),
        ("`a` @everyone `b`", "", 3),
    ],
)
def test_a_hint_keeps_its_code_and_may_be_no_markup(hint: str, prose: str, codes: int) -> None:
    """Plain words between backticks stay as they are, and whatever else there is becomes code."""
    page = Page(told(hint))
    assert page.prose.strip() == prose.strip()
    assert len(page.codes) == codes


@repeatable
@given(NAMES)
def test_no_hint_is_markup(hint: str) -> None:
    """Nothing is lost of it either."""
    page = Page("- x " + told(hint))
    assert set(page.tags) <= ALLOWED
    assert "@" not in page.prose
