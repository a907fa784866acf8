"""Options: one table, from which the command line, the ini file and the marker are all read.

Precedence is marker, command line, ini, default. A bad value is a usage error that names the
option, the value and what is allowed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_asyncguard.options.table import BASELINE, MARKER, OPTIONS, Option, Scope
from pytest_asyncguard.options.values import (
    EVERY,
    REPORTS,
    BadItemError,
    ReportFile,
    named_calls,
    pattern_lines,
    report_form,
    seconds,
)

if TYPE_CHECKING:
    from pytest_asyncguard.model import Level, Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every option as it is in force.

    ``thresholds`` are those of single rules, in seconds like ``threshold``, which is that of all
    the others.
    """

    enabled: bool = False
    mode: Mode = "fail-tests"
    scope: Scope = "app"
    threshold: float = 0.1
    thresholds: Mapping[str, float] = field(default_factory=dict)
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

    @property
    def least_threshold_ns(self) -> int:
        """What is shorter is of no interest to any rule."""
        return round(min((self.threshold, *self.thresholds.values())) * 1e9)

    def threshold_ns_of(self, rule: str) -> int:
        """The threshold of the rule of that name."""
        return round(self.thresholds.get(rule, self.threshold) * 1e9)


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
        except (ValueError, TypeError, pytest.UsageError) as error:
            if (native := _native(config, name)) is not None:
                return native
            # Of an ini file's values pytest itself refuses only a boolean that is none.
            raise pytest.UsageError(f"{name}: {error}: it is true or false") from None

    settings = read(lambda dest: getattr(namespace, dest, None), ini, str(config.rootpath))
    for folder in settings.source if settings.enabled else ():
        if not os.path.exists(folder):
            raise pytest.UsageError(f"--asyncguard-source: {folder!r} is not there")
    return settings


def _native(config: pytest.Config, name: str) -> object:
    """What stands for ``name`` in a TOML file, in a type of TOML's own; None where it does not.

    pytest 9 reads such files, and refuses what is not of the one type that an option may have: a
    threshold of ``0.1`` is a number, and one of ``"100ms"`` a string.
    """
    entry: Any = getattr(config, "_inicfg", {}).get(name)
    value: object = entry.value if getattr(entry, "mode", None) == "toml" else None
    return value


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
            if where == option.flag and _is_empty(value):
                # A variable that is not set, most often; taken for "not given" it would be lost.
                _parsed(option, where, "")
                raise pytest.UsageError(f"{where}: '' is not {option.metavar}")
            if value is None or value in ([], ""):
                continue
            parsed = _parsed(option, where, value)
            if option.field == "threshold":
                values.update(_thresholds(values.get("thresholds", {}), parsed))
                continue
            if isinstance(parsed, dict):
                parsed = {**(values.get(option.field) or {}), **parsed}
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


def _is_empty(value: object) -> bool:
    """Whether something was given that says nothing."""
    texts = value if isinstance(value, list) else [value]
    return bool(texts) and all(isinstance(text, str) and not text.strip() for text in texts)


def _thresholds(wider: Mapping[str, float], parsed: Mapping[str, float]) -> dict[str, Any]:
    """What ``parsed`` makes of the thresholds, where ``wider`` were those of rules until now.

    One for every rule stands for every rule: who gives a test a second means a second, whatever
    the ini file has to say on one rule.
    """
    if EVERY not in parsed:
        return {"thresholds": {**wider, **parsed}}
    own = {rule: limit for rule, limit in parsed.items() if rule != EVERY}
    return {"threshold": parsed[EVERY], "thresholds": own}


def _parsed(option: Option, where: str, value: object) -> Any:
    try:
        return option.parse(value)
    except BadItemError as error:
        raise pytest.UsageError(f"{where}: {_shown(error.item)} is not {error}") from None
    except (ValueError, TypeError) as error:
        raise pytest.UsageError(f"{where}: {_shown(value)} is not {_one_of(error)}") from None


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - a marker takes any object; an int may be too long to print
        return f"this {type(value).__name__}"


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
            if name == "threshold":
                settings = replace(settings, **_thresholds(settings.thresholds, parsed))
                continue
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
        names = {option.field: option.plural or option.field for option in OPTIONS}
        values[names.get(each.name, each.name)] = value
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
