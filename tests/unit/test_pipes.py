"""Pipes: who reads an empty one, or writes to a full one, waits for whoever is at its other end."""

from __future__ import annotations

import gc
import io
import os
import select
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_asyncguard.probes import holds

if TYPE_CHECKING:
    from tests.unit.conftest import Watched

pytestmark = pytest.mark.skipif(os.name == "nt", reason="pipes cannot be asked on Windows")

Start = Callable[..., "subprocess.Popen[Any]"]
READS: list[tuple[dict[str, Any], Callable[[Any], object]]] = [
    ({}, lambda stream: stream.read()),
    ({}, lambda stream: stream.read1()),
    ({}, lambda stream: stream.readline()),
    ({}, lambda stream: stream.readlines()),
    ({}, next),
    ({}, lambda stream: stream.readinto(bytearray(3))),
    ({"text": True}, lambda stream: stream.read(1)),
    ({"text": True}, lambda stream: stream.readline()),
    ({"text": True}, list),
    ({"bufsize": 0}, lambda stream: stream.read(3)),
    ({"bufsize": 0}, lambda stream: stream.read()),
    ({"bufsize": 0}, lambda stream: stream.readline()),
]


def on_loop(watched: Watched, function: Callable[[], Any]) -> Any:
    return holds.step(watched.request(), lambda _: function(), None)


def once_it_waits(function: Callable[[], object]) -> None:
    """Call ``function`` in a thread, once this one makes a known call; or at the very last."""
    waiting = threading.get_ident()

    def run() -> None:
        for _ in range(5000):
            hold = holds.open_holds.get(waiting)
            if hold is not None and hold.call is not None:
                break
            time.sleep(0.001)
        function()

    threading.Thread(target=run).start()


@pytest.fixture(name="start")
def _start(guard_installed: Watched) -> Iterator[Start]:
    """Starts children off the loop, which end when their input does."""
    with ExitStack() as stack:

        def start(program: str, **options: Any) -> subprocess.Popen[Any]:
            command = [sys.executable, "-c", program]
            options |= {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            child: subprocess.Popen[Any] = subprocess.Popen(command, **options)
            stack.enter_context(child)
            stack.callback(child.kill)
            return child

        yield start


@pytest.mark.parametrize(("options", "read"), READS)
def test_reading_what_a_child_has_yet_to_say_is_seen(
    guard_installed: Watched, start: Start, options: Any, read: Callable[[Any], object]
) -> None:
    """However it is read, and though the child was started before the request."""
    child = start("import sys; sys.stdin.read(); print('one')", **options)
    assert child.stdin is not None
    once_it_waits(child.stdin.close)
    on_loop(guard_installed, lambda: read(child.stdout))
    assert set(guard_installed.names()) == {"subprocess.Popen.stdout"}


def test_reading_from_a_child_that_runs_is_seen_whether_or_not_it_has_answered(
    guard_installed: Watched, start: Start
) -> None:
    """Which of the two is first depends on the machine, and the verdict must not."""
    child = start("import os; os.write(1, b'one\\n'); input()")
    assert child.stdout is not None
    select.select([child.stdout], [], [])
    on_loop(guard_installed, child.stdout.readline)
    assert guard_installed.names() == ["subprocess.Popen.stdout"]


def test_reading_what_a_child_has_said_is_free(guard_installed: Watched, start: Start) -> None:
    """What is in the buffer, and what one that has ended left in the pipe, is there at once."""
    child = start("import os; os.write(1, b'one\\ntwo\\n'); input(); print('three')", text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "one\n"
    assert on_loop(guard_installed, child.stdout.readline) == "two\n"
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()
    child.wait()
    assert on_loop(guard_installed, child.stdout.read) == "three\n"
    assert guard_installed.names() == []


def test_a_stream_in_a_mode_that_does_not_block_is_free(
    guard_installed: Watched, start: Start
) -> None:
    """Then nothing is read, and nobody waits."""
    child = start("input()", bufsize=0)
    assert child.stdout is not None
    os.set_blocking(child.stdout.fileno(), False)
    assert on_loop(guard_installed, child.stdout.read) is None
    assert guard_installed.names() == []


def test_writing_to_a_child_that_does_not_read_is_seen(
    guard_installed: Watched, start: Start
) -> None:
    """Its pipe is full, and the write waits for it."""
    child = start("import time; time.sleep(999)", bufsize=0)
    stdin = child.stdin
    assert stdin is not None
    fill(stdin.fileno())
    once_it_waits(child.kill)
    with pytest.raises(BrokenPipeError):
        on_loop(guard_installed, lambda: stdin.write(b"x"))
    assert guard_installed.names() == ["subprocess.Popen.stdin"]


def fill(descriptor: int) -> None:
    """Write to a pipe until it takes no more."""
    os.set_blocking(descriptor, False)
    try:
        while True:
            os.write(descriptor, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(descriptor, True)


def test_the_streams_of_a_child_stay_what_they_are(start: Start) -> None:
    """Of their own types; and to be watched keeps none of them alive."""
    child = start("", bufsize=0)
    assert type(child.stdout) is io.FileIO
    kept = weakref.ref(child.stdout)
    child.stdout.close()
    child.stdout = None
    gc.collect()
    assert kept() is None


@pytest.fixture(name="pipe")
def _pipe() -> Iterator[tuple[int, int]]:
    """A pipe: where it is read, and where it is written to."""
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


def test_reading_an_empty_pipe_is_seen(guard_installed: Watched, pipe: tuple[int, int]) -> None:
    """By its descriptor, too."""
    reader, writer = pipe
    once_it_waits(lambda: os.write(writer, b"x"))
    on_loop(guard_installed, lambda: os.read(reader, 1))
    assert guard_installed.names() == ["os.read"]


def test_writing_to_a_full_pipe_is_seen(guard_installed: Watched, pipe: tuple[int, int]) -> None:
    """It waits for the reader."""
    reader, writer = pipe
    fill(writer)
    once_it_waits(lambda: os.read(reader, 1 << 20))
    on_loop(guard_installed, lambda: os.write(writer, b"x"))
    assert guard_installed.names() == ["os.write"]


def test_a_descriptor_that_is_ready_is_free(
    guard_installed: Watched, pipe: tuple[int, int]
) -> None:
    """A pipe with something in it, one at its end, a file, and what does not block."""
    reader, writer = pipe

    def use() -> None:
        os.write(writer, b"x")
        os.read(reader, 9)
        os.set_blocking(reader, False)
        with pytest.raises(BlockingIOError):
            os.read(reader, 9)
        with Path(__file__).open("rb") as file:
            os.read(file.fileno(), 9)
        ended, other = os.pipe()
        os.close(other)
        os.read(ended, 9)
        os.close(ended)

    on_loop(guard_installed, use)
    assert [name for name in guard_installed.names() if name != "open"] == []


def test_a_descriptor_that_is_none_stays_the_callers_error(guard_installed: Watched) -> None:
    """What was asked for nonsense says so itself."""
    with pytest.raises(OSError, match="descriptor"):
        on_loop(guard_installed, lambda: os.read(10**6, 1))
    with pytest.raises(TypeError):
        on_loop(guard_installed, os.read)  # type: ignore[arg-type]
    assert guard_installed.names() == []
