"""Test doubles: calls that a test replaced whole are reported as what they stand for.

A synchronous client that a test replaced by a mock is instant in the test and blocks in
production. When ``unittest.mock.patch`` (pytest-mock uses it) or pytest's ``monkeypatch`` puts
something in the place of a catalogued callable, that thing is remembered; when it is called
during a hold, it counts as the call that it replaced.
"""

from __future__ import annotations

import functools
import inspect
from _thread import get_ident
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from pytest_asyncguard.catalog.rows import Call, Client, always, inside
from pytest_asyncguard.probes import holds
from pytest_asyncguard.probes.calls import on_loop, row_of, wrap
from pytest_asyncguard.probes.holds import open_holds
from pytest_asyncguard.probes.patching import ImportWatch, Patcher

DETAIL: Final = "replaced by a test double"

# Whether these really wait depends on threads and files which a double does not have.
UNTOLD: Final = frozenset({"thread-wait", "file", "tls-context", "socket"})
# Called after, or on the way to, what blocks.
QUICK: Final = frozenset({"close", "cursor", "fetchall", "fetchmany", "fetchone"})
PLAIN: Final = (FunctionType, BuiltinFunctionType, MethodType, functools.partial)


class Role:
    """What a double stands for: a callable, a client, or both (``psycopg2.connect``)."""

    def __init__(self, call: Call | None, client: Client | None) -> None:
        self.call = call
        self.client = client


class Doubles:
    """The doubles that are in place, and what each stands for."""

    def __init__(self, clients: Iterable[Client]) -> None:
        self._clients = tuple(clients)
        self._found: list[tuple[Client, object]] = []
        self._roles: dict[int, tuple[object, Role]] = {}
        self._rows: dict[tuple[str, str], Call] = {}

    def modules(self) -> set[str]:
        return {client.target.partition(":")[0] for client in self._clients}

    def clear(self) -> None:
        self._roles.clear()
        self._found.clear()

    def put(self, target: object, name: str, original: object) -> Any:
        """``target.name`` was replaced. Returns what is to stand there instead, or None."""
        double = inspect.getattr_static(target, name, None)
        role = self.role(target, name, original)
        if role is None or double is None:
            return None
        if hasattr(type(double), "_mock_call") or hasattr(double, "_mock_new_parent"):
            if not _is_async(double):
                self._roles[id(double)] = (double, role)
            return None
        if role.call is None or not isinstance(double, PLAIN) or _is_async(double):
            return None
        return wrap(double, self._row(role.call, role.call.name), method=isinstance(target, type))

    def role(self, target: object, name: str, original: object) -> Role | None:
        """What ``original``, which was ``target.name``, is in the catalogue."""
        call = row_of(original)
        if call is not None and call.rule in UNTOLD:
            call = None
        client = self._client(original)
        if call is None and client is None:
            call = self._method(target, name, original)
        return Role(call, client) if call or client else None

    def met(self, module: ModuleType) -> None:
        """``module`` was imported: remember its clients, before a test can replace them."""
        for client in self._clients:
            home, _, name = client.target.partition(":")
            if home == module.__name__ and (found := vars(module).get(name)) is not None:
                self._found.append((client, found))

    def _client(self, original: object) -> Client | None:
        return next((client for client, found in self._found if found is original), None)

    def _method(self, target: object, name: str, original: object) -> Call | None:
        """A method of a client that was replaced on its class, or on one object."""
        cls = target if isinstance(target, type) else type(target)
        if not callable(original) or isinstance(target, ModuleType) or name.startswith("_"):
            return None
        if inspect.iscoroutinefunction(original):
            return None
        for client, found in self._found:
            if isinstance(found, type) and issubclass(cls, found):
                if name in QUICK or name in client.quick.split():
                    return None
                return self._of_client(client, f"{client.name}.{name}")
        return None

    def _of_client(self, client: Client, name: str) -> Call:
        row = Call(target=client.target, rule=client.rule, name=name, twin=client.twin)
        return self._row(row, name)

    def _row(self, row: Call, name: str) -> Call:
        """The row under which the call of a double is reported."""
        key = (row.target, name)
        if key not in self._rows:
            when = always if row.when is inside else row.when
            self._rows[key] = replace(row, name=name, when=when, by_caller=False, detail=_replaced)
        return self._rows[key]

    def called(self, mock: Any) -> Call | None:
        """The row for a call of ``mock``, if it or what it came from stands for something."""
        path: list[str] = []
        node = mock
        for _ in range(32):
            state = node.__dict__
            if (known := self._roles.get(id(node))) is not None:
                return self._called(known[1], path[::-1])
            if (spec := state.get("_spec_class")) is not None:
                client = self._client(spec)
                if client is not None:
                    return self._called(Role(None, client), path[::-1])
            path.append(state.get("_mock_new_name") or "")
            node = state.get("_mock_new_parent")
            if node is None:
                return None
        return None

    def _called(self, role: Role, path: list[str]) -> Call | None:
        """The row for a call of what ``path`` leads to from a double with this role."""
        if not path and role.call is not None:
            return self._row(role.call, role.call.name)
        if role.client is None:
            return None
        if not path:
            return self._of_client(role.client, role.client.name) if role.client.connects else None
        quick = QUICK.union(role.client.quick.split())
        name = role.client.name
        words = [word for word in path if not word.startswith("__")]
        for index, word in enumerate(words):
            if word == "()":
                if index and words[index - 1] not in {"()", *quick}:
                    return None  # called on what a blocking call has answered
                continue
            name += f".{word}"
        last = words[-1] if words else "()"
        if last in {"()", "", *quick} or last.startswith("_"):
            return None
        return self._of_client(role.client, name)


def _replaced(_args: tuple[Any, ...], _kwargs: dict[str, Any]) -> str:
    return DETAIL


def _is_async(double: object) -> bool:
    # The class of AsyncMock: an instance says that it is a coroutine function, and so does any
    # mock that was made after one.
    return inspect.iscoroutinefunction(double) or "Async" in type(double).__name__


class DoubleProbe:
    """Learns of doubles as they are put in place, and of their calls."""

    name = "doubles"

    def __init__(self, clients: Iterable[Client], watch: ImportWatch) -> None:
        self._doubles = Doubles(clients)
        self._watch = watch
        self._patcher = Patcher()

    def unavailable(self) -> str | None:
        return None

    def install(self) -> None:
        for module in sorted(self._doubles.modules()):
            self._watch.when_imported(module, self._doubles.met)
        self._watch.when_imported("unittest.mock", self._patch_mock)
        self._watch.when_imported("_pytest.monkeypatch", self._patch_monkeypatch)

    def uninstall(self) -> None:
        self._patcher.restore()
        self._doubles.clear()

    def _patch_mock(self, module: ModuleType) -> None:
        patcher: Any = module._patch
        mixin: Any = module.CallableMixin
        self._patcher.replace(patcher, "__enter__", self._entering(patcher.__enter__))
        self._patcher.replace(mixin, "__call__", self._calling(mixin.__call__))

    def _patch_monkeypatch(self, module: ModuleType) -> None:
        cls: Any = module.MonkeyPatch
        self._patcher.replace(cls, "setattr", self._setting(cls.setattr))

    def _noting(self, target: object, name: str, original: object) -> None:
        try:
            instead = self._doubles.put(target, name, original)
            if instead is not None:
                setattr(target, name, instead)
        except Exception as error:  # noqa: BLE001 - the guard never breaks a test
            if (inbox := holds.inbox()) is not None:
                inbox.failed(self.name, error)

    def _entering(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def __enter__(self_: Any) -> Any:  # noqa: N807
            __tracebackhide__ = True
            entered = original(self_)
            if holds.inbox() is not None and hasattr(self_, "target"):
                self._noting(self_.target, self_.attribute, self_.temp_original)
            return entered

        return __enter__

    def _setting(self, original: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(original)
        def setattr_(self_: Any, *args: Any, **kwargs: Any) -> None:
            __tracebackhide__ = True
            before = len(self_._setattr)
            original(self_, *args, **kwargs)
            if holds.inbox() is not None and len(self_._setattr) > before:
                self._noting(*self_._setattr[-1])

        return setattr_

    def _calling(self, original: Callable[..., Any]) -> Callable[..., Any]:
        get_hold, doubles = open_holds.get, self._doubles

        @functools.wraps(original)
        def __call__(self_: Any, /, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
            __tracebackhide__ = True
            hold = get_hold(get_ident())
            row = None
            if hold is not None and not _is_async(self_):
                try:
                    row = doubles.called(self_)
                except Exception as error:  # noqa: BLE001 - the guard never breaks a test
                    hold.request.inbox.failed(self.name, error)
            if hold is None or row is None:
                return original(self_, *args, **kwargs)
            return on_loop(hold, row, functools.partial(original, self_), args, kwargs)

        return __call__
