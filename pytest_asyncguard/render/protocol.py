"""What every report format is: a RunReport as text, and nothing else."""

from __future__ import annotations

from typing import Protocol

from pytest_asyncguard.model import RunReport


class Renderer(Protocol):
    """A pure function with a name: it writes no file, prints nothing and asks for no clock.

    ``default_path`` is where ``--asyncguard-report=NAME`` writes when it names no path; None is
    standard output.
    """

    name: str
    default_path: str | None

    def render(self, report: RunReport) -> str: ...
