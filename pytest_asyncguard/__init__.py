"""A pytest plugin that names the code which blocks the event loop."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
