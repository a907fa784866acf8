"""What tests replace whole: classes and factories whose products have a synchronous API.

Then no wrapped method is ever called, and each call of a method of the double stands for one of
the client. Where a class has a few methods that block, they are listed; where it has a few that
do not, those are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pytest_asyncguard.catalog.clients.brokers import REDIS, VALKEY
from pytest_asyncguard.catalog.clients.build import HTTPX, THREAD, VERBS
from pytest_asyncguard.catalog.clients.databases import MONGO, MYSQL, NEO4J, POOL, PSYCOPG
from pytest_asyncguard.catalog.clients.protocols import MAIL, SSH
from pytest_asyncguard.catalog.clients.services import AIOBOTO


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A class, or a factory, whose products have a synchronous API.

    ``target`` is ``module:name``; a subclass stands for its class. ``name`` is how a product is
    called in a finding. Of its methods, and those of its attributes, ``blocking`` do block, or
    without that all but ``quick``. ``parts`` tells the blocking ones of what a method answers
    (``pipeline()``, ``getconn()``). ``connects``: making a product blocks.
    """

    target: str
    rule: str
    twin: str | None
    name: str = ""
    blocking: frozenset[str] | None = None
    quick: frozenset[str] = frozenset()
    parts: tuple[tuple[str, frozenset[str]], ...] = ()
    connects: bool = False

    def blocks(self, method: str, part: frozenset[str] | None = None) -> bool:
        """Whether ``method`` blocks, of a product or of a ``part`` of one."""
        if method.startswith("_"):
            return False
        among = self.blocking if part is None else part
        return method in among if among is not None else method not in self.quick


def _clients(
    targets: str,
    rule: str,
    twin: str | None,
    *,
    name: str = "",
    blocking: str = "",
    quick: str = "",
    parts: dict[str, str] | None = None,
    connects: bool = False,
) -> tuple[Client, ...]:
    """Rows for targets that make the same; of the methods, nothing blocks in a ``-``."""
    return tuple(
        Client(
            target=target,
            rule=rule,
            twin=twin,
            name=name or target.replace(":", "."),
            blocking=frozenset(blocking.split()) if blocking else None,
            quick=frozenset(f"close {quick}".split()),
            parts=tuple(
                (word, frozenset(methods.split())) for word, methods in (parts or {}).items()
            ),
            connects=connects,
        )
        for target in targets.split()
    )


_HTTP_METHODS: Final = f"{VERBS} send stream"
_CURSOR: Final = (
    "execute executemany executescript callproc callfunc copy copy_expert copy_from copy_to "
    "commit rollback ping"
)
_SQL: Final = "execute scalar scalars exec_driver_sql commit rollback"
_ORM: Final = (
    f"{_SQL} exec get get_one flush refresh merge bulk_save_objects bulk_insert_mappings "
    "bulk_update_mappings"
)
_QUERY: Final = "all first one one_or_none get scalar count update delete paginate"
_SQLALCHEMY: Final = "await session.execute(...), with sqlalchemy.ext.asyncio.AsyncSession"
_STRIPE: Final = (
    "create retrieve list modify update delete cancel confirm capture search pay attach detach "
    "expire finalize_invoice send_invoice void_invoice list_line_items create_login_link save"
)

_CONTAINER: Final = "attach exec_run kill logs put_archive reload remove restart start stop wait"

_WEB: Final = (
    *_clients("requests:Session", "sync-client", HTTPX, blocking=_HTTP_METHODS),
    *_clients(
        "requests:session", "sync-client", HTTPX, name="requests.Session", blocking=_HTTP_METHODS
    ),
    *_clients("niquests:Session", "sync-client", "niquests.AsyncSession", blocking=_HTTP_METHODS),
    *_clients("requests.adapters:HTTPAdapter", "sync-client", HTTPX, blocking="send"),
    *_clients("httpx:Client httpx2:Client", "sync-client", HTTPX, blocking=_HTTP_METHODS),
    *_clients(
        "urllib3:PoolManager urllib3:HTTPConnectionPool",
        "sync-client",
        HTTPX,
        blocking="request urlopen request_encode_url request_encode_body",
    ),
    *_clients("urllib.request:OpenerDirector", "sync-client", HTTPX, blocking="open"),
    *_clients(
        "urllib.request:build_opener",
        "sync-client",
        HTTPX,
        name="urllib.request.OpenerDirector",
        blocking="open",
    ),
    *_clients(
        "http.client:HTTPConnection http.client:HTTPSConnection",
        "sync-client",
        HTTPX,
        blocking="connect request endheaders send getresponse",
    ),
    *_clients("xmlrpc.client:ServerProxy", "sync-client", THREAD),
    *_clients(
        "jwt:PyJWKClient",
        "sync-client",
        THREAD,
        blocking="fetch_data get_jwk_set get_signing_keys get_signing_key get_signing_key_from_jwt",
    ),
)

_MAIL_METHODS: Final = (
    "connect login sendmail send_message starttls quit ehlo helo noop docmd data verify rset mail "
    "rcpt"
)

_PROTOCOLS: Final = (
    *_clients("sys:stdin", "stdin", None, blocking="read readline readlines"),
    *_clients(
        "smtplib:SMTP smtplib:SMTP_SSL", "sync-client", MAIL, blocking=_MAIL_METHODS, connects=True
    ),
    *_clients(
        "ftplib:FTP ftplib:FTP_TLS imaplib:IMAP4 imaplib:IMAP4_SSL poplib:POP3 poplib:POP3_SSL",
        "sync-client",
        THREAD,
        quick="set_debuglevel set_pasv",
        connects=True,
    ),
    *_clients(
        "paramiko:SSHClient",
        "sync-client",
        SSH,
        quick="set_missing_host_key_policy load_system_host_keys load_host_keys get_host_keys "
        "get_transport set_log_channel",
    ),
    *_clients("paramiko:Transport", "sync-client", SSH, blocking="connect", connects=True),
    *_clients("paramiko:SFTPClient", "sync-client", SSH, quick="from_transport get_channel"),
    *_clients(
        "ldap3:Connection",
        "sync-client",
        THREAD,
        blocking="bind rebind unbind open search add delete modify modify_dn compare extended "
        "start_tls",
    ),
)

_SERVICES: Final = (
    *_clients(
        "boto3:client botocore.client:BaseClient",
        "sync-client",
        AIOBOTO,
        name="boto3.client",
        quick="generate_presigned_url generate_presigned_post get_paginator get_waiter "
        "can_paginate",
    ),
    *_clients(
        "boto3:resource boto3.resources.base:ServiceResource",
        "sync-client",
        AIOBOTO,
        name="boto3.resource",
        quick="Bucket Table Queue Object ObjectSummary Topic Message Subscription filter all "
        "get_available_subresources batch_writer",
    ),
    *_clients(
        "boto3:Session",
        "sync-client",
        AIOBOTO,
        quick="client resource get_credentials get_paginator get_waiter generate_presigned_url "
        "generate_presigned_post Bucket Table Queue Object Topic",
    ),
    *(
        row
        for targets, connects in (
            ("docker:from_env", True),
            ("docker:DockerClient docker:APIClient", False),
            ("docker.models.resource:Collection docker.models.resource:Model", False),
        )
        for row in _clients(
            targets,
            "sync-client",
            THREAD,
            name="docker" if "models" in targets else "docker.DockerClient",
            parts=dict.fromkeys(("run", "get", "create"), _CONTAINER),
            connects=connects,
        )
    ),
    *(
        row
        for sdk, names in (
            ("openai", "OpenAI AzureOpenAI"),
            ("anthropic", "Anthropic AnthropicBedrock AnthropicVertex"),
            ("groq", "Groq"),
        )
        for row in (
            *_clients(
                " ".join(f"{sdk}:{name}" for name in names.split()),
                "sync-client",
                f"{sdk}.Async{names.partition(' ')[0]}",
                quick="with_options copy",
            ),
            *_clients(
                f"{sdk}._resource:SyncAPIResource",
                "sync-client",
                f"{sdk}.Async{names.partition(' ')[0]}",
                name=sdk,
            ),
        )
    ),
    *_clients(
        "elasticsearch:Elasticsearch elasticsearch._sync.client._base:NamespacedClient",
        "sync-client",
        "elasticsearch.AsyncElasticsearch",
        name="elasticsearch.Elasticsearch",
        quick="options",
    ),
    *_clients(
        "opensearchpy:OpenSearch opensearchpy.client.utils:NamespacedClient",
        "sync-client",
        "opensearchpy.AsyncOpenSearch",
        name="opensearchpy.OpenSearch",
    ),
    *_clients(
        "stripe._api_resource:APIResource",
        "sync-client",
        "the *_async methods of stripe",
        name="stripe",
        blocking=_STRIPE,
    ),
    *_clients(
        "stripe._stripe_client:StripeClient",
        "sync-client",
        "the *_async methods of stripe",
        name="stripe.StripeClient",
        quick="construct_event parse_event_notification deserialize",
    ),
    *_clients(
        "twilio.rest:Client twilio.base.list_resource:ListResource "
        "twilio.base.instance_context:InstanceContext",
        "sync-client",
        "the *_async methods of twilio, with AsyncTwilioHttpClient",
        name="twilio.rest.Client",
        quick="messages calls services",
    ),
    *_clients("slack_sdk:WebClient", "sync-client", "slack_sdk.web.async_client.AsyncWebClient"),
    *_clients(
        "slack_sdk.webhook:WebhookClient",
        "sync-client",
        "slack_sdk.webhook.async_client.AsyncWebhookClient",
    ),
    *_clients(
        "minio:Minio",
        "sync-client",
        THREAD,
        quick="presigned_get_object presigned_put_object get_presigned_url presigned_post_policy",
    ),
    *_clients(
        "supabase:create_client supabase:Client",
        "sync-client",
        "supabase.acreate_client(...)",
        name="supabase.Client",
        blocking="execute upload download remove list move copy sign_up sign_in_with_password "
        "sign_out get_user invoke create_signed_url",
    ),
    *_clients(
        "google.cloud.storage:Client",
        "sync-client",
        THREAD,
        quick="bucket blob generate_signed_url from_service_account_json",
    ),
    *_clients(
        "google.cloud.firestore:Client",
        "sync-client",
        "google.cloud.firestore.AsyncClient",
        blocking="get set update delete add stream create commit get_all",
    ),
    *_clients("hvac:Client", "sync-client", THREAD),
)

_BROKERS: Final = (
    *(
        row
        for package, classes, twin in (
            ("redis", "Redis", REDIS),
            ("redis.cluster", "RedisCluster", REDIS),
            ("valkey", "Valkey", VALKEY),
        )
        for row in _clients(
            f"{package}:{classes}" + (f" {package}:from_url" if "cluster" not in package else ""),
            "sync-client",
            twin,
            name=f"{package}.{classes}",
            quick="from_url pipeline pubsub lock register_script set_response_callback get_encoder "
            "get_connection_kwargs from_pool parse_response",
            parts={
                "pipeline": "execute",
                "pubsub": "subscribe psubscribe unsubscribe get_message listen",
                "lock": "acquire release",
            },
        )
    ),
    *_clients("redis.client:Pipeline", "sync-client", REDIS, blocking="execute"),
    *_clients("pymemcache:Client", "sync-client", "aiomcache"),
    *_clients(
        "kafka:KafkaProducer", "sync-client", "aiokafka", blocking="send flush", connects=True
    ),
    *_clients(
        "kafka:KafkaConsumer", "sync-client", "aiokafka", blocking="poll commit seek", connects=True
    ),
    *_clients("confluent_kafka:Producer", "sync-client", "aiokafka", blocking="flush"),
    *_clients(
        "confluent_kafka:Consumer", "sync-client", "aiokafka", blocking="poll consume commit"
    ),
    *_clients(
        "pika:BlockingConnection",
        "sync-client",
        "aio_pika",
        connects=True,
        quick="is_open is_closed add_timeout call_later",
    ),
    *_clients(
        "celery.app.task:Task",
        "sync-client",
        THREAD,
        name="celery.Task",
        blocking="delay apply_async",
        parts={"delay": "get wait", "apply_async": "get wait"},
    ),
    *_clients(
        "celery.app.base:Celery",
        "sync-client",
        THREAD,
        name="celery.Celery",
        blocking="send_task",
        parts={"send_task": "get wait"},
    ),
    *_clients("celery.result:AsyncResult", "sync-client", THREAD, blocking="get wait ready"),
    *_clients(
        "rq:Queue", "sync-client", THREAD, blocking="enqueue enqueue_call enqueue_in enqueue_at"
    ),
    *_clients("dramatiq:Actor", "sync-client", THREAD, blocking="send send_with_options"),
)

_DATABASES: Final = (
    *_clients(
        "pymongo:MongoClient",
        "sync-database",
        MONGO,
        quick="get_database get_collection get_default_database start_session with_options",
    ),
    *_clients(
        "pymongo.collection:Collection pymongo.database:Database",
        "sync-database",
        MONGO,
        quick="get_collection with_options",
    ),
    *_clients(
        "sqlalchemy.orm:Session sqlalchemy.orm:sessionmaker sqlalchemy.orm:scoped_session",
        "sync-database",
        _SQLALCHEMY,
        name="sqlalchemy.orm.Session",
        blocking=_ORM,
        parts={"query": _QUERY},
    ),
    *_clients("sqlalchemy.orm:Query", "sync-database", _SQLALCHEMY, blocking=_QUERY),
    *_clients(
        "sqlalchemy.engine:Engine sqlalchemy:create_engine",
        "sync-database",
        _SQLALCHEMY,
        name="sqlalchemy.Engine",
        blocking=_SQL,
    ),
    *_clients("sqlalchemy.engine:Connection", "sync-database", _SQLALCHEMY, blocking=_SQL),
    *_clients(
        "psycopg2:connect",
        "sync-database",
        PSYCOPG,
        name="psycopg2",
        blocking=_CURSOR,
        connects=True,
    ),
    *_clients(
        "psycopg2.extensions:connection psycopg2.extensions:cursor",
        "sync-database",
        PSYCOPG,
        name="psycopg2",
        blocking=_CURSOR,
    ),
    *_clients(
        "psycopg2.pool:AbstractConnectionPool",
        "sync-database",
        PSYCOPG,
        name="psycopg2.pool",
        blocking="getconn",
        parts={"getconn": _CURSOR},
    ),
    *_clients(
        "psycopg:connect psycopg:Connection psycopg:Cursor",
        "sync-database",
        PSYCOPG,
        name="psycopg",
        blocking=f"{_CURSOR} connect stream",
        connects=True,
    ),
    *_clients(
        "psycopg_pool:ConnectionPool",
        "sync-database",
        POOL,
        blocking="getconn wait",
        parts={"getconn": _CURSOR, "connection": _CURSOR},
    ),
    *(
        row
        for targets, name, twin in (
            ("pymysql:connect pymysql.connections:Connection", "pymysql", MYSQL),
            ("MySQLdb:connect", "MySQLdb", MYSQL),
            ("mysql.connector:connect", "mysql.connector", MYSQL),
            ("oracledb:connect", "oracledb", "oracledb.connect_async(...)"),
            ("pyodbc:connect", "pyodbc", "aioodbc"),
            ("pymssql:connect", "pymssql", THREAD),
            ("sqlite3:connect", "sqlite3", "aiosqlite"),
        )
        for row in _clients(
            targets, "sync-database", twin, name=name, blocking=_CURSOR, connects=True
        )
    ),
    *_clients(
        "duckdb:connect",
        "sync-database",
        THREAD,
        blocking="execute executemany sql query fetchall fetchone df commit rollback",
        connects=True,
    ),
    *_clients("peewee:Database", "sync-database", THREAD, blocking="connect execute_sql"),
    *_clients(
        "peewee:Model",
        "sync-database",
        THREAD,
        name="peewee.Model",
        blocking="create get get_or_none get_by_id get_or_create save delete_instance execute "
        "bulk_create count exists first scalar",
    ),
    *_clients(
        "neo4j:GraphDatabase neo4j:Driver neo4j:Session",
        "sync-database",
        NEO4J,
        name="neo4j",
        blocking="run execute_query execute_read execute_write verify_connectivity commit",
    ),
    *_clients(
        "cassandra.cluster:Cluster cassandra.cluster:Session",
        "sync-database",
        THREAD,
        blocking="connect execute",
    ),
)

_HASHES: Final = (
    *_clients(
        "passlib.context:CryptContext argon2:PasswordHasher pwdlib:PasswordHash",
        "password-hash",
        "await run_in_threadpool(...)",
        blocking="hash verify verify_and_update encrypt dummy_verify",
    ),
    *_clients(
        "pwdlib.hashers.argon2:Argon2Hasher pwdlib.hashers.bcrypt:BcryptHasher",
        "password-hash",
        "await run_in_threadpool(...)",
        blocking="hash verify",
    ),
)

_PROCESSES: Final = (
    *_clients(
        "subprocess:Popen",
        "subprocess",
        "await asyncio.create_subprocess_exec(...)",
        blocking="wait communicate",
        connects=True,
    ),
)

CLIENTS: Final = (
    *_WEB,
    *_PROTOCOLS,
    *_SERVICES,
    *_BROKERS,
    *_DATABASES,
    *_HASHES,
    *_PROCESSES,
)
