"""The rules: what each finds, how serious it is by default, and what to write instead.

``asyncguard explain RULE`` and the pages in ``docs/rules`` are made of these rows.
"""

from __future__ import annotations

from typing import Final

from pytest_asyncguard.model import Rule

_THRESHOLD: Final = "`--asyncguard-threshold=250ms` sets how long is too long."

_ROWS: Final = (
    Rule(
        code="AG101",
        name="sleep",
        severity="error",
        summary="time.sleep",
        finds="A call of `time.sleep` while a request holds the event loop. "
        "`time.sleep(0)` gives way to other threads and is not reported. Waiting for a signal "
        "(`signal.sigwait`, `signal.pause`) counts as well.",
        why="The loop sleeps with the request: for as long as it lasts no other request of the "
        "process is answered, no heartbeat sent, no timeout noticed.",
        example="""
import time

@app.post("/orders")
async def create_order():
    time.sleep(1)  # give the payment provider a moment
    return {"status": "accepted"}
""",
        instead="""
import asyncio

@app.post("/orders")
async def create_order():
    await asyncio.sleep(1)
    return {"status": "accepted"}
""",
    ),
    Rule(
        code="AG102",
        name="sync-client",
        severity="error",
        summary="a network client's synchronous API",
        finds="The synchronous API of a network client, called while a request holds the event "
        "loop: requests, `httpx.Client`, urllib, urllib3, botocore, redis, pymongo, grpc, smtplib "
        "and many more. It is found by the client's own API, so that a test double below it "
        "(responses, respx, moto, fakeredis) does not hide it.",
        why="The loop waits for the answer of another machine. In a test that takes a "
        "microsecond; in production as long as the slowest answer, for every request at once.",
        example="""
import requests

@app.get("/rates/{currency}")
async def rate(currency: str):
    return requests.get(f"https://rates.example/{currency}", timeout=5).json()
""",
        instead="""
import httpx

@app.get("/rates/{currency}")
async def rate(currency: str, client: Annotated[httpx.AsyncClient, Depends(get_client)]):
    response = await client.get(f"https://rates.example/{currency}")
    return response.json()
""",
        options=(
            "`--asyncguard-call=shop.legacy.fetch` names a client of your own that blocks.",
            "`--asyncguard-doubles=false` leaves out calls that a test replaced whole.",
        ),
    ),
    Rule(
        code="AG103",
        name="sync-database",
        severity="error",
        summary="a database driver's synchronous API",
        finds="A connection, statement or commit of a synchronous database driver while a request "
        "holds the event loop: sqlite3, SQLAlchemy's synchronous engines and sessions, psycopg, "
        "psycopg2, pymysql, mysqlclient and others. Asynchronous engines and drivers are not "
        "reported.",
        why="The loop waits for the database, and for its locks. One slow query stops every "
        "request of the process, also those that need no database.",
        example="""
@app.get("/users/{user_id}")
async def read_user(user_id: int, session: Annotated[Session, Depends(get_session)]):
    return session.get(User, user_id)
""",
        instead="""
@app.get("/users/{user_id}")
def read_user(user_id: int, session: Annotated[Session, Depends(get_session)]):
    return session.get(User, user_id)  # a plain def runs in a worker thread

# or, with an asynchronous engine
@app.get("/users/{user_id}")
async def read_user(user_id: int, session: Annotated[AsyncSession, Depends(get_session)]):
    return await session.get(User, user_id)
""",
    ),
    Rule(
        code="AG104",
        name="socket",
        severity="error",
        summary="a blocking socket operation, TLS handshake or DNS look-up",
        finds="A socket in blocking mode that connects, accepts, sends or receives, a TLS "
        "handshake, a DNS look-up or a `select` with a timeout, with no client library above it. "
        "Sockets in non-blocking mode are not reported. `os.read` of an empty pipe and `os.write` "
        "to a full one count as well.",
        why="The loop waits for the network. A name that does not resolve holds it for seconds.",
        example="""
import socket

@app.get("/lookup/{host}")
async def lookup(host: str):
    return {"address": socket.gethostbyname(host)}
""",
        instead="""
import asyncio

@app.get("/lookup/{host}")
async def lookup(host: str):
    found = await asyncio.get_running_loop().getaddrinfo(host, None)
    return {"address": found[0][4][0]}
""",
    ),
    Rule(
        code="AG105",
        name="subprocess",
        severity="error",
        summary="running a process, or waiting for one",
        finds="Starting a process and waiting for its end, or for its output, while a request "
        "holds the event loop: `subprocess.run` and its kin, `os.system`, `os.popen`, "
        "`os.waitpid`, `multiprocessing`; and reading from a child that has yet to say something.",
        why="The loop stands still for as long as the process runs.",
        example="""
import subprocess

@app.post("/thumbnails/{name}")
async def thumbnail(name: str):
    subprocess.run(["convert", name, "-resize", "64x64", f"small-{name}"], check=True)
""",
        instead="""
import asyncio

@app.post("/thumbnails/{name}")
async def thumbnail(name: str):
    arguments = (name, "-resize", "64x64", f"small-{name}")
    process = await asyncio.create_subprocess_exec("convert", *arguments)
    if await process.wait():
        raise HTTPException(500, "not an image")
""",
    ),
    Rule(
        code="AG106",
        name="thread-wait",
        severity="error",
        summary="waiting for another thread",
        finds="Waiting for a thread while a request holds the event loop: `Event.wait`, "
        "`Queue.get`, `Condition`, `Semaphore`, `Future.result`, `Thread.join`, the end of a "
        "`with ThreadPoolExecutor()`. Only where the call really had to wait: a queue that has an "
        "item and a future that is done are not reported.",
        why="The loop waits for work that another thread does, so the thread has saved nothing. "
        "Where that thread in turn waits for the loop, both wait for ever.",
        example="""
from concurrent.futures import ThreadPoolExecutor

executor = ThreadPoolExecutor()

@app.get("/report")
async def report():
    return executor.submit(build_report).result()
""",
        instead="""
import asyncio
from concurrent.futures import ThreadPoolExecutor

executor = ThreadPoolExecutor()

@app.get("/report")
async def report():
    return await asyncio.get_running_loop().run_in_executor(executor, build_report)
""",
    ),
    Rule(
        code="AG107",
        name="password-hash",
        severity="error",
        summary="hashing a password: slow by design, however few rounds the test uses",
        finds="bcrypt, argon2, passlib, pwdlib, PBKDF2 or scrypt, called while a request holds "
        "the event loop, however few rounds the test asks for.",
        why="Such a hash is made to take long, commonly 50 to 500 ms. A few people who log in at "
        "the same time stop everybody else.",
        example="""
@app.post("/login")
async def login(form: Annotated[OAuth2PasswordRequestForm, Depends()]):
    user = await find_user(form.username)
    if not bcrypt.checkpw(form.password.encode(), user.password_hash):
        raise HTTPException(401)
    return {"access_token": token_for(user)}
""",
        instead="""
from fastapi.concurrency import run_in_threadpool

@app.post("/login")
async def login(form: Annotated[OAuth2PasswordRequestForm, Depends()]):
    user = await find_user(form.username)
    right = await run_in_threadpool(bcrypt.checkpw, form.password.encode(), user.password_hash)
    if not right:
        raise HTTPException(401)
    return {"access_token": token_for(user)}
""",
    ),
    Rule(
        code="AG108",
        name="stdin",
        severity="error",
        summary="reading standard input",
        finds="`input()`, `getpass.getpass()`, or reading `sys.stdin`, while a request holds the "
        "event loop. A debugger's prompt is not reported.",
        why="The loop waits for somebody to type, and on a server nobody does.",
        example="""
@app.post("/keys")
async def create_key():
    return make_key(input("passphrase: "))
""",
        instead="""
@app.post("/keys")
async def create_key(settings: Annotated[Settings, Depends(get_settings)]):
    return make_key(settings.passphrase)
""",
    ),
    Rule(
        code="AG109",
        name="tls-context",
        severity="warning",
        summary="loading CA certificates",
        finds="Loading the CA certificates while a request holds the event loop. It is a warning "
        "where it happens once, and an error where request after request does so: a client or an "
        "SSL context that is made per request.",
        why="It takes 20 ms and more each time, and a client that is thrown away keeps no "
        "connection open, so that every request pays for a new handshake as well.",
        example="""
@app.get("/rates/{currency}")
async def rate(currency: str):
    async with httpx.AsyncClient() as client:
        return (await client.get(f"https://rates.example/{currency}")).json()
""",
        instead="""
@asynccontextmanager
async def lifespan(app: FastAPI):
    async with httpx.AsyncClient() as client:
        yield {"client": client}

@app.get("/rates/{currency}")
async def rate(currency: str, request: Request):
    return (await request.state.client.get(f"https://rates.example/{currency}")).json()
""",
    ),
    Rule(
        code="AG110",
        name="file",
        severity="warning",
        summary="local file-system work",
        finds="Opening a file, listing or changing a folder, copying or globbing while a request "
        "holds the event loop. It is an error where it held the loop over the threshold. "
        "`os.stat` and the arithmetic of paths are not reported.",
        why="A local disk mostly answers within microseconds. One that is busy, or on the "
        "network, does not, and nothing tells the code which it is.",
        example="""
@app.get("/terms")
async def terms():
    return PlainTextResponse(Path("terms.txt").read_text())
""",
        instead="""
@app.get("/terms")
async def terms():
    return FileResponse("terms.txt")

# or, where the content is needed
@app.get("/terms/words")
async def count_words():
    return len((await anyio.Path("terms.txt").read_text()).split())
""",
    ),
    Rule(
        code="AG201",
        name="cpu-stall",
        severity="error",
        summary="computing for the threshold or longer in one hold",
        finds="A request that computed for the threshold (100 ms) or longer without once giving "
        "the loop back. Time on the CPU is counted, and waiting for a processor is not, so that a "
        "loaded machine changes nothing.",
        why="An event loop runs one thing at a time. While a request computes, every other one "
        "of the process waits.",
        example="""
@app.post("/forecast")
async def forecast(history: list[float]):
    return simulate(history, runs=100_000)
""",
        instead="""
from fastapi.concurrency import run_in_threadpool

@app.post("/forecast")
async def forecast(history: list[float]):
    return await run_in_threadpool(simulate, history, runs=100_000)
""",
        options=(_THRESHOLD,),
    ),
    Rule(
        code="AG202",
        name="blocked-stall",
        severity="error",
        summary="asleep for the threshold or longer in one hold, in no call that is known",
        finds="A request that slept for the threshold (100 ms) or longer in something that no "
        "other rule names: a lock, a driver written in C, a call that the catalogue lacks. The "
        "line is that at which the request was seen most often.",
        why="The loop sleeps with it.",
        example="""
lock = threading.Lock()  # also held by a thread that writes for seconds

@app.get("/state")
async def read_state():
    with lock:
        return dict(state)
""",
        instead="""
@app.get("/state")
def read_state():  # a plain def runs in a worker thread, which may wait
    with lock:
        return dict(state)
""",
        options=(
            _THRESHOLD,
            "`--asyncguard-call=driver.query=sync-database` names a call: it is then always found.",
        ),
    ),
    Rule(
        code="AG203",
        name="starved",
        severity="warning",
        summary="another thread held the GIL while the request was ready to run",
        finds="A request that was ready to run and could not for the threshold (100 ms) or "
        "longer, because another thread of the process held Python's global interpreter lock. The "
        "finding names that thread, and its line; the request, whose fault it is not, is told as "
        "the one that waited. Only Linux tells how long each thread computed: elsewhere such a "
        "wait is charged to nobody, and not reported.",
        why="A thread that computes in C without releasing the lock (a large `json.loads`, a "
        "regular expression, a sort) stops the loop as if it ran on it.",
        example="""
@app.post("/import")
def import_dump(dump: Annotated[bytes, File()]):
    return store(json.loads(dump))  # in a worker thread, and yet it stops the loop
""",
        instead="""
pool = ProcessPoolExecutor()

@app.post("/import")
async def import_dump(dump: Annotated[bytes, File()]):
    loop = asyncio.get_running_loop()
    return store(await loop.run_in_executor(pool, json.loads, dump))
""",
        options=(_THRESHOLD,),
    ),
)

RULES: Final = {rule.name: rule for rule in _ROWS}
"""By name, in order of their codes."""

STALLS: Final = ("cpu-stall", "blocked-stall")
"""The rules that need no catalogue row: they are found by the clock."""


def find(text: str) -> Rule | None:
    """The rule that is called ``text``, by name or code."""
    wanted = text.strip().lower()
    return next((rule for rule in _ROWS if wanted in (rule.name, rule.code.lower())), None)
