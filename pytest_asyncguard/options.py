"""Options: one table, from which the command line, the ini file and the marker are all read.

Precedence is marker, command line, ini, default. A bad value is a usage error that names the
option, the value and what is allowed.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import pytest

from pytest_asyncguard.catalog import rules
from pytest_asyncguard.model import Level, Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

Scope = Literal["app", "loop"]
REPORTS: Final = ("json",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFile:
    """A report to write; ``path`` None is standard output."""

    format: str
    path: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every option as it is in force."""

    enabled: bool = False
    mode: Mode = "fail-tests"
    scope: Scope = "app"
    threshold: float = 0.1
    rule: Mapping[str, Level]
    strict: bool = False
    call: Mapping[str, str]
    doubles: bool = True
    source: tuple[str, ...] = ()
    report: tuple[ReportFile, ...] = ()

    @property
    def threshold_ns(self) -> int:
        return round(self.threshold * 1e9)


# --- values ----------------------------------------------------------------------------------


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off", ""):
        return False
    raise ValueError("true or false")


def _choice(*allowed: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if not isinstance(value, str) or value.strip() not in allowed:
            raise ValueError(", ".join(allowed))
        return value.strip()

    return parse


_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(ms|s)?")


def seconds(value: object) -> float:
    """``100ms``, ``0.1s`` and ``0.1`` are the same duration."""
    allowed = "a duration above zero, as in 100ms, 0.1s or 0.1 (seconds)"
    if isinstance(value, bool):
        raise ValueError(allowed)
    if isinstance(value, (int, float)):
        number = float(value)
    else:
        match = _DURATION.fullmatch(str(value).strip().lower())
        if match is None:
            raise ValueError(allowed)
        number = float(match[1]) / (1000 if match[2] == "ms" else 1)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(allowed)
    return number


def _rule_levels(values: object) -> dict[str, Level]:
    levels: dict[str, Level] = {}
    for value in _items(values):
        name, equals, level = value.partition("=")
        rule = rules.find(name)
        if not equals or rule is None or level.strip() not in get_args(Level):
            names = ", ".join(rules.RULES)
            raise BadItemError(
                value, f"NAME=error|warning|off, where NAME is a code or one of {names}"
            )
        levels[rule.name] = level.strip()  # type: ignore[assignment]
    return levels


_DOTTED = re.compile(r"[^\W\d]\w*([.:][^\W\d]\w*)+")


def calls(values: object) -> dict[str, str]:
    """Dotted names of callables that block, each with its rule."""
    found: dict[str, str] = {}
    for value in _items(values):
        name, equals, rule_name = (part.strip() for part in value.partition("="))
        rule = rules.find(rule_name) if equals else rules.RULES["sync-client"]
        if rule is None or rule.name in rules.STALLS or not _DOTTED.fullmatch(name):
            names = ", ".join(name for name in rules.RULES if name not in rules.STALLS)
            raise BadItemError(value, f"a dotted name, or NAME=RULE, where RULE is one of {names}")
        found[name] = rule.name
    return found


def named_calls(item: object) -> dict[str, str]:
    """What the hook ``pytest_asyncguard_blocking_calls`` returned, where it is no BlockingCall.

    Raises pytest.UsageError for what is not a dotted name.
    """
    where = "pytest_asyncguard_blocking_calls"
    if not isinstance(item, str):
        raise pytest.UsageError(f"{where}: {item!r} is not a BlockingCall or a dotted name")
    try:
        return calls(item)
    except BadItemError as error:
        raise pytest.UsageError(f"{where}: {error.item!r} is not {error}") from None


def _paths(values: object) -> tuple[str, ...]:
    return tuple(_items(values))


def _reports(values: object) -> tuple[ReportFile, ...]:
    found: list[ReportFile] = []
    for value in _items(values):
        name, colon, path = value.partition(":")
        if name not in REPORTS or (colon and not path):
            raise BadItemError(
                value, f"FORMAT:PATH, where FORMAT is {', '.join(REPORTS)}; PATH - prints it"
            )
        if not path:
            path = f"asyncguard.{name}"
        found.append(ReportFile(format=name, path=None if path == "-" else path))
    return tuple(found)


def _items(values: object) -> list[str]:
    if isinstance(values, str):
        values = [values]
    if not isinstance(values, (list, tuple)):
        raise TypeError("a list")
    return [item for value in values for item in [str(value).strip()] if item]


class BadItemError(ValueError):
    """One item of several is wrong."""

    def __init__(self, item: str, allowed: str) -> None:
        super().__init__(allowed)
        self.item = item


# --- the table -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A row of the table.

    ``field`` is the name in ``Settings`` and the report; ``plural``, where there is one, that in
    the ini file, which has the prefix ``asyncguard_``.
    """

    field: str
    parse: Callable[[object], Any]
    help: str
    metavar: str | None = None
    repeatable: bool = False
    marker: bool = False
    plural: str | None = None

    @property
    def flag(self) -> str:
        return "--asyncguard" if self.field == "enabled" else f"--asyncguard-{self.field}"

    @property
    def ini(self) -> str:
        return (
            "asyncguard" if self.field == "enabled" else f"asyncguard_{self.plural or self.field}"
        )

    @property
    def kind(self) -> Any:
        """The type that the ini file gives it."""
        if self.repeatable:
            return "linelist"
        return "bool" if self.metavar in (None, "BOOL") else "string"

    @property
    def dest(self) -> str:
        return f"asyncguard_{self.field}"


OPTIONS: Final = (
    Option(
        field="enabled",
        parse=_boolean,
        marker=True,
        help="watch the event loop, and report what blocks it",
    ),
    Option(
        field="mode",
        parse=_choice(*get_args(Mode)),
        metavar="MODE",
        marker=True,
        help="fail-tests (default): the responsible tests fail; fail-run: the run fails; "
        "report: nothing fails",
    ),
    Option(
        field="scope",
        parse=_choice(*get_args(Scope)),
        metavar="SCOPE",
        help="app (default): what requests do; loop: the tests' and fixtures' own steps too",
    ),
    Option(
        field="threshold",
        parse=seconds,
        metavar="DURATION",
        marker=True,
        help="how long a request may hold the loop at a time, on the guard's clock "
        "(default: 100ms); known blocking calls need no threshold",
    ),
    Option(
        field="rule",
        plural="rules",
        parse=_rule_levels,
        metavar="NAME=LEVEL",
        repeatable=True,
        help="set the level of a rule to error, warning or off; repeatable",
    ),
    Option(
        field="strict",
        parse=_boolean,
        help="warnings count as errors",
    ),
    Option(
        field="call",
        plural="calls",
        parse=calls,
        metavar="DOTTED.NAME[=RULE]",
        repeatable=True,
        help="a callable of yours that blocks (default rule: sync-client); repeatable",
    ),
    Option(
        field="doubles",
        parse=_boolean,
        metavar="BOOL",
        help="report calls that a test replaced by a double (default: true)",
    ),
    Option(
        field="source",
        parse=_paths,
        metavar="PATH",
        repeatable=True,
        help="what counts as the project (default: what is under rootdir and not installed); "
        "repeatable",
    ),
    Option(
        field="report",
        plural="reports",
        parse=_reports,
        metavar="FORMAT[:PATH]",
        repeatable=True,
        help=f"write a report ({', '.join(REPORTS)}) to PATH, or to standard output where it is "
        "-; repeatable",
    ),
)

MARKER: Final = (
    f"asyncguard({', '.join(f'{option.field}=...' for option in OPTIONS if option.marker)}): "
    "settings of pytest-asyncguard for this test"
)


def add_options(parser: pytest.Parser) -> None:
    """Register the table with pytest."""
    group = parser.getgroup("asyncguard", "event-loop blocking detection (pytest-asyncguard)")
    for option in OPTIONS:
        keywords: dict[str, Any] = {"dest": option.dest, "default": None, "help": option.help}
        if option.metavar is None:
            group.addoption(option.flag, action="store_true", **keywords)
        else:
            action = "append" if option.repeatable else "store"
            group.addoption(option.flag, action=action, metavar=option.metavar, **keywords)
        parser.addini(option.ini, option.help, type=option.kind, default=None)


def from_config(config: pytest.Config, namespace: Any) -> Settings:
    """The settings in force, from pytest's own objects."""

    def ini(name: str) -> Any:
        try:
            return config.getini(name)
        except ValueError as error:  # pytest's word for a boolean that is none
            raise pytest.UsageError(f"{name}: {error}") from None

    return read(lambda dest: getattr(namespace, dest, None), ini, str(config.rootpath))


def read(
    option_value: Callable[[str], Any], ini_value: Callable[[str], Any], folder: str
) -> Settings:
    """The settings in force, from functions that look up the command line and the ini file.

    Raises pytest.UsageError for a value that is not allowed.
    """
    values: dict[str, Any] = {"rule": {}, "call": {}}
    for option in OPTIONS:
        for where, value in (
            (option.ini, ini_value(option.ini)),
            (option.flag, option_value(option.dest)),
        ):
            if value is None or value in ([], ""):
                continue
            parsed = _parsed(option, where, value)
            before = values.get(option.field)
            if isinstance(parsed, dict):
                parsed = {**(before or {}), **parsed}
            values[option.field] = parsed
    settings = Settings(**values)
    return replace(settings, source=tuple(os.path.join(folder, path) for path in settings.source))


def _parsed(option: Option, where: str, value: object) -> Any:
    try:
        return option.parse(value)
    except BadItemError as error:
        raise pytest.UsageError(f"{where}: {error.item!r} is not {error}") from None
    except (ValueError, TypeError) as error:
        raise pytest.UsageError(f"{where}: {value!r} is not {_one_of(error)}") from None


def _one_of(error: Exception) -> str:
    text = str(error)
    return f"one of {text}" if ", " in text and " " not in text.replace(", ", "") else text


def for_test(settings: Settings, marks: Sequence[pytest.Mark], test: str) -> Settings:
    """The settings of one test; ``marks`` with the nearest last.

    Raises pytest.UsageError for an argument that is not allowed.
    """
    by_name = {option.field: option for option in OPTIONS if option.marker}
    for mark in marks:
        if mark.args:
            raise pytest.UsageError(f"{test}: @pytest.mark.asyncguard takes keywords only")
        for name, value in mark.kwargs.items():
            if name not in by_name:
                allowed = ", ".join(by_name)
                raise pytest.UsageError(
                    f"{test}: @pytest.mark.asyncguard({name}=...): {name!r} is not one of {allowed}"
                )
            where = f"{test}: @pytest.mark.asyncguard({name}=...)"
            settings = replace(settings, **{name: _parsed(by_name[name], where, value)})
    return settings


def as_report(settings: Settings, relative: Callable[[str], str]) -> dict[str, object]:
    """Every option by its ini name without the prefix, as the JSON report has it."""
    values: dict[str, object] = {}
    for field in fields(settings):
        value: Any = getattr(settings, field.name)
        if field.name == "source":
            value = [relative(path) for path in value]
        elif field.name == "report":
            value = [f"{item.format}:{item.path or '-'}" for item in value]
        elif isinstance(value, Mapping):
            value = dict(value)
        values[next(o.plural or o.field for o in OPTIONS if o.field == field.name)] = value
    return values


__all__ = [
    "MARKER",
    "OPTIONS",
    "Option",
    "ReportFile",
    "Settings",
    "add_options",
    "as_report",
    "for_test",
    "from_config",
    "read",
    "seconds",
]
