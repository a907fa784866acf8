"""A pytest plugin that names the code which blocks the event loop."""

__all__ = ["__version__"]

__version__ = "0.1.0"
