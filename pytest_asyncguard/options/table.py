"""The table of options: a row is an option, wherever it may stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from pytest_asyncguard.options.values import (
    MODES,
    REPORTS,
    allowances,
    boolean,
    calls,
    choice,
    path,
    paths,
    percent,
    reports,
    routes,
    rule_levels,
    thresholds,
)

Scope = Literal["app", "loop"]

BASELINE: Final = "asyncguard-baseline.json"
"""Where ``--asyncguard-update-baseline`` writes if nobody says otherwise."""


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
        parse=choice(*MODES),
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
        parse=thresholds,
        metavar="[RULE=]DURATION",
        repeatable=True,
        marker=True,
        help="how long a request may hold the loop at a time, on the guard's clock "
        "(default: 100ms), or what of it a rule allows, as in cpu-stall=250ms; known blocking "
        "calls need no threshold; repeatable",
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
