"""Known calls: wrappers around the callables of the catalogue.

Off the loop a wrapper looks up the current thread and calls the original, no more. On the loop it
measures the call, and takes the stack when it returns: the caller still stands on the calling
line. The outermost known call is the one that is reported; it counts if it can block by itself,
or if a known call inside it does.
"""

from __future__ import annotations

import functools
import inspect
import pkgutil
import sys
from _thread import get_ident
from collections.abc import Callable, Iterable
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, Final, TypeVar

from pytest_asyncguard.catalog.rows import Call, always, inside
from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.holds import ActiveCall, Hold, open_holds
from pytest_asyncguard.probes.inbox import FOLD_AT, Inbox, RawCall
from pytest_asyncguard.probes.patching import ImportProbe, ImportWatch

F = TypeVar("F", bound=Callable[..., Any])


def unseen(function: F) -> F:
    """Let ``warnings`` and ``logging`` count no frame of ``function`` on the way to the caller.

    What is wrapped may warn with ``stacklevel=2``, and that is about who called it, not about us.
    Both pass over the frames of the import system, which they know by these words in a file name.
    """
    code = function.__code__
    if not code.co_filename.endswith(_UNSEEN):
        if (made := _made_unseen.get(id(code))) is None:
            # The code object is kept, so that its id stays its own.
            made = _made_unseen[id(code)] = (
                code,
                code.replace(co_filename=f"{code.co_filename}{_UNSEEN}"),
            )
        function.__code__ = made[1]
    return function


_UNSEEN: Final = " (importlib._bootstrap)"
_made_unseen: Final[dict[int, tuple[CodeType, CodeType]]] = {}


class WatchedBuiltin:
    """Stands in for a built-in function.

    Like one, and unlike a Python function, it does not become a method when it is kept in a class.
    """

    def __init__(self, original: Any, row: Call) -> None:
        functools.update_wrapper(self, original)
        self._original = original
        self._row = row

    @unseen
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if open_holds and get_ident() in open_holds:
            return on_loop(open_holds[get_ident()], self._row, self._original, args, kwargs)
        return self._original(*args, **kwargs)

    def __repr__(self) -> str:
        return repr(self._original)

    def __reduce__(self) -> str | tuple[Any, ...]:
        """By a name under which any other process finds the original.

        ``socket.gethostbyname`` says that it is ``_socket.gethostbyname``, which is not wrapped.
        """
        name = str(self._original.__qualname__)
        if getattr(sys.modules.get(self._original.__module__), name, None) is self:
            return name
        return pkgutil.resolve_name, (self._row.target,)


def wrap(original: Any, row: Call, *, method: bool, as_given: bool = True) -> Any:
    """A callable that does what ``original`` does, and reports it when it is called on the loop.

    ``as_given``: the functions of the row want the arguments as they were given, by position or by
    name. Else all that were given or have a default may come by position, which takes less time.
    """
    if isinstance(original, (classmethod, staticmethod)):
        return type(original)(wrap(original.__func__, row, method=True, as_given=as_given))
    if not method and not isinstance(original, FunctionType):
        builtin = WatchedBuiltin(original, row)
        _wrappers[id(builtin)] = (builtin, original, row)
        return builtin
    if not as_given and isinstance(original, FunctionType) and _takes_two(original):
        call = _taking_two(original, row)
    else:
        call = _taking_anything(original, row)
    functools.update_wrapper(call, original)
    if getattr(original, "__module__", None) is None:  # a method descriptor
        call.__module__ = row.target.partition(":")[0]
    _wrappers[id(call)] = (call, original, row)
    return call


def _taking_anything(original: Any, row: Call) -> FunctionType:
    # Most of the time no hold is open on any thread: that is asked first.
    @unseen
    def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if open_holds and get_ident() in open_holds:
            return on_loop(open_holds[get_ident()], row, original, args, kwargs)
        return original(*args, **kwargs)

    assert isinstance(call, FunctionType)
    return call


def _taking_two(original: FunctionType, row: Call) -> FunctionType:
    """The same for a function of two arguments, in a quarter of the time.

    Event loops call ``select(timeout)`` of their selectors once in each round.
    """

    @unseen
    def call(one: Any, two: Any) -> Any:
        __tracebackhide__ = True
        if open_holds and get_ident() in open_holds:
            return on_loop(open_holds[get_ident()], row, original, (one, two), {})
        return original(one, two)

    assert isinstance(call, FunctionType)
    names = original.__code__.co_varnames[:2]
    # A code object of its own: CPython adapts it to the one function that it calls.
    call.__code__ = call.__code__.replace(co_varnames=names + call.__code__.co_varnames[2:])
    call.__defaults__ = original.__defaults__
    return call


def _takes_two(original: FunctionType) -> bool:
    code = original.__code__
    extra = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
    return (
        code.co_argcount == 2
        and not (code.co_posonlyargcount or code.co_kwonlyargcount)
        and not code.co_flags & extra
    )


@unseen
def on_loop(
    hold: Hold, row: Call, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Any
) -> Any:
    """Make the call during ``hold``."""
    __tracebackhide__ = True
    blocks, doubt = can_block(row, args, kwargs)
    outer = hold.call
    if outer is not None:
        outer.fired = outer.fired or blocks
    if outer is not None or (not blocks and row.when is not inside):
        # Nothing of its own to report: what it calls is to be judged by itself.
        answer = original(*args, **kwargs)
        if doubt is not None:
            hold.request.inbox.failed("calls", doubt)
        return answer
    try:
        active = ActiveCall(row, blocks)
        opened = holds.sources.wall()
        began = hold.clock.begin(opened)
    except Exception as error:  # noqa: BLE001 - the guard never breaks the app
        hold.request.inbox.failed("calls", error)
        return original(*args, **kwargs)
    hold.call = active
    try:
        return original(*args, **kwargs)
    finally:
        hold.call = None
        if active.fired:
            try:
                ended = holds.sources.wall()
                charged = hold.clock.end(began, opened, ended)
                if active.told:
                    holds.leave_out(hold, ended - opened, charged)
                else:
                    detail = row.detail(args, kwargs)
                    # Two frames up: the wrapper, then who called it. Frames of ours are left out.
                    report(hold, row, detail, charged, sys._getframe(2))
            except Exception as error:  # noqa: BLE001 - the guard never breaks the app
                hold.request.inbox.failed("calls", error)


def report_running(inbox: Inbox) -> None:
    """Leave the known calls that have not returned yet with the requests that made them.

    A test may give up waiting, and its server's loop be blocked for longer than the test lasts.
    """
    frames = sys._current_frames()
    for thread, hold in list(open_holds.items()):
        active = hold.call
        if active is None or active.told or not active.fired or hold.request.inbox is not inbox:
            continue
        frame = frames.get(thread)
        while frame is not None and not _makes(frame, active):
            frame = frame.f_back
        caller = frame.f_back if frame is not None else None  # the wrapper
        if frame is None or caller is None or caller.f_back is None:
            continue
        active.told = True
        made = frame.f_locals
        detail = made["row"].detail(made["args"], made["kwargs"])
        stack = inbox.stacks.capture(caller.f_back)
        hold.request.add_call(RawCall(made["row"], stack, hold.spawned, detail, None))


def _makes(frame: FrameType, call: ActiveCall) -> bool:
    return frame.f_code is on_loop.__code__ and frame.f_locals.get("active") is call


def can_block(row: Call, args: tuple[Any, ...], kwargs: Any) -> tuple[bool, Exception | None]:
    """Whether the call can block, and what kept the row from telling.

    Nonsense, most likely, which the callee will refuse; where it does not, the row is wrong.
    """
    if row.when is always:
        return True, None
    try:
        return row.when(args, kwargs), None
    except Exception as error:  # noqa: BLE001 - the guard never breaks the app
        return False, error


def report(
    hold: Hold,
    row: Any,
    detail: str | None,
    charged: tuple[int, int] | None,
    frame: FrameType,
) -> None:
    """Leave a known call, made in ``frame``, with the request that made it."""
    request = hold.request
    stack = request.inbox.stacks.capture(frame)
    if hold.calls is None:
        hold.calls = []
    elif (again := _repeated(hold, row, detail, charged, stack)) is not None:
        again.count += 1
        if charged is not None:
            cpu_ns, asleep_ns = charged
            again.cpu_ns += cpu_ns
            again.asleep_ns += asleep_ns
            again.longest = max(again.longest, charged, key=sum)
        return
    call = RawCall(row, stack, hold.spawned, detail, charged)
    if len(hold.calls) < FOLD_AT or charged is not None:
        hold.calls.append(call)
    request.add_call(call)


_RECENT: Final = 4


def _repeated(
    hold: Hold,
    row: Any,
    detail: str | None,
    charged: tuple[int, int] | None,
    stack: tuple[object, ...],
) -> RawCall | None:
    """The same call as one of the last few in this hold, made in a loop.

    To compare with those costs a tenth of what it costs to fold them all later on.
    """
    assert hold.calls is not None
    for recent in hold.calls[: -_RECENT - 1 : -1]:
        if (
            recent.row is row
            and recent.stack[:2] == stack[:2]
            and recent.detail == detail
            and recent.timed == (charged is not None)
            and recent.stack == stack
            and recent in hold.request.calls[-_RECENT:]
        ):
            return recent
    return None


_wrappers: Final[dict[int, tuple[Any, Any, Call]]] = {}
"""By identity of the wrapper: the wrapper, what it wraps, and its row."""


def row_of(value: object) -> Call | None:
    """The row of what ``value`` wraps, if it is one of our wrappers."""
    known = _wrappers.get(id(getattr(value, "__func__", value)))
    return known[2] if known is not None else None


def unalias() -> None:
    """Give the originals back to modules that imported wrappers by name while they were there."""
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType):
            for name, value in list(vars(module).items()):
                if (known := _wrappers.get(id(value))) is not None and known[0] is value:
                    setattr(module, name, known[1])
    _wrappers.clear()


class NamedCalls(ImportProbe):
    """Callables that the user named by their dotted names.

    Where the module ends and the attribute begins is known once modules are there.
    """

    name = "named-calls"

    def __init__(self, rows: Iterable[Call], watch: ImportWatch) -> None:
        super().__init__(watch)
        self._rows = tuple(rows)
        self._wrapped: set[str] = set()

    def install(self) -> None:
        for row in self._rows:
            parts = row.target.replace(":", ".").split(".")
            for length in range(1, len(parts)):
                module = ".".join(parts[:length])
                self._watch.when_imported(
                    module, functools.partial(self._patch, row, tuple(parts[length:]))
                )

    def missing(self) -> list[str]:
        """The names that stood for nothing in the modules that were imported."""
        return [row.target for row in self._rows if row.target not in self._wrapped]

    def _patch(self, row: Call, path: tuple[str, ...], module: ModuleType) -> None:
        owner: Any = module
        for part in path[:-1]:
            owner = inspect.getattr_static(owner, part, None)
        original = inspect.getattr_static(owner, path[-1], None)
        if original is None or isinstance(original, (ModuleType, type)):
            return
        if row.target not in self._wrapped and id(original) not in _wrappers:
            self._wrapped.add(row.target)
            self._patcher.replace(owner, path[-1], wrap(original, row, method=len(path) > 1))


class CallProbe(ImportProbe):
    """Wraps the callables of a table of rows, each once its module has been imported."""

    def __init__(
        self,
        name: str,
        rows: Iterable[Call],
        watch: ImportWatch,
        missing: Callable[[str], None],
    ) -> None:
        super().__init__(watch)
        self.name = name
        self._rows = tuple(rows)
        self._missing = missing
        self._made: dict[tuple[int, int], Any] = {}

    def install(self) -> None:
        by_module: dict[str, list[tuple[str, Call, str]]] = {}
        for row in self._rows:
            for target in (row.target, *row.also):
                module, _, attribute = target.partition(":")
                by_module.setdefault(module, []).append((attribute, row, target))
        for module, targets in by_module.items():
            self._watch.when_imported(module, functools.partial(self._patch, targets))

    def _patch(self, targets: list[tuple[str, Call, str]], module: ModuleType) -> None:
        for attribute, row, target in targets:
            *path, name = attribute.split(".")
            owner: Any = module
            for part in path:
                owner = getattr(owner, part, None)
            # Not getattr: of a class method the descriptor is wanted, for subclasses to bind.
            original: Any = inspect.getattr_static(owner, name, None)
            if original is None:
                if not row.optional:
                    self._missing(f"{target} not found")
                continue
            if (known := _wrappers.get(id(original))) is not None:
                original = known[1]
                if name in vars(owner):
                    # It was taken from where it had been wrapped already.
                    self._patcher.adopt(owner, name, original)
                    continue
            try:
                self._wrap(owner, name, original, row, method=bool(path))
            except TypeError as error:  # an immutable type
                if not row.optional:
                    self._missing(f"{target}: {error}")

    def _wrap(self, owner: Any, name: str, original: Any, row: Call, *, method: bool) -> None:
        """One wrapper for all the names of a row: it stays one object."""
        key = (id(original), id(row))
        if (wrapper := self._made.get(key)) is None:
            wrapper = self._made[key] = wrap(original, row, method=method, as_given=False)
        self._patcher.replace(owner, name, wrapper)

    def uninstall(self) -> None:
        super().uninstall()
        self._made.clear()
