"""Options: one table, from which the command line, the ini file and the marker are all read.

Precedence is marker, command line, ini, default. A bad value is a usage error that names the
option, the value and what is allowed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import pytest

from pytest_asyncguard.model import Level, Mode
from pytest_asyncguard.options.values import (
    REPORTS,
    BadItemError,
    ReportFile,
    allowances,
    boolean,
    calls,
    choice,
    named_calls,
    path,
    paths,
    pattern_lines,
    percent,
    report_form,
    reports,
    routes,
    rule_levels,
    seconds,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

Scope = Literal["app", "loop"]

BASELINE: Final = "asyncguard-baseline.json"
"""Where ``--asyncguard-update-baseline`` writes if nobody says otherwise."""


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
    allow: Mapping[str, str | None] = field(default_factory=dict)
    baseline: str | None = None
    update_baseline: bool = False
    min_exercised: float = 0.0
    exempt: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    report: tuple[ReportFile, ...] = ()
    github: bool = True

    @property
    def threshold_ns(self) -> int:
        return round(self.threshold * 1e9)


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
        name = self.field.replace("_", "-")
        return "--asyncguard" if self.field == "enabled" else f"--asyncguard-{name}"

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
        parse=boolean,
        marker=True,
        help="watch the event loop, and report what blocks it",
    ),
    Option(
        field="mode",
        parse=choice(*get_args(Mode)),
        metavar="MODE",
        marker=True,
        help="fail-tests (default): the responsible tests fail; fail-run: the run fails; "
        "report: nothing fails",
    ),
    Option(
        field="scope",
        parse=choice(*get_args(Scope)),
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
        parse=rule_levels,
        metavar="NAME=LEVEL",
        repeatable=True,
        help="set the level of a rule to error, warning or off; repeatable",
    ),
    Option(
        field="strict",
        parse=boolean,
        help="warnings count as errors; unused ignores and stale entries of the baseline, too",
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
        parse=boolean,
        metavar="BOOL",
        help="report calls that a test replaced by a double (default: true)",
    ),
    Option(
        field="allow",
        parse=allowances,
        metavar="PATTERN",
        repeatable=True,
        marker=True,
        help="what may block: DOTTED.CALL or PATH::FUNCTION, with wildcards, and after a space "
        "the reason; repeatable",
    ),
    Option(
        field="baseline",
        parse=path,
        metavar="PATH",
        help="the file, relative to rootdir, of the sites that are known to block: only others "
        "fail",
    ),
    Option(
        field="update_baseline",
        parse=boolean,
        help=f"write the sites of this run into the baseline (default: {BASELINE}); those that a "
        "complete run does not see any more are taken out",
    ),
    Option(
        field="min_exercised",
        parse=percent,
        metavar="PERCENT",
        help="fail a complete run that exercised fewer of the app's endpoints",
    ),
    Option(
        field="exempt",
        parse=routes,
        metavar="ROUTE",
        repeatable=True,
        help="an endpoint that need not be exercised, as in GET /health or /static/*; repeatable",
    ),
    Option(
        field="source",
        parse=paths,
        metavar="PATH",
        repeatable=True,
        help="what counts as the project (default: what is under rootdir and not installed); "
        "repeatable",
    ),
    Option(
        field="report",
        plural="reports",
        parse=reports,
        metavar="FORMAT[:PATH]",
        repeatable=True,
        help=f"write a report ({', '.join(REPORTS)}) to PATH, or to standard output where it is "
        "-; repeatable",
    ),
    Option(
        field="github",
        parse=boolean,
        metavar="BOOL",
        help="annotations and a step summary where GITHUB_ACTIONS is set (default: true)",
    ),
)

MARKER: Final = (
    f"asyncguard({', '.join(f'{o.field}=...' for o in OPTIONS if o.marker)}, reason=...): "
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
        except (ValueError, pytest.UsageError) as error:  # pytest's, of a boolean that is none
            raise pytest.UsageError(f"{name}: {error}: it is true or false") from None

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
    baseline = settings.baseline
    if settings.update_baseline:
        if not settings.enabled:
            raise pytest.UsageError(
                "--asyncguard-update-baseline: nothing runs without --asyncguard"
            )
        baseline = baseline or BASELINE
    return replace(
        settings,
        source=tuple(os.path.join(folder, path) for path in settings.source),
        baseline=None if baseline is None else os.path.join(folder, baseline),
    )


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
        reason = mark.kwargs.get("reason")
        if not isinstance(reason, str | None):
            raise pytest.UsageError(
                f"{test}: @pytest.mark.asyncguard(reason=...): {reason!r} is not text"
            )
        for name, value in mark.kwargs.items():
            if name == "reason":
                continue
            if name not in by_name:
                allowed = ", ".join([*by_name, "reason"])
                raise pytest.UsageError(
                    f"{test}: @pytest.mark.asyncguard({name}=...): {name!r} is not one of {allowed}"
                )
            where = f"{test}: @pytest.mark.asyncguard({name}=...)"
            parsed = _parsed(by_name[name], where, value)
            if name == "allow":
                named = {pattern: said or reason for pattern, said in parsed.items()}
                wider = {p: said for p, said in settings.allow.items() if p not in named}
                parsed = wider | named
            settings = replace(settings, **{name: parsed})
    return settings


def as_report(settings: Settings, relative: Callable[[str], str]) -> dict[str, object]:
    """Every option by its ini name without the prefix, as the JSON report has it."""
    values: dict[str, object] = {}
    for each in fields(settings):
        value: Any = getattr(settings, each.name)
        if each.name == "source":
            value = [relative(path) for path in value]
        elif each.name == "baseline":
            value = None if value is None else relative(value)
        elif each.name == "exempt":
            value = list(value)
        elif each.name == "report":
            value = [f"{item.format}:{item.path or '-'}" for item in value]
        elif isinstance(value, Mapping):
            value = dict(value)
        values[next(o.plural or o.field for o in OPTIONS if o.field == each.name)] = value
    return values


__all__ = [
    "BASELINE",
    "MARKER",
    "OPTIONS",
    "REPORTS",
    "Option",
    "ReportFile",
    "Settings",
    "add_options",
    "as_report",
    "for_test",
    "from_config",
    "named_calls",
    "pattern_lines",
    "read",
    "report_form",
    "seconds",
]
