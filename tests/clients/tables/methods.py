"""The methods of a library one by one, where the other tables have one for its kind."""

from __future__ import annotations

RULE = "sync-client"


def each(name: str, calls: str, quietly: str = "") -> str:
    """A line for each call, named after its function in ``name``; errors may be suppressed."""
    lines = []
    for call in map(str.strip, calls.strip().splitlines()):
        function = call.rpartition(" = ")[2].partition("(")[0].rpartition(".")[2]
        line = f"{call}  #! {name}.{function}"
        lines.append(f"with contextlib.suppress({quietly}):\n    {line}" if quietly else line)
    return "\n".join(lines)


WEB = [
    *(
        {
            "name": f"the functions of {package}",
            "needs": package,
            "call": each(
                package,
                "\n".join(
                    f"{package}.{verb}(stub.URL{options})"
                    for verb in ("get", "post", "put", "patch", "delete", "head", "options")
                )
                + f"\n{package}.request('GET', stub.URL{options})",
            ),
        }
        for package, options in (
            ("requests", ""),
            ("httpx", ", verify=False"),
            ("httpx2", ", verify=False"),
        )
    ),
    {
        "name": "parts of a body by urllib3",
        "needs": "urllib3",
        "setup": """
            @pytest.fixture(autouse=True)
            def answers():
                global ONE, OTHER
                pool = urllib3.PoolManager()
                ONE, OTHER = (
                    pool.request("GET", stub.URL, preload_content=False) for _ in range(2)
                )
                yield
                ONE.release_conn(), OTHER.release_conn()
        """,
        "call": each("urllib3.HTTPResponse", "ONE.read1(1)\nOTHER.readinto(bytearray(1))"),
    },
    {
        "name": "urlretrieve",
        "call": "urllib.request.urlretrieve(stub.URL, PATH)",
        "found": "urllib.request.urlretrieve",
    },
]

SERVICES = [
    {
        "name": "the kinds of call of grpc, refused",
        "needs": "grpc",
        "setup": """
            import grpc.experimental

            CHANNEL = grpc.insecure_channel("127.0.0.1:1")
            ONE, MANY = CHANNEL.unary_unary("/a/b"), CHANNEL.stream_unary("/a/b")
            SINGLE = [(grpc.experimental.ChannelOptions.SingleThreadedUnaryStream, 1)]
            OTHER = grpc.insecure_channel("127.0.0.1:1", SINGLE)
            STREAM = OTHER.unary_stream("/a/b")
        """,
        "call": """
            with contextlib.suppress(grpc.RpcError):
                ONE.with_call(b"x")  #! grpc._UnaryUnaryMultiCallable.with_call
            with contextlib.suppress(grpc.RpcError):
                MANY(iter([b"x"]))  #! grpc._StreamUnaryMultiCallable
            with contextlib.suppress(grpc.RpcError):
                MANY.with_call(iter([b"x"]))  #! grpc._StreamUnaryMultiCallable.with_call
            with contextlib.suppress(grpc.RpcError):
                list(CHANNEL.unary_stream("/a/b")(b"x"))  #! grpc._channel._Rendezvous
            with contextlib.suppress(grpc.RpcError):
                list(STREAM(b"x"))  #! grpc._channel._Rendezvous
        """,
    },
    {
        "name": "the queries of influxdb_client, refused",
        "rule": "sync-database",
        "needs": "influxdb_client urllib3 pandas",
        "setup": """
            ASK = influxdb_client.InfluxDBClient(
                "http://127.0.0.1:1", token="t", org="o", retries=False
            ).query_api()
        """,
        "call": each(
            "influxdb_client.QueryApi",
            """
            ASK.query_stream("x")
            ASK.query_csv("x")
            ASK.query_raw("x")
            ASK.query_data_frame("x")
            """,
            "urllib3.exceptions.HTTPError",
        ),
    },
    {
        "name": "the download of tiktoken",
        "needs": "tiktoken requests",
        "setup": "from tiktoken.load import read_file",
        "call": "read_file(stub.URL)",
        "found": "tiktoken.load.read_file",
    },
]

BROKERS = [
    {
        "name": "storing by pymemcache, refused",
        "needs": "pymemcache",
        "setup": "CLIENT = pymemcache.Client(('127.0.0.1', 1))",
        "call": each("pymemcache.Client", 'CLIENT.set("a", "b")\nCLIENT.delete("a")', "OSError"),
    },
    {
        "name": "the results of celery, in memory",
        "needs": "celery",
        "setup": """
            from celery.exceptions import TimeoutError
            from celery.result import ResultSet

            TASKS = celery.Celery("tasks", broker="memory://", backend="cache+memory://")
            RESULT = TASKS.AsyncResult("1")
            RESULTS = ResultSet([RESULT])
        """,
        "call": """
            with contextlib.suppress(TimeoutError):
                RESULT.get(timeout=0.01)  #! celery.result.AsyncResult.get
            with contextlib.suppress(TimeoutError):
                RESULTS.get(timeout=0.01)  #! celery.result.ResultSet.get
        """,
    },
    {
        "name": "kombu, in memory",
        "needs": "kombu",
        "setup": "NOWHERE = kombu.Connection('memory://')",
        "call": "NOWHERE.ensure_connection()",
        "found": "kombu.Connection.ensure_connection",
    },
]

PROTOCOLS = [
    {
        "name": "telnetlib",
        "needs": "telnetlib",
        "call": "telnetlib.Telnet('127.0.0.1', stub.ECHO).close()",
        "found": "telnetlib.Telnet",
    },
    {
        "name": "nntplib",
        "needs": "nntplib",
        "call": """
            with contextlib.suppress(nntplib.NNTPError):
                nntplib.NNTP("127.0.0.1", stub.POP)  #! nntplib.NNTP
        """,
    },
    {
        "name": "the transport of paramiko, refused",
        "needs": "paramiko",
        "call": """
            with contextlib.suppress(paramiko.SSHException):
                paramiko.Transport(("127.0.0.1", 1))  #! paramiko.Transport
        """,
    },
    {
        "name": "the methods of ldap3 with MOCK_SYNC",
        "needs": "ldap3",
        "setup": """
            @pytest.fixture(autouse=True)
            def people():
                global PEOPLE
                PEOPLE = ldap3.Connection("fake", "cn=a", "b", client_strategy=ldap3.MOCK_SYNC)
                PEOPLE.strategy.add_entry("cn=a", {"userPassword": "b", "sn": "x"})
        """,
        "call": each(
            "ldap3.Connection",
            """
            PEOPLE.bind()
            PEOPLE.rebind("cn=a", "b")
            PEOPLE.add("cn=b,o=x", "person", {"sn": "y"})
            PEOPLE.modify("cn=b,o=x", {"sn": [("MODIFY_REPLACE", ["z"])]})
            PEOPLE.compare("cn=b,o=x", "sn", "z")
            PEOPLE.modify_dn("cn=b,o=x", "cn=c")
            PEOPLE.delete("cn=c,o=x")
            PEOPLE.unbind()
            """,
        ),
    },
    {
        "name": "the function of dnspython, nobody there",
        "needs": "dns.resolver",
        "setup": """
            import dns.resolver

            dns.resolver.default_resolver = RESOLVER = dns.resolver.Resolver(configure=False)
            RESOLVER.nameservers, RESOLVER.lifetime = ["127.0.0.1"], 0.05
        """,
        "call": each(
            "dns.resolver", 'dns.resolver.resolve("example.test")', "dns.exception.DNSException"
        ),
    },
]

MAIL = [
    {
        "name": "the steps of smtplib",
        "setup": """
            from email.message import EmailMessage

            MAIL = EmailMessage()
            MAIL["From"], MAIL["To"] = "a@x.test", "b@x.test"

            @pytest.fixture(autouse=True)
            def server():
                global SERVER
                SERVER = smtplib.SMTP("127.0.0.1", stub.SMTP, "x")
                SERVER.ehlo()
                yield
                SERVER.close()
        """,
        "call": each(
            "smtplib.SMTP",
            """
            SERVER.send_message(MAIL)
            SERVER.login("a", "b")
            SERVER.starttls()
            SERVER.docmd("NOOP")
            SERVER.quit()
            """,
            "smtplib.SMTPException",
        ),
    },
    {
        "name": "a connection by smtplib, imaplib, poplib and ftplib",
        "setup": """
            import ftplib, imaplib, poplib

            class Transfer(ftplib.FTP):
                port = stub.FTP
        """,
        "call": """
            with smtplib.SMTP() as server:  #! smtplib.SMTP
                server.connect("127.0.0.1", stub.SMTP)  #! smtplib.SMTP.connect
            imaplib.IMAP4("127.0.0.1", stub.IMAP).shutdown()  #! imaplib.IMAP4
            poplib.POP3("127.0.0.1", stub.POP).close()  #! poplib.POP3
            Transfer("127.0.0.1").close()  #! ftplib.FTP
        """,
    },
    {
        "name": "the steps of ftplib",
        "setup": """
            import ftplib

            @pytest.fixture(autouse=True)
            def server():
                global SERVER
                SERVER = ftplib.FTP()
                SERVER.connect("127.0.0.1", stub.FTP)
                yield
                SERVER.close()
        """,
        "call": each(
            "ftplib.FTP",
            """
            SERVER.login()
            SERVER.sendcmd("NOOP")
            SERVER.voidcmd("NOOP")
            SERVER.retrbinary("RETR a", print)
            SERVER.retrlines("RETR a", print)
            SERVER.storbinary("STOR a", io.BytesIO())
            SERVER.storlines("STOR a", io.BytesIO())
            SERVER.transfercmd("RETR a")
            SERVER.quit()
            """,
            "ftplib.Error",
        ),
    },
]

COLLECTION = """
    {0}.insert_one({{"a": 1}})
    {0}.insert_many([{{"a": 2}}])
    {0}.find_one()
    {0}.update_one({{}}, {{"$set": {{"a": 3}}}})
    {0}.update_many({{}}, {{"$set": {{"a": 3}}}})
    {0}.replace_one({{}}, {{"a": 4}})
    {0}.count_documents({{}})
    {0}.estimated_document_count()
    {0}.distinct("a")
    {0}.aggregate([{{"$match": {{}}}}])
    {0}.bulk_write([pymongo.InsertOne({{}})])
    {0}.create_index("a")
    {0}.create_indexes([pymongo.IndexModel("b")])
    {0}.index_information()
    {0}.list_indexes()
    {0}.drop_index("a_1")
    {0}.find_one_and_update({{}}, {{"$set": {{"a": 3}}}})
    {0}.find_one_and_replace({{}}, {{"a": 3}})
    {0}.find_one_and_delete({{}})
    {0}.delete_one({{}})
    {0}.delete_many({{}})
    {0}.rename("other")
    {0}.drop()
"""

DATABASES = [
    {
        "name": "the methods of pymongo, nobody there",
        "needs": "pymongo",
        "setup": """
            CLIENT = pymongo.MongoClient(
                "mongodb://127.0.0.1:1", serverSelectionTimeoutMS=3, connect=False
            )
            DB = CLIENT.shop
            ITEMS = DB.items

            @pytest.fixture(autouse=True)
            def unread():
                global FOUND
                FOUND = ITEMS.find()

            @pytest.fixture(autouse=True, scope="module")
            def closed():
                yield
                CLIENT.close()
        """,
        "call": each(
            "pymongo.collection.Collection",
            COLLECTION.format("ITEMS"),
            "pymongo.errors.PyMongoError",
        )
        + "\n"
        + each(
            "pymongo.database.Database",
            'DB.command("ping")\nDB.list_collection_names()\nDB.create_collection("a")',
            "pymongo.errors.PyMongoError",
        )
        + "\n"
        + each(
            "pymongo.mongo_client.MongoClient",
            'CLIENT.server_info()\nCLIENT.list_database_names()\nCLIENT.drop_database("a")',
            "pymongo.errors.PyMongoError",
        )
        + "\n"
        + each("pymongo.cursor.Cursor", "FOUND.to_list()", "pymongo.errors.PyMongoError"),
    },
    {
        "name": "the methods of mongomock",
        "needs": "mongomock pymongo",
        "setup": """
            @pytest.fixture(autouse=True)
            def fresh():
                global ITEMS
                ITEMS = mongomock.MongoClient().shop.items
        """,
        "call": each(
            "pymongo.collection.Collection", COLLECTION.format("ITEMS"), "NotImplementedError"
        )
        + """
ITEMS.insert_many([{"a": 1}, {"a": 2}])  #! pymongo.collection.Collection.insert_many
found = ITEMS.find()
found.next()  #! pymongo.cursor.Cursor.next
ITEMS.find()[0]  #! pymongo.cursor.Cursor
ITEMS.find()[:1]
counted = ITEMS.aggregate([{"$match": {}}])  #! pymongo.collection.Collection.aggregate
next(counted)  #! pymongo.command_cursor.CommandCursor
counted.next()  #! pymongo.command_cursor.CommandCursor.next
        """,
    },
    {
        "name": "the methods of duckdb",
        "needs": "duckdb",
        "setup": """
            pathlib.Path(PATH).write_text('{"a": 1}')

            @pytest.fixture(autouse=True)
            def fresh():
                global DB
                with duckdb.connect() as DB:
                    DB.execute("create table t (a int)")
                    yield
        """,
        "call": each(
            "duckdb",
            """
            other = duckdb.connect()
            duckdb.execute("select 1")
            duckdb.sql("select 1")
            duckdb.query("select 1")
            duckdb.read_csv(PATH)
            duckdb.read_json(PATH)
            """,
        )
        + "\nother.close()\n"
        + each("duckdb", "duckdb.read_parquet(PATH)", "duckdb.Error")
        + "\n"
        + each(
            "duckdb.DuckDBPyConnection",
            """
            DB.executemany("insert into t values (?)", [[1]])
            DB.sql("select 1")
            DB.query("select 1")
            DB.read_csv(PATH)
            DB.read_json(PATH)
            DB.begin()
            DB.commit()
            """,
        ).replace("  #! duckdb.DuckDBPyConnection.begin", "")
        + "\nDB.begin()\n"
        + each("duckdb.DuckDBPyConnection", "DB.rollback()")
        + "\n"
        + each("duckdb.DuckDBPyConnection", "DB.read_parquet(PATH)", "duckdb.Error"),
    },
    {
        "name": "the methods of a relation of duckdb",
        "needs": "duckdb pandas",
        "setup": """
            @pytest.fixture(autouse=True)
            def fresh():
                global ONE
                with duckdb.connect() as DB:
                    ONE = DB.sql("select 1")
                    yield
        """,
        "call": each(
            "duckdb.DuckDBPyRelation",
            """
            ONE.fetchall()
            ONE.df()
            ONE.to_csv(PATH + ".csv")
            ONE.to_parquet(PATH + ".parquet")
            """,
        ),
    },
    {
        "name": "the methods of peewee",
        "needs": "peewee",
        "setup": """
            @pytest.fixture(autouse=True)
            def fresh():
                global DB
                DB = peewee.SqliteDatabase(":memory:", check_same_thread=False, thread_safe=False)
                yield
                DB.close()
        """,
        "call": each(
            "peewee.Database",
            """
            DB.connect()
            DB.execute_sql("begin")
            DB.commit()
            DB.execute_sql("begin")
            DB.rollback()
            """,
        ),
    },
    {
        "name": "Django's cursors on sqlite",
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

            @pytest.fixture(autouse=True)
            def fresh():
                global NEW
                NEW = f"t{time.monotonic_ns()}"
        """,
        "call": """
            cursor = connection.cursor()  #! {0}.base.base.BaseDatabaseWrapper.cursor
            cursor.execute(f"create table {NEW} (x)")  #! {0}.utils.CursorWrapper.execute
            many = f"insert into {NEW} values (%s)"
            cursor.executemany(many, [(1,)])  #! {0}.utils.CursorWrapper.executemany
            connection.set_autocommit(False)
            connection.commit()  #! {0}.base.base.BaseDatabaseWrapper.commit
            connection.rollback()  #! {0}.base.base.BaseDatabaseWrapper.rollback
            connection.set_autocommit(True)
            with contextlib.suppress(AttributeError):
                cursor.callproc("now")  #! {0}.utils.CursorWrapper.callproc
        """.replace("{0}", "django.db.backends"),
    },
]

DATABASES += [
    {
        "name": "a cluster of cassandra",
        "needs": "cassandra",
        "setup": """
            import cassandra.cluster

            @pytest.fixture(autouse=True)
            def ended():
                yield
                CLUSTER.shutdown()
        """,
        "call": """
            global CLUSTER
            CLUSTER = cassandra.cluster.Cluster(["127.0.0.1"], port=1)  #! cassandra.cluster.Cluster
        """,
    },
    {
        "name": "the methods of neo4j, refused",
        "needs": "neo4j",
        "setup": """
            GONE = neo4j.exceptions.ServiceUnavailable

            @pytest.fixture(autouse=True)
            def opened():
                global DRIVER, SESSION
                options = {"max_transaction_retry_time": 0}
                with neo4j.GraphDatabase.driver("bolt://127.0.0.1:1", **options) as DRIVER:
                    with DRIVER.session() as SESSION:
                        yield
        """,
        "call": each(
            "neo4j.Session",
            """
            SESSION.run("return 1")
            SESSION.execute_read(print)
            SESSION.execute_write(print)
            SESSION.begin_transaction()
            """,
            "GONE",
        )
        + "\n"
        + each("neo4j.Driver", 'DRIVER.execute_query("return 1")', "GONE"),
    },
]

HASHES = [
    {
        "name": "the functions of bcrypt",
        "needs": "bcrypt",
        "setup": "SALT = bcrypt.gensalt(4)",
        "call": each("bcrypt", 'bcrypt.hashpw(b"a", SALT)\nbcrypt.kdf(b"a", b"s", 8, 50)'),
    },
    {
        "name": "the low level of argon2-cffi",
        "needs": "argon2",
        "setup": "from argon2.low_level import Type, hash_secret_raw\nSALT = b's' * 8",
        "call": 'hash_secret_raw(b"a", SALT, 1, 8, 1, 9, Type.ID)',
        "found": "argon2.low_level.hash_secret_raw",
    },
    {
        "name": "the methods of passlib",
        "needs": "passlib",
        "setup": """
            from passlib.context import CryptContext

            HASHER = CryptContext(["pbkdf2_sha256"], pbkdf2_sha256__rounds=1)
            HASH = HASHER.hash("a")
        """,
        "call": each(
            "passlib.context.CryptContext",
            'HASHER.hash("a")\nHASHER.verify_and_update("a", HASH)\nHASHER.dummy_verify(0)',
        ),
    },
    {
        "name": "the methods of pwdlib",
        "needs": "pwdlib argon2",
        "setup": """
            from pwdlib.hashers.argon2 import Argon2Hasher

            HASHER = pwdlib.PasswordHash([Argon2Hasher(1, 8, 1)])
            HASH = HASHER.hash("a")
        """,
        "call": each(
            "pwdlib.PasswordHash", 'HASHER.verify("a", HASH)\nHASHER.verify_and_update("a", HASH)'
        ),
    },
    {
        "name": "the modules of PyNaCl",
        "needs": "nacl",
        "setup": """
            from nacl.pwhash import argon2i, argon2id, scrypt

            LIGHT = {"opslimit": 3, "memlimit": 8192}
            SCRYPT = {"opslimit": 2**10, "memlimit": 2**24}
            HASHES = [argon2id.str(b"a", 3, 8192), argon2i.str(b"a", 3, 8192)]
            HASHES += [scrypt.str(b"a", **SCRYPT)]
        """,
        "call": "\n".join(
            each(
                f"nacl.pwhash.{module}",
                f"""
                {module}.kdf(16, b"a", b"s" * {module}.SALTBYTES, **{options})
                {module}.str(b"a", **{options})
                {module}.verify(HASHES[{index}], b"a")
                """,
            )
            for index, (module, options) in enumerate(
                (("argon2id", "LIGHT"), ("argon2i", "LIGHT"), ("scrypt", "SCRYPT"))
            )
        ),
    },
    {
        "name": "encryption by scrypt",
        "needs": "scrypt",
        "setup": "SECRET = scrypt.encrypt(b'a', b'b', maxtime=0.01)",
        "call": each(
            "scrypt", 'scrypt.encrypt(b"a", b"b", maxtime=0.01)\nscrypt.decrypt(SECRET, b"b", 9)'
        ),
    },
    {
        "name": "the key derivations of cryptography",
        "needs": "cryptography",
        "setup": """
            from cryptography.hazmat.primitives.hashes import SHA256
            from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
            from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
            from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

            def pbkdf2():
                return PBKDF2HMAC(SHA256(), 32, b"s", 1)

            def argon2():
                return Argon2id(salt=b"s" * 8, length=32, iterations=1, lanes=1, memory_cost=8)

            def salted():
                return Scrypt(b"s", 32, 2, 8, 1)

            KEYS = [kind().derive(b"a") for kind in (pbkdf2, argon2, salted)]
        """,
        "call": """
            pbkdf2().verify(b"a", KEYS[0])  #! {0}.pbkdf2.PBKDF2HMAC.verify
            argon2().derive(b"a")  #! {0}.argon2.Argon2id.derive
            argon2().verify(b"a", KEYS[1])  #! {0}.argon2.Argon2id.verify
            salted().derive(b"a")  #! {0}.scrypt.Scrypt.derive
            salted().verify(b"a", KEYS[2])  #! {0}.scrypt.Scrypt.verify
        """.replace("{0}", "cryptography.hazmat.primitives.kdf"),
    },
    {
        "name": "the check of werkzeug",
        "needs": "werkzeug",
        "setup": """
            from werkzeug.security import check_password_hash, generate_password_hash

            HASH = generate_password_hash("a", "pbkdf2:sha256:1")
        """,
        "call": "check_password_hash(HASH, 'a')",
        "found": "werkzeug.security.check_password_hash",
    },
    {
        "name": "Django's password hashes",
        "needs": "django",
        "setup": """
            from django.conf import settings
            from django.contrib.auth.hashers import check_password, make_password

            if not settings.configured:
                database = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
                settings.configure(DATABASES={"default": database})
        """,
        "call": each(
            "django.contrib.auth.hashers", 'made = make_password("a")\ncheck_password("a", made)'
        ),
    },
]

FILES = [
    {
        "name": "the formats of pyarrow",
        "needs": "pyarrow pandas",
        "setup": """
            import pyarrow.csv, pyarrow.feather, pyarrow.parquet

            TABLE = pyarrow.table({"a": [1]})
        """,
        "call": each(
            "pyarrow.parquet",
            """
            pyarrow.parquet.write_table(TABLE, PATH)
            pyarrow.parquet.read_table(PATH)
            pyarrow.parquet.ParquetFile(PATH).close()
            """,
        )
        + "\n"
        + each("pyarrow.csv", "pyarrow.csv.write_csv(TABLE, PATH)\npyarrow.csv.read_csv(PATH)")
        + "\n"
        + each(
            "pyarrow.feather",
            """
            pyarrow.feather.write_feather(TABLE, PATH)
            pyarrow.feather.read_table(PATH)
            pyarrow.feather.read_feather(PATH)
            """,
        ),
    },
    {
        "name": "writing by opencv",
        "needs": "cv2 numpy",
        "setup": "PIXEL = numpy.zeros((1, 1), 'u1')",
        "call": each("cv2", 'cv2.imwrite(PATH + ".png", PIXEL)\ncv2.VideoCapture(PATH).release()'),
    },
]

FILES += [
    {
        "name": "soundfile",
        "needs": "soundfile numpy",
        "call": "soundfile.write(PATH + '.wav', numpy.zeros(1), 8000)",
        "found": "soundfile.write",
    },
]

STANDARD = [
    {
        "name": "what is said over TLS",
        "rule": "socket",
        "setup": """
            def context(side):
                # Without a certificate, which takes old ciphers.
                made = ssl.SSLContext(side)
                made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
                made.maximum_version = ssl.TLSVersion.TLSv1_2
                made.set_ciphers("aNULL:@SECLEVEL=0")
                return made

            def serve(side):
                with contextlib.suppress(OSError):
                    with context(ssl.PROTOCOL_TLS_SERVER).wrap_socket(side, True) as far:
                        far.sendall(b"x" * 9)
                        while far.recv(9):
                            pass

            @pytest.fixture(autouse=True)
            def connected():
                global NEAR
                side, other = socket.socketpair()
                server = threading.Thread(target=serve, args=(other,))
                server.start()
                with context(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(side) as NEAR:
                    yield
                server.join()
        """,
        "call": each(
            "ssl.SSLSocket",
            """
            NEAR.recv(1)
            NEAR.recv_into(bytearray(1))
            NEAR.read(1)
            NEAR.send(b"x")
            NEAR.sendall(b"x")
            NEAR.write(b"x")
            """,
        ),
    },
    {
        "name": "a file sent over a socket",
        "rule": "socket",
        "setup": """
            @pytest.fixture(autouse=True)
            def connected():
                global SOCKET, FILE
                with socket.create_connection(("127.0.0.1", stub.ECHO)) as SOCKET:
                    with open(__file__, "rb") as FILE:
                        yield
        """,
        "call": "SOCKET.sendfile(FILE)",
        "found": "socket.socket.sendfile",
    },
    {
        "name": "the other ways of a socket",
        "rule": "socket",
        "setup": """
            @pytest.fixture(autouse=True)
            def connected():
                global ONE, OTHER
                ONE, OTHER = socket.socketpair()
                with ONE, OTHER:
                    for _ in range(4):
                        OTHER.send(b"x")
                    yield
        """,
        "call": each(
            "socket.socket",
            """
            ONE.recvfrom(1)
            ONE.recvfrom_into(bytearray(1))
            ONE.recvmsg(1)
            ONE.recvmsg_into([bytearray(1)])
            ONE.sendmsg([b"x"])
            """,
        ),
    },
    {
        "name": "the other ways of shutil",
        "rule": "file",
        "setup": """
            @pytest.fixture(autouse=True)
            def folder():
                global FOLDER
                FOLDER = pathlib.Path(tempfile.mkdtemp())
                (FOLDER / "there").write_text("x")
                yield
                shutil.rmtree(FOLDER)
        """,
        "call": """
            shutil.copyfile(FOLDER / "there", FOLDER / "b")  #! shutil.copyfile
            shutil.copy2(FOLDER / "there", FOLDER / "c")  #! shutil.copy2
            packed = shutil.make_archive(FOLDER / "x", "tar", FOLDER, "b")  #! shutil.make_archive
            shutil.unpack_archive(packed, FOLDER / "new")  #! shutil.unpack_archive
            shutil.rmtree(FOLDER / "new")  #! shutil.rmtree
        """,
    },
    {
        "name": "a file made sure of",
        "rule": "file",
        "setup": """
            import dbm.dumb

            @pytest.fixture(autouse=True)
            def file():
                global FILE
                with open(PATH, "w") as FILE:
                    yield
        """,
        "call": """
            os.fsync(FILE.fileno())  #! os.fsync
            os.fdatasync(FILE.fileno())  #! os.fdatasync
            dbm.open(PATH + ".db", "n").close()  #! dbm.open
        """,
    },
    {
        "name": "waiting for any process",
        "rule": "subprocess",
        "setup": """
            @pytest.fixture(autouse=True)
            def running():
                for _ in range(2):
                    os.posix_spawnp("sleep", ["sleep", "0.02"], os.environ)
        """,
        "call": each("os", "os.wait()\nos.wait3(0)"),
    },
    {
        "name": "the other ways to spawn",
        "rule": "subprocess",
        "setup": "TRUE = shutil.which('true')",
        "call": each(
            "os",
            """
            os.spawnl(os.P_WAIT, TRUE, "true")
            os.spawnle(os.P_WAIT, TRUE, "true", os.environ)
            os.spawnlpe(os.P_WAIT, "true", "true", os.environ)
            os.spawnv(os.P_WAIT, TRUE, ["true"])
            os.spawnve(os.P_WAIT, TRUE, ["true"], os.environ)
            os.spawnvpe(os.P_WAIT, "true", ["true"], os.environ)
            """,
        ),
    },
    {
        "name": "other things between processes",
        "rule": "thread-wait",
        "setup": """
            @pytest.fixture(autouse=True)
            def empty():
                global ONE, OTHER, NAMES
                context = multiprocessing.get_context("fork")
                ONE, OTHER = context.SimpleQueue(), context.JoinableQueue()
                OTHER.put(1)
                # Not forked: native threads of the other libraries would be gone there.
                with multiprocessing.get_context("spawn").Manager() as manager:
                    NAMES = manager.dict()
                    yield
        """,
        "call": """
            stub.later(ONE.put, 1)
            ONE.get()  #! multiprocessing.SimpleQueue.get
            stub.later(OTHER.task_done)
            OTHER.join()  #! multiprocessing.JoinableQueue.join
            NAMES.update(a=1)  #! multiprocessing.BaseProxy
        """,
    },
    {
        "name": "leaving an executor of processes",
        "rule": "thread-wait",
        "setup": """
            @pytest.fixture(autouse=True)
            def workers():
                global POOL
                context = multiprocessing.get_context("fork")
                POOL = concurrent.futures.ProcessPoolExecutor(1, mp_context=context)
                POOL.submit(time.sleep, 0.05)
        """,
        "call": "POOL.shutdown()",
        "found": "concurrent.futures.ProcessPoolExecutor.shutdown",
    },
]

ROWS = [
    {"rule": rule, **row}
    for rule, rows in (
        ("sync-client", [*WEB, *SERVICES, *BROKERS, *PROTOCOLS, *MAIL]),
        ("sync-database", DATABASES),
        ("password-hash", HASHES),
        ("file", FILES),
        ("", STANDARD),
    )
    for row in rows
]
