"""A pytest plugin that names the code which blocks the event loop."""

from __future__ import annotations

import pytest

from pytest_asyncguard.catalog.rows import Call as BlockingCall

__all__ = ["AsyncguardInternalWarning", "BlockingCall", "__version__"]

__version__ = "0.1.0"


class AsyncguardInternalWarning(pytest.PytestWarning):
    """A part of the guard failed and was switched off.

    The tests and their outcomes are as they would be without it; findings of that part are
    missing. Please report it, with the text of the warning.
    """
