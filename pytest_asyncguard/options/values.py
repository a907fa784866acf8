"""The values that options take: each kind is a function that reads one or says what is allowed."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from pytest_asyncguard.model import Level, Rule

REPORTS: Final[Mapping[str, str | None]] = {
    "json": "asyncguard.json",
    "sarif": "asyncguard.sarif",
    "github": None,
    "gitlab": "gl-code-quality-report.json",
    "markdown": "asyncguard.md",
    "html": "asyncguard.html",
    "junit": None,
}
"""The formats that come with the plugin, and where each is written if no path is given.

None is standard output; ``junit`` goes into pytest's own file. Other plugins may add formats, so
which names there are is known only once conftest files are loaded.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFile:
    """A report to write; ``path`` None is standard output."""

    format: str
    path: str | None


def _rules() -> Any:
    """The rules, where a value names one: a run that gives none does not load the catalogue."""
    from pytest_asyncguard.catalog import rules

    return rules


class BadItemError(ValueError):
    """One item of several is wrong."""

    def __init__(self, item: object, allowed: str) -> None:
        super().__init__(allowed)
        self.item = item


def boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off", ""):
        return False
    raise ValueError("true or false")


def choice(*allowed: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if not isinstance(value, str) or value.strip() not in allowed:
            raise ValueError(", ".join(allowed))
        return value.strip()

    return parse


EVERY: Final = ""
"""Stands in the place of a rule for all of them."""

# Not compiled yet: each takes as long as the rest of this module, and few runs need any.
_DURATION: Final = r"(?a:(\d+(?:\.\d*)?|\.\d+)\s*(ms|s)?)"
_A_DURATION = "a duration above zero, as in 100ms, 0.1s or 0.1 (seconds)"


def seconds(value: object) -> float:
    """``100ms``, ``0.1s`` and ``0.1`` are the same duration."""
    number = math.nan
    if isinstance(value, str):
        if (match := re.fullmatch(_DURATION, value.strip().lower())) is not None:
            number = float(match[1]) / (1000 if match[2] == "ms" else 1)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            number = float(value)
    # In nanoseconds, as the guard's clock counts: more than none, and a number still.
    if not 0.5 < number * 1e9 < math.inf:
        raise ValueError(_A_DURATION)
    return number


def thresholds(values: object) -> dict[str, float]:
    """Durations by the rules that they are for; ``EVERY`` is for those that have none."""
    found: dict[str, float] = {}
    for item, name, limit in _limits(values):
        rules = None if name is None else _rules()
        rule = None if rules is None else rules.find(name)
        if rules is not None and (rule is None or not _is_timed(rule)):
            names = ", ".join(rule.name for rule in rules.RULES.values() if _is_timed(rule))
            raise BadItemError(
                item, f"{_A_DURATION}, or RULE=DURATION, where RULE is a code or one of {names}"
            )
        try:
            found[EVERY if rule is None else rule.name] = seconds(limit)
        except ValueError as error:
            raise BadItemError(item, str(error)) from None
    return found


def _limits(values: object) -> Iterable[tuple[object, str | None, object]]:
    """Each item as it was given, the name in it if there is one, and the duration."""
    if isinstance(values, Mapping):
        for name, limit in values.items():
            yield {name: limit}, str(name), limit
        return
    for item in values if isinstance(values, (list, tuple)) else [values]:
        if isinstance(item, str):
            name, equals, limit = item.partition("=")
            if item.strip():
                yield item.strip(), *((name, limit) if equals else (None, item))
        else:
            yield item, None, item


def _is_timed(rule: Rule) -> bool:
    """Whether it matters to the rule how long something took.

    A call that is an error is one however short it was; one that is a warning becomes an error.
    """
    return rule.name in _rules().STALLS or rule.severity == "warning"


LEVELS: Final = ("error", "warning", "off")
MODES: Final = ("fail-tests", "fail-run", "report")


def rule_levels(values: object) -> dict[str, Level]:
    levels: dict[str, Level] = {}
    for value in _items(values):
        name, equals, level = value.partition("=")
        rule = _rules().find(name)
        if not equals or rule is None or level.strip() not in LEVELS:
            names = ", ".join(_rules().RULES)
            raise BadItemError(
                value, f"NAME=error|warning|off, where NAME is a code or one of {names}"
            )
        levels[rule.name] = level.strip()  # type: ignore[assignment]
    return levels


_DOTTED: Final = r"[^\W\d]\w*([.:][^\W\d]\w*)+"


def calls(values: object) -> dict[str, str]:
    """Dotted names of callables that block, each with its rule."""
    found: dict[str, str] = {}
    for value in _items(values):
        rules = _rules()
        name, equals, rule_name = (part.strip() for part in value.partition("="))
        rule = rules.find(rule_name) if equals else rules.RULES["sync-client"]
        if rule is None or rule.name in rules.STALLS or not re.fullmatch(_DOTTED, name):
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


_CALL: Final = r"[\w.*?\[\]!-]+"


def allowances(values: object) -> dict[str, str | None]:
    """Patterns of what may block, each with its reason."""
    found: dict[str, str | None] = {}
    for value in _items(values):
        pattern, *rest = value.split(None, 1)
        allowed = "DOTTED.CALL or PATH::FUNCTION, as in time.sleep or app/db.py::connect"
        if _rules().find(pattern) is not None:
            raise BadItemError(
                value, f"{allowed}; a rule is switched off with --asyncguard-rule={pattern}=off"
            )
        path, colons, function = pattern.partition("::")
        if not (path and function if colons else re.fullmatch(_CALL, pattern)):
            raise BadItemError(value, f"{allowed}, and after a space the reason")
        found.pop(pattern, None)  # what was said last is looked at first
        found[pattern] = rest[0].lstrip("# \t") or None if rest else None
    return found


def pattern_lines(item: object, hook: str) -> dict[str, str | None]:
    """What a hook returned in the place of lines of ``asyncguard_allow``.

    Raises pytest.UsageError for what is none.
    """
    if not isinstance(item, str):
        raise pytest.UsageError(f"{hook}: {item!r} is not a line of text")
    try:
        return allowances(item)
    except BadItemError as error:
        raise pytest.UsageError(f"{hook}: {error.item!r} is not {error}") from None


def path(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a path")
    return value.strip()


def percent(value: object) -> float:
    """``80``, ``80%`` and ``80.0`` are the same share."""
    allowed = "a percentage, 0 to 100"
    try:
        number = float(str(value).strip().removesuffix("%"))
    except ValueError:
        raise ValueError(allowed) from None
    if isinstance(value, bool) or not 0 <= number <= 100:
        raise ValueError(allowed)
    return number


_ROUTE: Final = r"([A-Z]+ )?/.*"


def routes(values: object) -> tuple[str, ...]:
    for value in (items := _items(values)):
        if not re.fullmatch(_ROUTE, value):
            raise BadItemError(value, "a route, as in GET /health or /static/*")
    return tuple(items)


def paths(values: object) -> tuple[str, ...]:
    return tuple(_items(values))


_FORMAT: Final = r"[a-z][a-z0-9_-]*"


def reports(values: object) -> tuple[ReportFile, ...]:
    found: list[ReportFile] = []
    for value in _items(values):
        name, colon, path = value.partition(":")
        if not re.fullmatch(_FORMAT, name) or (colon and not path):
            raise BadItemError(value, report_form(REPORTS))
        if name == "junit" and path:
            raise BadItemError(value, "junit without a path: it goes into pytest's --junitxml")
        default = REPORTS.get(name, f"asyncguard.{name}")
        found.append(ReportFile(format=name, path=None if path == "-" else path or default))
    return tuple(found)


def report_form(names: Iterable[str]) -> str:
    """What ``--asyncguard-report`` may be, where these are the formats."""
    return f"FORMAT:PATH, where FORMAT is {', '.join(names)}; PATH - prints it"


def _items(values: object) -> list[str]:
    if isinstance(values, str):
        values = [values]
    if not isinstance(values, (list, tuple)):
        raise TypeError("a list")
    return [item for value in values for item in [str(value).strip()] if item]
