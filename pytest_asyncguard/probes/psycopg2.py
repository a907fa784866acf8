"""psycopg2: statements, by a class of connections and one of cursors.

psycopg2's types are C and immutable, so their methods cannot be wrapped. It takes subclasses for
what it makes, and makes ours where nobody named others.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, Final

from pytest_asyncguard.catalog.clients.databases import PSYCOPG2_CONNECTION, PSYCOPG2_CURSOR
from pytest_asyncguard.catalog.rows import Call
from pytest_asyncguard.probes.calls import wrap
from pytest_asyncguard.probes.patching import ImportProbe

_ASYNC: Final = ("async", "async_")


def _subclass(base: Any, rows: tuple[Call, ...], **members: Any) -> Any:
    """A class like ``base``, whose methods are watched."""
    for row in rows:
        name = row.target.rpartition(".")[2]
        members[name] = wrap(getattr(base, name), row, method=True)
    return type(base.__name__, (base,), {"__module__": base.__module__, **members})


class Psycopg2Probe(ImportProbe):
    """Lets psycopg2 make connections and cursors that are watched."""

    name = "psycopg2"

    def install(self) -> None:
        self._watch.when_imported("psycopg2", self._patch)

    def _patch(self, module: ModuleType) -> None:
        original: Any = module._connect
        extensions: Any = module.extensions
        cursors = _subclass(extensions.cursor, PSYCOPG2_CURSOR)

        def cursor(self_: Any, *args: Any, **kwargs: Any) -> Any:
            if len(args) < 2 and self_.cursor_factory is None:
                kwargs.setdefault("cursor_factory", cursors)
            return extensions.connection.cursor(self_, *args, **kwargs)

        connections = _subclass(extensions.connection, PSYCOPG2_CONNECTION, cursor=cursor)

        def _connect(dsn: Any, connection_factory: Any = None, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            # An asynchronous connection does not wait for what it starts.
            if connection_factory is None and not any(kwargs.get(name) for name in _ASYNC):
                connection_factory = connections
            return original(dsn, connection_factory=connection_factory, **kwargs)

        self._patcher.replace(module, "_connect", _connect)
