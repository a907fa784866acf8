"""Real servers, where doubles of the far end would leave out what the driver does in C."""

from __future__ import annotations

RULE = "sync-database"

AT = """
    AT = f"host=127.0.0.1 port={os.environ['PORT_OF_POSTGRESQL']} user=postgres dbname=postgres"
    URL = f"postgres@127.0.0.1:{os.environ['PORT_OF_POSTGRESQL']}/postgres"
"""

OPENED = """
    @pytest.fixture(autouse=True)
    def opened():
        global DB
        DB = {module}.connect(AT)
        with contextlib.closing(DB):
            yield
"""

POSTGRES = [
    {
        "name": "psycopg2",
        "needs": "psycopg2 psycopg",
        "setup": AT + OPENED.format(module="psycopg2") + "\n    import psycopg2.extras\n",
        "call": """
            with DB.cursor() as cursor:
                cursor.execute("select %s", (1,))  #! {0}.cursor.execute
                assert cursor.fetchone() == (1,)
                cursor.executemany("select %s", [(1,)])  #! {0}.cursor.executemany
                cursor.callproc("now")  #! {0}.cursor.callproc
                copy = "copy (select 1) to stdout"
                cursor.copy_expert(copy, io.StringIO())  #! {0}.cursor.copy_expert
                cursor.execute("create temp table t (x text)")  #! {0}.cursor.execute
                cursor.copy_from(io.StringIO("a"), "t")  #! {0}.cursor.copy_from
                cursor.copy_to(io.StringIO(), "t")  #! {0}.cursor.copy_to
            DB.commit()  #! {0}.connection.commit
            DB.rollback()  #! {0}.connection.rollback
        """.replace("{0}", "psycopg2.extensions"),
        "twin": """
            async with await psycopg.AsyncConnection.connect(AT) as connection:
                await connection.execute("select 1")
        """,
    },
    {
        "name": "the cursors and connections of psycopg2.extras",
        "needs": "psycopg2",
        "setup": AT + "\n    import psycopg2.extras as extras\n",
        "call": "\n".join(
            f"""
connection = psycopg2.connect(AT, connection_factory=extras.{kind}Connection)  #! psycopg2.connect
{initialize}
cursor = connection.cursor(cursor_factory=extras.{kind}Cursor)
cursor.execute("create temp table t (x text)")  #! psycopg2.extras.{kind}Cursor.execute
cursor.executemany("select %s", [(1,)])  #! psycopg2.extras.{kind}Cursor.executemany
cursor.callproc("now")  #! psycopg2.extras.{kind}Cursor.callproc
cursor.copy_expert("copy t to stdout", io.StringIO())  #! psycopg2.extras.{kind}Cursor.copy_expert
cursor.copy_from(io.StringIO("a"), "t")  #! psycopg2.extras.{kind}Cursor.copy_from
cursor.copy_to(io.StringIO(), "t")  #! psycopg2.extras.{kind}Cursor.copy_to
connection.commit()  #! psycopg2.extras.{kind}Connection.commit
connection.rollback()  #! psycopg2.extras.{kind}Connection.rollback
connection.close()
            """
            for kind, initialize in (
                ("Dict", ""),
                ("RealDict", ""),
                ("NamedTuple", ""),
                ("Logging", "connection.initialize(io.StringIO())"),
            )
        ),
    },
    {
        "name": "a new connection of psycopg2",
        "needs": "psycopg2",
        "setup": AT,
        "call": """
            with contextlib.closing(psycopg2.connect(AT)) as connection:  #! psycopg2.connect
                assert isinstance(connection, psycopg2.extensions.connection)
                cursor = connection.cursor()
                cursor.execute("select 1")  #! psycopg2.extensions.cursor.execute
                assert list(cursor) == [(1,)]
        """,
        "twin": """
            connection = psycopg2.connect(AT, async_=True)
            while connection.poll() != psycopg2.extensions.POLL_OK:
                await asyncio.sleep(0.001)
            cursor = connection.cursor()
            cursor.execute("select 1")
            while connection.poll() != psycopg2.extensions.POLL_OK:
                await asyncio.sleep(0.001)
            assert cursor.fetchone() == (1,)
            connection.close()
        """,
    },
    {
        "name": "a pool of psycopg2",
        "needs": "psycopg2",
        "setup": AT
        + """
    import psycopg2.pool

    POOL = psycopg2.pool.ThreadedConnectionPool(0, 3, AT)
        """,
        "call": """
            connection = POOL.getconn()  #! psycopg2.pool.ThreadedConnectionPool.getconn
            with connection:  #! psycopg2.extensions.connection.commit
                cursor = connection.cursor()
                cursor.execute("select 1")  #! psycopg2.extensions.cursor.execute
            POOL.putconn(connection, close=True)
        """,
    },
    {
        "name": "psycopg 3",
        "needs": "psycopg",
        "setup": AT + OPENED.format(module="psycopg"),
        "call": """
            assert DB.execute("select 1").fetchone() == (1,)  #! psycopg.Connection.execute
            DB.commit()  #! psycopg.Connection.commit
            with DB.cursor() as cursor:
                cursor.execute("select %s", (1,))  #! psycopg.Cursor.execute
                cursor.executemany("select %s", [(1,)])  #! psycopg.Cursor.executemany
                with cursor.copy("copy (select 1) to stdout") as copy:  #! psycopg.Cursor.copy
                    while copy.read():  #! psycopg.Copy.read
                        pass
                list(cursor.stream("select 1"))  #! psycopg.Cursor.stream
            DB.rollback()  #! psycopg.Connection.rollback
        """,
        "twin": """
            async with await psycopg.AsyncConnection.connect(AT) as connection:
                async with connection.transaction(), connection.cursor() as cursor:
                    await cursor.execute("select 1")
                    await cursor.fetchone()
        """,
    },
    {
        "name": "a new connection of psycopg 3",
        "needs": "psycopg",
        "setup": AT,
        "call": """
            connection = psycopg.connect(AT, autocommit=True)  #! psycopg.connect
            with contextlib.closing(connection), connection.cursor() as cursor:
                cursor.execute("select 1")  #! psycopg.Cursor.execute
        """,
    },
    {
        "name": "a pool of psycopg 3",
        "needs": "psycopg_pool",
        "setup": AT
        + """
    @pytest.fixture(autouse=True)
    def opened():
        global POOL
        with psycopg_pool.ConnectionPool(AT, min_size=1, open=True) as POOL:
            POOL.wait()
            yield
        """,
        "call": """
            POOL.wait()  #! psycopg_pool.ConnectionPool.wait
            with POOL.connection() as connection:  #! psycopg_pool.ConnectionPool.connection
                connection.execute("select 1")  #! psycopg.Connection.execute
        """,
        "twin": """
            async with psycopg_pool.AsyncConnectionPool(AT, min_size=1, open=False) as pool:
                async with pool.connection() as connection:
                    await connection.execute("select 1")
        """,
    },
    *(
        {
            "name": f"SQLAlchemy on {driver}",
            "needs": f"sqlalchemy {driver} psycopg greenlet",
            "setup": AT
            + f"""
    from sqlalchemy import select, literal, text
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import NullPool, StaticPool

    ENGINE = sqlalchemy.create_engine(f"postgresql+{driver}://{{URL}}", poolclass=StaticPool)
    TWIN = create_async_engine(f"postgresql+psycopg://{{URL}}", poolclass=NullPool)

    @pytest.fixture(autouse=True)
    def connected():
        global SESSION
        with Session(ENGINE) as SESSION:
            SESSION.execute(text("select 1"))
            yield
            """,
            "call": """
                SESSION.execute(text("select 1"))  #! sqlalchemy.orm.Session.execute
                assert SESSION.scalar(select(literal(1))) == 1  #! sqlalchemy.orm.Session.scalar
                SESSION.commit()  #! sqlalchemy.orm.Session.commit
            """,
            "twin": """
                async with AsyncSession(TWIN) as session:
                    assert (await session.execute(text("select 1"))).scalar() == 1
                    await session.commit()
            """,
        }
        for driver in ("psycopg2", "psycopg")
    ),
]

REDIS = [
    {
        "name": "redis-py",
        "needs": "redis",
        "setup": """
            import redis.asyncio

            AT = {"port": int(os.environ["PORT_OF_REDIS-SERVER"])}
            CLIENT, TWIN = redis.Redis(**AT), redis.asyncio.Redis(**AT)

            @pytest.fixture(autouse=True)
            def fresh():
                CLIENT.flushall()
        """,
        "call": """
            CLIENT.set("a", 1)  #! redis.Redis.set
            assert CLIENT.get("a") == b"1"  #! redis.Redis.get
            CLIENT.execute_command("INCR", "a")  #! redis.Redis.execute_command
            assert list(CLIENT.scan_iter()) == [b"a"]  #! redis.Redis.scan_iter
            with CLIENT.pipeline() as pipeline:
                pipeline.incr("a").get("a")
                assert pipeline.execute() == [3, b"3"]  #! redis.Pipeline.execute
            CLIENT.blpop("none", timeout=0.01)  #! redis.Redis.blpop
            lock = CLIENT.lock("lock")
            lock.acquire()  #! redis.lock.Lock.acquire
            lock.release()  #! redis.lock.Lock.release
        """,
        "twin": """
            await TWIN.set("a", 1)
            assert await TWIN.get("a") == b"1"
            async with TWIN.pipeline() as pipeline:
                await pipeline.incr("a").execute()
            async with TWIN.lock("lock"):
                pass
            assert [key async for key in TWIN.scan_iter()] == [b"a"]
            await TWIN.aclose()
        """,
    },
    {
        "name": "the subscriptions of redis-py",
        "needs": "redis",
        "setup": """
            CLIENT = redis.Redis(port=int(os.environ["PORT_OF_REDIS-SERVER"]))
        """,
        "call": """
            with CLIENT.pubsub() as channel:
                channel.subscribe("news")  #! redis.PubSub.subscribe
                channel.get_message(timeout=1)  #! redis.PubSub.get_message
                CLIENT.publish("news", 1)  #! redis.Redis.publish
                assert next(channel.listen())["data"] == b"1"  #! redis.PubSub.listen
        """,
    },
]

REDIS += [
    {
        "name": "valkey, with a server that speaks the same",
        "needs": "valkey",
        "setup": """
            CLIENT = valkey.Valkey(port=int(os.environ["PORT_OF_REDIS-SERVER"]))
        """,
        "call": """
            CLIENT.set("a", 1)  #! valkey.Valkey.set
            with CLIENT.pipeline() as pipeline:
                pipeline.watch("a")  #! valkey.Pipeline.watch
                pipeline.multi()
                pipeline.incr("a")
                pipeline.execute()  #! valkey.Pipeline.execute
            CLIENT.transaction(lambda pipeline: None, "a")  #! valkey.Valkey.transaction
            with CLIENT.pubsub() as channel:
                channel.subscribe("news")  #! valkey.PubSub.subscribe
                channel.get_message(timeout=1)  #! valkey.PubSub.get_message
        """,
    },
]

ROWS = [
    *({"server": "postgresql", **row} for row in POSTGRES),
    *({"server": "redis-server", "rule": "sync-client", **row} for row in REDIS),
]
