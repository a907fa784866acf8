"""What blocks in the standard library."""

from __future__ import annotations

import os
import re
import select
import shlex
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from pytest_asyncguard.catalog.rows import Arguments, AuditEvent, Call, Keywords, always, inside


def argument(args: Arguments, kwargs: Keywords, position: int, name: str) -> Any:
    """The argument at ``position`` (``self`` counts), or of this name, or None."""
    return args[position] if len(args) > position else kwargs.get(name)


def positive(value: object) -> bool:
    """Whether a timeout leaves time to wait: None is for ever; nonsense is not ours to refuse."""
    if value is None:
        return True
    try:
        return float(value) > 0  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False


def _sleeps(args: Arguments, kwargs: Keywords) -> bool:
    return bool(args) and args[0] is not None and positive(args[0])


def _asked_for(args: Arguments, kwargs: Keywords) -> str | None:
    try:
        return f"{float(args[0]):g} s"
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def _waits(position: int, name: str = "timeout") -> Any:
    """Blocks unless the timeout is zero."""
    return lambda args, kwargs: positive(argument(args, kwargs, position, name))


def _event_waits(args: Arguments, kwargs: Keywords) -> bool:
    return bool(args) and not args[0].is_set() and positive(argument(args, kwargs, 1, "timeout"))


def _thread_runs(args: Arguments, kwargs: Keywords) -> bool:
    if not args or not args[0].is_alive() or not positive(argument(args, kwargs, 1, "timeout")):
        return False
    # grpc.aio ends its poller where its last channel goes: from C code, with no frame of its own.
    target = getattr(args[0], "_target", None)
    return not type(getattr(target, "__self__", None)).__module__.startswith("grpc.")


def _process_runs(args: Arguments, kwargs: Keywords) -> bool:
    return (
        bool(args) and args[0].returncode is None and positive(argument(args, kwargs, 1, "timeout"))
    )


def _child_runs(args: Arguments, kwargs: Keywords) -> bool:
    process: Any = args[0] if args else None
    return getattr(process, "_popen", None) is not None and process.exitcode is None


def _pool_works(args: Arguments, kwargs: Keywords) -> bool:
    """Whether a pool of threads still has something to do that its shutdown waits for."""
    if not args or argument(args, kwargs, 1, "wait") is False:
        return False
    pool = args[0]
    return pool._work_queue.qsize() > 0 or any(  # noqa: SLF001
        _unfinished(sys._current_frames().get(thread.ident))  # noqa: SLF001
        for thread in pool._threads  # noqa: SLF001
    )


def _unfinished(frame: FrameType | None) -> bool:
    """Whether a worker is at its work. It is not when it hands over the result, or waits."""
    while frame is not None:
        if frame.f_code.co_qualname == "_WorkItem.run":
            return not frame.f_locals["self"].future.done()
        frame = frame.f_back
    return False


def _waits_while(state: str, first: int) -> Callable[[Arguments, Keywords], bool]:
    """Whether a queue is ``state`` (empty or full), and that may be waited for.

    ``first`` is the position of the argument "block", after which that of "timeout" comes.
    """

    def waits(args: Arguments, kwargs: Keywords) -> bool:
        blocks = argument(args, kwargs, first, "block")
        return (
            bool(args)
            and (blocks is None or bool(blocks))
            and positive(argument(args, kwargs, first + 1, "timeout"))
            and bool(getattr(args[0], state)())
        )

    return waits


_nothing_queued: Final = _waits_while("empty", 1)
_queue_full: Final = _waits_while("full", 2)


def _nothing_sent(args: Arguments, kwargs: Keywords) -> bool:
    return bool(args) and not args[0].poll()


def _socket_blocks(args: Arguments, kwargs: Keywords) -> bool:
    return bool(args) and args[0].gettimeout() != 0


def _socket_waits(position: int) -> Callable[[Arguments, Keywords], bool]:
    """Whether a call of a socket blocks: its flags, at ``position``, may say that it does not."""
    flag = getattr(socket, "MSG_DONTWAIT", 0)  # Windows has none

    def waits(args: Arguments, kwargs: Keywords) -> bool:
        return _socket_blocks(args, kwargs) and not _flagged(args, kwargs, position, flag)

    return waits


def _flagged(args: Arguments, kwargs: Keywords, position: int, flag: int) -> bool:
    flags = argument(args, kwargs, position, "flags")
    return isinstance(flags, int) and bool(flags & flag)


def _resolves(position: int, flag: int) -> Callable[[Arguments, Keywords], bool]:
    """Whether a resolver may be asked: the flags may say that nothing is to be looked up.

    That an address happens to be a number says nothing: it is the one of the tests.
    """
    return lambda args, kwargs: not _flagged(args, kwargs, position, flag)


# As they are before they are wrapped: they answer in the midst of a watched call.
_get_blocking: Final = getattr(os, "get_blocking", None)
_poll: Final = getattr(select, "poll", None)


def _would_wait(file: Any, event: str) -> bool:
    """Whether a descriptor is in blocking mode, and neither ready for ``event`` nor at its end.

    A file on disk is always ready. Where the system cannot tell, the clock has to.
    """
    if _poll is None or _get_blocking is None:
        return False
    descriptor = file if isinstance(file, int) else file.fileno()
    if not _get_blocking(descriptor):
        return False
    poller = _poll()
    poller.register(descriptor, getattr(select, event))
    return not poller.poll(0)


def _blocking(args: Arguments, kwargs: Keywords) -> bool:
    """Whether a stream is in blocking mode, as far as the system tells."""
    return bool(args) and (_get_blocking is None or _get_blocking(args[0].fileno()))


def pipe_empty(args: Arguments, kwargs: Keywords) -> bool:
    """Whether a reader of the first argument has to wait for somebody to write."""
    return bool(args) and _would_wait(args[0], "POLLIN")


def pipe_full(args: Arguments, kwargs: Keywords) -> bool:
    """Whether a writer to the first argument has to wait for somebody to read."""
    return bool(args) and _would_wait(args[0], "POLLOUT")


def _no_signal(args: Arguments, kwargs: Keywords) -> bool:
    """Whether none of the signals that are waited for has come already."""
    return not signal.sigpending() & set(args[0] if args else ())


def _taken(args: Arguments, kwargs: Keywords) -> bool:
    """Whether a lock between processes is held, and not by this thread as it may be again."""
    semaphore: Any = getattr(args[0], "_semlock", None) if args else None
    return (
        semaphore is not None
        and semaphore._is_zero()  # noqa: SLF001
        and not (semaphore.kind == 0 and semaphore._is_mine())  # noqa: SLF001
    )


def _no_hang(position: int) -> Any:
    """Waiting for a process, unless with WNOHANG: then it is only asked after."""
    flag = getattr(os, "WNOHANG", 0)
    return lambda args, kwargs: not (int(argument(args, kwargs, position, "options") or 0) & flag)


def command_name(command: object) -> str | None:
    """The name of the program that a command runs, and none of its arguments."""
    if isinstance(command, (list, tuple)):
        command = command[0] if command else None
        words: list[str] = (
            [os.fsdecode(command)] if isinstance(command, (str, bytes, os.PathLike)) else []
        )
    elif isinstance(command, (str, bytes)):
        text = os.fsdecode(command)
        try:
            words = shlex.split(text)
        except ValueError:
            words = text.split()
        # A shell lets the environment of the command stand before it.
        words = [word for word in words if not re.match(r"\w+=", word)]
    elif isinstance(command, os.PathLike):
        words = [os.fsdecode(command)]
    else:
        words = []
    return os.path.basename(words[0]) or None if words else None


def _command(position: int = 0, name: str = "args") -> Any:
    return lambda args, kwargs: command_name(argument(args, kwargs, position, name))


_TOKEN = re.compile(
    r"""
    (?P<comment> /\*.*?(?:\*/|\Z) | --[^\n]* )
    # A quoted name; after a word a bracket is an index or an array, and holds literals.
    | (?P<name> "[^"]*" | `[^`]*` | (?<![\w\]\[])\[[^\]]*\] )
    # A string or blob. Whether a backslash escapes the quote after it, only the dialect knows:
    # then all that follows is masked, as it is where a quote is not closed.
    | (?:\b(?:[xbne]|u&))?'(?:[^'\\]|''|\\(?!'))*+(?:'|\\'.*|\Z)
    | \$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z)
    | ["`].*
    # A number, with whatever is written into it.
    | (?<![\w.])\.?\d[\w.]*(?:(?<=e)[+-]\d+)?
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


def masked(sql: str) -> str:
    """An SQL statement on one line, with every literal masked: no bound value enters a report."""
    text = " ".join(_TOKEN.sub(_shown, sql).split())
    return text if len(text) <= 200 else text[:197] + "..."


def _shown(token: re.Match[str]) -> str:
    if token["comment"] is not None:
        return " "
    return token["name"] or "?"


SLEEP: Final = (
    Call(
        target="time:sleep",
        rule="sleep",
        when=_sleeps,
        detail=_asked_for,
        twin="await asyncio.sleep(...)",
    ),
)

SIGNALS: Final = (
    Call(
        target="signal:pause",
        rule="sleep",
        optional=True,
        by_caller=True,
        twin="loop.add_signal_handler(...)",
    ),
    *(
        Call(
            target=f"signal:{name}",
            rule="sleep",
            when=when,
            optional=True,
            by_caller=True,
            twin="loop.add_signal_handler(...)",
        )
        for name, when in (
            ("sigwait", _no_signal),
            ("sigwaitinfo", _no_signal),
            (
                "sigtimedwait",
                lambda args, kwargs: (
                    len(args) > 1 and positive(args[1]) and _no_signal(args, kwargs)
                ),
            ),
        )
    ),
)

PIPES: Final = tuple(
    Call(target=f"os:{name}", rule="socket", when=when, optional=True, by_caller=True, twin=twin)
    for name, when, twin in (
        ("read", pipe_empty, "loop.add_reader(...)"),
        ("readv", pipe_empty, "loop.add_reader(...)"),
        ("write", pipe_full, "loop.add_writer(...)"),
        ("writev", pipe_full, "loop.add_writer(...)"),
    )
)

SOCKETS: Final = (
    *(
        Call(
            target=f"socket:socket.{name}",
            rule="socket",
            when=when,
            by_caller=True,
            twin=twin,
            optional=name in ("recvmsg", "recvmsg_into", "sendmsg"),
        )
        for name, when, twin in (
            ("connect", _socket_blocks, "await asyncio.open_connection(...)"),
            ("connect_ex", _socket_blocks, "await asyncio.open_connection(...)"),
            ("accept", _socket_blocks, "await loop.sock_accept(...)"),
            ("recv", _socket_waits(2), "await loop.sock_recv(...)"),
            ("recv_into", _socket_waits(3), "await loop.sock_recv_into(...)"),
            ("recvfrom", _socket_waits(2), "await loop.sock_recvfrom(...)"),
            ("recvfrom_into", _socket_waits(3), "await loop.sock_recvfrom_into(...)"),
            ("recvmsg", _socket_waits(3), None),
            ("recvmsg_into", _socket_waits(3), None),
            ("send", _socket_waits(2), "await loop.sock_sendall(...)"),
            ("sendall", _socket_waits(2), "await loop.sock_sendall(...)"),
            ("sendto", _socket_waits(2), "await loop.sock_sendto(...)"),
            ("sendmsg", _socket_waits(3), None),
            ("sendfile", _socket_blocks, "await loop.sock_sendfile(...)"),
        )
    ),
    *(
        Call(
            target=f"ssl:SSLSocket.{name}",
            rule="socket",
            when=_socket_blocks,
            by_caller=True,
            twin="await asyncio.open_connection(..., ssl=True)",
        )
        for name in ("do_handshake", "read", "write", "recv", "recv_into", "send", "sendall")
    ),
    Call(
        target="socket:create_connection",
        rule="socket",
        by_caller=True,
        twin="await asyncio.open_connection(...)",
    ),
    *(
        Call(
            target=f"socket:{name}",
            rule="socket",
            when=when,
            by_caller=True,
            twin=twin,
        )
        for name, when, twin in (
            ("getaddrinfo", _resolves(5, socket.AI_NUMERICHOST), "await loop.getaddrinfo(...)"),
            ("gethostbyname", always, "await loop.getaddrinfo(...)"),
            ("gethostbyname_ex", always, "await loop.getaddrinfo(...)"),
            ("gethostbyaddr", always, "await loop.getnameinfo(...)"),
            ("getnameinfo", _resolves(1, socket.NI_NUMERICHOST), "await loop.getnameinfo(...)"),
            ("getfqdn", always, "await loop.getnameinfo(...)"),
        )
    ),
    Call(
        target="select:select",
        rule="socket",
        when=_waits(3),
        by_caller=True,
        twin="loop.add_reader(...)",
    ),
    *(
        Call(
            target=f"selectors:{name}.select",
            rule="socket",
            when=_waits(1),
            by_caller=True,
            optional=True,
            twin="loop.add_reader(...)",
        )
        for name in (
            "SelectSelector",
            "_PollLikeSelector",
            "EpollSelector",
            "DevpollSelector",
            "KqueueSelector",
        )
    ),
)

_EXEC = "await asyncio.create_subprocess_exec(...)"
_SHELL = "await asyncio.create_subprocess_shell(...)"

PROCESSES: Final = (
    *(
        Call(
            target=f"subprocess:{name}",
            rule="subprocess",
            by_caller=True,
            detail=_command(),
            twin=_EXEC,
        )
        for name in ("run", "call", "check_call", "check_output")
    ),
    *(
        Call(
            target=f"subprocess:{name}",
            rule="subprocess",
            by_caller=True,
            detail=_command(0, "cmd"),
            twin=_SHELL,
        )
        for name in ("getoutput", "getstatusoutput")
    ),
    Call(
        target="subprocess:Popen.__init__",
        name="subprocess.Popen",
        rule="subprocess",
        by_caller=True,
        detail=_command(1),
        twin=_EXEC,
    ),
    Call(
        target="subprocess:Popen.wait",
        rule="subprocess",
        by_caller=True,
        when=_process_runs,
        twin="await process.wait()",
    ),
    Call(
        target="subprocess:Popen.communicate",
        rule="subprocess",
        by_caller=True,
        when=lambda args, kwargs: bool(args) and args[0].returncode is None,
        twin="await process.communicate()",
    ),
    Call(
        target="os:system",
        rule="subprocess",
        by_caller=True,
        detail=_command(0, "command"),
        twin=_SHELL,
    ),
    Call(
        target="os:popen", rule="subprocess", by_caller=True, detail=_command(0, "cmd"), twin=_SHELL
    ),
    Call(
        target="os:wait",
        rule="subprocess",
        by_caller=True,
        optional=True,
        twin="await process.wait()",
    ),
    Call(
        target="os:wait3",
        rule="subprocess",
        by_caller=True,
        when=_no_hang(0),
        optional=True,
        twin="await process.wait()",
    ),
    Call(
        target="os:wait4",
        rule="subprocess",
        by_caller=True,
        when=_no_hang(1),
        optional=True,
        twin="await process.wait()",
    ),
    Call(
        target="os:waitpid",
        rule="subprocess",
        by_caller=True,
        when=_no_hang(1),
        optional=True,
        twin="await process.wait()",
    ),
    Call(
        target="os:waitid",
        rule="subprocess",
        by_caller=True,
        when=_no_hang(2),
        optional=True,
        twin="await process.wait()",
    ),
    *(
        Call(
            target=f"os:{name}",
            rule="subprocess",
            by_caller=True,
            when=lambda args, kwargs: argument(args, kwargs, 0, "mode") == os.P_WAIT,
            detail=_command(1, "file"),
            optional=True,
            twin=_EXEC,
        )
        for name in (
            "spawnl",
            "spawnle",
            "spawnlp",
            "spawnlpe",
            "spawnv",
            "spawnve",
            "spawnvp",
            "spawnvpe",
        )
    ),
    Call(
        target="pty:spawn",
        rule="subprocess",
        by_caller=True,
        detail=_command(0, "argv"),
        optional=True,
    ),
    Call(
        target="multiprocessing.process:BaseProcess.start",
        name="multiprocessing.Process.start",
        rule="subprocess",
        by_caller=True,
    ),
    Call(
        target="multiprocessing.process:BaseProcess.join",
        name="multiprocessing.Process.join",
        rule="thread-wait",
        by_caller=True,
        when=_child_runs,
    ),
)

_ASYNC_PIPES = "await process.stdout.readline(), with asyncio.create_subprocess_exec"
# The streams of a child, at their lowest layer: what is buffered above it waits for nothing.
CHILD_READS: Final = tuple(
    Call(
        target=f"io:FileIO.{name}",
        name="subprocess.Popen.stdout",
        rule="subprocess",
        when=_blocking,
        twin=_ASYNC_PIPES,
    )
    for name in ("read", "readall", "readinto")
)
CHILD_WRITES: Final = (
    Call(
        target="io:FileIO.write",
        name="subprocess.Popen.stdin",
        rule="subprocess",
        when=pipe_full,
        twin="process.stdin.write(...) and await process.stdin.drain()",
    ),
)

SPAWNED: Final = tuple(
    AuditEvent(event=event, rule="subprocess", when=lambda args: True, twin=_EXEC)
    for event in ("os.posix_spawn", "os.fork", "os.forkpty")
)

_TO_THREAD = "await asyncio.to_thread(...)"
_WRAP = "await asyncio.wrap_future(...)"

WAITS: Final = (
    Call(
        target="threading:Event.wait",
        rule="thread-wait",
        when=_event_waits,
        by_caller=True,
        twin="await event.wait(), with asyncio.Event",
    ),
    Call(target="threading:Condition.wait", rule="thread-wait", when=_waits(1), by_caller=True),
    Call(target="threading:Condition.wait_for", rule="thread-wait", by_caller=True, when=inside),
    Call(
        target="threading:Semaphore.acquire",
        rule="thread-wait",
        by_caller=True,
        also=("threading:Semaphore.__enter__",),
        when=inside,
        twin="async with asyncio.Semaphore(...)",
    ),
    Call(target="threading:Barrier.wait", rule="thread-wait", by_caller=True, when=inside),
    Call(target="threading:Thread.join", rule="thread-wait", when=_thread_runs, by_caller=True),
    Call(
        target="queue:Queue.get",
        rule="thread-wait",
        by_caller=True,
        when=inside,
        twin="await queue.get(), with asyncio.Queue",
    ),
    Call(
        target="queue:Queue.put",
        rule="thread-wait",
        by_caller=True,
        when=_queue_full,
        twin="await queue.put(...), with asyncio.Queue",
    ),
    Call(target="queue:Queue.join", rule="thread-wait", by_caller=True, when=inside),
    Call(
        target="concurrent.futures._base:Future.result",
        name="concurrent.futures.Future.result",
        rule="thread-wait",
        by_caller=True,
        when=inside,
        twin=_WRAP,
    ),
    Call(
        target="concurrent.futures._base:Future.exception",
        name="concurrent.futures.Future.exception",
        rule="thread-wait",
        by_caller=True,
        when=inside,
        twin=_WRAP,
    ),
    Call(
        target="concurrent.futures._base:wait",
        also=("concurrent.futures:wait",),
        name="concurrent.futures.wait",
        rule="thread-wait",
        by_caller=True,
        when=inside,
        twin="await asyncio.wait(...)",
    ),
    Call(
        target="concurrent.futures.thread:ThreadPoolExecutor.shutdown",
        name="concurrent.futures.ThreadPoolExecutor.shutdown",
        rule="thread-wait",
        by_caller=True,
        when=_pool_works,
        twin=_TO_THREAD,
    ),
    Call(
        target="concurrent.futures.process:ProcessPoolExecutor.shutdown",
        name="concurrent.futures.ProcessPoolExecutor.shutdown",
        rule="thread-wait",
        by_caller=True,
        when=inside,
        twin=_TO_THREAD,
    ),
    # What processes say to each other.
    *(
        Call(
            target=f"multiprocessing.{module}:{cls}.{name}",
            name=f"multiprocessing.{cls.lstrip('_')}.{name}".removesuffix("._callmethod"),
            rule="thread-wait",
            when=when,
            by_caller=True,
            twin=_TO_THREAD,
        )
        for module, cls, name, when in (
            ("queues", "Queue", "get", _nothing_queued),
            ("queues", "Queue", "put", _queue_full),
            ("queues", "SimpleQueue", "get", _nothing_queued),
            ("queues", "JoinableQueue", "join", inside),
            ("synchronize", "Condition", "wait", _waits(1)),
            ("synchronize", "Event", "wait", inside),
            ("synchronize", "SemLock", "__enter__", _taken),
            ("connection", "_ConnectionBase", "recv", _nothing_sent),
            ("connection", "_ConnectionBase", "recv_bytes", _nothing_sent),
            ("managers", "BaseProxy", "_callmethod", always),
        )
    ),
)

SIMPLE_QUEUE_GET: Final = Call(
    target="queue:SimpleQueue.get",
    rule="thread-wait",
    when=_nothing_queued,
    by_caller=True,
    twin="await queue.get(), with asyncio.Queue",
)

# Where the call was captured before the guard was there; CPython raises it from 3.13 on.
SLEEP_EVENT: Final = AuditEvent(
    event="time.sleep",
    rule="sleep",
    when=lambda args: _sleeps(args, {}),
    detail=lambda args: _asked_for(args, {}),
    twin=SLEEP[0].twin,
    by_caller=False,
)

STDIN: Final = (AuditEvent(event="builtins.input", rule="stdin", name="input", by_caller=False),)
# Wrapped, too, so that what it reads from a stream adds nothing.
INPUT: Final = (
    Call(target="builtins:input", name="input", rule="stdin"),
    Call(
        target="getpass:getpass",
        # The name that it was defined under.
        also=("getpass:win_getpass" if os.name == "nt" else "getpass:unix_getpass",),
        rule="stdin",
        optional=True,
    ),
)
# The methods of a stream in C, which are set on the one that is standard input.
STDIN_READS: Final = tuple(
    Call(target=f"io:TextIOWrapper.{name}", name=f"sys.stdin.{name}", rule="stdin")
    for name in ("read", "readline", "readlines")
)
BUFFER_READS: Final = tuple(
    Call(target=f"io:BufferedReader.{name}", name=f"sys.stdin{shown}", rule="stdin")
    for name, shown in (
        ("read", ".buffer.read"),
        ("readline", ".buffer.readline"),
        ("readlines", ".buffer.readlines"),
        # What a loop over the lines does to fill the buffer.
        ("read1", ""),
    )
)
CAPTURED_STDIN: Final = tuple(
    Call(
        target=f"_pytest.capture:DontReadFromInput.{name}",
        name="sys.stdin" if name.startswith("_") else f"sys.stdin.{name}",
        rule="stdin",
        optional=True,
    )
    for name in ("read", "readline", "readlines", "__next__")
)
"""What stands in the place of standard input while pytest captures, and refuses to be read."""


_ZONES: Final = f"{os.sep}zoneinfo{os.sep}"


def _reaches_disk(args: Arguments) -> bool:
    path = args[0]
    if path is None:
        return True  # the current folder
    if isinstance(path, int):
        return False  # a descriptor that is open already
    text = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
    # Time zones are read once and cached, by C code that has no frame to be allowed by.
    return not text.startswith(("/dev/", "/proc/", "/sys/")) and _ZONES not in text


FILES: Final = (
    AuditEvent(
        event="open", rule="file", when=_reaches_disk, twin="async with await anyio.open_file(...)"
    ),
    *(
        AuditEvent(event=event, rule="file", when=_reaches_disk, twin=_TO_THREAD)
        for event in (
            "os.listdir",
            "os.scandir",
            "os.mkdir",
            "os.rmdir",
            "os.remove",
            "os.rename",
            "os.link",
            "os.symlink",
            "os.truncate",
            "os.chmod",
            "os.chown",
            "os.utime",
        )
    ),
)


def _on_disk(args: Arguments, kwargs: Keywords) -> bool:
    """Whether a spooled file has outgrown the memory it was given."""
    return bool(args) and bool(getattr(args[0], "_rolled", False))


FILE_CALLS: Final = (
    Call(target="dbm:open", rule="file", by_caller=True, twin=_TO_THREAD),
    Call(target="os:fsync", rule="file", by_caller=True, twin=_TO_THREAD),
    Call(target="os:fdatasync", rule="file", by_caller=True, optional=True, twin=_TO_THREAD),
    Call(target="os:sync", rule="file", by_caller=True, optional=True, twin=_TO_THREAD),
    *(
        Call(target=f"shutil:{name}", rule="file", by_caller=True, twin=_TO_THREAD)
        for name in (
            "copyfile",
            "copy",
            "copy2",
            "copytree",
            "rmtree",
            "move",
            "make_archive",
            "unpack_archive",
        )
    ),
    # An upload stays in memory until it is large; then it is a file, and an audit event tells
    # only of that it was opened, in the thread of whoever did.
    *(
        Call(
            target=f"tempfile:SpooledTemporaryFile.{name}",
            rule="file",
            when=_on_disk,
            by_caller=True,
            twin=_TO_THREAD,
        )
        for name in ("read", "readline", "readlines", "write", "writelines")
    ),
    Call(
        target="logging:FileHandler.emit",
        rule="file",
        # pytest's own --log-file handler writes to nowhere unless it is asked to.
        when=lambda args, kwargs: (
            bool(args) and not type(args[0]).__module__.startswith("_pytest.")
        ),
        by_caller=True,
        twin="logging.handlers.QueueHandler",
    ),
)

SQL_CONNECT: Final = Call(
    target="sqlite3:connect",
    also=("sqlite3.dbapi2:connect",),
    rule="sync-database",
    by_caller=True,
    twin="await aiosqlite.connect(...)",
)
SQL_STATEMENT: Final = Call(
    target="sqlite3:Connection.execute",
    name="sqlite3",
    rule="sync-database",
    by_caller=True,
    twin="await db.execute(...), with aiosqlite",
)
SQL_BACKUP: Final = Call(
    target="sqlite3:Connection.backup",
    rule="sync-database",
    by_caller=True,
    twin="await db.backup(...), with aiosqlite",
)

AUDIT: Final = {row.event: row for row in (SLEEP_EVENT, *STDIN, *SPAWNED, *FILES)}
CALLS: Final = (
    *SLEEP,
    *SIGNALS,
    *SOCKETS,
    *PIPES,
    *PROCESSES,
    *WAITS,
    *INPUT,
    *CAPTURED_STDIN,
    *FILE_CALLS,
)
