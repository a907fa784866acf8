"""Roles: what a test double stands for.

A double has a role because of what it was put in the place of, or what it is a spec of. What it
answers, and what it has for attributes, play on: ``connect()`` gives connections, their
``cursor()`` gives cursors, and their ``execute`` blocks.
"""

from __future__ import annotations

import inspect
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import replace
from types import FunctionType, ModuleType
from typing import Any, Final, get_args, get_type_hints

from pytest_asyncguard.catalog.clients.replaced import Client
from pytest_asyncguard.catalog.rows import Call, always, inside
from pytest_asyncguard.probes import makers

DETAIL: Final = "replaced by a test double"
CALLED: Final = "()"
"""The word for a call in the path that leads from a double to what is called now."""

# Whether these really wait depends on threads and files which a double does not have.
_UNTOLD: Final = frozenset({"thread-wait", "file", "tls-context"})

_INSTALLED: Final = tuple({sysconfig.get_path(key) for key in ("stdlib", "purelib", "platlib")})


class Role:
    """What a double stands for: a call, a client, both (``psycopg2.connect``), or a module.

    ``name`` is how the client's product is called, ``path`` what led from that to the double, and
    ``cls`` the class of what the double replaced, where one is known.
    """

    __slots__ = ("call", "client", "cls", "module", "name", "path")

    def __init__(
        self,
        call: Call | None = None,
        client: Client | None = None,
        *,
        module: str = "",
        name: str = "",
        cls: type | None = None,
        path: tuple[str, ...] = (),
    ) -> None:
        self.call = call
        self.client = client
        self.module = module
        self.name = name or (client.name if client is not None else "")
        self.cls = cls
        self.path = path

    @property
    def depth(self) -> int:
        """How many attributes lead to the double."""
        return sum(word != CALLED and not word.startswith("__") for word in self.path)

    def then(self, *words: str) -> Role:
        """The role of what ``words`` lead to from here."""
        return Role(
            self.call,
            self.client,
            module=self.module,
            name=self.name,
            cls=self.cls,
            path=(*self.path, *words),
        )


class Roles:
    """Tells roles, by the rows of calls and of clients."""

    def __init__(self, calls: Iterable[Call], clients: Iterable[Client]) -> None:
        self._clients = tuple(clients)
        self._met: list[tuple[Client, object]] = []
        self._rows: dict[tuple[str, str], Call] = {}
        self._hints: dict[int, tuple[object, dict[str, Role]]] = {}
        self._calls_named: dict[str, Call] = {}
        for row in calls:
            if row.rule not in _UNTOLD and "." not in row.target.partition(":")[2]:
                for text in (row.name, *(t.replace(":", ".") for t in (row.target, *row.also))):
                    self._calls_named.setdefault(text, row)
        self._clients_named: dict[str, Client] = {}
        for client in self._clients:
            for text in (client.target.replace(":", "."), client.name):
                self._clients_named.setdefault(text, client)
        # Where a module itself is the client, by the names of its methods.
        self._whole = {row.name: row for row in self._clients if row.blocking is not None}
        self.packages: Final = {
            name.partition(".")[0] for name in (*self._calls_named, *self._clients_named)
        }

    def modules(self) -> set[str]:
        """The modules in which clients live."""
        return {client.target.partition(":")[0] for client in self._clients}

    def met(self, module: ModuleType) -> None:
        """``module`` was imported: remember its clients, before a test can replace them."""
        for client in self._clients:
            home, _, name = client.target.partition(":")
            if home == module.__name__ and (found := vars(module).get(name)) is not None:
                self._met.append((client, found))

    def clear(self) -> None:
        self._met.clear()
        self._hints.clear()

    # --- what something is -------------------------------------------------------------------

    def of(self, owner: object, name: str, original: object, wrapped: Call | None) -> Role | None:
        """The role of what takes the place of ``original``, which is ``owner.name``.

        ``wrapped`` is the row of ``original``, where it is one of our wrappers.
        """
        if isinstance(original, ModuleType):
            top = original.__name__.partition(".")[0]
            return Role(module=original.__name__) if top in self.packages else None
        if wrapped is not None and wrapped.rule in _UNTOLD:
            wrapped = None
        role = self.of_value(original)
        if wrapped is not None or role is not None:
            if role is None:
                return Role(wrapped)
            return Role(wrapped, role.client, name=role.name, cls=role.cls)
        if isinstance(owner, ModuleType):
            if (named := self.of_name(f"{owner.__name__}.{name}")) is not None:
                cls = original if isinstance(original, type) else None
                return Role(named.call, named.client, cls=cls)
        elif (method := self._method(owner, name, original)) is not None:
            return method
        return self._returned(original)

    def of_name(self, dotted: str) -> Role | None:
        """The role of what the catalogue knows by this name."""
        call, client = self._calls_named.get(dotted), self._clients_named.get(dotted)
        return Role(call, client) if call is not None or client is not None else None

    def of_value(self, value: object) -> Role | None:
        """The role of a client's class or factory, of a subclass, or of an instance."""
        for client, found in self._met:
            if value is found:
                return Role(client=client)
        return self._of_class(_class(value))

    def _of_class(self, cls: type) -> Role | None:
        if cls is object or _is_async(cls):
            return None
        for client, found in self._met:
            if isinstance(found, type) and found in cls.__mro__:
                return Role(client=client, name=_name(client, found, cls), cls=cls)
        return None

    def _method(self, owner: object, name: str, original: object) -> Role | None:
        """A method of a client that was replaced on its class, or on one object.

        One that does not block may give what does: ``Redis.from_url``, ``engine.connect``.
        """
        if isinstance(original, (classmethod, staticmethod)):
            original = original.__func__
        kept = isinstance(original, property) or type(original).__name__ == "cached_property"
        if inspect.iscoroutinefunction(original) or not (callable(original) or kept):
            return None
        # Of a lazy proxy, what it stands for.
        cls = _class(getattr(original, "__self__", owner))
        role = self._of_class(cls)
        if role is None or role.client is None or name.startswith("_") or _is_users(original):
            return None
        if not kept and role.client.blocks(name):
            return Role(self.row(role.client, f"{role.name}.{name}"))
        return role.then(name)

    def _returned(self, original: object) -> Role | None:
        """What a function of the user's returns: it says so, or one sees it make that."""
        function = makers.function_of(original)
        if not isinstance(function, FunctionType) or inspect.iscoroutinefunction(function):
            return None
        if (role := self.hints(function).get("return")) is not None:
            return role
        if _in_library(function.__module__):
            return None
        for made in makers.made_by(function):
            role = self.of_value(made)
            if role is None and (name := getattr(made, "__qualname__", None)) is not None:
                role = self.of_name(f"{getattr(made, '__module__', '')}.{name}")
            if role is not None and role.client is not None:
                return role
        return None

    def expected(self, function: Any, name: str | None, dependency: Any) -> Role | None:
        """The role of what FastAPI passes to ``function`` for ``name``, from ``dependency``."""
        if name is None:
            return None
        if not isinstance(function, FunctionType):
            home = function if isinstance(function, type) else type(function)
            function = getattr(home, "__init__" if home is function else "__call__", None)
        elif "__wrapped__" in vars(function):
            function = inspect.unwrap(function)
        # Behind a cache, most likely.
        dependency = getattr(dependency, "__wrapped__", dependency)
        return self.hints(function).get(name) or self.hints(dependency).get("return")

    def fields(self, cls: type) -> dict[str, Role]:
        """The attributes that ``cls`` annotates with a client, and their roles."""
        return self._roles_in(_annotations(cls))

    def hints(self, function: Any) -> dict[str, Role]:
        """The parameters of ``function`` that are annotated with a client, and their roles."""
        code = getattr(function, "__code__", None)
        if code is None:
            return {}
        known = self._hints.get(id(code))
        if known is None:
            # The code object is kept, so that its id stays its own.
            known = self._hints[id(code)] = (code, self._roles_in(_annotations(function)))
        return known[1]

    def _roles_in(self, hints: dict[str, Any]) -> dict[str, Role]:
        """What is annotated with a client is one, and not what makes one."""
        found = {name: self._annotated(hint) for name, hint in hints.items()}
        return {name: role.then("__call__") for name, role in found.items() if role is not None}

    def _annotated(self, hint: Any) -> Role | None:
        candidates = [part for part in (hint, *get_args(hint)) if isinstance(part, type)]
        if any(_is_users(part) and self._of_class(part) is None for part in candidates):
            return None  # a client, or something of the user's own in its place
        for candidate in candidates:
            if (role := self._of_class(candidate)) is not None:
                return role
        return None

    # --- what a call of it is ----------------------------------------------------------------

    def call(self, role: Role, *words: str) -> Call | None:
        """The row for a call of what ``words`` lead to from a double with this role."""
        path = (*role.path, *words)
        if role.module:
            found = self._within(role.module, path)
            return self.call(found) if found is not None else None
        if not path and role.call is not None:
            return self.row(role.call, role.call.name)
        client = role.client
        if client is None:
            return None
        if not path:
            return self.row(client, client.target.replace(":", ".")) if client.connects else None
        return self._product(role, client, path)

    def has(self, role: Role, name: str) -> bool:
        """Whether what ``role`` stands for has that attribute, as far as its class tells."""
        if role.depth:
            return True
        cls = role.cls or next(
            (
                found
                for client, found in self._met
                if role.client is not None
                and client.name == role.client.name
                and isinstance(found, type)
            ),
            None,
        )
        return cls is not None and inspect.getattr_static(cls, name, None) is not None

    def answer(self, role: Role) -> Role | None:
        """The role of what a double with this role answers."""
        if role.module:
            found = self._within(role.module, role.path)
            return self.answer(found) if found is not None else None
        client = role.client
        if client is None or self._product(role, client, role.path) is not None:
            return None
        return role.then(CALLED)

    def _product(self, role: Role, client: Client, path: tuple[str, ...]) -> Call | None:
        words = [word for word in path if not word.startswith("__")]
        if not words or words[-1] == CALLED:
            return None
        parts = dict(client.parts)
        part: frozenset[str] | None = None
        name = role.name
        last = len(words) - 1
        for index, word in enumerate(words):
            if word == CALLED:
                continue
            name += f".{word}"
            called = index == last or words[index + 1] == CALLED
            if called and client.blocks(word, part):
                if index == 0 and role.cls is not None and _adds(role.cls, word):
                    return None
                if index == last:
                    return self.row(client, name)
                if word not in parts:
                    return None  # called on what a blocking call has answered
            if word in parts:
                part = parts[word]
        return None

    def _within(self, module: str, path: tuple[str, ...]) -> Role | None:
        """The role of what ``path`` leads to from a double of a module."""
        found: object = sys.modules.get(module)
        dotted = module
        for index, word in enumerate(path):
            if word == CALLED:
                break
            owner, dotted = found, f"{dotted}.{word}"
            found = inspect.getattr_static(owner, word, None)
            role = self.of_name(dotted)
            if role is None and found is not None and not isinstance(found, ModuleType):
                role = self.of_value(found)
            if role is not None:
                return role.then(*path[index + 1 :])
        whole = self._whole.get(module)
        return Role(client=whole, path=path) if whole is not None else None

    def row(self, row: Call | Client, name: str) -> Call:
        """The row under which the call of a double is reported."""
        key = (row.target, name)
        if key not in self._rows:
            if isinstance(row, Client):
                made = Call(target=row.target, rule=row.rule, name=name, twin=row.twin)
            else:
                # What a method is given includes its object, which a double does not get.
                method = "." in row.target.partition(":")[2]
                when = always if method or row.when is inside else row.when
                made = replace(row, name=name, when=when, by_caller=False)
            self._rows[key] = replace(made, detail=_replaced)
        return self._rows[key]


def _replaced(_args: tuple[Any, ...], _kwargs: dict[str, Any]) -> str:
    return DETAIL


def _is_async(cls: type) -> bool:
    """Asynchronous clients may be subclasses of synchronous ones (aiobotocore's are)."""
    return cls.__name__.startswith(("Async", "Aio")) or cls.__module__.startswith("aio")


def _class(value: object) -> type:
    if isinstance(value, type):
        return value
    cls = type(value)
    # Celery's tasks are proxies, that say they are what they stand for.
    return value.__class__ if cls.__module__ == "celery.local" else cls


def original_of(owner: object, name: str) -> object:
    """What stood behind ``owner.name``, before it got an attribute of its own.

    A class or an object has it from a class, a module may export it only when it is asked.
    """
    if isinstance(owner, ModuleType):
        ask = vars(owner).get("__getattr__")
        return ask(name) if ask is not None else None
    bases = owner.__mro__[1:] if isinstance(owner, type) else _class(owner).__mro__
    return next((vars(base)[name] for base in bases if name in vars(base)), None)


def is_library(cls: type) -> bool:
    """Whether a class is an installed library's, or the standard library's."""
    return _in_library(cls.__module__)


def _in_library(module: str) -> bool:
    file = getattr(sys.modules.get(module), "__file__", None)
    if not isinstance(file, str):
        return module in sys.builtin_module_names
    return file.startswith(_INSTALLED) or "site-packages" in file or "dist-packages" in file


def _adds(cls: type, name: str) -> bool:
    """Whether ``name`` is a method that the user's subclass of a client adds."""
    home = next((base for base in cls.__mro__ if name in vars(base)), None)
    return home is not None and not is_library(home)


def _is_users(value: object) -> bool:
    """Whether a class or a method is the user's, whatever class it was found in."""
    module = getattr(makers.function_of(value), "__module__", None)
    return isinstance(module, str) and not _in_library(module)


def _name(client: Client, found: type, cls: type) -> str:
    """How to call a product: resources of an SDK, which have one base, by their own class."""
    if cls is found or "." in client.name:
        return client.name
    own = next(
        (
            base
            for base in cls.__mro__
            if base.__module__.partition(".")[0] == client.name.partition(".")[0]
        ),
        cls,
    )
    return f"{client.name}.{own.__name__}"


def _annotations(function: Any) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except Exception:  # noqa: BLE001 - a name that is there for type checkers only
        return {
            name: hint
            for name, hint in getattr(function, "__annotations__", {}).items()
            if not isinstance(hint, str)
        }
