"""The pipes to a child process: the methods of the very streams, since their types are C.

A child is often started before the request that talks to it, so that neither ``Popen`` nor its
``wait`` tells of it. A buffer asks the stream below it by name, and finds what is set on that one:
so reads of every kind are seen, and what is buffered already is free. Whether a child that runs has
answered by the time it is read from is the machine's matter, and makes no difference.
"""

from __future__ import annotations

import functools
from _thread import get_ident
from types import ModuleType
from typing import Any, Final
from weakref import ref

from pytest_asyncguard.catalog.rows import Call
from pytest_asyncguard.catalog.stdlib import CHILD_READS, CHILD_WRITES
from pytest_asyncguard.probes.calls import on_loop, unseen
from pytest_asyncguard.probes.holds import open_holds
from pytest_asyncguard.probes.patching import ImportProbe

_STREAMS: Final = (("stdin", CHILD_WRITES), ("stdout", CHILD_READS), ("stderr", CHILD_READS))


def watch(stream: Any, rows: tuple[Call, ...], child: Any) -> None:
    """Watch the layer of ``stream`` that makes the system calls; it goes with its stream."""
    runs = ref(child)
    buffer = getattr(stream, "buffer", stream)
    raw = getattr(buffer, "raw", buffer)
    if type(raw).__module__ == "_io":
        for row in rows:
            name = row.target.rpartition(".")[2]
            setattr(raw, name, _method(raw, name, row, runs))


def _method(raw: Any, name: str, row: Call, child: Any) -> Any:
    """The method of this name, watched, which does not keep its stream alive.

    Of a child that is known to have ended, all that is in the pipe is there.
    """
    function: Final = getattr(type(raw), name)
    stream: Final = ref(raw)

    @unseen
    def method(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if open_holds and get_ident() in open_holds:
            process = child()
            if process is None or process.returncode is None:
                return on_loop(open_holds[get_ident()], row, function, (stream(), *args), kwargs)
        return function(stream(), *args, **kwargs)

    method.__name__ = method.__qualname__ = name
    return method


class PipeProbe(ImportProbe):
    """Watches the pipes that ``subprocess.Popen`` opens."""

    name = "pipes"

    def install(self) -> None:
        self._watch.when_imported("subprocess", self._patch)

    def _patch(self, module: ModuleType) -> None:
        original = module.Popen.__init__

        @functools.wraps(original)
        @unseen
        def init(self: Any, *args: Any, **kwargs: Any) -> None:
            __tracebackhide__ = True
            original(self, *args, **kwargs)
            for name, rows in _STREAMS:
                if (stream := getattr(self, name, None)) is not None:
                    watch(stream, rows, self)

        self._patcher.replace(module.Popen, "__init__", init)
