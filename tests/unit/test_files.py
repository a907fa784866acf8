"""Small files of the system."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from pytest_asyncguard.probes.files import Files


@pytest.mark.parametrize("by", ["libc", "os"])
def test_a_small_file_is_read_from_its_beginning_each_time(tmp_path: Path, by: str) -> None:
    """With the functions of ``os`` where the C library cannot be called."""
    files = Files()
    if by == "os":
        files._libc = None
    path = tmp_path / "figures"
    path.write_bytes(b"1 2 3\n")
    opened = files.open(str(path))
    assert opened is not None
    assert files.again(opened) == files.again(opened) == b"1 2 3\n"
    files.close(opened)
    with pytest.raises(OSError, match="descriptor"):
        files.again(opened)
    files.close(opened)  # the app may have closed it before
    assert files.open(str(tmp_path / "gone")) is None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no such file to be read")
def test_reading_a_small_file_keeps_the_gil() -> None:
    """Who waits for it gets no turn: beside a loop that computes each would take long."""
    files, turns, waiting = Files(), [0], threading.Event()

    def take_turns() -> None:
        waiting.set()
        while turns[0] >= 0:
            turns[0] += 1
            time.sleep(0)  # its turn is over

    thread = threading.Thread(target=take_turns)
    interval = sys.getswitchinterval()
    thread.start()
    waiting.wait()
    try:
        sys.setswitchinterval(1000)  # nobody is asked to give it up
        before = turns[0]
        for _ in range(200):
            opened = files.open("/proc/self/schedstat")
            assert opened is not None
            assert files.again(opened)
            files.close(opened)
        after = turns[0]
    finally:
        turns[0] = -(10**12)
        sys.setswitchinterval(interval)
        thread.join()
    assert after == before
