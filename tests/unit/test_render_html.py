from __future__ import annotations

import re
import runpy
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_asyncguard.model import Finding, RunReport, UnusedIgnore
from pytest_asyncguard.render import RENDERERS
from pytest_asyncguard.render.html import STYLE, told
from pytest_asyncguard.render.text import escape

HERE = Path(__file__).parents[1] / "golden"
GOLDEN: dict[str, Any] = runpy.run_path(str(HERE / "__init__.py"), run_name="golden")
REPORTS: Mapping[str, RunReport] = {**GOLDEN["REPORTS"], **GOLDEN["TOLD_TO_CI"]}
SLEEP: Finding = GOLDEN["SLEEP"]
report: Callable[..., RunReport] = GOLDEN["report"]
endpoint: Callable[..., Any] = GOLDEN["endpoint"]
RENDERER = RENDERERS["html"]

repeatable = settings(deadline=None, derandomize=True, database=None)
NAMES = st.text(min_size=1, max_size=60) | st.text(
    alphabet="a<>&\"'/!-=;#`\n\x00\x1b\u202e\ud800\u5e97", min_size=1, max_size=30
)
"""Any text, and often one that is full of markup."""

VOID = {"meta", "br"}


class Page(HTMLParser):
    """The elements of a page, their attributes, and the text in each kind of element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in self.open:
            self.texts[tag][-1] += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


@pytest.mark.parametrize("name", sorted(GOLDEN["TOLD_TO_CI"]))
def test_the_page_reads_as_agreed(name: str) -> None:
    """The golden files, without the style; ``python -m tests.golden`` writes them anew."""
    golden = HERE / "html" / f"{name}.html"
    page = RENDERER.render(GOLDEN["TOLD_TO_CI"][name])
    assert page.replace(STYLE, "") == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_the_page_needs_nothing_else(name: str) -> None:
    """No script, image, font or address; its own policy allows none."""
    text = RENDERER.render(REPORTS[name])
    page = Page(text)
    assert not page.tags.keys() & {"script", "img", "link", "iframe", "object", "base"}
    assert {name for _, name, _ in page.attributes} <= {
        *("aria-label", "aria-labelledby", "charset", "class", "content", "href", "http-equiv"),
        *("id", "lang", "name", "role", "scope", "tabindex"),
    }
    assert "default-src 'none'" in text
    assert not re.search(r"url\(|@import|://", STYLE)


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_whoever_cannot_see_it_finds_the_way(name: str) -> None:
    """One title and heading, levels without a gap, links that lead somewhere, named tables."""
    page = Page(RENDERER.render(REPORTS[name]))
    assert page.tags["h1"] == page.tags["title"] == page.tags["main"] == 1
    assert page.texts["h1"] == page.texts["title"]
    assert page.tags["h2"] == page.tags["section"] == page.tags["a"]
    ids = [value for _, key, value in page.attributes if key == "id"]
    assert len(ids) == len(set(ids))
    asked = {value for _, key, value in page.attributes if key == "aria-labelledby"}
    asked |= {value.removeprefix("#") for _, key, value in page.attributes if key == "href"}
    assert asked <= set(ids)
    labels = [value for tag, key, value in page.attributes if (tag, key) == ("div", "aria-label")]
    assert len(labels) == page.tags["table"]
    assert ("html", "lang", "en") in page.attributes


def test_no_finding_is_left_out() -> None:
    """New ones as articles, errors first; covered ones with their reason."""
    page = Page(RENDERER.render(report([replace(SLEEP, severity="warning"), SLEEP])))
    assert page.tags["article"] == 2
    assert [title.split()[0] for title in page.texts["h3"]] == ["error", "warning"]
    covered = Page(RENDERER.render(REPORTS["covered"]))
    assert "article" not in covered.tags
    assert {"baselined", "ignored"} <= set(covered.texts["td"])
    assert "an admin page, twice a day" in covered.texts["td"]


def test_the_marked_part_is_what_blocks() -> None:
    """Of a line without columns, or one of several, no more is marked than is known."""
    page = Page(RENDERER.render(REPORTS["errors"]))
    assert "session.scalars(select(User).where(User.token == token))" in page.texts["mark"]
    bare = replace(SLEEP, column=None, end_column=None)
    assert "mark" not in Page(RENDERER.render(report([bare]))).tags
    several = Page(RENDERER.render(report([replace(SLEEP, end_line=99, end_column=2)])))
    assert several.texts["mark"] == ["time.sleep(0.25)"]


def contrast(first: str, second: str) -> float:
    """The ratio of WCAG between two colours."""

    def light(colour: str) -> float:
        digits = colour * 2 if len(colour) == 3 else colour
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((light(first), light(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_every_colour_can_be_read() -> None:
    """On paper and on code, by day and by night: 4.5 to 1, as WCAG asks of text."""
    themes = [dict(re.findall(r"--(\w+): #(\w+)", part)) for part in STYLE.split("@media")]
    assert len(themes) == 2
    for theme in themes:
        assert theme.keys() == themes[0].keys()
        for name in ("ink", "faint", "error", "warning", "clean", "link"):
            assert contrast(theme[name], theme["paper"]) >= 4.5, name
        assert contrast(theme["ink"], theme["code"]) >= 4.5
        assert contrast(theme["ink"], theme["mark"]) >= 4.5


@repeatable
@given(NAMES, NAMES, NAMES, NAMES)
def test_strings_of_others_are_text(path: str, source: str, route: str, reason: str) -> None:
    """They come back as they print, and are never markup."""
    finding = replace(
        SLEEP,
        file=path,
        source=source,
        function=source,
        call=source,
        detail=path,
        hint=reason,
        route=route,
        routes=(replace(SLEEP.routes[0], route=route),),
        tests=(path,),
        reason=reason,
    )
    row = endpoint("GET /", "clean", 1)
    rows = [replace(row, route=route, file=path, advice=reason)]
    ignore = UnusedIgnore(file=path, line=1, rules=("sleep",), reason=reason)
    made = report([finding], rows, unused_ignores=(ignore,))
    usual = report([replace(SLEEP, tests=("t",))], [row], unused_ignores=(ignore,))
    plain = Page(RENDERER.render(usual))
    page = Page(RENDERER.render(made))
    for tag in ("article", "section", "table", "tr", "li", "h3"):
        assert page.tags[tag] == plain.tags[tag]
    codes = page.texts["code"]
    assert f"{escape(path)}:{finding.line}" in codes
    assert escape(f"{source}({path})") in codes
    assert escape(route) in codes
    assert escape(reason) in page.texts["td"]
    assert escape(reason) in page.texts["p"]


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ("`a` and `b`", "<code>a</code> and <code>b</code>"),
        ("a ` b", "a ` b"),
        ("`<b>` & c", "<code>&lt;b&gt;</code> &amp; c"),
    ],
)
def test_names_in_hints_are_code(hint: str, shown: str) -> None:
    """Between backticks, where these come in pairs."""
    assert told(hint) == shown
