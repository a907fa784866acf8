"""Doubles: calls that a test replaced whole, and doubles that stand for nothing that blocks.

The ``setup`` of a row puts the double in place. ``FREE`` has doubles that are no finding.
"""

from __future__ import annotations

RULE = "sync-client"


def patched(with_: str, setup: str = "") -> str:
    """A fixture that holds a context open."""
    return (
        f"{setup}\n@pytest.fixture(autouse=True)\ndef double():\n    with {with_}:\n        yield\n"
    )


def set_by(code: str, setup: str = "") -> str:
    """A fixture that uses pytest's monkeypatch."""
    return f"{setup}\n@pytest.fixture(autouse=True)\ndef double(monkeypatch):\n    {code}\n"


FAKES = """
class FakeS3:
    def put_object(self, **options): ...
    def generate_presigned_url(self, *args): ...

class FakeSMTP:
    def __init__(self, host): ...
    def __enter__(self): return self
    def __exit__(self, *args): ...
    def send_message(self, message): ...

class FakeCursor:
    def execute(self, sql): ...

class FakeConnection:
    def cursor(self): return FakeCursor()
"""

SESSION = """
from sqlalchemy.orm import Session

def get_db(): ...

def override():
    return {double}

@pytest.fixture(autouse=True)
def overridden():
    app.dependency_overrides[get_db] = override
"""

INJECTED = """
class FakeSession:
    def commit(self): ...

class FakeClient:
    class Messages:
        def create(self, **options): ...

    def __init__(self):
        self.messages = self.Messages()

FAKE = {fake}

def made(): ...

@app.get("/injected")
{endpoint}

@pytest.fixture(autouse=True)
def injected():
    app.dependency_overrides[made] = lambda: {given}
    assert client.get("/injected").status_code == 200
"""
"""An app that was given a fake by an override, and was asked once."""

TAKEN = [
    {
        "name": "patch a function of requests",
        "needs": "requests",
        "setup": patched("patch('requests.get')"),
        "call": "requests.get('x').json()",
        "found": "requests.get",
    },
    {
        "name": "patch with autospec",
        "needs": "requests",
        "setup": patched("patch('requests.get', autospec=True)"),
        "call": "requests.get('x')",
        "found": "requests.get",
    },
    {
        "name": "patch with a function",
        "needs": "requests",
        "setup": patched("patch('requests.get', new=lambda url: None)"),
        "call": "requests.get('x')",
        "found": "requests.get",
    },
    {
        "name": "patch with a side effect",
        "needs": "requests",
        "setup": patched("patch('requests.get', side_effect=lambda url: None)"),
        "call": "requests.get('x')",
        "found": "requests.get",
    },
    {
        "name": "patch where the app imported it",
        "needs": "requests",
        "setup": patched("patch(f'{__name__}.fetch')", "from requests import get as fetch"),
        "call": "fetch('x')",
        "found": "requests.get",
    },
    {
        "name": "patch the module in the app",
        "needs": "requests",
        "setup": patched("patch(f'{__name__}.requests')"),
        "call": "requests.post('x', json={}).raise_for_status()",
        "found": "requests.post",
    },
    {
        "name": "patch a method of a class",
        "needs": "requests",
        "setup": patched("patch.object(requests.Session, 'get')"),
        "call": "requests.Session().get('x')",
        "found": "requests.Session.get",
    },
    {
        "name": "patch a method of one object",
        "needs": "redis",
        "setup": patched("patch.object(CLIENT, 'get')", "CLIENT = redis.Redis()"),
        "call": "CLIENT.get('x')",
        "found": "redis.Redis.get",
    },
    {
        "name": "patch an object",
        "needs": "redis",
        "setup": patched("patch(f'{__name__}.CLIENT')", "CLIENT = redis.Redis()"),
        "call": "CLIENT.incr('x')",
        "found": "redis.Redis.incr",
    },
    {
        "name": "patch a class",
        "needs": "redis",
        "setup": patched("patch('redis.Redis')"),
        "call": "redis.Redis(host='x').get('x')",
        "found": "redis.Redis.get",
    },
    {
        "name": "patch time.sleep",
        "setup": patched("patch('time.sleep')"),
        "call": "time.sleep(3)",
        "found": "time.sleep",
        "rule": "sleep",
        "twin": "time.sleep(0)",
    },
    {
        "name": "monkeypatch time.sleep",
        "setup": set_by("monkeypatch.setattr(time, 'sleep', [].append)"),
        "call": "time.sleep(3)",
        "found": "time.sleep",
        "rule": "sleep",
    },
    {
        "name": "monkeypatch by name",
        "needs": "bcrypt",
        "setup": set_by("monkeypatch.setattr('bcrypt.checkpw', lambda *args: True)"),
        "call": "bcrypt.checkpw(b'', b'')",
        "found": "bcrypt.checkpw",
        "rule": "password-hash",
    },
    {
        "name": "pytest-mock",
        "needs": "requests pytest_mock",
        "setup": """
            @pytest.fixture(autouse=True)
            def double(mocker):
                mocker.patch("requests.put")
        """,
        "call": "requests.put('x')",
        "found": "requests.put",
    },
    {
        "name": "a double that was replaced again",
        "needs": "requests",
        "setup": patched("patch('requests.get'), patch('requests.get')"),
        "call": "requests.get('x')",
        "found": "requests.get",
    },
    {
        "name": "patch boto3.client",
        "needs": "boto3",
        "setup": patched("patch('boto3.client')"),
        "call": "boto3.client('s3').put_object(Bucket='x')",
        "found": "boto3.client.put_object",
        "twin": "boto3.client('s3').generate_presigned_url('get_object')",
    },
    {
        "name": "a fake class for what boto3.client makes",
        "needs": "boto3",
        "setup": set_by("monkeypatch.setattr(boto3, 'client', lambda *args: FakeS3())", FAKES),
        "call": "boto3.client('s3').put_object(Bucket='x')",
        "found": "boto3.client.put_object",
        "twin": "boto3.client('s3').generate_presigned_url('get_object')",
    },
    {
        "name": "patch smtplib.SMTP",
        "setup": patched("patch('smtplib.SMTP')"),
        "call": "smtplib.SMTP('x')",
        "found": "smtplib.SMTP",
    },
    {
        "name": "a fake class for smtplib.SMTP",
        "setup": set_by(
            "global SERVER; monkeypatch.setattr(smtplib, 'SMTP', FakeSMTP);"
            " SERVER = smtplib.SMTP('x')",
            FAKES,
        ),
        "call": "SERVER.send_message('x')",
        "found": "smtplib.SMTP.send_message",
    },
    {
        "name": "patch psycopg2.connect",
        "needs": "psycopg2",
        "setup": patched("patch('psycopg2.connect')"),
        "call": "psycopg2.connect('x')",
        "found": "psycopg2.connect",
        "rule": "sync-database",
    },
    {
        "name": "a cursor of a connection that was replaced",
        "needs": "psycopg2",
        "setup": set_by(
            "global DB; monkeypatch.setattr('psycopg2.connect', lambda dsn: FakeConnection());"
            " DB = psycopg2.connect('x')",
            FAKES,
        ),
        "call": "DB.cursor().execute('select 1')",
        "found": "psycopg2.cursor.execute",
        "rule": "sync-database",
    },
    {
        "name": "a session by its spec",
        "needs": "sqlalchemy",
        "setup": "from sqlalchemy.orm import Session\nDB = MagicMock(spec=Session)",
        "call": "DB.query(int).filter(1).first()",
        "found": "sqlalchemy.orm.Session.query.filter.first",
        "rule": "sync-database",
        "twin": "DB.add(1), DB.query(int).filter(1), DB.close()",
    },
    {
        "name": "a session by autospec",
        "needs": "sqlalchemy",
        "setup": "from sqlalchemy.orm import Session\nDB = create_autospec(Session, instance=True)",
        "call": "DB.commit()",
        "found": "sqlalchemy.orm.Session.commit",
        "rule": "sync-database",
    },
    {
        "name": "a session by the annotation of a helper",
        "needs": "sqlalchemy",
        "setup": """
            from sqlalchemy.orm import Session

            class Items:
                def __init__(self, session: Session):
                    self.session = session

                def load(self):
                    return self.session.execute("x")  #!

            ITEMS = Items(MagicMock())
        """,
        "call": "ITEMS.load()",
        "where": "Items.load",
        "found": "sqlalchemy.orm.Session.execute",
        "rule": "sync-database",
    },
    {
        "name": "a factory of sessions",
        "needs": "sqlalchemy",
        "setup": patched(
            "patch(f'{__name__}.sessions')",
            "from sqlalchemy.orm import sessionmaker\nsessions = sessionmaker()",
        ),
        "call": "sessions().commit()",
        "found": "sqlalchemy.orm.Session.commit",
        "rule": "sync-database",
    },
    {
        "name": "what a function says it returns",
        "needs": "redis",
        "setup": patched(
            "patch(f'{__name__}.cache')", "def cache() -> redis.Redis:\n    return redis.Redis()"
        ),
        "call": "cache().get('x')",
        "found": "redis.Redis.get",
    },
    {
        "name": "patch a method of an SDK",
        "needs": "openai",
        "setup": patched(
            "patch('openai.resources.chat.completions.Completions.create')",
            "CLIENT = openai.OpenAI(api_key='x')",
        ),
        "call": "CLIENT.chat.completions.create(model='x', messages=[])",
        "found": "openai.Completions.create",
    },
    {
        "name": "patch a class of an SDK",
        "needs": "stripe",
        "setup": patched("patch('stripe.Customer.create')"),
        "call": "stripe.Customer.create(email='x')",
        "found": "stripe.Customer.create",
        "twin": "stripe.Customer.construct_from({}, 'x')",
    },
    {
        "name": "patch a task",
        "needs": "celery",
        "setup": patched(
            "patch.object(work, 'delay')",
            "@celery.Celery('x', broker='memory://').task\ndef work(): ...",
        ),
        "call": "work.delay()",
        "found": "celery.Task.delay",
    },
    {
        "name": "patch docker.from_env",
        "needs": "docker",
        "setup": patched("patch('docker.from_env')"),
        "call": """
            made = docker.from_env()  #! docker.from_env
            made.containers.run("x")  #! docker.DockerClient.containers.run
        """,
    },
    {
        "name": "a module that is not there",
        "setup": set_by("monkeypatch.setitem(sys.modules, 'paramiko', MagicMock())"),
        "call": """
            import paramiko
            paramiko.SSHClient().connect("x")  #!
        """,
        "found": "paramiko.SSHClient.connect",
    },
    {
        "name": "a module of functions",
        "needs": "requests",
        "setup": set_by(
            "fake = types.SimpleNamespace(get=lambda url: url);"
            " monkeypatch.setattr(f'{__name__}.requests', fake)"
        ),
        "call": "requests.get('x')",
        "found": "requests.get",
    },
    {
        "name": "an entry in a dict of functions",
        "needs": "requests",
        "setup": patched(
            "patch.dict(SENDERS, hook=lambda url: None)", "SENDERS = {'hook': requests.post}"
        ),
        "call": "SENDERS['hook']('x')",
        "found": "requests.post",
    },
    {
        "name": "an item that monkeypatch sets",
        "needs": "redis",
        "setup": set_by(
            "monkeypatch.setitem(CLIENTS, 'a', MagicMock())", "CLIENTS = {'a': redis.Redis()}"
        ),
        "call": "CLIENTS['a'].get('x')",
        "found": "redis.Redis.get",
    },
    {
        "name": "monkeypatch a method that an object inherits",
        "needs": "redis",
        "setup": set_by(
            "monkeypatch.setattr(CLIENT, 'get', lambda key: None)", "CLIENT = redis.Redis()"
        ),
        "call": "CLIENT.get('x')",
        "found": "redis.Redis.get",
    },
    {
        "name": "monkeypatch a method that a class inherits",
        "needs": "redis",
        "setup": set_by("monkeypatch.setattr('redis.Redis.incr', lambda self, key: None)"),
        "call": "redis.Redis().incr('x')",
        "found": "redis.Redis.incr",
    },
    {
        "name": "another way to make a client",
        "needs": "redis",
        "setup": patched("patch.object(redis.Redis, 'from_url')"),
        "call": "redis.Redis.from_url('redis://x').get('x')",
        "found": "redis.Redis.from_url.get",
        "twin": "redis.Redis.from_url('redis://x')",
    },
    {
        "name": "a method that gives what blocks",
        "needs": "sqlalchemy",
        "setup": patched(
            "patch.object(ENGINE, 'connect')",
            "from sqlalchemy import create_engine\nENGINE = create_engine('sqlite://')",
        ),
        "call": "ENGINE.connect().execute('x')",
        "found": "sqlalchemy.Engine.connect.execute",
        "rule": "sync-database",
    },
    {
        "name": "what a function is seen to make",
        "needs": "redis",
        "setup": patched(
            "patch(f'{__name__}.cache')",
            """
@functools.lru_cache
def cache():
    made = redis.Redis()
    return made
""",
        ),
        "call": "cache().get('x')",
        "found": "redis.Redis.get",
    },
    {
        "name": "what a property is seen to make",
        "needs": "boto3",
        "setup": patched(
            "patch.object(Files, 's3', new_callable=unittest.mock.PropertyMock)",
            """
class Files:
    @functools.cached_property
    def s3(self):
        import boto3
        return boto3.client("s3")
""",
        ),
        "call": "Files().s3.put_object(Key='x')",
        "found": "boto3.client.put_object",
    },
    {
        "name": "patch what pandas asks a database",
        "needs": "pandas",
        "setup": patched("patch('pandas.read_sql'), patch.object(pandas.DataFrame, 'to_sql')"),
        "call": """
            pandas.read_sql("x", None)  #! pandas.read_sql
            pandas.DataFrame().to_sql("x", None)  #! pandas.core.generic.NDFrame.to_sql
        """,
        "rule": "sync-database",
    },
    {
        "name": "patch httpx.stream",
        "needs": "httpx2",
        "setup": patched("patch('httpx.stream'), patch('httpx2.stream')"),
        "call": """
            httpx.stream("GET", "x")  #! httpx.stream
            httpx2.stream("GET", "x")  #! httpx2.stream
        """,
    },
    {
        "name": "patch a set of keys",
        "needs": "jwt",
        "setup": patched(
            "patch.object(KEYS, 'get_signing_key_from_jwt')", "KEYS = jwt.PyJWKClient('https://x')"
        ),
        "call": "KEYS.get_signing_key_from_jwt('x')",
        "found": "jwt.PyJWKClient.get_signing_key_from_jwt",
    },
    {
        "name": "patch a helper of elasticsearch",
        "needs": "elasticsearch",
        "setup": patched("patch('elasticsearch.helpers.bulk')", "import elasticsearch.helpers"),
        "call": "elasticsearch.helpers.bulk(None, [])",
        "found": "elasticsearch.helpers.bulk",
    },
    {
        "name": "patch how tenacity sleeps",
        "needs": "tenacity",
        "setup": set_by(
            "monkeypatch.setattr(once_more.retry, 'sleep', lambda seconds: None)",
            """
@tenacity.retry(stop=tenacity.stop_after_attempt(2), retry_error_callback=lambda state: None)
def once_more():
    raise ValueError
""",
        ),
        "call": "once_more()",
        "found": "tenacity.nap.sleep",
        "rule": "sleep",
    },
    {
        "name": "patch a hasher of pwdlib",
        "needs": "pwdlib argon2",
        "setup": patched(
            "patch.object(HASHER, 'hash')",
            "from pwdlib.hashers.argon2 import Argon2Hasher\nHASHER = Argon2Hasher()",
        ),
        "call": "HASHER.hash('x')",
        "found": "pwdlib.hashers.argon2.Argon2Hasher.hash",
        "rule": "password-hash",
    },
    {
        "name": "patch a method of the app's own model",
        "needs": "peewee",
        "setup": patched("patch.object(Note, 'get_or_none')", "class Note(peewee.Model): ..."),
        "call": "Note.get_or_none(1)",
        "found": "peewee.Model.get_or_none",
        "rule": "sync-database",
    },
    {
        "name": "a mock around a client",
        "needs": "redis",
        "setup": "CLIENT = MagicMock(wraps=redis.Redis())\nCLIENT.get.return_value = 1",
        "call": "CLIENT.get('x')",
        "found": "redis.Redis.get",
    },
    {
        "name": "a subclass that is there instead",
        "needs": "redis",
        "setup": set_by(
            "monkeypatch.setattr(f'{__name__}.CLIENT', Local())",
            """
CLIENT = redis.Redis()

class Local(redis.Redis):
    def get(self, key): ...
""",
        ),
        "call": "CLIENT.get('x')",
        "found": "redis.Redis.get",
    },
    {
        "name": "a part of a client that it keeps",
        "needs": "openai",
        "setup": patched(
            "patch.object(openai.OpenAI, 'chat')", "CLIENT = openai.OpenAI(api_key='x')"
        ),
        "call": "CLIENT.chat.completions.create(model='x')",
        "found": "openai.OpenAI.chat.completions.create",
    },
    {
        "name": "a class made of classes",
        "needs": "openai",
        "setup": set_by(
            "monkeypatch.setattr('openai.OpenAI', FakeOpenAI)",
            """
class FakeCompletions:
    def create(self, **options): ...

class FakeChat:
    completions = FakeCompletions()

class FakeOpenAI:
    def __init__(self):
        self.chat = FakeChat()
""",
        ),
        "call": """
            made = openai.OpenAI()
            made.chat.completions.create()  #!
        """,
        "found": "openai.OpenAI.chat.completions.create",
    },
    {
        "name": "a function that gives a namespace",
        "needs": "openai",
        "setup": set_by(
            "fake = types.SimpleNamespace(embeddings=types.SimpleNamespace(create=len));"
            " monkeypatch.setattr('openai.OpenAI', lambda: fake)"
        ),
        "call": """
            made = openai.OpenAI()
            made.embeddings.create("x")  #!
        """,
        "found": "openai.OpenAI.embeddings.create",
    },
    {
        "name": "a class of class methods",
        "needs": "stripe",
        "setup": set_by(
            "monkeypatch.setattr('stripe.Customer', FakeCustomer)",
            """
class FakeCustomer:
    @classmethod
    def create(cls, **options): ...

    @staticmethod
    def retrieve(key): ...
""",
        ),
        "call": """
            stripe.Customer.create(email="x")  #! stripe.Customer.create
            stripe.Customer.retrieve("x")  #! stripe.Customer.retrieve
        """,
    },
    {
        "name": "a fake for a parameter, by an override",
        "needs": "sqlalchemy",
        "setup": "from sqlalchemy.orm import Session\n"
        + INJECTED.format(
            fake="FakeSession()",
            endpoint="def index(db: Session = Depends(made)): ...",
            given="FAKE",
        ),
        "call": "FAKE.commit()",
        "found": "sqlalchemy.orm.Session.commit",
        "rule": "sync-database",
    },
    {
        "name": "a fake for what a dependency returns, by an override",
        "needs": "sqlalchemy",
        "setup": "from sqlalchemy.orm import Session\n"
        + INJECTED.format(
            fake="FakeSession()",
            endpoint="def index(db=Depends(made)): ...\n\nmade.__annotations__['return'] = Session",
            given="FAKE",
        ),
        "call": "FAKE.commit()",
        "found": "sqlalchemy.orm.Session.commit",
        "rule": "sync-database",
    },
    {
        "name": "a fake in an object of the app's own, by an override",
        "needs": "anthropic",
        "setup": INJECTED.format(
            fake="FakeClient()",
            endpoint="def index(service=Depends(made)): ...\n\n"
            "class Service:\n"
            "    def __init__(self, client: anthropic.Anthropic):\n"
            "        self._client = client",
            given="Service(FAKE)",
        ),
        "call": "FAKE.messages.create()",
        "found": "anthropic.Anthropic.messages.create",
    },
    {
        "name": "a fake that a dependency gives, with no override",
        "needs": "redis",
        "setup": """
            class FakeRedis:
                def incr(self, key): ...

            FAKE = FakeRedis()

            def cache() -> redis.Redis:
                return FAKE

            @app.get("/kept")
            def kept(client: redis.Redis = Depends(cache)): ...

            @pytest.fixture(autouse=True)
            def asked():
                assert client.get("/kept").status_code == 200
        """,
        "call": "FAKE.incr('a')",
        "found": "redis.Redis.incr",
    },
    {
        "name": "patch what asks for a host",
        "setup": set_by(
            "monkeypatch.setattr(socket, 'getaddrinfo', lambda *args: []);"
            " monkeypatch.setattr('socket.gethostbyname', MagicMock());"
            " monkeypatch.setattr('socket.create_connection', MagicMock())"
        ),
        "call": """
            socket.getaddrinfo("x", 1)  #! socket.getaddrinfo
            socket.gethostbyname("x")  #! socket.gethostbyname
            socket.create_connection(("x", 1))  #! socket.create_connection
        """,
        "rule": "socket",
        "twin": "await asyncio.get_running_loop().getaddrinfo('x', 1)",
    },
    {
        "name": "patch Popen",
        "setup": patched("patch('subprocess.Popen')"),
        "call": "subprocess.Popen(['x'])",
        "found": "subprocess.Popen",
        "rule": "subprocess",
    },
    {
        "name": "patch input",
        "setup": set_by("monkeypatch.setattr('builtins.input', lambda: 'x')"),
        "call": "input()",
        "found": "input",
        "rule": "stdin",
    },
]

SERVICE = """
class Service:
    def get(self): ...
    def send(self, x): ...
    def commit(self): ...
    async def fetch(self): ...
"""

FREE = [
    {
        "name": "a fake of a client in a plain endpoint",
        "needs": "sqlalchemy",
        "setup": "from sqlalchemy.orm import Session\n"
        + INJECTED.format(
            fake="FakeSession()",
            endpoint="def index(db: Session = Depends(made)):\n    db.commit()",
            given="FAKE",
        ),
        "twin": "pass",
    },
    {
        "name": "a fake of an async client",
        "needs": "sqlalchemy",
        "setup": "from sqlalchemy.ext.asyncio import AsyncSession\n"
        + INJECTED.format(
            fake="FakeSession()",
            endpoint="async def index(db: AsyncSession = Depends(made)):\n    db.commit()",
            given="FAKE",
        ),
        "twin": "FAKE.commit()",
    },
    {
        "name": "what a function makes of what a client has",
        "needs": "redis",
        "setup": patched(
            "patch(f'{__name__}.load')",
            """
def load():
    client = redis.Redis()
    found = client.get("x")
    return Service(found)

class Service:
    def __init__(self, found): ...
""",
        ),
        "twin": "load().get('x')",
    },
    {
        "name": "a method that the app's own class adds to a client",
        "needs": "redis",
        "setup": patched(
            "patch.object(Local, 'loads')",
            "class Local(redis.Redis):\n    def loads(self, text): ...\n\nLOCAL = Local()",
        ),
        "twin": "LOCAL.loads('x')",
    },
    {
        "name": "what an app has for a client or instead of one",
        "needs": "redis",
        "setup": """
            class Local:
                def get(self, key): ...

            LOCAL = Local()

            def cache() -> redis.Redis | Local:
                return LOCAL

            @app.get("/local")
            def local(cache: redis.Redis | Local = Depends(cache)): ...

            @pytest.fixture(autouse=True)
            def asked():
                assert client.get("/local").status_code == 200
        """,
        "twin": "LOCAL.get('x')",
    },
    {
        "name": "a subclass of the app's own",
        "needs": "redis",
        "setup": """
            class Local(redis.Redis):
                def get(self, key): ...

            CLIENT = Local()
        """,
        "twin": "CLIENT.get('x')",
    },
    {
        "name": "what a fake keeps, and a client has not",
        "needs": "redis",
        "setup": """
            class Clock:
                def get(self): ...

            CLOCK = Clock()

            class FakeRedis:
                def __init__(self):
                    self.clock = CLOCK

            def cache() -> redis.Redis: ...

            @app.get("/kept")
            async def kept(client: redis.Redis = Depends(cache)):
                CLOCK.get()

            @pytest.fixture(autouse=True)
            def asked():
                app.dependency_overrides[cache] = FakeRedis
                assert client.get("/kept").status_code == 200
        """,
        "twin": "pass",
    },
    {
        "name": "doubles of the app's own classes",
        "setup": SERVICE
        + "DOUBLES = MagicMock(spec=Service), create_autospec(Service, instance=True), Mock()",
        "twin": """
            for double in DOUBLES:
                double.get(), double.send(1), double.commit()
        """,
    },
    {
        "name": "an AsyncMock of a sync client",
        "needs": "redis",
        "setup": patched(
            "patch.object(CLIENT, 'get', new_callable=AsyncMock)", "CLIENT = redis.Redis()"
        ),
        "twin": "await CLIENT.get('x')",
    },
    {
        "name": "an async client by its spec",
        "needs": "sqlalchemy",
        "setup": """
            from sqlalchemy.ext.asyncio import AsyncSession

            DB = AsyncMock(spec=AsyncSession)
            DB.execute.return_value = MagicMock()
        """,
        "twin": """
            DB.add(1)
            (await DB.execute("x")).scalars().all()
            await DB.commit()
        """,
    },
    {
        "name": "patch an async client",
        "setup": patched("patch('httpx.AsyncClient')"),
        "twin": "httpx.AsyncClient().build_request('GET', 'x')",
    },
    {
        "name": "patch asyncio.sleep",
        "setup": patched("patch('asyncio.sleep', new=AsyncMock())"),
        "twin": "await asyncio.sleep(3)",
    },
    {
        "name": "doubles that threads call",
        "needs": "requests",
        "setup": patched("patch('requests.get'), patch('time.sleep')"),
        "twin": """
            await run_in_threadpool(requests.get, "x")
            await asyncio.to_thread(time.sleep, 3)
        """,
    },
    {
        "name": "doubles that the test calls",
        "needs": "requests",
        "setup": """
            @pytest.fixture(autouse=True)
            def polling():
                with patch("requests.get"), patch("time.sleep"):
                    requests.get("x"), time.sleep(3)
                    yield
                    requests.get("x"), time.sleep(3)
        """,
        "twin": "pass",
    },
    {
        "name": "what does not block, of what does",
        "needs": "redis requests",
        "setup": """
            CACHE = create_autospec(redis.Redis, instance=True)
            SESSION = MagicMock(spec=requests.Session)
        """,
        "twin": """
            CACHE.pipeline().incr("x").expire("x", 3)
            CACHE.close()
            SESSION.prepare_request('x')
            SESSION.mount("x", 1)
        """,
    },
    {
        "name": "functions and settings of the app",
        "setup": patched(
            "patch(f'{__name__}.compute'), patch(f'{__name__}.notify', new=AsyncMock()),"
            " patch.dict(os.environ, {'A': '1'}), patch('time.time')",
            "def compute(x): ...\nasync def notify(): ...",
        ),
        "twin": """
            compute(1), time.time()
            await notify()
        """,
    },
]

ROWS = [{"replaced": "yes", **row} for row in (*TAKEN, *FREE)]
