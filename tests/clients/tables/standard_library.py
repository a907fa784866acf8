"""The standard library: what blocks, and what only looks as if it did.

``FREE`` has what is on the loop and no finding: what does not wait, and what others do for the
app.
"""

from __future__ import annotations

import sys

RULE = ""

SLEEP = [
    {"name": "time.sleep", "call": "time.sleep(0.001)", "found": "time.sleep"},
    {
        "name": "sleep under another name",
        "setup": "from time import sleep as nap",
        "call": "nap(0.001)",
        "found": "time.sleep",
    },
    {
        "name": "sleep as a default argument",
        "setup": "def wait(how=time.sleep):\n    how(0.001)  #!",
        "call": "wait()",
        "found": "time.sleep",
        "where": "wait",
    },
    {
        "name": "a partial of sleep",
        "setup": "NAP = functools.partial(time.sleep, 0.001)",
        "call": "NAP()",
        "found": "time.sleep",
    },
    {
        "name": "sleep in a class",
        "setup": "class Pauses:\n    short = time.sleep",
        "call": "Pauses().short(0.001)",
        "found": "time.sleep",
    },
    {
        "name": "a signal that does not come",
        "setup": "import signal",
        "call": "signal.sigtimedwait([signal.SIGUSR1], 0.001)",
        "found": "signal.sigtimedwait",
        "twin": "signal.sigtimedwait([signal.SIGUSR1], 0)",
    },
    *(
        {
            "name": f"signal.{name}",
            "setup": "import signal",
            "call": f"""
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
                stub.later(signal.pthread_kill, threading.get_ident(), signal.SIGUSR1)
                signal.{name}([signal.SIGUSR1])  #!
            """,
            "found": f"signal.{name}",
            "twin": f"""
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
                signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
                signal.{name}([signal.SIGUSR1])
            """,
        }
        for name in ("sigwait", "sigwaitinfo")
    ),
]

CLIENTS = [
    {
        "name": "urllib",
        "call": "urllib.request.urlopen(stub.URL).close()",
        "found": "urllib.request.urlopen",
    },
    {
        "name": "an opener of urllib",
        "setup": "OPENER = urllib.request.build_opener()",
        "call": "OPENER.open(stub.URL).close()",
        "found": "urllib.request.OpenerDirector.open",
    },
    {
        "name": "http.client",
        "call": """
            connection = http.client.HTTPConnection("127.0.0.1", stub.PORT)
            with contextlib.closing(connection):
                connection.connect()  #!
        """,
        "found": "http.client.HTTPConnection.connect",
    },
    {
        "name": "smtplib",
        "call": "smtplib.SMTP('127.0.0.1', stub.SMTP, 'x').close()",
        "found": "smtplib.SMTP",
    },
    {
        "name": "a message by smtplib",
        "setup": """
            @pytest.fixture(autouse=True)
            def server():
                global SERVER
                SERVER = smtplib.SMTP("127.0.0.1", stub.SMTP, "x")
                yield
                SERVER.close()
        """,
        "call": "SERVER.sendmail('a@x.test', ['b@x.test'], 'hi')",
        "found": "smtplib.SMTP.sendmail",
    },
    {
        "name": "imaplib",
        "setup": """
            import imaplib

            @pytest.fixture(autouse=True)
            def server():
                global SERVER
                SERVER = imaplib.IMAP4("127.0.0.1", stub.IMAP)
                yield
                SERVER.logout()
        """,
        "call": "SERVER.noop()",
        "found": "imaplib.IMAP4.noop",
    },
    {
        "name": "poplib",
        "setup": """
            import poplib

            @pytest.fixture(autouse=True)
            def server():
                global SERVER
                SERVER = poplib.POP3("127.0.0.1", stub.POP)
                yield
                SERVER.close()
        """,
        "call": "SERVER.stat()",
        "found": "poplib.POP3.stat",
    },
    {
        "name": "ftplib",
        "setup": "import ftplib",
        "call": """
            with contextlib.suppress(OSError):
                ftplib.FTP().connect("127.0.0.1", 1)  #!
        """,
        "found": "ftplib.FTP.connect",
    },
    {
        "name": "xmlrpc",
        "setup": """
            import xmlrpc.client

            FAR = xmlrpc.client.ServerProxy("http://127.0.0.1:1")
        """,
        "call": """
            with contextlib.suppress(OSError):
                FAR.echo(1)  #!
        """,
        "found": "xmlrpc.client._Method",
    },
    {
        "name": "a log record sent over a socket",
        "setup": """
            import logging.handlers

            LOG = logging.getLogger("rows.sent")
            LOG.propagate = False
            LOG.addHandler(logging.handlers.SocketHandler("127.0.0.1", stub.ECHO))

            @pytest.fixture(autouse=True)
            def connected():
                LOG.handlers[0].createSocket()
        """,
        "call": "LOG.warning('x')",
        "found": "logging.Logger.warning",
    },
]

CONNECTED = """
    @pytest.fixture(autouse=True)
    def connected():
        global SOCKET
        SOCKET = socket.create_connection(("127.0.0.1", stub.ECHO))
        yield
        SOCKET.close()
"""

PIPE = """
    @pytest.fixture(autouse=True)
    def pipe():
        global NEAR, FAR
        NEAR, FAR = os.pipe()
        yield
        os.close(NEAR)
        os.close(FAR)
"""

SOCKETS = [
    {
        "name": "create_connection",
        "call": "socket.create_connection(('127.0.0.1', stub.ECHO)).close()",
        "found": "socket.create_connection",
    },
    {
        "name": "connect",
        "call": """
            with socket.socket() as far:
                far.connect(("127.0.0.1", stub.ECHO))  #!
        """,
        "found": "socket.socket.connect",
    },
    {
        "name": "sendall",
        "setup": CONNECTED,
        "call": "SOCKET.sendall(b'x')",
        "found": "socket.socket.sendall",
    },
    {
        "name": "recv",
        "setup": CONNECTED
        + """
    @pytest.fixture(autouse=True)
    def sent(connected):
        SOCKET.sendall(b"x\\n")
        """,
        "call": "SOCKET.recv(9)",
        "found": "socket.socket.recv",
    },
    {
        "name": "a line of a socket's file",
        "setup": CONNECTED
        + """
    @pytest.fixture(autouse=True)
    def sent(connected):
        global FILE
        SOCKET.sendall(b"x\\n")
        FILE = SOCKET.makefile("rb")
        """,
        "call": "FILE.readline()",
        "found": "socket.SocketIO.readinto",
    },
    {
        "name": "accept",
        "setup": """
            @pytest.fixture(autouse=True)
            def listening():
                global SERVER
                with socket.create_server(("127.0.0.1", 0)) as SERVER:
                    with socket.create_connection(SERVER.getsockname()):
                        yield
        """,
        "call": "SERVER.accept()[0].close()",
        "found": "socket.socket.accept",
    },
    {
        "name": "a TLS handshake",
        "setup": """
            TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

            @pytest.fixture(autouse=True)
            def silent():
                global SOCKET
                with socket.create_server(("127.0.0.1", 0)) as server:
                    SOCKET = socket.create_connection(server.getsockname(), timeout=0.01)
                    yield
                    SOCKET.close()
        """,
        "call": """
            with contextlib.suppress(OSError):
                TLS.wrap_socket(SOCKET, server_hostname="x")  #!
        """,
        "found": "ssl.SSLContext.wrap_socket",
    },
    *(
        {"name": name, "call": f"socket.{name}({arguments})", "found": f"socket.{name}"}
        for name, arguments in (
            ("getaddrinfo", "'localhost', 80"),
            ("gethostbyname", "'localhost'"),
            ("gethostbyname_ex", "'localhost'"),
            ("getfqdn", "'localhost'"),
            ("getnameinfo", "('127.0.0.1', 80), 0"),
        )
    ),
    {"name": "select", "call": "select.select([], [], [], 0.01)", "found": "select.select"},
    {
        "name": "a selector",
        "setup": "SELECTOR = selectors.SelectSelector()",
        "call": "SELECTOR.select(0.01)",
        "found": "selectors.SelectSelector.select",
    },
    *(
        {
            "name": f"{name} of an empty pipe",
            "setup": PIPE,
            "call": f"""
                stub.later(os.write, FAR, b"x")
                {name}(NEAR, {argument})  #!
            """,
            "found": name,
            "twin": f"""
                os.write(FAR, b"x")
                {name}(NEAR, {argument})
            """,
        }
        for name, argument in (("os.read", "9"), ("os.readv", "[bytearray(9)]"))
    ),
    *(
        {
            "name": f"{name} to a full pipe",
            "setup": PIPE,
            "call": f"""
                os.set_blocking(FAR, False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        os.write(FAR, bytes(4096))
                os.set_blocking(FAR, True)
                stub.later(os.read, NEAR, 1 << 20)
                {name}(FAR, {argument})  #!
            """,
            "found": name,
            "twin": f"{name}(FAR, {argument})",
        }
        for name, argument in (("os.write", "b'x'"), ("os.writev", "[b'x']"))
    ),
]

PROCESSES = [
    *(
        {"name": name, "call": f"{name}({arguments})", "found": name}
        for name, arguments in (
            ("subprocess.run", "['true']"),
            ("subprocess.call", "['true']"),
            ("subprocess.check_call", "['true']"),
            ("subprocess.check_output", "['true']"),
            ("subprocess.getoutput", "'true'"),
            ("subprocess.getstatusoutput", "'true'"),
            ("os.system", "'true'"),
            ("os.spawnlp", "os.P_WAIT, 'true', 'true'"),
            ("os.spawnvp", "os.P_WAIT, 'true', ['true']"),
        )
    ),
    {
        "name": "os.popen",
        "setup": """
            @pytest.fixture(autouse=True)
            def closed():
                yield
                PIPE.close()
        """,
        "call": """
            global PIPE
            PIPE = os.popen("true")  #!
        """,
        "found": "os.popen",
    },
    {
        "name": "Popen",
        "setup": """
            @pytest.fixture(autouse=True)
            def ended():
                yield
                PROCESS.wait()
        """,
        "call": """
            global PROCESS
            PROCESS = subprocess.Popen(["true"])  #!
        """,
        "found": "subprocess.Popen",
    },
    *(
        {
            "name": f"Popen.{name}",
            "setup": """
                @pytest.fixture(autouse=True)
                def running():
                    global PROCESS
                    PROCESS = subprocess.Popen(["sleep", "0.02"])
                    yield
                    PROCESS.wait()
            """,
            "call": f"PROCESS.{name}()",
            "found": f"subprocess.Popen.{name}",
        }
        for name in ("wait", "communicate")
    ),
    *(
        {
            "name": name,
            "setup": """
                @pytest.fixture(autouse=True)
                def running():
                    global PID
                    PID = os.posix_spawnp("sleep", ["sleep", "0.02"], os.environ)
            """,
            "call": f"{name}({arguments})",
            "found": name,
        }
        for name, arguments in (
            ("os.waitpid", "PID, 0"),
            ("os.wait4", "PID, 0"),
            ("os.waitid", "os.P_PID, PID, os.WEXITED"),
        )
    ),
    {
        "name": "os.posix_spawn",
        "call": """
            global PID
            PID = os.posix_spawnp("true", ["true"], os.environ)  #!
        """,
        "setup": """
            @pytest.fixture(autouse=True)
            def ended():
                yield
                os.waitpid(PID, 0)
        """,
        "found": "os.posix_spawnp",
    },
    {
        "name": "the output of a child",
        "setup": """
            @pytest.fixture(autouse=True)
            def child():
                global CHILD
                with subprocess.Popen(
                    ["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
                ) as CHILD:
                    yield
                    CHILD.stdin.close()
        """,
        "call": """
            stub.later(CHILD.stdin.write, "x\\n")
            assert CHILD.stdout.readline() == "x\\n"  #!
        """,
        "found": "subprocess.Popen.stdout",
        "twin": "CHILD.stdin.write('x\\n')",
    },
    {
        "name": "pty.spawn",
        "setup": "import pty",
        "call": "pty.spawn(['true'], lambda fd: os.read(fd, 9))",
        "found": "pty.spawn",
    },
    {
        "name": "Process.start",
        "setup": """
            @pytest.fixture(autouse=True)
            def process():
                global PROCESS
                PROCESS = multiprocessing.get_context("fork").Process(target=int)
                yield
                PROCESS.join()
        """,
        "call": "PROCESS.start()",
        "found": "multiprocessing.Process.start",
    },
]

WORKERS = """
    POOL = concurrent.futures.ThreadPoolExecutor(2)

    @pytest.fixture(autouse=True)
    def working():
        global ENOUGH, FUTURE
        ENOUGH = threading.Event()
        FUTURE = POOL.submit(ENOUGH.wait)
        yield
        ENOUGH.set()
"""

WAITS = [
    {
        "name": "Event.wait",
        "call": "threading.Event().wait(0.01)",
        "found": "threading.Event.wait",
    },
    {
        "name": "Condition.wait",
        "setup": "CONDITION = threading.Condition()",
        "call": """
            with CONDITION:
                CONDITION.wait(0.01)  #!
        """,
        "found": "threading.Condition.wait",
    },
    {
        "name": "Condition.wait_for",
        "setup": "CONDITION = threading.Condition()",
        "call": """
            with CONDITION:
                CONDITION.wait_for(lambda: False, 0.01)  #!
        """,
        "found": "threading.Condition.wait_for",
    },
    {
        "name": "Semaphore.acquire",
        "setup": "NONE = threading.Semaphore(0)",
        "call": "NONE.acquire(timeout=0.01)",
        "found": "threading.Semaphore.acquire",
    },
    {
        "name": "with a semaphore",
        "setup": """
            NONE = threading.BoundedSemaphore()

            @pytest.fixture(autouse=True)
            def taken():
                NONE.acquire()
        """,
        "call": """
            stub.later(NONE.release)
            with NONE:  #!
                pass
        """,
        "found": "threading.Semaphore.acquire",
    },
    {
        "name": "Barrier.wait",
        "setup": """
            @pytest.fixture(autouse=True)
            def other():
                global BARRIER
                BARRIER = threading.Barrier(2)
        """,
        "call": """
            stub.later(BARRIER.wait)
            BARRIER.wait()  #!
        """,
        "found": "threading.Barrier.wait",
    },
    {
        "name": "Thread.join",
        "setup": """
            @pytest.fixture(autouse=True)
            def running():
                global THREAD, ENOUGH
                ENOUGH = threading.Event()
                THREAD = threading.Thread(target=ENOUGH.wait)
                THREAD.start()
        """,
        "call": """
            stub.later(ENOUGH.set)
            THREAD.join()  #!
        """,
        "found": "threading.Thread.join",
    },
    {
        "name": "Queue.get",
        "call": """
            with contextlib.suppress(queue.Empty):
                queue.Queue().get(timeout=0.01)  #!
        """,
        "found": "queue.Queue.get",
    },
    {
        "name": "Queue.put",
        "setup": "FULL = queue.Queue(1)\nFULL.put(1)",
        "call": """
            with contextlib.suppress(queue.Full):
                FULL.put(1, timeout=0.01)  #!
        """,
        "found": "queue.Queue.put",
    },
    {
        "name": "Queue.join",
        "setup": """
            @pytest.fixture(autouse=True)
            def unfinished():
                global QUEUE
                QUEUE = queue.Queue()
                QUEUE.put(1)
        """,
        "call": """
            stub.later(QUEUE.task_done)
            QUEUE.join()  #!
        """,
        "found": "queue.Queue.join",
    },
    *(
        {
            "name": f"Future.{name}",
            "setup": WORKERS,
            "call": f"stub.later(ENOUGH.set)\nFUTURE.{name}()  #!",
            "found": f"concurrent.futures.Future.{name}",
        }
        for name in ("result", "exception")
    ),
    {
        "name": "futures.wait",
        "setup": WORKERS,
        "call": """
            stub.later(ENOUGH.set)
            concurrent.futures.wait([FUTURE])  #!
        """,
        "found": "concurrent.futures.wait",
    },
    {
        "name": "as_completed",
        "setup": WORKERS,
        "call": """
            stub.later(ENOUGH.set)
            list(concurrent.futures.as_completed([FUTURE]))  #!
        """,
        "found": "concurrent.futures.as_completed",
    },
    {
        "name": "what Executor.map gives",
        "setup": WORKERS,
        "call": """
            stub.later(ENOUGH.set)
            list(POOL.map(ENOUGH.wait, [None]))  #!
        """,
        "found": "concurrent.futures.Executor.map",
    },
    {
        "name": "Executor.shutdown",
        "call": """
            pool, enough = concurrent.futures.ThreadPoolExecutor(), threading.Event()
            pool.submit(enough.wait)
            stub.later(enough.set)
            pool.shutdown()  #!
        """,
        "found": "concurrent.futures.ThreadPoolExecutor.shutdown",
    },
    {
        "name": "leaving an executor",
        "call": """
            enough = threading.Event()
            with concurrent.futures.ThreadPoolExecutor() as pool:  #!
                pool.submit(enough.wait)
                stub.later(enough.set)
        """,
        # Up to 3.12 the position of the call is that of the whole statement.
        "found": f"concurrent.futures.{'ThreadPool' * (sys.version_info >= (3, 13))}Executor",
    },
    {
        "name": "run_coroutine_threadsafe",
        "setup": """
            LOOP = asyncio.new_event_loop()
            threading.Thread(target=LOOP.run_forever, daemon=True).start()
        """,
        "call": """
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0.01), LOOP).result()  #!
        """,
        "found": "concurrent.futures.Future.result",
    },
    {
        "name": "a blocking portal of anyio",
        "needs": "anyio",
        "setup": """
            import anyio.from_thread

            @pytest.fixture(autouse=True, scope="module")
            def portal():
                global PORTAL
                with anyio.from_thread.start_blocking_portal() as PORTAL:
                    yield
        """,
        "call": "PORTAL.call(anyio.sleep, 0.01)",
        "found": "concurrent.futures.Future.result",
    },
    {
        "name": "Process.join",
        "setup": """
            @pytest.fixture(autouse=True)
            def running():
                global PROCESS, NEAR
                context = multiprocessing.get_context("fork")
                NEAR, far = context.Pipe()
                PROCESS = context.Process(target=far.recv)
                PROCESS.start()
                yield
                PROCESS.join()
        """,
        "call": """
            stub.later(NEAR.send, 1)
            PROCESS.join()  #!
        """,
        "found": "multiprocessing.Process.join",
    },
    *(
        {
            "name": f"Pool.{name}",
            "setup": """
                @pytest.fixture(autouse=True, scope="module")
                def workers():
                    global POOL
                    with multiprocessing.get_context("fork").Pool(1) as POOL:
                        yield
            """,
            "call": f"POOL.{name}({arguments})",
            "found": f"multiprocessing.pool.Pool.{name}",
        }
        for name, arguments in (("map", "time.sleep, [0.01]"), ("apply", "time.sleep, (0.01,)"))
    ),
    {
        "name": "a queue between processes",
        "setup": """
            @pytest.fixture(autouse=True)
            def empty():
                global QUEUE
                QUEUE = multiprocessing.get_context("fork").Queue()
        """,
        "call": """
            stub.later(QUEUE.put, 1)
            QUEUE.get()  #!
        """,
        "found": "multiprocessing.Queue.get",
    },
    {
        "name": "a full queue between processes",
        "setup": """
            @pytest.fixture(autouse=True)
            def full():
                global FULL
                FULL = multiprocessing.get_context("fork").Queue(1)
                FULL.put(1)
        """,
        "call": """
            with contextlib.suppress(queue.Full):
                FULL.put(1, timeout=0.01)  #!
        """,
        "found": "multiprocessing.Queue.put",
    },
    {
        "name": "an event between processes",
        "setup": "EVENT = multiprocessing.get_context('fork').Event()",
        "call": "EVENT.wait(0.01)",
        "found": "multiprocessing.Event.wait",
    },
    {
        "name": "a lock between processes",
        "setup": """
            @pytest.fixture(autouse=True)
            def taken():
                global LOCK
                LOCK = multiprocessing.get_context("fork").Lock()
                LOCK.acquire()
        """,
        "call": """
            stub.later(LOCK.release)
            with LOCK:  #!
                pass
        """,
        "found": "multiprocessing.SemLock.__enter__",
    },
    {
        "name": "a simple queue",
        "setup": """
            @pytest.fixture(autouse=True)
            def empty():
                global QUEUE
                QUEUE = queue.SimpleQueue()
        """,
        "call": """
            stub.later(QUEUE.put, 1)
            QUEUE.get()  #!
        """,
        "found": "queue.SimpleQueue.get",
    },
    {
        "name": "a pipe between processes",
        "setup": """
            @pytest.fixture(autouse=True)
            def silent():
                global NEAR, FAR
                NEAR, FAR = multiprocessing.get_context("fork").Pipe()
        """,
        "call": """
            stub.later(FAR.send, 1)
            NEAR.recv()  #!
        """,
        "found": "multiprocessing.ConnectionBase.recv",
    },
]

HASHES = [
    {
        "name": "pbkdf2_hmac",
        "setup": "import hashlib",
        "call": "hashlib.pbkdf2_hmac('sha256', b'a', b'b', 1)",
        "found": "hashlib.pbkdf2_hmac",
        "twin": "hashlib.sha256(b'a').hexdigest()",
    },
    {
        "name": "scrypt of hashlib",
        "setup": "import hashlib",
        "call": "hashlib.scrypt(b'a', salt=b'b', n=2, r=1, p=1)",
        "found": "hashlib.scrypt",
    },
]

PIPED = """
@pytest.fixture(autouse=True)
def piped(monkeypatch):
    far, near = os.pipe()
    with open(near, "w") as keyboard:
        keyboard.write("x\\n" * 99)
    with open(far) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        yield
        assert sys.stdin is stream
"""

STDIN = [
    {
        "name": "input",
        "setup": """
            @pytest.fixture(autouse=True)
            def answer(monkeypatch):
                monkeypatch.setattr("sys.stdin", io.StringIO("x\\n"))
        """,
        "call": "input()",
        "found": "input",
    },
    {
        "name": "getpass",
        "setup": """
            import getpass

            @pytest.fixture(autouse=True)
            def answer(monkeypatch):
                monkeypatch.setattr(getpass, "_raw_input", lambda *args, **kwargs: "x")
        """,
        "call": "getpass.getpass()",
        "found": "getpass.getpass",
    },
    {
        "name": "the methods of stdin",
        "setup": PIPED,
        "call": """
            assert sys.stdin.readline() == "x\\n"  #! sys.stdin.readline
            assert sys.stdin.read(2) == "x\\n"  #! sys.stdin.read
            assert len(sys.stdin.readlines()) > 9  #! sys.stdin.readlines
        """,
    },
    {
        "name": "the lines of stdin",
        "setup": PIPED,
        "call": """
            for line in sys.stdin:  #! sys.stdin
                break
        """,
    },
    {
        "name": "the bytes of stdin",
        "setup": PIPED,
        "call": """
            sys.stdin.buffer.readline()  #! sys.stdin.buffer.readline
            sys.stdin.buffer.read(1)  #! sys.stdin.buffer.read
            sys.stdin.buffer.readlines()  #! sys.stdin.buffer.readlines
        """,
    },
    {
        "name": "stdin in memory",
        "setup": """
            @pytest.fixture(autouse=True)
            def answer():
                with patch("sys.stdin", io.StringIO("x\\n")):
                    yield
        """,
        "call": "assert sys.stdin.readline() == 'x\\n'",
        "found": "sys.stdin.readline",
    },
    {
        "name": "stdin while pytest captures",
        "call": """
            with contextlib.suppress(OSError):
                sys.stdin.read()  #! sys.stdin.read
            with contextlib.suppress(OSError):
                sys.stdin.readline()  #! sys.stdin.readline
            with contextlib.suppress(OSError):
                sys.stdin.readlines()  #! sys.stdin.readlines
            with contextlib.suppress(OSError):
                next(sys.stdin)  #! sys.stdin
        """,
        "twin": "sys.stdin.isatty()",
    },
]

TLS = [
    {
        "name": "create_default_context",
        "call": "ssl.create_default_context()",
        "found": "ssl.create_default_context",
    },
    {
        "name": "load_default_certs",
        "call": "ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_default_certs()",
        "found": "ssl.SSLContext.load_default_certs",
    },
    {
        "name": "a client of httpx",
        "call": "httpx.Client().close()",
        "found": "httpx.Client",
        "twin": "httpx.Client(verify=False).close()",
    },
]

FOLDER = """
    import glob

    FOLDER = pathlib.Path(PATH).parent
    FILE = FOLDER / "there"

    @pytest.fixture(autouse=True)
    def there():
        FILE.write_text("x")
        yield
        for path in FOLDER.glob("*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
"""

SPOOLED = """
    SPOOL = tempfile.SpooledTemporaryFile(max_size=4)
    SPOOL.write(b"a line\\n")
"""

FILES = [
    *(
        {"name": f"a large upload: {name}", "setup": SPOOLED, "call": call, "found": found}
        for name, call, found in (
            ("read", "SPOOL.seek(0), SPOOL.read()", "tempfile.SpooledTemporaryFile.read"),
            ("readline", "SPOOL.readline()", "tempfile.SpooledTemporaryFile.readline"),
            ("readlines", "SPOOL.readlines()", "tempfile.SpooledTemporaryFile.readlines"),
            ("write", "SPOOL.write(b'x')", "tempfile.SpooledTemporaryFile.write"),
            ("writelines", "SPOOL.writelines([])", "tempfile.SpooledTemporaryFile.writelines"),
            ("copyfileobj", "shutil.copyfileobj(SPOOL, io.BytesIO())", "shutil.copyfileobj"),
        )
    ),
    *(
        {"name": name, "setup": FOLDER, "call": call, "found": found}
        for name, call, found in (
            ("open", "open(FILE).close()", "open"),
            ("io.open", "io.open(FILE).close()", "open"),
            ("os.open", "os.close(os.open(FILE, os.O_RDONLY))", "open"),
            ("Path.read_text", "FILE.read_text()", "pathlib.Path.read_text"),
            ("Path.write_bytes", "FILE.write_bytes(b'x')", "pathlib.Path.write_bytes"),
            ("Path.iterdir", "list(FOLDER.iterdir())", "pathlib.Path.iterdir"),
            ("Path.mkdir", "(FOLDER / 'new').mkdir()", "pathlib.Path.mkdir"),
            ("Path.unlink", "FILE.unlink()", "pathlib.Path.unlink"),
            ("os.listdir", "os.listdir(FOLDER)", "os.listdir"),
            ("os.scandir", "list(os.scandir(FOLDER))", "os.scandir"),
            ("os.makedirs", "os.makedirs(FOLDER / 'a')", "os.makedirs"),
            ("os.remove", "os.remove(FILE)", "os.remove"),
            ("os.replace", "os.replace(FILE, FOLDER / 'new')", "os.replace"),
            ("os.link", "os.link(FILE, FOLDER / 'hard')", "os.link"),
            ("os.chmod", "os.chmod(FILE, 0o600)", "os.chmod"),
            ("os.utime", "os.utime(FILE)", "os.utime"),
            ("os.truncate", "os.truncate(FILE, 0)", "os.truncate"),
            ("os.symlink", "os.symlink(FILE, FOLDER / 'link')", "os.symlink"),
            ("glob.glob", "glob.glob(str(FOLDER / '*'))", "glob.glob"),
            ("shutil.copy", "shutil.copy(FILE, FOLDER / 'copy')", "shutil.copy"),
            ("shutil.move", "shutil.move(FILE, FOLDER / 'new')", "shutil.move"),
            ("shutil.copytree", "shutil.copytree(FOLDER, FOLDER / 'tree')", "shutil.copytree"),
            ("tempfile.mkdtemp", "tempfile.mkdtemp(dir=FOLDER)", "tempfile.mkdtemp"),
            (
                "NamedTemporaryFile",
                "tempfile.NamedTemporaryFile(dir=FOLDER).close()",
                "tempfile.NamedTemporaryFile",
            ),
        )
    ),
]

BLOCKS = [
    {"rule": rule, **row}
    for rule, rows in (
        ("sleep", SLEEP),
        ("sync-client", CLIENTS),
        ("socket", SOCKETS),
        ("subprocess", PROCESSES),
        ("thread-wait", WAITS),
        ("password-hash", HASHES),
        ("stdin", STDIN),
        ("tls-context", TLS),
        ("file", FILES),
    )
    for row in rows
]

FREE = [
    {"name": "sleep(0)", "twin": "time.sleep(0)"},
    {
        "name": "a socket that does not block",
        "twin": """
            one, other = socket.socketpair()
            with one, other:
                one.setblocking(False)
                one.send(b"x")
                with contextlib.suppress(BlockingIOError):
                    one.recv(1)
        """,
    },
    {
        "name": "what is told by a flag not to wait",
        "twin": """
            one, other = socket.socketpair()
            with one, other:
                one.send(b"x", socket.MSG_DONTWAIT)
                other.recv(1, socket.MSG_DONTWAIT)
                buffer = bytearray(1)
                for method, arguments in (
                    (other.recv, (1,)),
                    (other.recv_into, (buffer, 1)),
                    (other.recvfrom, (1,)),
                    (other.recvfrom_into, (buffer, 1)),
                    (other.recvmsg, (1, 0)),
                    (other.recvmsg_into, ([buffer], 0)),
                ):
                    with contextlib.suppress(BlockingIOError):
                        method(*arguments, socket.MSG_DONTWAIT)
                one.sendmsg([b"x"], [], socket.MSG_DONTWAIT)
                one.sendall(b"x", socket.MSG_DONTWAIT)
        """,
    },
    {
        "name": "an upload that stays in memory",
        "twin": """
            with tempfile.SpooledTemporaryFile(max_size=1000) as spool:
                spool.write(b"x")
                spool.seek(0), spool.read()
        """,
    },
    {
        "name": "an address that is to be taken as it is",
        "twin": """
            socket.getaddrinfo("127.0.0.1", 80, flags=socket.AI_NUMERICHOST)
            socket.getaddrinfo("127.0.0.1", 80, 0, 0, 0, socket.AI_NUMERICHOST)
            socket.getnameinfo(("127.0.0.1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
        """,
    },
    {
        "name": "a timeout of zero",
        "twin": """
            select.select([], [], [], 0)
            threading.Event().wait(0)
            with contextlib.suppress(queue.Empty):
                queue.Queue().get(timeout=0)
            with contextlib.suppress(queue.Empty):
                queue.Queue().get(block=False)
            threading.Semaphore(0).acquire(blocking=False)
            with selectors.SelectSelector() as selector:
                selector.select(0)
        """,
    },
    {
        "name": "a queue that has an item, or room for one",
        "twin": """
            items = queue.Queue()
            items.put(1)
            items.get()
            items.task_done()
            items.join()
            simple = queue.SimpleQueue()
            simple.put(1)
            simple.get()
        """,
    },
    {
        "name": "a set event",
        "twin": """
            event = threading.Event()
            event.set()
            event.wait()
        """,
    },
    {
        "name": "a lock that nobody holds",
        "setup": """
            FORK = multiprocessing.get_context("fork")
            NESTED = FORK.RLock()
            BETWEEN = (FORK.Lock(), NESTED, NESTED, FORK.Semaphore(2))
        """,
        "twin": """
            with contextlib.ExitStack() as stack:
                for lock in BETWEEN:
                    stack.enter_context(lock)
            for lock in (threading.Lock(), threading.RLock(), threading.Semaphore()):
                with lock:
                    pass
                lock.acquire()
                lock.release()
            condition = threading.Condition()
            with condition:
                condition.notify_all()
                condition.wait_for(lambda: True)
        """,
    },
    {
        "name": "a future that is done",
        "setup": "POOL = concurrent.futures.ThreadPoolExecutor(1)",
        "twin": """
            future = POOL.submit(int)
            await asyncio.wrap_future(future)
            future.result(), future.exception()
            concurrent.futures.wait([future])
            list(concurrent.futures.as_completed([future]))
        """,
    },
    {
        "name": "an executor that has nothing left to do",
        "twin": """
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                await asyncio.get_running_loop().run_in_executor(pool, int)
        """,
    },
    {
        "name": "a thread that has ended",
        "setup": """
            THREAD = threading.Thread(target=int)
            THREAD.start()
            THREAD.join()
        """,
        "twin": "THREAD.join()",
    },
    {
        "name": "a process that has ended, or is only asked after",
        "setup": """
            @pytest.fixture(autouse=True)
            def processes():
                global ENDED, RUNNING
                ENDED, RUNNING = subprocess.Popen(["true"]), subprocess.Popen(["sleep", "99"])
                ENDED.wait()
                yield
                RUNNING.kill()
                RUNNING.wait()
        """,
        "twin": """
            ENDED.wait(), ENDED.communicate(), ENDED.poll(), RUNNING.poll()
            with contextlib.suppress(subprocess.TimeoutExpired):
                RUNNING.wait(0)
            os.waitpid(RUNNING.pid, os.WNOHANG)
        """,
    },
    {
        "name": "what asyncio does",
        "twin": """
            loop = asyncio.get_running_loop()
            await (await asyncio.create_subprocess_exec("true")).wait()
            await (await asyncio.create_subprocess_shell("true")).communicate()
            await loop.getaddrinfo("localhost", 80)
            await asyncio.to_thread(time.sleep, 0.001)
            reader, writer = await asyncio.open_connection("127.0.0.1", stub.ECHO)
            writer.write(b"x\\n")
            await reader.readline()
            writer.close()
            await writer.wait_closed()
        """,
    },
    {
        "name": "what anyio and aiofiles do",
        "needs": "anyio aiofiles",
        "twin": """
            async with await anyio.open_file(__file__) as file:
                await file.read()
            await anyio.Path(__file__).read_text()
            async with aiofiles.open(__file__) as file:
                await file.read()
        """,
    },
    {
        "name": "what is asked of a path",
        "twin": """
            path = pathlib.Path(__file__)
            path.exists(), path.is_file(), path.stat(), path.parent / "x", path.suffix
            os.path.exists(__file__), os.stat(__file__), os.path.join("a", "b"), os.getcwd()
        """,
    },
    {
        "name": "streams in memory, and those of the process",
        "twin": """
            io.BytesIO(b"x").read(), io.StringIO("x").readline()
            tempfile.SpooledTemporaryFile().write(b"x")
            print("x"), sys.stderr.write("x"), sys.stdout.flush()
            open(os.devnull).close()
        """,
    },
    {
        "name": "logging to a stream, or to a queue",
        "setup": """
            import logging.handlers

            LOG = logging.getLogger("rows.free")
            LOG.addHandler(logging.StreamHandler(io.StringIO()))
            LOG.addHandler(logging.handlers.QueueHandler(queue.SimpleQueue()))
        """,
        "twin": "LOG.warning('x')",
    },
    {
        "name": "an upload that fits into memory",
        "needs": "multipart",
        "setup": """
            from fastapi import UploadFile

            @app.post("/up")
            async def up(file: UploadFile):
                await file.read()

            def test_up():
                assert client.post("/up", files={"file": b"x"}).status_code == 200
        """,
        "twin": "pass",
    },
    {
        "name": "a client that is only made",
        "twin": """
            smtplib.SMTP(local_hostname="x")
            http.client.HTTPConnection("x")
            urllib.request.Request("http://x")
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        """,
    },
]

ROWS = [*BLOCKS, *FREE]
