"""The stack of code that a greenlet runs."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from pytest_asyncguard.probes.stacks import StackMemory, capture


def test_a_greenlet_stands_behind_what_switched_to_it() -> None:
    """Its own frames have nobody behind them: those of its parent are."""
    greenlet: Any = pytest.importorskip("greenlet")
    memory = StackMemory(lambda file: file == __file__)
    taken: list[Any] = []

    def work() -> None:
        taken.append(capture(sys._getframe()))
        taken.append(memory.capture(sys._getframe()))

    def spawn() -> None:
        greenlet.greenlet(work).switch()

    def outside() -> None:
        spawn()

    for _ in range(2):
        outside()
    for stack in taken:
        names = [code.co_name for code in stack[::2]]
        assert names[:3] == ["work", "spawn", "outside"]
