"""sqlite3: statements, by the trace callback of each connection.

sqlite3's types are C and immutable, so their methods cannot be wrapped. A trace callback is
called with each statement, on the thread that runs it: a worker thread (aiosqlite, a ``def``
endpoint) has no hold and is free. A backup runs no statement: it takes a subclass to see it.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from types import ModuleType
from typing import Any, Final

from pytest_asyncguard.catalog.rows import Call
from pytest_asyncguard.catalog.stdlib import SQL_BACKUP, SQL_CONNECT, SQL_STATEMENT, masked
from pytest_asyncguard.probes.calls import WatchedBuiltin, report, wrap
from pytest_asyncguard.probes.holds import open_holds
from pytest_asyncguard.probes.patching import ImportProbe, ImportWatch


def on_statement(sql: str) -> None:
    """A statement is about to run on some connection."""
    hold = open_holds.get(get_ident())
    if hold is None or sql.strip() == "BEGIN":  # implied by the statement that follows
        return
    try:
        if (outer := hold.call) is not None:
            outer.fired = True
        else:
            report(hold, SQL_STATEMENT, masked(sql), None, sys._getframe(1))
    except Exception as error:  # noqa: BLE001 - the guard never breaks the app
        hold.request.inbox.failed("sqlite", error)


_FACTORY: Final = 5
"""The position of the argument that names a class of connections."""


class WatchedConnect(WatchedBuiltin):
    """``sqlite3.connect``, whose connections are traced."""

    def __init__(self, original: Any, row: Call, connection: Any) -> None:
        super().__init__(original, row)
        self._class = type(
            connection.__name__,
            (connection,),
            {
                "__doc__": connection.__doc__,
                "__module__": connection.__module__,
                "__slots__": (),
                "backup": wrap(connection.backup, SQL_BACKUP, method=True),
            },
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if len(args) <= _FACTORY:
            kwargs.setdefault("factory", self._class)
        connection = super().__call__(*args, **kwargs)
        trace = getattr(connection, "set_trace_callback", None)
        if trace is not None:
            trace(on_statement)
        return connection


class SqliteProbe(ImportProbe):
    """Traces the connections that ``sqlite3.connect`` makes."""

    name = "sqlite"

    def __init__(self, watch: ImportWatch) -> None:
        super().__init__(watch)
        self._wrapper: WatchedConnect | None = None

    def install(self) -> None:
        for target in (*SQL_CONNECT.also, SQL_CONNECT.target):
            self._watch.when_imported(target.partition(":")[0], self._patch)

    def _patch(self, module: ModuleType) -> None:
        original = module.connect
        if self._wrapper is None:
            self._wrapper = WatchedConnect(original, SQL_CONNECT, module.Connection)
        if original is self._wrapper:
            # sqlite3 takes connect from sqlite3.dbapi2, which we wrapped first.
            self._patcher.adopt(module, "connect", self._wrapper._original)
        else:
            self._patcher.replace(module, "connect", self._wrapper)

    def uninstall(self) -> None:
        super().uninstall()
        self._wrapper = None
