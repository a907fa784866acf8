"""Standard input: the methods of the very stream, since its types are C and immutable.

A stream takes attributes of its own, which go before those of its type. So it stays what it was,
also where somebody compares it, and a loop over its lines is seen where its buffer has to be
filled. What pytest puts in its place while it captures is in the catalogue like other classes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Final
from weakref import ref

from pytest_asyncguard.catalog.stdlib import BUFFER_READS, STDIN_READS
from pytest_asyncguard.probes.calls import wrap
from pytest_asyncguard.probes.patching import PatchingProbe


def watched(stream: Any) -> Iterator[tuple[Any, str, Any]]:
    """The attributes that make reading ``stream`` seen: whose, which, and what they are to be."""
    for source, rows in ((stream, STDIN_READS), (getattr(stream, "buffer", None), BUFFER_READS)):
        if type(source).__module__ == "_io":
            for row in rows:
                name = row.target.rpartition(".")[2]
                if hasattr(source, name) and name not in vars(source):
                    yield source, name, wrap(_method(source, name), row, method=True)


def _method(source: Any, name: str) -> Any:
    """The method of this name, which does not keep its stream alive."""
    function: Final = getattr(type(source), name)
    stream: Final = ref(source)

    def method(*args: Any, **kwargs: Any) -> Any:
        return function(stream(), *args, **kwargs)

    method.__name__ = method.__qualname__ = name
    return method


def watch(stream: Any) -> None:
    """Watch a stream that a test put in the place of standard input; it goes with the test."""
    for source, name, method in watched(stream):
        setattr(source, name, method)


class StdinProbe(PatchingProbe):
    """Watches the standard input that the process has."""

    name = "stdin"

    def install(self) -> None:
        for stream in (sys.__stdin__, sys.stdin):
            for source, name, method in watched(stream):
                self._patcher.replace(source, name, method)
