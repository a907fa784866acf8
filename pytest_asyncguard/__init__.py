"""A pytest plugin that names the code which blocks the event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_asyncguard.catalog.rows import Call as BlockingCall

__all__ = ["AsyncguardInternalWarning", "BlockingCall", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """``BlockingCall``, when it is asked for: a run without the guard loads no catalogue."""
    if name == "BlockingCall":
        from pytest_asyncguard.catalog.rows import Call

        return Call
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class AsyncguardInternalWarning(pytest.PytestWarning):
    """A part of the guard failed and was switched off.

    The tests and their outcomes are as they would be without it; findings of that part are
    missing. Please report it, with the text of the warning.
    """
