"""The catalogue: data that is in order, about things that are there."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import warnings
from collections import Counter
from types import ModuleType
from typing import Any, get_args

import pytest

from pytest_asyncguard.catalog import built_rules, clients, rows, stdlib
from pytest_asyncguard.catalog.allowances import ALLOWANCES, ONCE
from pytest_asyncguard.catalog.rules import RULES, STALLS, find
from pytest_asyncguard.model import Severity

CALLS = (*stdlib.CALLS, *clients.CALLS, stdlib.SQL_CONNECT, stdlib.SQL_STATEMENT)
EVENTS = tuple(stdlib.AUDIT.values())


def imported(name: str) -> ModuleType | None:
    """The module of this name, if there is one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # on its way out of the library
        try:
            return importlib.import_module(name)
        except ImportError:
            return None


def found(target: str) -> object | None:
    """What stands at ``module:attribute`` or ``module:Class.attribute``."""
    module, _, path = target.partition(":")
    value: Any = imported(module)
    for name in path.split("."):
        value = inspect.getattr_static(value, name, None)
    return value  # type: ignore[no-any-return]


# --- rules -------------------------------------------------------------------------------------


def test_codes_are_unique_and_in_order() -> None:
    """They are in people's baselines and comments."""
    codes = [rule.code for rule in RULES.values()]
    assert codes == sorted(set(codes))
    assert all(re.fullmatch(r"AG[0-9]{3}", code) for code in codes)


def test_names_are_short_words_with_dashes() -> None:
    """As one types them."""
    for name, rule in RULES.items():
        assert name == rule.name
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
        assert rule.summary
        assert not rule.summary.endswith(".")
        assert rule.severity in get_args(Severity)


@pytest.mark.parametrize("text", ["sleep", "AG101", "ag101", " Sleep ", "SLEEP"])
def test_a_rule_is_found_by_name_or_code(text: str) -> None:
    """However it is written."""
    assert find(text) is RULES["sleep"]


@pytest.mark.parametrize("text", ["", "AG", "AG1", "AG999", "sleeping", "sleep,socket", "*"])
def test_what_is_no_rule_is_none(text: str) -> None:
    """A part of a name is none."""
    assert find(text) is None


def test_stalls_are_rules() -> None:
    """Those that the clock finds."""
    assert set(STALLS) <= RULES.keys()


def test_every_rule_of_a_row_exists() -> None:
    """A row for another one would fail the moment it is seen."""
    named = {row.rule for row in CALLS}
    named |= {row.rule for row in EVENTS} | {client.rule for client in clients.CLIENTS}
    assert named <= RULES.keys() - {*STALLS}
    assert built_rules() <= RULES.keys()
    assert built_rules() >= {row.rule for row in stdlib.CALLS}


# --- calls -------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", stdlib.CALLS, ids=lambda row: row.target)
def test_what_a_row_of_the_standard_library_names_is_there(row: rows.Call) -> None:
    """On every Python on which these tests run; what is not on each says that it is optional."""
    for target in (row.target, *row.also):
        value = found(target)
        assert row.optional or value is not None, target
        assert value is None or callable(getattr(value, "__func__", value)), target


@pytest.mark.parametrize(
    "row", [row for row in stdlib.CALLS if row.also], ids=lambda row: row.target
)
def test_the_other_names_of_a_call_are_names_of_that_call(row: rows.Call) -> None:
    """One wrapper stands for all of them."""
    assert {id(found(target)) for target in row.also} == {id(found(row.target))}


@pytest.mark.parametrize("row", CALLS, ids=lambda row: row.target)
def test_a_target_is_written_as_module_and_attribute(row: rows.Call) -> None:
    """And the name under which it is shown is a dotted one."""
    for target in (row.target, *row.also):
        assert re.fullmatch(r"[\w.]+:\w+(\.\w+)?", target)
    assert re.fullmatch(r"\w+(\.\w+)*", row.name)


def test_no_target_has_two_rows() -> None:
    """The second one would never be seen."""
    count = Counter(target for row in CALLS for target in (row.target, *row.also))
    # sqlite3 has probes of its own, of which these two rows are the labels.
    assert [target for target, times in count.items() if times > 1] == []


def test_conditions_take_any_call() -> None:
    """What the callee will refuse is no reason for an error of ours; it is met before that."""
    refusals = (AttributeError, TypeError, ValueError, IndexError, KeyError)
    for row in stdlib.CALLS:
        for args in ((), (None,), (object(), object())):
            try:
                assert row.when(args, {}) in (True, False)
            except refusals:  # taken for "cannot tell" where the call is made
                continue


@pytest.mark.parametrize("row", EVENTS, ids=lambda row: row.event)
def test_an_event_is_listed_under_its_name(row: rows.AuditEvent) -> None:
    """By which the hook looks it up."""
    assert stdlib.AUDIT[row.event] is row
    assert row.name


# --- allowances --------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [*ALLOWANCES, *ONCE], ids=lambda row: row.module)
def test_every_allowance_has_a_reason(row: rows.Allowance) -> None:
    """A sentence for who wonders why nothing was said."""
    assert len(row.reason.split()) >= 4
    assert not row.reason.endswith(".")


@pytest.mark.parametrize(
    "row",
    [row for row in (*ALLOWANCES, *ONCE) if row.module in sys.stdlib_module_names],
    ids=lambda row: f"{row.module}:{','.join(row.functions)}",
)
def test_what_an_allowance_names_in_the_standard_library_is_there(row: rows.Allowance) -> None:
    """Of the frameworks, where releases differ, each name is one of some release."""
    if imported(row.module) is None:
        pytest.skip(f"needs {row.module}")
    assert [name for name in row.functions if found(f"{row.module}:{name}") is None] == []


def test_an_allowance_is_given_once() -> None:
    """A second one for the same functions would be a slip."""
    for table in (ALLOWANCES, ONCE):
        count = Counter((row.module, row.functions) for row in table)
        assert max(count.values()) == 1
