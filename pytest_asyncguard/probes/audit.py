"""The audit hook: CPython's own word that a call is about to block.

An audit hook cannot be removed, so one is added per process, and does nothing while no run is on.
It hears of a call before it happens: it knows what, and where, and not how long.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from collections.abc import Mapping
from typing import Any

from pytest_asyncguard.catalog.rows import AuditEvent
from pytest_asyncguard.probes.calls import report
from pytest_asyncguard.probes.holds import open_holds

_rows: dict[str, AuditEvent] = {}
_added = False


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not open_holds or event not in _rows:
        return
    hold = open_holds.get(get_ident())
    if hold is None:
        return
    # An exception that leaves an audit hook would be raised in the app's call.
    try:
        row = _rows[event]
        if (outer := hold.call) is not None:
            outer.fired = outer.fired or row.when(args)
        elif row.when(args):
            report(hold, row, row.detail(args), None, sys._getframe(1))
    except Exception as error:  # noqa: BLE001 - the guard never breaks the app
        hold.request.inbox.failed("audit", error)


class AuditProbe:
    """Listens to the audit events of a table of rows."""

    name = "audit"

    def __init__(self, rows: Mapping[str, AuditEvent]) -> None:
        self._table = rows

    def unavailable(self) -> str | None:
        return None if hasattr(sys, "addaudithook") else "sys.addaudithook is missing"

    def install(self) -> None:
        global _added  # noqa: PLW0603
        _rows.update(self._table)
        if not _added:
            sys.addaudithook(_hook)
            _added = True

    def uninstall(self) -> None:
        _rows.clear()
