"""Options: one table, which the command line, the ini file and the marker follow."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import _pytest.config.findpaths
import pytest

from pytest_asyncguard.catalog.rules import RULES, STALLS
from pytest_asyncguard.model import Level, Mode
from pytest_asyncguard.options import (
    MARKER,
    OPTIONS,
    Option,
    ReportFile,
    Settings,
    as_report,
    for_test,
    from_config,
    named_calls,
    read,
    seconds,
)
from pytest_asyncguard.options.values import LEVELS, MODES

BY_FIELD = {option.field: option for option in OPTIONS}

ROOT = Path(os.sep, "work", "shop")
NODE = "tests/test_it.py::test_it"


Values = Mapping[str, Any]
"""By field."""


def settings(given: Values = MappingProxyType({}), ini: Values = MappingProxyType({})) -> Settings:
    """The settings where these were given on the command line, and those in the ini file."""
    command_line = {BY_FIELD[name].dest: value for name, value in given.items()}
    file = {BY_FIELD[name].ini: value for name, value in ini.items()}
    return read(command_line.get, file.get, str(ROOT))


def refusal(given: Values = MappingProxyType({}), ini: Values = MappingProxyType({})) -> str:
    """The usage error that comes of these values."""
    with pytest.raises(pytest.UsageError) as caught:
        settings(given, ini)
    return str(caught.value)


# --- nonsense ----------------------------------------------------------------------------------

BOOLEAN = ("true", "false")
LEVELLED = (*LEVELS, *RULES)
CALLED = tuple(name for name in RULES if name not in STALLS)
TIMED = (*STALLS, "file", "tls-context")

NONSENSE: tuple[tuple[str, object, object, tuple[str, ...]], ...] = (
    # The field, a bad value, what of it is wrong, and what is to be named as allowed.
    ("enabled", "perhaps", "perhaps", BOOLEAN),
    ("enabled", "2", "2", BOOLEAN),
    ("mode", "fail", "fail", ("fail-tests", "fail-run", "report")),
    ("mode", "REPORT", "REPORT", ("fail-tests", "fail-run", "report")),
    ("mode", 3, 3, ("fail-tests", "fail-run", "report")),
    ("scope", "all", "all", ("app", "loop")),
    ("threshold", "soon", "soon", ("100ms", "0.1s", "0.1", "above zero")),
    ("threshold", "0", "0", ("above zero",)),
    ("threshold", "0ms", "0ms", ("above zero",)),
    ("threshold", "-1s", "-1s", ("above zero",)),
    ("threshold", "100 min", "100 min", ("100ms",)),
    ("threshold", "1e3", "1e3", ("100ms",)),
    ("threshold", "nan", "nan", ("100ms",)),
    ("threshold", math.inf, math.inf, ("above zero",)),
    ("threshold", math.nan, math.nan, ("above zero",)),
    ("threshold", -1, -1, ("above zero",)),
    ("threshold", 0.0, 0.0, ("above zero",)),
    ("threshold", True, True, ("above zero",)),
    ("threshold", "9" * 400, "9" * 400, ("above zero",)),
    ("threshold", 10**400, 10**400, ("above zero",)),
    ("threshold", 1e300, 1e300, ("above zero",)),
    ("threshold", "0.0000001ms", "0.0000001ms", ("above zero",)),
    ("threshold", "100m", "100m", ("100ms",)),
    ("threshold", "100us", "100us", ("100ms",)),
    ("threshold", "0,1", "0,1", ("100ms",)),
    ("threshold", "\u0661s", "\u0661s", ("100ms",)),
    ("threshold", timedelta(seconds=1), timedelta(seconds=1), ("100ms",)),
    ("threshold", ["1s", "2 h"], "2 h", ("100ms",)),
    ("threshold", "cpu-stall=", "cpu-stall=", ("100ms",)),
    ("threshold", "cpu-stall=soon", "cpu-stall=soon", ("100ms",)),
    ("threshold", "cpu-stall=1s=2s", "cpu-stall=1s=2s", ("100ms",)),
    ("threshold", "=1s", "=1s", TIMED),
    ("threshold", "stall=1s", "stall=1s", TIMED),
    ("threshold", "sleep=1s", "sleep=1s", TIMED),
    ("threshold", ["1s", "AG101=1s"], "AG101=1s", TIMED),
    ("threshold", {"cpu-stall": math.nan}, {"cpu-stall": math.nan}, ("above zero",)),
    ("threshold", {"cpu-stall": None}, {"cpu-stall": None}, ("above zero",)),
    ("threshold", {None: 1}, {None: 1}, TIMED),
    ("rule", ["sleep"], "sleep", LEVELLED),
    ("rule", ["sleep="], "sleep=", LEVELLED),
    ("rule", ["sleep=loud"], "sleep=loud", LEVELLED),
    ("rule", ["slumber=off"], "slumber=off", LEVELLED),
    ("rule", ["=off"], "=off", LEVELLED),
    ("rule", ["sleep=off", "AG999=off"], "AG999=off", LEVELLED),
    ("rule", 3, 3, ("a list",)),
    ("strict", "very", "very", BOOLEAN),
    ("call", ["fetch"], "fetch", CALLED),
    ("call", ["shop.fetch="], "shop.fetch=", CALLED),
    ("call", ["shop.fetch=slow"], "shop.fetch=slow", CALLED),
    ("call", ["shop.fetch=cpu-stall"], "shop.fetch=cpu-stall", CALLED),
    ("call", ["shop.fe tch"], "shop.fe tch", ("a dotted name",)),
    ("call", ["shop."], "shop.", ("a dotted name",)),
    ("call", [".fetch"], ".fetch", ("a dotted name",)),
    ("call", ["3shop.fetch"], "3shop.fetch", ("a dotted name",)),
    ("doubles", "some", "some", BOOLEAN),
    ("source", 3, 3, ("a list",)),
    ("report", 3, 3, ("a list",)),
)
CASES = [pytest.param(*case, id=f"{case[0]}={str(case[1])[:20]}") for case in NONSENSE]


@pytest.mark.parametrize(("field", "value", "wrong", "allowed"), CASES)
def test_nonsense_on_the_command_line_is_refused(
    field: str, value: object, wrong: object, allowed: tuple[str, ...]
) -> None:
    """With the option, the value, and what is allowed."""
    text = refusal({field: value})
    option, _, rest = text.partition(": ")
    assert option == BY_FIELD[field].flag
    assert rest.startswith(f"{wrong!r} is not ")
    assert [word for word in allowed if word not in rest] == []


@pytest.mark.parametrize(("field", "value", "wrong", "allowed"), CASES)
def test_nonsense_in_the_ini_file_is_refused(
    field: str, value: object, wrong: object, allowed: tuple[str, ...]
) -> None:
    """Under the name that it has there; a good value on the command line excuses nothing."""
    text = refusal(ini={field: value})
    option, _, rest = text.partition(": ")
    assert option == BY_FIELD[field].ini
    assert rest.startswith(f"{wrong!r} is not ")
    assert [word for word in allowed if word not in rest] == []


@pytest.mark.parametrize(
    ("field", "value", "wrong", "allowed"),
    [case for case in CASES if BY_FIELD[str(case.values[0])].marker],
)
def test_nonsense_in_a_marker_is_refused(
    field: str, value: object, wrong: object, allowed: tuple[str, ...]
) -> None:
    """With the test that bears it."""
    mark = pytest.mark.asyncguard(**{field: value}).mark
    with pytest.raises(pytest.UsageError) as caught:
        for_test(settings(), [mark], NODE)
    text = str(caught.value)
    assert text.startswith(f"{NODE}: @pytest.mark.asyncguard({field}=...): {wrong!r} is not ")
    assert [word for word in allowed if word not in text] == []


def test_a_marker_takes_keywords_only() -> None:
    """Nobody would know what a number means."""
    with pytest.raises(pytest.UsageError, match=r"test_it: .* takes keywords only"):
        for_test(settings(), [pytest.mark.asyncguard(0.1).mark], NODE)


def test_what_cannot_even_be_printed_is_refused() -> None:
    """A marker takes any object; the error says at least of what kind it is."""
    with pytest.raises(pytest.UsageError, match="this int is not a duration"):
        for_test(settings(), [pytest.mark.asyncguard(threshold=10**5000).mark], NODE)


@pytest.mark.parametrize("name", ["rules", "scope", "report", "nonsense"])
def test_a_marker_has_the_keywords_of_the_table(name: str) -> None:
    """Those that make sense for one test; the error names them all."""
    with pytest.raises(pytest.UsageError) as caught:
        for_test(settings(), [pytest.mark.asyncguard(**{name: "x"}).mark], NODE)
    text = str(caught.value)
    assert NODE in text
    assert repr(name) in text
    assert [o.field for o in OPTIONS if o.marker and o.field not in text] == []


@pytest.mark.parametrize("item", [3, None, ("shop.fetch",), "fetch", "shop.fetch=slow"])
def test_nonsense_of_a_hook_is_refused(item: object) -> None:
    """The error names the hook."""
    with pytest.raises(pytest.UsageError, match=r"^pytest_asyncguard_blocking_calls: .* is not "):
        named_calls(item)


@pytest.mark.parametrize("value", ["perhaps", "2"])
@pytest.mark.parametrize(
    "option", [option for option in OPTIONS if option.kind == "bool"], ids=lambda o: o.ini
)
def test_a_boolean_in_a_real_ini_file_is_refused_like_any_value(
    pytester: pytest.Pytester, option: Option, value: str
) -> None:
    """Though it is pytest that reads it."""
    pytester.makeini(f"[pytest]\n{option.ini} = {value}")
    with pytest.raises(pytest.UsageError) as caught:
        pytester.parseconfig()
    text = str(caught.value)
    assert [word for word in (option.ini, repr(value), *BOOLEAN) if word not in text] == []


# --- sense -------------------------------------------------------------------------------------

JSON = (ReportFile(format="json", path="asyncguard.json"),)

SENSE: tuple[tuple[str, object, object], ...] = (
    *(("enabled", value, True) for value in (True, "true", "True", " YES ", "on", "1")),
    *(("enabled", value, False) for value in (False, "false", "No", "off", "0")),
    ("mode", "fail-run", "fail-run"),
    ("mode", " report ", "report"),
    ("scope", "loop", "loop"),
    *(("threshold", value, 0.1) for value in ("100ms", "100 ms", "0.1", ".1s", "0.1 S", 0.1)),
    ("threshold", "2", 2.0),
    ("threshold", "2.", 2.0),
    ("threshold", 2, 2.0),
    ("rule", ["sleep=off"], {"sleep": "off"}),
    ("rule", ["AG101=warning", "file = error"], {"sleep": "warning", "file": "error"}),
    ("rule", ["sleep=off", "ag101=error"], {"sleep": "error"}),
    ("strict", "true", True),
    ("call", ["shop.fetch"], {"shop.fetch": "sync-client"}),
    ("call", ["shop.Client.get=AG103"], {"shop.Client.get": "sync-database"}),
    ("call", ["shop.legacy:fetch = sleep"], {"shop.legacy:fetch": "sleep"}),
    ("call", ["shöp.größe"], {"shöp.größe": "sync-client"}),
    ("doubles", "false", False),
    ("report", ["json"], JSON),
    ("report", ["json:out/a.json"], (ReportFile(format="json", path="out/a.json"),)),
    ("report", ["json:-"], (ReportFile(format="json", path=None),)),
    ("report", ["json", "json:C:\\a.json"], (*JSON, ReportFile(format="json", path="C:\\a.json"))),
)


@pytest.mark.parametrize(("field", "value", "meant"), SENSE)
def test_a_value_means_the_same_wherever_it_stands(
    field: str, value: object, meant: object
) -> None:
    """On the command line, in the ini file, and in a marker where there may be one."""
    assert getattr(settings({field: value}), field) == meant
    assert getattr(settings(ini={field: value}), field) == meant
    if BY_FIELD[field].marker:
        mark = pytest.mark.asyncguard(**{field: value}).mark
        assert getattr(for_test(settings(), [mark], NODE), field) == meant


def test_sources_are_relative_to_the_root() -> None:
    """Wherever pytest was started."""
    elsewhere = Path(os.sep, "elsewhere")
    given = settings({"source": ["src", str(elsewhere)]})
    assert given.source == (str(ROOT / "src"), str(elsewhere))


@pytest.mark.parametrize("nothing", [None, "", []], ids=repr)
def test_without_a_value_there_is_the_default(nothing: object) -> None:
    """Releases of pytest differ in what they give for what nobody has set."""
    given = {} if nothing == "" else dict.fromkeys(BY_FIELD, nothing)
    default = settings(given, dict.fromkeys(BY_FIELD, nothing))
    assert default == settings()
    assert (default.enabled, default.mode, default.threshold) == (False, "fail-tests", 0.1)


# --- precedence --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "low", "high", "highest"),
    [
        ("threshold", "1s", "2s", "3s"),
        ("mode", "report", "fail-run", "fail-tests"),
        ("enabled", "false", True, False),
    ],
)
def test_the_nearest_word_is_the_last(field: str, low: str, high: Any, highest: Any) -> None:
    """Marker, command line, ini file, default."""
    option = BY_FIELD[field]
    file = settings(ini={field: low})
    line = settings({field: high}, {field: low})
    marked = for_test(line, [pytest.mark.asyncguard(**{field: highest}).mark], NODE)
    parse = seconds if field == "threshold" else option.parse
    assert [getattr(each, field) for each in (file, line, marked)] == [
        parse(value) for value in (low, high, highest)
    ]


def test_of_several_markers_the_nearest_counts() -> None:
    """The function's before the class's before the module's; each keyword by itself."""
    marks = [
        pytest.mark.asyncguard(threshold="1s", mode="report").mark,
        pytest.mark.asyncguard(threshold="2s").mark,
    ]
    marked = for_test(settings(), marks, NODE)
    assert (marked.threshold, marked.mode) == (2.0, "report")


def test_a_marker_changes_nothing_for_other_tests() -> None:
    """The settings of the run stay as they are."""
    of_run = settings()
    for_test(of_run, [pytest.mark.asyncguard(enabled=True, threshold=5).mark], NODE)
    assert of_run == settings()


@pytest.mark.parametrize("field", ["rule", "call"])
def test_what_is_set_item_by_item_is_added_to(field: str) -> None:
    """The command line says more, or otherwise, on the items that it names."""
    low, high, both = {
        "rule": (
            ["sleep=off", "file=off"],
            ["sleep=error"],
            {"sleep": "error", "file": "off"},
        ),
        "call": (
            ["a.b=sleep", "c.d"],
            ["a.b=socket"],
            {"a.b": "socket", "c.d": "sync-client"},
        ),
    }[field]
    assert getattr(settings({field: high}, {field: low}), field) == both


def test_what_is_a_list_is_replaced() -> None:
    """Who asks for one report does not want those of the ini file."""
    low = {"report": ["json:a"], "source": ["a"]}
    given = settings({"report": ["json:b"], "source": ["b"]}, low)
    assert [item.path for item in given.report] == ["b"]
    assert given.source == (str(ROOT / "b"),)


# --- thresholds --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        ["cpu-stall=250ms", "AG202 = 2"],
        "cpu-stall=250ms",
        {"cpu-stall": "250ms", "ag202": 2},
        ["cpu-stall=1s", "ag201=.25s"],
    ],
    ids=repr,
)
def test_a_rule_may_have_a_threshold_of_its_own(value: object) -> None:
    """By name or code, wherever a threshold may stand; the others have that of the run."""
    mark = pytest.mark.asyncguard(threshold=value).mark
    for given in (
        settings({"threshold": value}),
        settings(ini={"threshold": value}),
        for_test(settings(), [mark], NODE),
    ):
        assert given.threshold == 0.1
        assert given.threshold_ns_of("cpu-stall") == 250_000_000
        assert given.threshold_ns_of("file") == 100_000_000
        assert given.least_threshold_ns == 100_000_000


def test_what_is_shorter_than_every_threshold_interests_nobody() -> None:
    """The least of them says what is to be looked at."""
    assert settings({"threshold": ["1s", "cpu-stall=20ms"]}).least_threshold_ns == 20_000_000
    assert settings({"threshold": ["1s", "cpu-stall=2s"]}).least_threshold_ns == 1_000_000_000


WIDER = ["50ms", "cpu-stall=300ms", "blocked-stall=400ms"]


@pytest.mark.parametrize(
    ("nearer", "every", "of_rules"),
    [
        ("cpu-stall=1s", 0.05, {"cpu-stall": 1.0, "blocked-stall": 0.4}),
        ("1s", 1.0, {}),
        (["cpu-stall=2s", "1s"], 1.0, {"cpu-stall": 2.0}),
        (["1s", "cpu-stall=2s", "3s"], 3.0, {"cpu-stall": 2.0}),
    ],
)
def test_a_threshold_for_all_rules_replaces_what_was_said_of_one_farther_off(
    nearer: object, every: float, of_rules: dict[str, float]
) -> None:
    """Who gives a test a second means a second; in the same place, the rule's own one counts."""
    mark = pytest.mark.asyncguard(threshold=nearer).mark
    for given in (
        settings({"threshold": nearer}, {"threshold": WIDER}),
        for_test(settings(ini={"threshold": WIDER}), [mark], NODE),
        for_test(settings(), [pytest.mark.asyncguard(threshold=WIDER).mark, mark], NODE),
    ):
        assert (given.threshold, given.thresholds) == (every, of_rules)


toml = pytest.mark.skipif(
    not hasattr(_pytest.config.findpaths, "ConfigValue"), reason="this pytest reads no pytest.toml"
)


@toml
@pytest.mark.parametrize(
    ("line", "every", "of_rules"),
    [
        ("asyncguard_threshold = 0.25", 0.25, {}),
        ("asyncguard_threshold = 2", 2.0, {}),
        ('asyncguard_threshold = "250ms"', 0.25, {}),
        ('asyncguard_threshold = ["1s", "cpu-stall=250ms"]', 1.0, {"cpu-stall": 0.25}),
        ("asyncguard_threshold = [0.25]", 0.25, {}),
        ("asyncguard_threshold = {cpu-stall = 0.25}", 0.1, {"cpu-stall": 0.25}),
    ],
)
def test_a_threshold_in_a_toml_file_may_have_its_own_type(
    pytester: pytest.Pytester, line: str, every: float, of_rules: dict[str, float]
) -> None:
    """A number, a text, a list or a table, where pytest reads TOML as TOML."""
    pytester.makefile(".toml", pytest=f"[pytest]\n{line}\n")
    config = pytester.parseconfig("-c", "pytest.toml")
    given = from_config(config, config.option)
    assert (given.threshold, given.thresholds) == (every, of_rules)


@toml
@pytest.mark.parametrize("value", ["0", "true", "[true]", '"soon"', "inf", "nan", "-1.5"])
def test_nonsense_of_its_own_type_in_a_toml_file_is_refused(
    pytester: pytest.Pytester, value: str
) -> None:
    """With the option and what is allowed, as in any other file."""
    pytester.makefile(".toml", pytest=f"[pytest]\nasyncguard_threshold = {value}\n")
    with pytest.raises(pytest.UsageError) as caught:
        pytester.parseconfig("-c", "pytest.toml")
    assert "asyncguard_threshold: " in str(caught.value)
    assert "is not a duration above zero, as in 100ms" in str(caught.value)


def test_thresholds_in_an_ini_file_are_lines(pytester: pytest.Pytester) -> None:
    """One for all rules may stand on the line of the name."""
    pytester.makeini("[pytest]\nasyncguard_threshold = 50ms\n    AG201=250ms\n")
    config = pytester.parseconfig()
    given = from_config(config, config.option)
    assert (given.threshold, given.thresholds) == (0.05, {"cpu-stall": 0.25})


# --- the table ---------------------------------------------------------------------------------


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.field)
def test_a_row_is_whole(option: Option) -> None:
    """Each has a field, a flag and an ini name after it, and says what it does."""
    assert hasattr(settings(), option.field)
    assert option.help
    assert option.flag.startswith("--asyncguard")
    assert "_" not in option.flag
    assert option.ini.startswith("asyncguard")
    assert option.repeatable <= (option.metavar is not None)
    assert option.kind in {"bool", "string", "linelist"}


def test_modes_and_levels_are_those_of_the_model() -> None:
    """They are written down twice, for a run without the guard is not to load the model."""
    assert get_args(Mode) == MODES
    assert get_args(Level) == LEVELS


def test_names_are_given_once() -> None:
    """On the command line, in the ini file and in the settings."""
    for names in zip(*((o.field, o.flag, o.ini, o.dest) for o in OPTIONS), strict=True):
        assert len(set(names)) == len(OPTIONS)


def test_every_setting_is_in_the_report_under_its_ini_name() -> None:
    """Whoever reads a report sees what was in force, with paths relative to the root."""
    given = settings(
        {
            "threshold": ["cpu-stall=250ms"],
            "rule": ["sleep=off"],
            "call": ["a.b"],
            "source": ["src"],
            "report": ["json:-", "json:a.json"],
        }
    )
    values = as_report(given, lambda path: Path(path).relative_to(ROOT).as_posix())
    names = {option.ini.removeprefix("asyncguard").removeprefix("_") for option in OPTIONS}
    assert values.keys() == (names - {""}) | {"enabled", "thresholds"}
    assert (values["threshold"], values["thresholds"]) == (0.1, {"cpu-stall": 0.25})
    assert values["rules"] == {"sleep": "off"}
    assert values["calls"] == {"a.b": "sync-client"}
    assert values["source"] == ["src"]
    assert values["reports"] == ["json:-", "json:a.json"]


def test_the_marker_is_described_with_its_keywords() -> None:
    """As pytest --markers shows them."""
    for option in OPTIONS:
        assert (f"{option.field}=" in MARKER) is option.marker


def test_pytest_knows_every_option_and_its_twin(pytester: pytest.Pytester) -> None:
    """Also under --strict-config, where an unknown key is an error."""
    values = {"bool": "false", "string": "", "linelist": ""}
    lines = [f"{option.ini} = {values[option.kind]}" for option in OPTIONS]
    pytester.makeini("\n".join(["[pytest]", *lines]))
    config = pytester.parseconfig("--strict-config")
    for option in OPTIONS:
        assert hasattr(config.option, option.dest)
        config.getini(option.ini)


def test_help_shows_every_option(pytester: pytest.Pytester) -> None:
    """With its ini name further below."""
    text = pytester.runpytest_subprocess("--help").stdout.str()
    assert [name for o in OPTIONS for name in (o.flag, o.ini) if name not in text] == []
