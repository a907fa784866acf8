"""The catalogue: data that says what blocks, and no mechanism."""

from __future__ import annotations

from pytest_asyncguard.catalog import clients, rules, stdlib


def built_rules() -> frozenset[str]:
    """The names of the rules that something can report."""
    rows = (*stdlib.CALLS, *clients.CALLS, *stdlib.AUDIT.values(), stdlib.SQL_CONNECT, stdlib.SQL_STATEMENT)
    return frozenset({row.rule for row in rows} | set(rules.STALLS))
