"""Database drivers, and what stands on top of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from pytest_asyncguard.catalog.clients.build import THREAD, calls, of, sql
from pytest_asyncguard.catalog.rows import Arguments, Call, Keywords, always, inside

MONGO: Final = "await collection.find_one(...), with pymongo.AsyncMongoClient"
PSYCOPG: Final = "await cursor.execute(...), with psycopg.AsyncConnection"
MYSQL: Final = "await cursor.execute(...), with asyncmy or aiomysql"
DJANGO: Final = "Django's async ORM methods (aget, acreate, ...)"
ORACLE: Final = "oracledb.connect_async(...)"
NEO4J: Final = "neo4j.AsyncGraphDatabase"
POOL: Final = "psycopg_pool.AsyncConnectionPool"

_COLLECTION: Final = (
    "find_one insert_one insert_many update_one update_many replace_one delete_one delete_many "
    "count_documents estimated_document_count distinct find_one_and_update find_one_and_replace "
    "find_one_and_delete bulk_write aggregate create_index create_indexes drop drop_index "
    "index_information list_indexes? rename?"
)


def _asks(args: Arguments, kwargs: Keywords) -> bool:
    """Whether a cursor has to ask the server for its next document."""
    return bool(args) and not getattr(args[0], "_data", None)


def _one_item(args: Arguments, kwargs: Keywords) -> bool:
    """Whether a cursor is asked for a document, and not for a part of what it will find."""
    return len(args) > 1 and isinstance(args[1], int)


def _waited_for(args: Arguments, kwargs: Keywords) -> bool:
    """Whether psycopg2 is to make a connection that waits for what it starts."""
    return not (kwargs.get("async") or kwargs.get("async_"))


def _waits(args: Arguments, kwargs: Keywords) -> bool:
    """Whether a cursor of psycopg2 waits for what it starts."""
    return bool(args) and not args[0].connection.async_


def _pymongo(
    module: str,
    names: str,
    when: Callable[[Arguments, Keywords], bool] = always,
    *,
    owned: bool = True,
) -> tuple[Call, ...]:
    """Rows of pymongo, which until 4.9 had no asynchronous half, and no names for the halves."""
    rows = calls(
        f"pymongo.synchronous.{module}",
        names,
        "sync-database",
        MONGO,
        public=f"pymongo.{module}",
        when=when,
        owned=owned,
    )
    return tuple(replace(row, also=(row.target.replace(".synchronous", ""),)) for row in rows)


_MONGO: Final = (
    *_pymongo("collection", of("Collection", _COLLECTION)),
    *_pymongo("cursor", of("Cursor", "__next__ next to_list?"), _asks, owned=False),
    *_pymongo("command_cursor", of("CommandCursor", "__next__ next"), _asks, owned=False),
    *_pymongo("database", of("Database", "command list_collection_names create_collection")),
    *_pymongo("mongo_client", of("MongoClient", "server_info list_database_names drop_database")),
    # All that goes to a server asks for one.
    *_pymongo("mongo_client", "MongoClient._select_server?", owned=False),
    # A stand-in, named after what it stands for.
    *calls(
        "mongomock.collection",
        of("Collection", _COLLECTION),
        "sync-database",
        MONGO,
        public="pymongo.collection",
    ),
    *calls(
        "mongomock.collection",
        of("Cursor", "__next__ next"),
        "sync-database",
        MONGO,
        public="pymongo.cursor",
    ),
    *calls(
        "mongomock.collection",
        "Cursor.__getitem__",
        "sync-database",
        MONGO,
        public="pymongo.cursor",
        when=_one_item,
    ),
    *calls(
        "mongomock.command_cursor",
        of("CommandCursor", "__next__ next"),
        "sync-database",
        MONGO,
        public="pymongo.command_cursor",
    ),
)

_PSYCOPG2_CURSOR: Final = "execute executemany callproc copy_expert copy_from copy_to"

_POSTGRES: Final = (
    Call(
        target="psycopg:connect",
        name="psycopg.connect",
        rule="sync-database",
        by_caller=True,
        twin=PSYCOPG,
        optional=True,
    ),
    *calls(
        "psycopg.connection",
        of("Connection", "connect commit rollback execute"),
        "sync-database",
        PSYCOPG,
    ),
    *calls(
        "psycopg.cursor",
        of("Cursor", "execute executemany"),
        "sync-database",
        PSYCOPG,
        detail=sql,
    ),
    # All that waits for the server: transactions, COPY, notifications, server-side cursors.
    *calls("psycopg.connection", "Connection.wait", "sync-database", PSYCOPG),
    *calls(
        "psycopg_pool.pool",
        of("ConnectionPool", "getconn wait"),
        "sync-database",
        POOL,
    ),
    Call(
        target="psycopg2:connect",
        rule="sync-database",
        by_caller=True,
        when=_waited_for,
        twin=PSYCOPG,
    ),
    # Their base is a C type; these are Python.
    *calls(
        "psycopg2.extras",
        " ".join(
            of(f"{cls}Cursor", _PSYCOPG2_CURSOR)
            for cls in ("Dict", "RealDict", "NamedTuple", "Logging")
        ),
        "sync-database",
        PSYCOPG,
        public="psycopg2.extras",
        when=_waits,
        detail=sql,
    ),
    *calls(
        "psycopg2.extras",
        " ".join(
            of(f"{cls}Connection", "commit rollback")
            for cls in ("Dict", "RealDict", "NamedTuple", "Logging")
        ),
        "sync-database",
        PSYCOPG,
        public="psycopg2.extras",
    ),
)

# The C types of psycopg2, in the subclasses that a probe makes of them.
PSYCOPG2_CONNECTION: Final = calls(
    "psycopg2.extensions",
    of("connection", "commit rollback"),
    "sync-database",
    PSYCOPG,
    public="psycopg2.extensions",
)
PSYCOPG2_CURSOR: Final = calls(
    "psycopg2.extensions",
    of("cursor", _PSYCOPG2_CURSOR),
    "sync-database",
    PSYCOPG,
    public="psycopg2.extensions",
    detail=sql,
)

_OTHERS: Final = (
    *calls("pymysql.connections", "Connection.__init__", "sync-database", MYSQL, when=inside),
    *calls(
        "pymysql.connections",
        of("Connection", "connect query commit rollback begin ping"),
        "sync-database",
        MYSQL,
    ),
    *calls("MySQLdb", "connect Connect?", "sync-database", MYSQL),
    *calls(
        "MySQLdb.cursors",
        of("BaseCursor", "execute? executemany?"),
        "sync-database",
        MYSQL,
        public="MySQLdb.cursors",
        detail=sql,
    ),
    *calls(
        "mysql.connector.pooling",
        "connect?",
        "sync-database",
        MYSQL,
        public="mysql.connector",
    ),
    *calls(
        "mysql.connector.abstracts",
        of("MySQLConnectionAbstract", "connect? reconnect? commit? rollback?"),
        "sync-database",
        MYSQL,
        public="mysql.connector.abstracts",
    ),
    *calls(
        "mysql.connector.connection",
        of("MySQLConnection", "_open_connection? _send_cmd? cmd_query? commit? rollback?"),
        "sync-database",
        MYSQL,
        public="mysql.connector",
    ),
    *calls(
        "mysql.connector.connection_cext",
        of("CMySQLConnection", "_open_connection? cmd_query? commit? rollback?"),
        "sync-database",
        MYSQL,
        public="mysql.connector.connection_cext",
    ),
    *calls(
        "oracledb.connection",
        "connect? Connection.commit? Connection.rollback? Connection.ping?",
        "sync-database",
        ORACLE,
    ),
    *calls(
        "oracledb.cursor",
        of("Cursor", "execute? executemany? callproc? callfunc?"),
        "sync-database",
        ORACLE,
        detail=sql,
    ),
    *calls("pyodbc", "connect?", "sync-database", "aioodbc"),
    *calls("pymssql", "connect?", "sync-database", THREAD),
    *calls(
        "peewee",
        of("Database", "connect execute_sql commit rollback"),
        "sync-database",
        THREAD,
    ),
    *calls(
        "django.db.backends.utils",
        of("CursorWrapper", "execute executemany callproc"),
        "sync-database",
        DJANGO,
        public="django.db.backends.utils",
        detail=sql,
    ),
    *calls(
        "django.db.backends.base.base",
        of("BaseDatabaseWrapper", "connect commit rollback"),
        "sync-database",
        DJANGO,
        public="django.db.backends.base.base",
    ),
    *calls(
        "duckdb",
        "connect execute sql query read_csv? read_parquet? read_json?",
        "sync-database",
        THREAD,
    ),
    *calls(
        "duckdb",
        of(
            "DuckDBPyConnection",
            "execute? executemany? sql? query? commit? rollback? read_csv? read_parquet? "
            "read_json?",
        ),
        "sync-database",
        THREAD,
        detail=sql,
    ),
    # A relation computes when its rows are asked for.
    *calls(
        "duckdb",
        of("DuckDBPyRelation", "fetchall? df? pl? to_parquet? to_csv?"),
        "sync-database",
        THREAD,
    ),
    *calls(
        "cassandra.cluster",
        "Cluster.__init__? Cluster.connect? Session.execute?",
        "sync-database",
        THREAD,
        public="cassandra.cluster",
    ),
    *calls(
        "neo4j._sync.work.session",
        of("Session", "run? execute_read? execute_write? begin_transaction?"),
        "sync-database",
        NEO4J,
    ),
    *calls(
        "neo4j._sync.work.transaction",
        of("TransactionBase", "run? _commit?"),
        "sync-database",
        NEO4J,
    ),
    *calls(
        "neo4j._sync.driver",
        of("Driver", "execute_query? verify_connectivity?"),
        "sync-database",
        NEO4J,
    ),
    *calls(
        "clickhouse_connect.driver.httpclient",
        "HttpClient._raw_request?",
        "sync-database",
        "clickhouse_connect.get_async_client(...)",
        public="clickhouse_connect.driver",
    ),
    *calls(
        "clickhouse_connect.driver._backend.http_sync",
        "HttpSyncBackend.request?",
        "sync-database",
        "clickhouse_connect.get_async_client(...)",
        public="clickhouse_connect.driver",
    ),
    *calls("clickhouse_driver.client", "Client.execute?", "sync-database", "asynch"),
    *calls(
        "influxdb_client.client.query_api",
        of("QueryApi", "query? query_stream? query_csv? query_raw? query_data_frame?"),
        "sync-database",
        "influxdb_client.client.influxdb_client_async",
    ),
)

_FRAMES: Final = (
    *calls(
        "pandas", "read_sql read_sql_query read_sql_table", "sync-database", THREAD, when=inside
    ),
    *calls(
        "pandas.core.generic",
        "NDFrame.to_sql",
        "sync-database",
        THREAD,
        public="pandas.core.generic",
        when=inside,
    ),
)

ROWS: Final = (*_MONGO, *_POSTGRES, *_OTHERS, *_FRAMES)
