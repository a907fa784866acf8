"""Small files of the system, and the functions of the C library by which the guard gets at them.

Called through ``ctypes.PyDLL`` those do not give up the GIL, as the functions of ``os`` do.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from typing import Any, Final

SIZE: Final = 64
"""As many bytes of a file hold all the figures of one schedstat."""


@functools.cache
def c_library() -> Any:
    """The C library; None where it is not needed or cannot be called."""
    if sys.platform == "linux":
        with contextlib.suppress(ImportError, OSError):
            import ctypes

            return ctypes.PyDLL(None, use_errno=True)
    return None


class Files:
    """Small files of the system, read without giving up the GIL.

    The functions of ``os`` give it up for each call. The sampler would take a switch interval to
    get it back from a loop thread that computes; and a loop thread that gives it up once a
    millisecond wakes the sampler each time, and keeps it from ever asking for its turn.
    """

    def __init__(self) -> None:
        self._libc: Any = None
        self._buffer: Any = None
        self._errno: Any = None
        if (libc := c_library()) is None:
            return
        with contextlib.suppress(AttributeError):
            import ctypes

            libc.open.argtypes = (ctypes.c_char_p, ctypes.c_int)
            libc.pread.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long)
            libc.pread.restype = ctypes.c_ssize_t
            libc.close.argtypes = (ctypes.c_int,)
            self._buffer = ctypes.c_char * SIZE
            self._errno = ctypes.get_errno
            self._libc = libc

    def open(self, path: str) -> int | None:
        """A file descriptor; None if the file is not there."""
        flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)
        if self._libc is not None:
            fd: int = self._libc.open(os.fsencode(path), flags)
            return fd if fd >= 0 else None
        try:
            return os.open(path, flags)
        except OSError:
            return None

    def close(self, fd: int) -> None:
        """Close it; nothing is wrong if the app did so before."""
        if self._libc is not None:
            self._libc.close(fd)
        else:
            with contextlib.suppress(OSError):
                os.close(fd)

    def again(self, fd: int) -> bytes:
        """The beginning of a file that is open."""
        if self._libc is None:
            return os.pread(fd, SIZE, 0)
        buffer = self._buffer()  # one for each call: any number of threads may read
        size: int = self._libc.pread(fd, buffer, SIZE, 0)
        if size < 0:
            raise OSError(self._errno(), f"file descriptor {fd} cannot be read")
        found: bytes = buffer.raw[:size]
        return found
