"""What blocks in the client libraries that FastAPI projects use.

Each library is wrapped at the methods through which all its synchronous work passes, above the
place where test doubles (responses, respx, moto, fakeredis, a mock transport) take over. A finding
is named after the function that the user called. Libraries are wrapped once they are imported,
and never imported from here.

Libraries that sit on another one need no row: openai, anthropic and supabase end in httpx, docker,
stripe and twilio in requests, boto3 and minio in urllib3. They are named by their own functions.
"""

from __future__ import annotations

from typing import Any, Final

from pytest_asyncguard.catalog.rows import Call, Client, always, inside
from pytest_asyncguard.catalog.stdlib import argument, masked


def _calls(
    module: str,
    names: str,
    rule: str,
    twin: str | None,
    *,
    when: Any = always,
    detail: Any = None,
    optional: bool = True,
    public: str | None = None,
    owned: bool = False,
) -> tuple[Call, ...]:
    """Rows for the attributes ``names`` of ``module``, a ``?`` after those not in every version."""
    rows = []
    for word in names.split():
        name = word.removesuffix("?")
        rows.append(
            Call(
                target=f"{module}:{name}",
                name=f"{public or module.partition('.')[0]}.{name}".removesuffix(".__init__"),
                rule=rule,
                when=when,
                detail=detail or (lambda args, kwargs: None),
                twin=twin,
                by_caller=True,
                owned=owned,
                optional=optional and word.endswith("?"),
            )
        )
    return tuple(rows)


def _sql(position: int) -> Any:
    """The statement, where it is text; its literals masked."""

    def detail(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        statement = argument(args, kwargs, position, "query")
        if isinstance(statement, bytes):
            statement = statement.decode(errors="replace")
        return masked(statement) if isinstance(statement, str) else None

    return detail


_HTTPX = "await client.get(...), with httpx.AsyncClient"
_REDIS = "await client.get(...), with redis.asyncio"
_AIOBOTO = "await client.call(...), with aioboto3"
_MONGO = "await collection.find_one(...), with pymongo.AsyncMongoClient"
_PSYCOPG = "await cursor.execute(...), with psycopg.AsyncConnection"
_MYSQL = "await cursor.execute(...), with asyncmy or aiomysql"
_SQLALCHEMY = "await session.execute(...), with sqlalchemy.ext.asyncio.AsyncSession"
_THREAD = "await asyncio.to_thread(...)"

_VERBS = "get post put patch delete head options request"

HTTP: Final = (
    *(
        Call(
            target=f"requests.api:{verb}",
            also=(f"requests:{verb}",),
            name=f"requests.{verb}",
            rule="sync-client",
            twin=_HTTPX,
        )
        for verb in _VERBS.split()
    ),
    *_calls("requests.sessions", "Session.request Session.send", "sync-client", _HTTPX),
    *(
        row
        for package in ("httpx", "httpx2")
        for row in (
            *(
                Call(
                    target=f"{package}._api:{verb}",
                    also=(f"{package}:{verb}",),
                    name=f"{package}.{verb}",
                    rule="sync-client",
                    when=inside,
                    twin=_HTTPX,
                )
                for verb in _VERBS.split()
            ),
            *_calls(f"{package}._client", "Client.send", "sync-client", _HTTPX, public=package),
        )
    ),
    *_calls(
        "urllib3.connectionpool", "HTTPConnectionPool.urlopen", "sync-client", _HTTPX, owned=True
    ),
    *_calls("urllib3.poolmanager", "PoolManager.urlopen", "sync-client", _HTTPX, owned=True),
    *_calls("urllib3.response", "HTTPResponse.stream?", "sync-client", _HTTPX, when=inside),
    *_calls("urllib.request", "OpenerDirector.open urlretrieve", "sync-client", _HTTPX),
    *_calls(
        "http.client",
        "HTTPConnection.connect HTTPConnection.request HTTPConnection.endheaders "
        "HTTPConnection.send HTTPConnection.getresponse",
        "sync-client",
        _HTTPX,
        public="http.client",
    ),
    *_calls("curl_cffi.requests.session", "Session.request?", "sync-client", _HTTPX),
    *_calls("pycurl", "Curl.perform?", "sync-client", _HTTPX),
    *_calls("niquests.sessions", "Session.request?", "sync-client", "niquests.AsyncSession"),
)

_MAIL = "await aiosmtplib.send(...)"

PROTOCOLS: Final = (
    Call(
        target="smtplib:SMTP.__init__",
        name="smtplib.SMTP",
        rule="sync-client",
        # Without a host it does not connect.
        when=lambda args, kwargs: bool(argument(args, kwargs, 1, "host")),
        by_caller=True,
        twin=_MAIL,
    ),
    *_calls(
        "smtplib",
        "SMTP.connect SMTP.sendmail SMTP.send_message SMTP.login SMTP.starttls SMTP.docmd "
        "SMTP.quit",
        "sync-client",
        _MAIL,
        when=inside,
    ),
    *_calls("smtplib", "SMTP.getreply", "sync-client", _MAIL),
    Call(
        target="ftplib:FTP.__init__",
        name="ftplib.FTP",
        rule="sync-client",
        when=lambda args, kwargs: bool(argument(args, kwargs, 1, "host")),
        by_caller=True,
        twin=_THREAD,
    ),
    *_calls(
        "ftplib",
        "FTP.connect FTP.login FTP.sendcmd FTP.voidcmd FTP.transfercmd FTP.retrbinary "
        "FTP.retrlines FTP.storbinary FTP.storlines FTP.quit",
        "sync-client",
        _THREAD,
    ),
    *_calls("imaplib", "IMAP4.__init__ IMAP4._simple_command", "sync-client", _THREAD),
    *_calls("poplib", "POP3.__init__ POP3._getresp", "sync-client", _THREAD),
    *_calls("xmlrpc.client", "Transport.request", "sync-client", _THREAD, public="xmlrpc.client"),
    *_calls("nntplib", "NNTP.__init__?", "sync-client", _THREAD),
    *_calls("telnetlib", "Telnet.open?", "sync-client", _THREAD),
    *_calls(
        "paramiko.client",
        "SSHClient.connect SSHClient.exec_command SSHClient.open_sftp",
        "sync-client",
        "await asyncssh.connect(...)",
    ),
    *_calls("paramiko.sftp_client", "SFTPClient._request", "sync-client", "asyncssh"),
    *_calls("paramiko.channel", "Channel.recv Channel.recv_exit_status", "sync-client", "asyncssh"),
    *_calls(
        "ldap3.core.connection",
        "Connection.bind Connection.search Connection.add Connection.delete Connection.modify "
        "Connection.modify_dn Connection.compare Connection.extended Connection.open "
        "Connection.start_tls Connection.rebind",
        "sync-client",
        _THREAD,
    ),
    *_calls(
        "ldap.ldapobject", "SimpleLDAPObject._ldap_call?", "sync-client", _THREAD, public="ldap"
    ),
)

CLOUD: Final = (
    Call(
        target="botocore.client:BaseClient._make_api_call",
        name="boto3.client._make_api_call",
        rule="sync-client",
        by_caller=True,
        owned=True,
        twin=_AIOBOTO,
    ),
    *_calls("google.api_core.gapic_v1.method", "_GapicCallable.__call__", "sync-client", _THREAD),
    *_calls(
        "grpc._channel",
        "_UnaryUnaryMultiCallable.__call__ _UnaryUnaryMultiCallable.with_call "
        "_StreamUnaryMultiCallable.__call__ _StreamUnaryMultiCallable.with_call "
        "_MultiThreadedRendezvous._next? _SingleThreadedRendezvous._next?",
        "sync-client",
        "grpc.aio",
    ),
    *_calls(
        "elastic_transport._transport",
        "Transport.perform_request",
        "sync-client",
        "elasticsearch.AsyncElasticsearch",
    ),
    *_calls(
        "opensearchpy.transport",
        "Transport.perform_request",
        "sync-client",
        "opensearchpy.AsyncOpenSearch",
    ),
    *_calls(
        "elasticsearch.transport",
        "Transport.perform_request?",
        "sync-client",
        "elasticsearch.AsyncElasticsearch",
    ),
)

QUEUES: Final = (
    *_calls(
        "redis.client",
        "Redis.execute_command Pipeline.execute PubSub.execute_command PubSub.parse_response",
        "sync-client",
        _REDIS,
        owned=True,
    ),
    *_calls(
        "redis.cluster",
        "RedisCluster.execute_command? ClusterPipeline.execute?",
        "sync-client",
        _REDIS,
    ),
    *_calls(
        "valkey.client",
        "Valkey.execute_command? Pipeline.execute?",
        "sync-client",
        "valkey.asyncio",
    ),
    *_calls(
        "pymemcache.client.base",
        "Client._fetch_cmd? Client._store_cmd? Client._misc_cmd?",
        "sync-client",
        "aiomcache",
    ),
    *_calls(
        "kafka.producer.kafka",
        "KafkaProducer.__init__ KafkaProducer.send KafkaProducer.flush",
        "sync-client",
        "aiokafka",
    ),
    *_calls(
        "kafka.consumer.group",
        "KafkaConsumer.__init__ KafkaConsumer.poll KafkaConsumer.__next__",
        "sync-client",
        "aiokafka",
    ),
    *_calls(
        "pika.adapters.blocking_connection",
        "BlockingConnection.__init__ BlockingConnection.channel BlockingConnection.close "
        "BlockingConnection.process_data_events BlockingChannel.basic_publish "
        "BlockingChannel.basic_get BlockingChannel.queue_declare "
        "BlockingChannel.exchange_declare BlockingChannel.start_consuming",
        "sync-client",
        "aio_pika",
    ),
    *_calls("celery.app.task", "Task.apply_async", "sync-client", _THREAD),
    *_calls("celery.app.base", "Celery.send_task", "sync-client", _THREAD),
    *_calls(
        "celery.result", "AsyncResult.get GroupResult.get? ResultSet.get?", "sync-client", _THREAD
    ),
    *_calls("dramatiq.actor", "Actor.send_with_options?", "sync-client", _THREAD),
    *_calls("rq.queue", "Queue.enqueue_call?", "sync-client", _THREAD),
    *_calls("kombu.messaging", "Producer.publish?", "sync-client", _THREAD),
)

_MONGO_METHODS = (
    "find_one insert_one insert_many update_one update_many replace_one delete_one delete_many "
    "count_documents estimated_document_count distinct find_one_and_update find_one_and_replace "
    "find_one_and_delete bulk_write aggregate create_index create_indexes drop drop_index "
    "index_information list_indexes? rename?"
)


def _of(cls: str, methods: str) -> str:
    return " ".join(f"{cls}.{method}" for method in methods.split())


DATABASES: Final = (
    *_calls(
        "pymongo.synchronous.collection", _of("Collection", _MONGO_METHODS), "sync-database", _MONGO
    ),
    *_calls(
        "pymongo.synchronous.cursor",
        "Cursor.next Cursor.to_list? _CursorBase.next?",
        "sync-database",
        _MONGO,
    ),
    *_calls("pymongo.synchronous.command_cursor", "CommandCursor.next", "sync-database", _MONGO),
    *_calls(
        "pymongo.synchronous.database",
        "Database.command Database.list_collection_names Database.create_collection",
        "sync-database",
        _MONGO,
    ),
    *_calls(
        "pymongo.synchronous.mongo_client",
        "MongoClient.server_info MongoClient.list_database_names MongoClient.drop_database",
        "sync-database",
        _MONGO,
    ),
    *_calls(
        "mongomock.collection",
        _of("Collection", _MONGO_METHODS) + " Cursor.next",
        "sync-database",
        _MONGO,
    ),
    *_calls(
        "psycopg.connection",
        "Connection.connect Connection.commit Connection.rollback Connection.execute",
        "sync-database",
        _PSYCOPG,
    ),
    *_calls(
        "psycopg.cursor",
        "Cursor.execute Cursor.executemany Cursor.stream? Cursor.copy?",
        "sync-database",
        _PSYCOPG,
        detail=_sql(1),
    ),
    *_calls(
        "psycopg_pool.pool",
        "ConnectionPool.getconn? ConnectionPool.wait?",
        "sync-database",
        "psycopg_pool.AsyncConnectionPool",
    ),
    *_calls("psycopg2", "connect", "sync-database", _PSYCOPG),
    *_calls(
        "pymysql.connections",
        "Connection.connect Connection.query Connection.commit Connection.rollback "
        "Connection.begin Connection.ping Connection.close",
        "sync-database",
        _MYSQL,
    ),
    *_calls("MySQLdb", "connect Connect?", "sync-database", _MYSQL),
    *_calls(
        "MySQLdb.cursors",
        "BaseCursor.execute? BaseCursor.executemany?",
        "sync-database",
        _MYSQL,
        detail=_sql(1),
    ),
    *_calls(
        "mysql.connector.abstracts", "MySQLConnectionAbstract.connect?", "sync-database", _MYSQL
    ),
    *_calls(
        "mysql.connector.cursor",
        "MySQLCursor.execute? MySQLCursor.executemany?",
        "sync-database",
        _MYSQL,
    ),
    *_calls(
        "oracledb.connection",
        "connect? Connection.commit?",
        "sync-database",
        "oracledb.connect_async(...)",
    ),
    *_calls(
        "oracledb.cursor",
        "Cursor.execute? Cursor.executemany?",
        "sync-database",
        "oracledb.connect_async(...)",
    ),
    *_calls("pyodbc", "connect?", "sync-database", "aioodbc"),
    *_calls("pymssql", "connect?", "sync-database", _THREAD),
    *_calls(
        "peewee",
        "Database.connect Database.execute_sql Database.commit Database.rollback",
        "sync-database",
        _THREAD,
    ),
    *_calls(
        "django.db.backends.utils",
        "CursorWrapper.execute CursorWrapper.executemany CursorWrapper.callproc",
        "sync-database",
        "Django's async ORM methods (aget, acreate, ...)",
        detail=_sql(1),
    ),
    *_calls(
        "django.db.backends.base.base",
        "BaseDatabaseWrapper.connect BaseDatabaseWrapper.commit BaseDatabaseWrapper.rollback",
        "sync-database",
        "Django's async ORM methods (aget, acreate, ...)",
    ),
    *_calls(
        "duckdb",
        "connect execute sql query read_csv? read_parquet? read_json?",
        "sync-database",
        _THREAD,
    ),
    *_calls("cassandra.cluster", "Cluster.connect? Session.execute?", "sync-database", _THREAD),
    *_calls(
        "neo4j._sync.work.session",
        "Session.run? Session.execute_read? Session.execute_write?",
        "sync-database",
        "neo4j.AsyncGraphDatabase",
    ),
    *_calls(
        "neo4j._sync.driver",
        "Driver.execute_query? Driver.verify_connectivity?",
        "sync-database",
        "neo4j.AsyncGraphDatabase",
    ),
    *_calls(
        "clickhouse_connect.driver.httpclient",
        "HttpClient._raw_request?",
        "sync-database",
        "clickhouse_connect.get_async_client(...)",
    ),
    *_calls("clickhouse_driver.client", "Client.execute?", "sync-database", "asynch"),
    *_calls(
        "influxdb_client.client.query_api",
        "QueryApi.query?",
        "sync-database",
        "influxdb_client.client.influxdb_client_async",
    ),
)

_HASH = "await run_in_threadpool(...)"

HASHES: Final = (
    *_calls("hashlib", "pbkdf2_hmac scrypt?", "password-hash", _HASH),
    *_calls("bcrypt", "hashpw checkpw kdf", "password-hash", _HASH),
    *_calls(
        "argon2._password_hasher",
        "PasswordHasher.hash PasswordHasher.verify",
        "password-hash",
        _HASH,
    ),
    *_calls(
        "argon2.low_level",
        "hash_secret hash_secret_raw verify_secret",
        "password-hash",
        _HASH,
        public="argon2.low_level",
    ),
    *_calls(
        "passlib.context",
        "CryptContext.hash CryptContext.verify CryptContext.verify_and_update "
        "CryptContext.dummy_verify?",
        "password-hash",
        _HASH,
    ),
    *_calls(
        "passlib.utils.handlers",
        "GenericHandler.hash GenericHandler.verify",
        "password-hash",
        _HASH,
    ),
    *_calls(
        "pwdlib._hash",
        "PasswordHash.hash PasswordHash.verify PasswordHash.verify_and_update",
        "password-hash",
        _HASH,
    ),
    *_calls(
        "nacl.pwhash.argon2id",
        "kdf str verify",
        "password-hash",
        _HASH,
        public="nacl.pwhash.argon2id",
    ),
    *_calls(
        "nacl.pwhash.scrypt", "kdf str verify", "password-hash", _HASH, public="nacl.pwhash.scrypt"
    ),
    *_calls("scrypt", "hash?", "password-hash", _HASH),
    *_calls(
        "cryptography.hazmat.primitives.kdf.pbkdf2",
        "PBKDF2HMAC.derive? PBKDF2HMAC.verify?",
        "password-hash",
        _HASH,
        public="cryptography",
    ),
    *_calls(
        "cryptography.hazmat.primitives.kdf.scrypt",
        "Scrypt.derive? Scrypt.verify?",
        "password-hash",
        _HASH,
        public="cryptography",
    ),
    *_calls(
        "cryptography.hazmat.primitives.kdf.argon2",
        "Argon2id.derive? Argon2id.verify?",
        "password-hash",
        _HASH,
        public="cryptography",
    ),
)

_CONTEXT = "one client or SSL context for all requests, made at start-up"

TLS: Final = (
    Call(
        target="ssl:create_default_context",
        rule="tls-context",
        by_caller=True,
        # With certificates of the caller's own, or none, the system's are not loaded.
        when=inside,
        twin=_CONTEXT,
    ),
    *_calls("ssl", "SSLContext.load_default_certs", "tls-context", _CONTEXT),
    Call(
        target="ssl:SSLContext.load_verify_locations",
        rule="tls-context",
        when=lambda args, kwargs: any(
            argument(args, kwargs, position, name) is not None
            for position, name in ((1, "cafile"), (2, "capath"))
        ),
        by_caller=True,
        twin=_CONTEXT,
    ),
    *_calls("ssl", "SSLContext.set_default_verify_paths", "tls-context", _CONTEXT),
)

FILES: Final = (
    *_calls("h5py._hl.files", "File.__init__?", "file", _THREAD, public="h5py"),
    *_calls("netCDF4", "Dataset?", "file", _THREAD),
    *_calls(
        "pyarrow.parquet.core",
        "read_table? write_table? ParquetFile.__init__?",
        "file",
        _THREAD,
        public="pyarrow.parquet",
    ),
    *_calls("pyarrow.csv", "read_csv?", "file", _THREAD, public="pyarrow.csv"),
    *_calls(
        "pyarrow.feather",
        "read_table? read_feather? write_feather?",
        "file",
        _THREAD,
        public="pyarrow.feather",
    ),
    *_calls("numpy", "fromfile?", "file", _THREAD),
    *_calls("cv2", "imread? imwrite? VideoCapture?", "file", _THREAD),
    *_calls("soundfile", "read? write?", "file", _THREAD),
    *_calls("tiktoken.load", "read_file?", "sync-client", _THREAD, public="tiktoken"),
)

CALLS: Final = (
    *HTTP,
    *PROTOCOLS,
    *CLOUD,
    *QUEUES,
    *DATABASES,
    *HASHES,
    *TLS,
    *FILES,
)

SIBLINGS: Final = {
    "botocore": "boto3",
    "s3transfer": "boto3",
    "elastic_transport": "elasticsearch",
    "httpcore": "httpx",
}
"""Libraries that people know by the name of another one."""

TWINS: Final[dict[str, str | None]] = {
    "openai": "await client.chat.completions.create(...), with openai.AsyncOpenAI",
    "anthropic": "await client.messages.create(...), with anthropic.AsyncAnthropic",
    "supabase": "supabase.acreate_client(...)",
    "stripe": "the *_async methods of stripe",
    "twilio": "the *_async methods of twilio, with AsyncTwilioHttpClient",
    "slack_sdk": "await client.chat_postMessage(...), with slack_sdk's AsyncWebClient",
    "docker": None,
    "minio": None,
    "elasticsearch": "elasticsearch.AsyncElasticsearch",
    "opensearchpy": "opensearchpy.AsyncOpenSearch",
    "google": None,
    "celery": None,
    "huggingface_hub": None,
    "hvac": None,
    "firebase_admin": None,
}
"""The async twins of libraries that sit on a wrapped one, by their top-level name."""

CLIENTS: Final = (
    Client(target="requests:Session", rule="sync-client", twin=_HTTPX),
    Client(target="requests:session", rule="sync-client", twin=_HTTPX),
    Client(target="httpx:Client", rule="sync-client", twin=_HTTPX),
    Client(target="httpx2:Client", rule="sync-client", twin=_HTTPX),
    Client(target="urllib3:PoolManager", rule="sync-client", twin=_HTTPX),
    Client(target="redis:Redis", rule="sync-client", twin=_REDIS, quick="pipeline from_url lock"),
    Client(target="redis:StrictRedis", rule="sync-client", twin=_REDIS, quick="pipeline from_url"),
    Client(target="redis:from_url", rule="sync-client", twin=_REDIS, quick="pipeline lock"),
    Client(target="pymongo:MongoClient", rule="sync-database", twin=_MONGO, quick="find"),
    Client(target="pymongo.collection:Collection", rule="sync-database", twin=_MONGO, quick="find"),
    Client(
        target="sqlalchemy.orm:Session",
        rule="sync-database",
        twin=_SQLALCHEMY,
        quick="add add_all query expunge expunge_all expire_all filter filter_by order_by limit "
        "offset join options where",
    ),
    Client(
        target="sqlmodel:Session",
        rule="sync-database",
        twin=_SQLALCHEMY,
        quick="add add_all query expunge expunge_all expire_all",
    ),
    Client(target="psycopg2:connect", rule="sync-database", twin=_PSYCOPG, quick="cursor"),
    Client(target="psycopg:connect", rule="sync-database", twin=_PSYCOPG, quick="cursor"),
    Client(
        target="pymysql:connect", connects=True, rule="sync-database", twin=_MYSQL, quick="cursor"
    ),
    Client(
        target="pymysql.connections:Connection",
        connects=True,
        rule="sync-database",
        twin=_MYSQL,
        quick="cursor",
    ),
    Client(
        target="MySQLdb:connect", connects=True, rule="sync-database", twin=_MYSQL, quick="cursor"
    ),
    Client(target="sqlite3:connect", rule="sync-database", twin="aiosqlite", quick="cursor"),
    Client(target="duckdb:connect", rule="sync-database", twin=_THREAD),
    Client(
        target="boto3:client",
        rule="sync-client",
        twin=_AIOBOTO,
        quick="generate_presigned_url generate_presigned_post get_paginator get_waiter",
    ),
    Client(
        target="boto3:resource",
        rule="sync-client",
        twin=_AIOBOTO,
        quick="Bucket Table Queue Object Topic",
    ),
    Client(target="boto3:Session", rule="sync-client", twin=_AIOBOTO, quick="client resource"),
    Client(target="docker:from_env", connects=True, rule="sync-client", twin=_THREAD),
    Client(target="docker:DockerClient", rule="sync-client", twin=_THREAD),
    Client(target="openai:OpenAI", rule="sync-client", twin="openai.AsyncOpenAI"),
    Client(target="openai:AzureOpenAI", rule="sync-client", twin="openai.AsyncAzureOpenAI"),
    Client(target="anthropic:Anthropic", rule="sync-client", twin="anthropic.AsyncAnthropic"),
    Client(
        target="elasticsearch:Elasticsearch",
        rule="sync-client",
        twin="elasticsearch.AsyncElasticsearch",
    ),
    Client(
        target="opensearchpy:OpenSearch", rule="sync-client", twin="opensearchpy.AsyncOpenSearch"
    ),
    Client(target="kafka:KafkaProducer", connects=True, rule="sync-client", twin="aiokafka"),
    Client(target="kafka:KafkaConsumer", connects=True, rule="sync-client", twin="aiokafka"),
    Client(target="confluent_kafka:Producer", rule="sync-client", twin="aiokafka", quick="produce"),
    Client(target="confluent_kafka:Consumer", rule="sync-client", twin="aiokafka"),
    Client(target="pika:BlockingConnection", connects=True, rule="sync-client", twin="aio_pika"),
    Client(target="smtplib:SMTP", connects=True, rule="sync-client", twin=_MAIL),
    Client(target="smtplib:SMTP_SSL", connects=True, rule="sync-client", twin=_MAIL),
    Client(target="ftplib:FTP", connects=True, rule="sync-client", twin=_THREAD),
    Client(target="imaplib:IMAP4_SSL", connects=True, rule="sync-client", twin=_THREAD),
    Client(
        target="paramiko:SSHClient",
        rule="sync-client",
        twin="asyncssh",
        quick="set_missing_host_key_policy load_system_host_keys",
    ),
    Client(target="ldap3:Connection", rule="sync-client", twin=_THREAD),
    Client(
        target="slack_sdk:WebClient",
        rule="sync-client",
        twin="slack_sdk.web.async_client.AsyncWebClient",
    ),
    Client(target="twilio.rest:Client", rule="sync-client", twin="client.create_async"),
    Client(
        target="minio:Minio",
        rule="sync-client",
        twin=_THREAD,
        quick="presigned_get_object presigned_put_object",
    ),
    Client(
        target="supabase:create_client",
        rule="sync-client",
        twin="supabase.acreate_client",
        quick="table from_ select eq insert update",
    ),
    Client(target="stripe:StripeClient", rule="sync-client", twin="the *_async methods"),
)
"""What tests replace whole: classes and factories whose products have a synchronous API."""
