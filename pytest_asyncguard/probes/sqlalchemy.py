"""SQLAlchemy: statements of synchronous engines, by its own public events.

Between ``before_cursor_execute`` and ``after_cursor_execute`` a known call is running, so that
what the driver does below adds nothing. An async engine runs the same code in a greenlet on the
loop; its dialect says so, and it is free.

Source: SQLAlchemy 2.0 documentation, "Core Events", ConnectionEvents.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from types import ModuleType
from typing import Any, Final

from pytest_asyncguard.catalog.rows import Call
from pytest_asyncguard.catalog.stdlib import masked
from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.calls import report
from pytest_asyncguard.probes.clock import Reading
from pytest_asyncguard.probes.holds import ActiveCall, open_holds
from pytest_asyncguard.probes.patching import ImportWatch

ROW: Final = Call(
    target="sqlalchemy.engine.base:Connection.execute",
    name="sqlalchemy.Connection.execute",
    rule="sync-database",
    by_caller=True,
    twin="await session.execute(...), with sqlalchemy.ext.asyncio.AsyncSession",
)


class _Running(ActiveCall):
    """A statement that is running."""

    __slots__ = ("began", "opened", "sql")

    def __init__(self, sql: str, opened: int, began: Reading) -> None:
        super().__init__(ROW, fired=True)
        self.sql = sql
        self.opened = opened
        self.began = began


class SqlalchemyProbe:
    """Listens to the events of all engines."""

    name = "sqlalchemy"

    def __init__(self, watch: ImportWatch) -> None:
        self._watch = watch
        self._remove: list[tuple[Any, Any, str, Any]] = []

    def unavailable(self) -> str | None:
        return None

    def install(self) -> None:
        self._watch.when_imported("sqlalchemy.engine", self._listen)

    def uninstall(self) -> None:
        while self._remove:
            event, *listener = self._remove.pop()
            event.remove(*listener)

    def _listen(self, module: ModuleType) -> None:
        event = sys.modules["sqlalchemy.event"]
        for name, function in (
            ("before_cursor_execute", _before),
            ("after_cursor_execute", _ended),
            ("handle_error", _ended),
            ("commit", _commit),
            ("rollback", _rollback),
        ):
            event.listen(module.Engine, name, function)
            self._remove.append((event, module.Engine, name, function))


def _before(connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
    hold = open_holds.get(get_ident())
    if hold is None or connection.dialect.is_async:
        return
    if hold.call is not None:
        hold.call.fired = True
        return
    opened = holds.sources.wall()
    hold.call = _Running(statement, opened, hold.clock.begin(opened))


def _ended(*_rest: Any) -> None:
    hold = open_holds.get(get_ident())
    if hold is None or not isinstance(hold.call, _Running):
        return
    running, hold.call = hold.call, None
    try:
        charged = hold.clock.end(running.began, running.opened, holds.sources.wall())
        report(hold, ROW, masked(running.sql), charged, sys._getframe(1))
    except Exception as error:  # noqa: BLE001 - the guard never breaks the app
        hold.request.inbox.failed("sqlalchemy", error)


def _commit(connection: Any) -> None:
    _point(connection, "COMMIT")


def _rollback(connection: Any) -> None:
    _point(connection, "ROLLBACK")


def _point(connection: Any, sql: str) -> None:
    """The end of a transaction: a round trip of its own."""
    hold = open_holds.get(get_ident())
    if hold is None or connection.dialect.is_async:
        return
    try:
        if hold.call is not None:
            hold.call.fired = True
        else:
            report(hold, ROW, sql, None, sys._getframe(2))
    except Exception as error:  # noqa: BLE001 - the guard never breaks the app
        hold.request.inbox.failed("sqlalchemy", error)
