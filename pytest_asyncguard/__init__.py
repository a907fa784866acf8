"""A pytest plugin that names the code which blocks the event loop."""

from __future__ import annotations

from pytest_asyncguard.catalog.rows import Call as BlockingCall

__all__ = ["BlockingCall", "__version__"]

__version__ = "0.1.0"
