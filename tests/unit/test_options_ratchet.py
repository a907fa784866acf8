"""The options of the ratchet: baseline, allowances, reports, and how much is to be exercised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_asyncguard.options import REPORTS, ReportFile, Settings, as_report, for_test, read
from pytest_asyncguard.options.values import allowances, pattern_lines, percent
from pytest_asyncguard.render import RENDERERS


def settings(ini: Mapping[str, Any] | None = None, **command_line: Any) -> Settings:
    given = {f"asyncguard_{name}": value for name, value in command_line.items()}
    return read(given.get, (ini or {}).get, "/root")


def mark(**keywords: Any) -> pytest.Mark:
    made: pytest.Mark = pytest.mark.asyncguard(**keywords).mark
    return made


PLACES: Final[Mapping[str, Callable[[str], object]]] = {
    "--asyncguard-allow": lambda line: settings(allow=[line]),
    "asyncguard_allow": lambda line: settings({"asyncguard_allow": ["time.sleep", line]}),
    "a.py::b: @pytest.mark.asyncguard(allow=...)": lambda line: for_test(
        settings(), [mark(allow=[line])], "a.py::b"
    ),
    "a_hook": lambda line: pattern_lines(line, "a_hook"),
}
"""Where a pattern may stand, as an error calls the place, and how it is read there."""


# --- allowances ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "pattern", "reason"),
    [
        ("time.sleep", "time.sleep", None),
        ("open", "open", None),
        ("requests.*  # legacy, see #12", "requests.*", "legacy, see #12"),
        ("app/db.py::Pool.get until June", "app/db.py::Pool.get", "until June"),
        ("app/*::*\tgenerated", "app/*::*", "generated"),
        ("time.sleep  #", "time.sleep", None),
    ],
)
def test_an_allowance_is_a_pattern_and_a_reason(
    line: str, pattern: str, reason: str | None
) -> None:
    """The first space ends the pattern; a hash may stand before the reason."""
    assert allowances([line]) == {pattern: reason}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sleep", "a rule is switched off with --asyncguard-rule=sleep=off"),
        ("AG110 old", "a rule is switched off with --asyncguard-rule=AG110=off"),
        ("::f", "DOTTED.CALL or PATH::FUNCTION"),
        ("app.py::", "DOTTED.CALL or PATH::FUNCTION"),
        ("app/db.py", "DOTTED.CALL or PATH::FUNCTION"),
        ("time.sleep() why", "DOTTED.CALL or PATH::FUNCTION"),
        ("# a comment", "DOTTED.CALL or PATH::FUNCTION"),
    ],
)
@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_pattern_is_a_usage_error(line: str, said: str, place: str) -> None:
    """It would allow nothing, and nobody would know. The error has the place and the value."""
    with pytest.raises(pytest.UsageError) as raised:
        PLACES[place](line)
    assert str(raised.value).startswith(f"{place}: {line!r} is not ")
    assert said in str(raised.value)


def test_a_hook_returns_text() -> None:
    """Anything else is named for what it is."""
    with pytest.raises(pytest.UsageError, match=r"^the_hook: 3 is not a line of text$"):
        pattern_lines(3, "the_hook")


def test_allowances_of_all_places_count() -> None:
    """The marker comes on top of the command line, and that on top of the ini file."""
    of_run = settings({"asyncguard_allow": ["open ini", "time.sleep ini"]}, allow=["open cli"])
    assert of_run.allow == {"open": "cli", "time.sleep": "ini"}
    marks = [mark(allow=["a.b own", "c.d"], reason="all"), mark(allow="time.sleep")]
    of_test = for_test(of_run, marks, "t")
    assert list(of_test.allow.items()) == [
        ("open", "cli"),
        ("a.b", "own"),
        ("c.d", "all"),
        ("time.sleep", None),
    ]
    assert of_run.allow == {"open": "cli", "time.sleep": "ini"}


def test_a_marker_may_give_a_reason_for_anything() -> None:
    """Switching the guard off for a test deserves one, too; it has to be text."""
    assert not for_test(settings(enabled=True), [mark(enabled=False, reason="x")], "t").enabled
    with pytest.raises(pytest.UsageError, match=r"^t: .*\(reason=\.\.\.\): 3 is not text$"):
        for_test(settings(), [mark(allow=["open"], reason=3)], "t")


@given(st.text())
def test_no_line_breaks_the_reader_of_allowances(line: str) -> None:
    """It is read, or refused with what is allowed."""
    try:
        found = allowances(line)
    except ValueError as error:
        assert str(error).startswith("DOTTED.CALL or PATH::FUNCTION")  # noqa: PT017
    else:
        assert len(found) == bool(line.strip())


# --- the baseline ----------------------------------------------------------------------------


def test_the_baseline_is_relative_to_rootdir() -> None:
    """Wherever pytest is started, it is the same file."""
    assert settings(baseline="ci/known.json").baseline == "/root/ci/known.json"
    assert settings({"asyncguard_baseline": "a.json"}, baseline="/b.json").baseline == "/b.json"
    assert settings().baseline is None


def test_an_update_has_a_file_to_write() -> None:
    """One option is enough to begin with."""
    made = settings(enabled=True, update_baseline=True)
    assert made.baseline == "/root/asyncguard-baseline.json"
    made = settings({"asyncguard_baseline": "a.json"}, enabled=True, update_baseline=True)
    assert made.baseline == "/root/a.json"


def test_an_update_needs_the_guard() -> None:
    """A run without it finds nothing, and would write that down."""
    with pytest.raises(pytest.UsageError, match=r"^--asyncguard-update-baseline: nothing runs"):
        settings(update_baseline=True)


# --- what is to be exercised -----------------------------------------------------------------


@pytest.mark.parametrize("value", ["80", " 80% ", "80.0", 80, 80.0])
def test_a_percentage_is_a_number(value: object) -> None:
    """With the sign or without, as text or as TOML has it."""
    assert percent(value) == 80.0


@pytest.mark.parametrize("value", ["", "all", "-1", "100.1", "nan", "inf", "80%%", True, None])
def test_what_is_no_percentage_is_refused(value: object) -> None:
    """The message says what is one."""
    with pytest.raises(ValueError, match=r"^a percentage, 0 to 100$"):
        percent(value)


def test_exempt_endpoints_are_routes() -> None:
    """With their method or without it."""
    assert settings(exempt=["GET /health", "/static/*"]).exempt == ("GET /health", "/static/*")
    for value in ("health", "get /health", "GET", "GET health"):
        with pytest.raises(pytest.UsageError, match=r"^--asyncguard-exempt: '.*' is not a route"):
            settings(exempt=[value])


# --- reports ---------------------------------------------------------------------------------


def test_the_table_has_the_formats_that_there_are() -> None:
    """Options are read without the renderers, so the two lists are held together here."""
    paths = {name: renderer.default_path for name, renderer in RENDERERS.items()}
    assert dict(REPORTS) == {**paths, "junit": None}


@pytest.mark.parametrize(
    ("value", "format_name", "path"),
    [
        ("json", "json", "asyncguard.json"),
        ("sarif:out/a.sarif", "sarif", "out/a.sarif"),
        ("gitlab", "gitlab", "gl-code-quality-report.json"),
        ("github", "github", None),
        ("markdown:-", "markdown", None),
        ("json:C:/a.json", "json", "C:/a.json"),
        ("junit", "junit", None),
        ("my-format", "my-format", "asyncguard.my-format"),
    ],
)
def test_a_report_is_a_format_and_a_path(value: str, format_name: str, path: str | None) -> None:
    """Without a path it goes where its format usually does. Other plugins may add formats."""
    assert settings(report=[value]).report == (ReportFile(format=format_name, path=path),)


@pytest.mark.parametrize("value", ["json:", ":a.json", "JSON", "json report", "junit:a.xml"])
def test_what_is_no_report_is_refused(value: str) -> None:
    """The message names the formats."""
    with pytest.raises(pytest.UsageError, match=r"^--asyncguard-report: '.*' is not .*junit"):
        settings(report=[value])


def test_the_report_has_every_setting_in_plain_data() -> None:
    """As it was in force, paths as in the rest of the report."""
    made = settings(enabled=True, baseline="b.json", allow=["open x"], exempt=["/a"])
    told = as_report(made, lambda path: path.removeprefix("/root/"))
    assert (told["baseline"], told["allow"], told["exempt"]) == ("b.json", {"open": "x"}, ["/a"])
    assert (told["update_baseline"], told["min_exercised"], told["github"]) == (False, 0.0, True)
