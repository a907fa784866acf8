"""Hooks of pytest-asyncguard, for conftest files and other plugins.

An implementation in a plugin that also runs without pytest-asyncguard needs
``@pytest.hookimpl(optionalhook=True)``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_asyncguard.catalog.rows import Call


@pytest.hookspec
def pytest_asyncguard_blocking_calls(config: pytest.Config) -> Iterable[Call | str]:  # type: ignore[empty-body]
    """Return further callables that block: ``BlockingCall`` objects, or dotted names.

    Called once, after the conftest files of the command line's arguments were imported. A dotted
    name, as in ``shop.legacy.fetch`` or ``shop.legacy.Client.send``, counts for the rule
    ``sync-client``. What is wrapped is what the name stands for once its module is imported; an
    alias that another module took before is not reached.

    Raises pytest.UsageError for a value that is neither.
    """
