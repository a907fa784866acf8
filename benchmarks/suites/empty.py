"""A suite that does nothing, to see what it costs to start."""

from __future__ import annotations


def test_nothing() -> None:
    pass
