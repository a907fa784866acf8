"""Stacks: taken as code objects and offsets on the loop, made into plain frames off it.

Reading a stack must cost little where it happens and nothing of the user's: no line is looked up,
no file is opened, no local variable is kept alive. All that waits until the test is over.
"""

from __future__ import annotations

import linecache
import os
import re
import sys
from collections.abc import Callable
from itertools import islice
from types import CodeType, FrameType
from typing import Any, Final, cast

from pytest_asyncguard._compat import can_suspend
from pytest_asyncguard.model import Frame, Origin, Stack

RawStack = tuple[object, ...]
"""Code object and instruction offset of each frame in turn, innermost first."""
REMEMBERED: Final = 16
"""How many stacks are remembered of those that end at the same offset."""

# From 3.12 on a comprehension is no function of its own; a generator expression still is. Named
# after the function that they stand in, both have one identity on all versions.
_INLINED: Final = re.compile(r"(?:\.<locals>)?\.<(?:listcomp|setcomp|dictcomp|genexpr)>")

OWN: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

_boundaries: list[CodeType | None] = [None, None, None]


def boundary(function: Callable[..., object]) -> None:
    """Let stacks end before the frames of ``function``: there the request's own code begins."""
    code: CodeType = function.__code__
    if code not in _boundaries:
        _boundaries[_boundaries.index(None)] = code


def _is_boundary(code: CodeType) -> bool:
    entry, step, trio = _boundaries
    return code is entry or code is step or code is trio


def capture(frame: FrameType | None) -> RawStack:
    """The stack from ``frame`` outwards to the boundary."""
    stack, ended = _walk(frame)
    return stack if ended else stack + _spawner()


def _spawner() -> RawStack:
    """The stack of what switched to the greenlet that runs.

    SQLAlchemy's asyncio half runs synchronous code in greenlets, and the frames of one have nobody
    behind them.
    """
    stack: RawStack = ()
    module = sys.modules.get("greenlet")
    running = module.getcurrent().parent if module is not None else None
    while running is not None:
        more, ended = _walk(running.gr_frame)
        stack += more
        running = None if ended else running.parent
    return stack


def _walk(frame: FrameType | None) -> tuple[RawStack, bool]:
    """The frames from ``frame`` outwards, and whether the boundary came behind them."""
    parts: list[object] = []
    append = parts.append
    # Compared by identity: hashing a code object hashes all its instructions.
    entry, step, trio = _boundaries
    while frame is not None:
        code = frame.f_code
        if code is entry or code is step or code is trio:
            break
        append(code)
        append(frame.f_lasti)
        frame = frame.f_back
    return tuple(parts), frame is not None


class StackMemory:
    """Takes stacks, and knows again those that it took before.

    To read the code object of a frame raises an audit event, and that takes five times as long as
    all the rest. It is needed for the project's frames, and for what the innermost of them calls;
    of the framework around them it is enough to know where in which module each frame stands.
    """

    def __init__(self, in_project: Callable[[str], bool]) -> None:
        self._in_project = in_project
        self._taken: dict[int, list[Taken]] = {}

    def capture(self, frame: FrameType) -> RawStack:
        """The stack from ``frame`` outwards to the boundary."""
        known = self._taken.get(frame.f_lasti)
        for taken in known or ():
            if taken.stands(frame):
                return taken.stack
        stack, ended = _walk(frame)
        if not ended and (spawner := _spawner()):
            return stack + spawner
        if known is None or len(known) >= REMEMBERED:
            known = self._taken[frame.f_lasti] = []
        known.append(Taken(stack, frame, self._in_project))
        return stack

    def clear(self) -> None:
        self._taken.clear()


class Taken:
    """A stack that was taken, and what to compare with it: offsets, and codes or modules."""

    __slots__ = ("inner", "outer", "stack")

    def __init__(
        self, stack: RawStack, frame: FrameType, in_project: Callable[[str], bool]
    ) -> None:
        self.stack = stack
        codes = cast("tuple[CodeType, ...]", stack[::2])
        own = [index for index, code in enumerate(codes) if in_project(code.co_filename)]
        first, last = (own[0], own[-1]) if own else (len(codes), len(codes))
        inner: list[tuple[object, object, object]] = []
        outer: list[tuple[object, object]] = []
        there: Any = frame
        for index, code in enumerate(codes):
            if index > last:
                outer.append((there.f_lasti, there.f_globals))
            else:
                by_code = index <= first or index in own
                inner.append((there.f_lasti, there.f_globals, code if by_code else None))
            there = there.f_back
        self.inner = tuple(inner)
        self.outer = tuple(outer)

    def stands(self, frame: FrameType) -> bool:
        """Whether it stands where ``frame`` stands."""
        there: Any = frame
        try:
            for offset, module, code in self.inner:
                if there.f_lasti != offset:
                    return False
                if there.f_globals is not module if code is None else there.f_code is not code:
                    return False
                there = there.f_back
            for offset, module in self.outer:
                if there.f_lasti != offset or there.f_globals is not module:
                    return False
                there = there.f_back
        except AttributeError:  # a shorter one
            return False
        return there is None or _is_boundary(there.f_code)


def identity(stack: RawStack) -> tuple[object, ...]:
    """A cheap key, valid as long as ``stack`` keeps its code objects alive."""
    return (*map(id, stack[::2]), *stack[1::2])


class Reader:
    """Turns raw stacks into frames, remembering each place it has looked up."""

    def __init__(self, origin_of: Callable[[str], Origin]) -> None:
        self._origin_of = origin_of
        self._frames: dict[tuple[int, int], tuple[CodeType, Frame]] = {}
        self._modules: dict[str, str] = {}

    def read(self, stack: RawStack) -> Stack:
        frames: list[Frame] = []
        pairs = iter(stack)
        for code, offset in zip(pairs, pairs, strict=True):
            assert isinstance(code, CodeType)
            assert isinstance(offset, int)
            if not code.co_filename.startswith(OWN):
                frames.append(self.frame(code, offset))
        frames.reverse()
        return tuple(frames)

    def frame(self, code: CodeType, offset: int) -> Frame:
        key = (id(code), offset)
        if (known := self._frames.get(key)) is None:
            # The code object is kept, so that its id stays its own.
            known = self._frames[key] = (code, self._look_up(code, offset))
        return known[1]

    def _look_up(self, code: CodeType, offset: int) -> Frame:
        file = code.co_filename
        line, end_line, start, end = positions(code, offset)
        source = linecache.getline(file, line).rstrip("\r\n") or None
        last = source if end_line == line else linecache.getline(file, end_line or line)
        return Frame(
            file=file,
            line=line,
            end_line=end_line,
            column=_column(source, start),
            end_column=_column(last, end),
            function=_INLINED.sub("", code.co_qualname),
            module=(module := self._module(file)),
            public=public_name(module, code.co_qualname),
            origin=self._origin_of(file),
            first_line=max(1, code.co_firstlineno),
            source=source,
            coroutine=bool(code.co_flags & (0x80 | 0x200)),  # CO_COROUTINE, CO_ASYNC_GENERATOR
            awaits=can_suspend(code),
        )

    def _module(self, file: str) -> str:
        if (name := self._modules.get(file)) is None:
            name = self._modules[file] = module_of(file)
        return name


def positions(code: CodeType, offset: int) -> tuple[int, int | None, int | None, int | None]:
    """Line, end line, and the byte columns of the instruction at ``offset``."""
    found = next(islice(code.co_positions(), max(0, offset) // 2, None), None)
    line, end_line, start, end = found or (None, None, None, None)
    if line is None:
        return max(1, code.co_firstlineno), None, None, None
    return max(1, line), end_line, start, end


def _column(source: str | None, offset: int | None) -> int | None:
    """A byte offset as a column in characters, from 1."""
    if source is None or offset is None:
        return None
    return len(source.encode("utf-8", "surrogatepass")[:offset].decode("utf-8", "ignore")) + 1


def module_of(file: str) -> str:
    """The dotted name under which ``file`` is imported, by the longest entry of ``sys.path``."""
    if file.startswith("<frozen "):
        return file[8:-1]
    if not file.endswith(".py"):
        return ""
    best = ""
    for entry in sys.path:
        folder = os.path.join(os.path.abspath(entry or os.getcwd()), "")
        if file.startswith(folder) and len(folder) > len(best):
            best = folder
    if not best:
        return os.path.basename(file)[:-3]
    return file[len(best) : -3].replace(os.sep, ".").removesuffix(".__init__")


def public_name(module: str, function: str) -> str:
    """The dotted name of ``function`` as its users write it.

    Taken from the outermost package that exports it: ``requests.api`` has ``get``, and so does
    ``requests``. A special method stands for its class, a nested function for the outer one.
    """
    parts = function.partition(".<locals>")[0].split(".")
    if len(parts) > 1 and parts[-1].startswith("__"):
        parts.pop()
    if not module or parts[0].startswith("<"):
        return module or function
    home = module.split(".")
    defined = _attribute(module, parts[0])
    for length in range(1, len(home)):
        package = ".".join(home[:length])
        # By identity: httpx sets __module__ of what it exports to its own name.
        if defined is not None and _attribute(package, parts[0]) is defined:
            return ".".join((package, *parts))
        if "._" in module and (heir := _heir(package, defined)) is not None:
            return ".".join((package, heir, *parts[1:]))
    return ".".join((module, *parts))


def _heir(package: str, base: object) -> str | None:
    """The nearest class of ``package`` that inherits from a hidden ``base``.

    ``pathlib.Path`` has its methods from ``pathlib._abc.PathBase``, which nobody writes.
    """
    heirs = [
        cls
        for name, cls in list(vars(sys.modules.get(package, sys)).items())
        if isinstance(cls, type) and base in cls.__mro__ and not name.startswith("_")
    ]
    return min(heirs, key=lambda cls: len(cls.__mro__)).__name__ if heirs else None


def _attribute(module: str, name: str) -> object:
    """Not getattr: a module may import on demand."""
    found = sys.modules.get(module)
    return vars(found).get(name) if found is not None else None
