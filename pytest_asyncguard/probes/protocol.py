"""Probes: what each of them offers to the guard."""

from __future__ import annotations

from typing import Protocol


class Probe(Protocol):
    """A part that installs one kind of hook and reports what it sees.

    ``unavailable`` gives the reason why this platform or these packages do not allow it, else
    None. ``uninstall`` undoes all that ``install`` did; it is called once, also when ``install``
    raised half-way.
    """

    name: str

    def unavailable(self) -> str | None: ...

    def install(self) -> None: ...

    def uninstall(self) -> None: ...
