"""Database drivers, and what stands on top of them."""

from __future__ import annotations

RULE = "sync-database"

ROWS = [
    {
        "name": "pandas on sqlite",
        "needs": "pandas sqlalchemy",
        "setup": """
            from sqlalchemy import StaticPool, create_engine

            ENGINE = create_engine(
                "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
            )
            FRAME = pandas.DataFrame({"a": [1]})
            FRAME.to_sql("t", ENGINE)
            ROWS = "select * from t"
        """,
        "call": """
            FRAME.to_sql("t", ENGINE, if_exists="replace")  #! pandas.core.generic.NDFrame.to_sql
            pandas.read_sql(ROWS, ENGINE)  #! pandas.read_sql
            pandas.read_sql_query(ROWS, ENGINE)  #! pandas.read_sql_query
            pandas.read_sql_table("t", ENGINE)  #! pandas.read_sql_table
        """,
        "twin": "FRAME.to_dict('records')",
    },
    {
        "name": "sqlite3 in memory",
        "needs": "aiosqlite",
        "setup": "DB = sqlite3.connect(':memory:', check_same_thread=False)",
        "call": "DB.execute('select 1')",
        "found": "sqlite3.execute",
        "twin": """
            async with aiosqlite.connect(":memory:") as db:
                await db.execute("select 1")
        """,
    },
    {
        "name": "sqlite3's connect",
        "call": "sqlite3.connect(':memory:').close()",
        "found": "sqlite3.connect",
    },
    {
        "name": "sqlite3's commit",
        "setup": """
            DB = sqlite3.connect(":memory:", check_same_thread=False)
            DB.execute("create table t (x)")

            @pytest.fixture(autouse=True)
            def transaction():
                DB.execute("insert into t values (1)")
                yield
                DB.rollback()
        """,
        "call": "DB.commit()",
        "found": "sqlite3.commit",
    },
    {
        "name": "sqlite3's backup",
        "setup": """
            ONE, OTHER = (sqlite3.connect(":memory:", check_same_thread=False) for _ in "ab")
        """,
        "call": "ONE.backup(OTHER)",
        "found": "sqlite3.Connection.backup",
    },
    {
        "name": "a session of SQLAlchemy on sqlite",
        "needs": "sqlalchemy aiosqlite greenlet",
        "setup": """
            from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
            from sqlalchemy.orm import Session
            from sqlalchemy.pool import StaticPool

            ENGINE = sqlalchemy.create_engine(
                "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
            )
            TWIN = create_async_engine("sqlite+aiosqlite://")
            ONE = sqlalchemy.select(sqlalchemy.literal(1))
            SESSION = Session(ENGINE)

            @pytest.fixture(autouse=True)
            def fresh():
                yield
                SESSION.rollback()
        """,
        "call": "SESSION.execute(ONE)",
        "found": "sqlalchemy.orm.Session.execute",
        "twin": """
            async with AsyncSession(TWIN) as session:
                await session.execute(ONE)
                await session.run_sync(lambda session: session.execute(ONE))
        """,
    },
    {
        "name": "a query of SQLAlchemy on sqlite",
        "needs": "sqlalchemy",
        "setup": """
            from sqlalchemy.orm import Mapped, Session, declarative_base, mapped_column
            from sqlalchemy.pool import StaticPool

            class Item(declarative_base()):
                __tablename__ = "items"
                id: Mapped[int] = mapped_column(primary_key=True)

            ENGINE = sqlalchemy.create_engine(
                "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
            )
            Item.metadata.create_all(ENGINE)
            SESSION = Session(ENGINE)
        """,
        "call": "SESSION.query(Item).filter(Item.id == 1).first()",
        "found": "sqlalchemy.orm.Query.first",
        "twin": "SESSION.query(Item).filter(Item.id == 1)",
    },
    {
        "name": "SQLModel on sqlite",
        "needs": "sqlmodel",
        "setup": """
            from sqlalchemy.pool import StaticPool

            ENGINE = sqlmodel.create_engine(
                "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
            )
            SESSION = sqlmodel.Session(ENGINE)
            ONE = sqlmodel.select(sqlmodel.literal(1))

            @pytest.fixture(autouse=True)
            def fresh():
                yield
                SESSION.rollback()
        """,
        "call": "SESSION.exec(ONE)",
        "found": "sqlmodel.Session.exec",
    },
    {
        "name": "pymongo, nobody there",
        "needs": "pymongo",
        "setup": """
            OPTIONS = {"serverSelectionTimeoutMS": 9, "connect": False}
            CLIENT = pymongo.MongoClient("mongodb://127.0.0.1:1", **OPTIONS)
            TWIN = pymongo.AsyncMongoClient("mongodb://127.0.0.1:1", **OPTIONS)

            @pytest.fixture(autouse=True, scope="module")
            def closed():
                yield
                CLIENT.close()
        """,
        "call": """
            with contextlib.suppress(pymongo.errors.PyMongoError):
                CLIENT.shop.items.find_one()  #!
        """,
        "found": "pymongo.collection.Collection.find_one",
        "twin": """
            with contextlib.suppress(pymongo.errors.PyMongoError):
                await TWIN.shop.items.find_one()
        """,
    },
    {
        "name": "pymongo under mongomock",
        "needs": "mongomock",
        "setup": "ITEMS = mongomock.MongoClient().shop.items",
        "call": "ITEMS.insert_one({'a': 1})",
        "found": "pymongo.collection.Collection.insert_one",
        "twin": "ITEMS.find({'a': 1}).limit(1)",
    },
    {
        "name": "a cursor under mongomock",
        "needs": "mongomock",
        "setup": """
            ITEMS = mongomock.MongoClient().shop.items
            ITEMS.insert_one({"a": 1})
        """,
        "call": "list(ITEMS.find())",
        "found": "pymongo.cursor.Cursor",
    },
    {
        "name": "psycopg, refused",
        "needs": "psycopg",
        "call": """
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect("host=127.0.0.1 port=1")  #!
        """,
        "found": "psycopg.connect",
        "twin": """
            with contextlib.suppress(psycopg.OperationalError):
                await psycopg.AsyncConnection.connect("host=127.0.0.1 port=1")
        """,
    },
    {
        "name": "a pool of psycopg, empty",
        "needs": "psycopg_pool",
        "setup": """
            POOL = psycopg_pool.ConnectionPool("host=127.0.0.1 port=1", open=False)
        """,
        "call": """
            with contextlib.suppress(psycopg_pool.PoolClosed):
                POOL.getconn(timeout=0.01)  #!
        """,
        "found": "psycopg_pool.ConnectionPool.getconn",
    },
    {
        "name": "psycopg2, refused",
        "needs": "psycopg2",
        "call": """
            with contextlib.suppress(psycopg2.OperationalError):
                psycopg2.connect("host=127.0.0.1 port=1")  #!
        """,
        "found": "psycopg2.connect",
    },
    {
        "name": "pymysql, refused",
        "needs": "pymysql",
        "call": """
            with contextlib.suppress(pymysql.OperationalError):
                pymysql.connect(host="127.0.0.1", port=1)  #!
        """,
        "found": "pymysql.connect",
    },
    {
        "name": "mysql.connector, refused",
        "needs": "mysql.connector",
        "setup": "import mysql.connector",
        "call": """
            with contextlib.suppress(mysql.connector.Error):
                mysql.connector.connect(host="127.0.0.1", port=1, use_pure=True)  #!
        """,
        "found": "mysql.connector.connect",
    },
    {
        "name": "oracledb, refused",
        "needs": "oracledb",
        "call": """
            with contextlib.suppress(oracledb.Error):
                oracledb.connect(user="a", password="b", dsn="127.0.0.1:1/x")  #!
        """,
        "found": "oracledb.connect",
    },
    {
        "name": "pymssql, refused",
        "needs": "pymssql",
        "call": """
            with contextlib.suppress(pymssql.Error):
                pymssql.connect("127.0.0.1", port="1", login_timeout=1)  #!
        """,
        "found": "pymssql.connect",
    },
    {
        "name": "peewee on sqlite",
        "needs": "peewee",
        "setup": """
            class Item(peewee.Model):
                name = peewee.CharField()

                class Meta:
                    database = peewee.SqliteDatabase(
                        ":memory:", check_same_thread=False, thread_safe=False
                    )

            Item.create_table()
        """,
        "call": "Item.create(name='a')",
        "found": "peewee.Model.create",
        "twin": "Item.select().where(Item.name == 'a')",
    },
    {
        "name": "Django's ORM on sqlite",
        "needs": "django",
        "setup": """
            import django
            from django.conf import settings
            from django.db import connection

            if not settings.configured:
                database = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
                settings.configure(DATABASES={"default": database})
                os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
                django.setup()
        """,
        "call": "connection.cursor()",
        "found": "django.db.backends.base.base.BaseDatabaseWrapper.cursor",
    },
    {
        "name": "duckdb in memory",
        "needs": "duckdb",
        "setup": "DB = duckdb.connect()",
        "call": "DB.execute('select 1')",
        "found": "duckdb.DuckDBPyConnection.execute",
    },
    {
        "name": "neo4j, refused",
        "needs": "neo4j",
        "setup": """
            DRIVER = neo4j.GraphDatabase.driver("bolt://127.0.0.1:1")

            @pytest.fixture(autouse=True, scope="module")
            def closed():
                yield
                DRIVER.close()
        """,
        "call": """
            with contextlib.suppress(neo4j.exceptions.ServiceUnavailable):
                DRIVER.verify_connectivity()  #!
        """,
        "found": "neo4j.Driver.verify_connectivity",
    },
    {
        "name": "cassandra, refused",
        "needs": "cassandra",
        "setup": """
            import cassandra.cluster

            @pytest.fixture(autouse=True)
            def cluster():
                global CLUSTER
                CLUSTER = cassandra.cluster.Cluster(["127.0.0.1"], port=1)
        """,
        "call": """
            with contextlib.suppress(cassandra.cluster.NoHostAvailable):
                CLUSTER.connect()  #!
        """,
        "found": "cassandra.cluster.Cluster.connect",
    },
    {
        "name": "clickhouse_connect, refused",
        "needs": "clickhouse_connect",
        "call": """
            with contextlib.suppress(clickhouse_connect.driver.exceptions.Error):
                clickhouse_connect.get_client(host="127.0.0.1", port=1)  #!
        """,
        "found": "clickhouse_connect.get_client",
    },
    {
        "name": "clickhouse_driver, refused",
        "needs": "clickhouse_driver",
        "setup": "CLIENT = clickhouse_driver.Client('127.0.0.1', port=1)",
        "call": """
            with contextlib.suppress(clickhouse_driver.errors.Error):
                CLIENT.execute("select 1")  #!
        """,
        "found": "clickhouse_driver.Client.execute",
    },
    {
        "name": "influxdb_client, refused",
        "needs": "influxdb_client urllib3",
        "setup": """
            QUERY = influxdb_client.InfluxDBClient(
                "http://127.0.0.1:1", token="t", org="o", retries=False
            ).query_api()
        """,
        "call": """
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                QUERY.query("x")  #!
        """,
        "found": "influxdb_client.QueryApi.query",
    },
]
