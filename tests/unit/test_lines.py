"""Lines: what ran on the loop is told once, and nothing is left behind."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.lines import TOOLS, LineWatch

if TYPE_CHECKING:
    from tests.unit.conftest import Watched

exact = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="sys.monitoring came with CPython 3.12"
)
SOURCE = """\
def f(x):
    if x:
        return 1
    return 2


@str
def g(x):
    return [
        x
    ]
"""


@pytest.fixture(name="watch")
def _watch() -> Iterator[LineWatch[str]]:
    watch: LineWatch[str] = LineWatch()
    yield watch
    watch.stop()


def module(name: str = "watched.py") -> dict[str, Any]:
    names: dict[str, Any] = {"str": lambda function: function}
    exec(compile(SOURCE, name, "exec"), names)
    return names


def on_the_loop(inbox_open: Watched, function: Any, *args: Any) -> None:
    holds.step(inbox_open.request(), function, *args)


@exact
def test_a_line_counts_if_it_ran_on_the_loop(watch: LineWatch[str], inbox_open: Watched) -> None:
    """Not one beside it, not one that ran elsewhere; it may run there before and after."""
    f = module()["f"]
    watch.add("watched.py", {3: ["one"], 4: ["two", "too"]}, {})
    f(0)
    f(1)
    assert watch.take() == set()
    on_the_loop(inbox_open, f, 0)
    assert watch.take() == {"two", "too"}
    on_the_loop(inbox_open, f, 1)
    on_the_loop(inbox_open, f, 0)
    assert watch.take() == {"one"}


@exact
def test_a_function_counts_if_it_was_entered(watch: LineWatch[str], inbox_open: Watched) -> None:
    """It is known by its first line, which is that of a decorator."""
    names = module()
    names["g"](1)
    watch.add("watched.py", {}, {1: ["f"], 7: ["g"]})
    watch.add("other.py", {1: ["other"]}, {})
    names["g"](1)
    assert watch.take() == set()
    on_the_loop(inbox_open, names["g"], 1)
    assert watch.take() == {"g"}


@exact
def test_another_tool_is_left_alone(watch: LineWatch[str], inbox_open: Watched) -> None:
    """Where all numbers are taken nothing is told, and nobody is in the way."""
    monitoring: Any = vars(sys)["monitoring"]
    for number in TOOLS:
        monitoring.use_tool_id(number, "another")
    try:
        f = module()["f"]
        watch.add("watched.py", {4: ["two"]}, {})
        on_the_loop(inbox_open, f, 0)
        watch.stop()
        assert watch.take() == set()
        assert [monitoring.get_tool(number) for number in TOOLS] == ["another"] * len(TOOLS)
    finally:
        for number in TOOLS:
            monitoring.free_tool_id(number)


@exact
def test_nothing_stays(inbox_open: Watched) -> None:
    """Its number is free again, and no code is watched."""
    monitoring: Any = vars(sys)["monitoring"]
    watch: LineWatch[str] = LineWatch()
    f = module()["f"]
    watch.add("watched.py", {4: ["two"]}, {})
    on_the_loop(inbox_open, f, 0)
    tool = next(number for number in TOOLS if monitoring.get_tool(number) == "pytest-asyncguard")
    assert monitoring.get_local_events(tool, f.__code__) != 0
    watch.stop()
    assert monitoring.get_tool(tool) is None
    monitoring.use_tool_id(tool, "look")
    assert (monitoring.get_events(tool), monitoring.get_local_events(tool, f.__code__)) == (0, 0)
    monitoring.free_tool_id(tool)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="there it is known")
def test_before_3_12_nothing_is_known(watch: LineWatch[str], inbox_open: Watched) -> None:
    """No trace function is set for it: debuggers and coverage use that."""
    f = module()["f"]
    watch.add("watched.py", {4: ["two"]}, {})
    assert sys.gettrace() is None
    on_the_loop(inbox_open, f, 0)
    assert watch.take() == set()
