"""The one way in which a command fails that is not a verdict."""

from __future__ import annotations


class UnusableError(Exception):
    """What was given cannot be used; the text says what and why."""
