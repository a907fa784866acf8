"""The catalogue: data that says what blocks, and no mechanism."""

from __future__ import annotations

from pytest_asyncguard.catalog import clients, rules, stdlib


def built_rules() -> frozenset[str]:
    """The names of the rules that something can report."""
    calls = (*stdlib.CALLS, *clients.CALLS, stdlib.SQL_CONNECT, stdlib.SQL_STATEMENT)
    events = stdlib.AUDIT.values()
    return frozenset(
        {row.rule for row in calls} | {row.rule for row in events} | {*rules.STALLS, "starved"}
    )
